"""What the edge learns from the steps of browsers, and what it tells them."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.origin import Answer, Asked, Origin, edge, origin
from tests.e2e.site import Running, hyperweb, make_site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

NEXT = "/api/content/next-likely-page?page="
RULES = "/api/content/speculation-rules?page="
BROWSER = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "same-origin"}
CHROMIUM = {**BROWSER, "Sec-CH-UA": '"Chromium";v="140"'}
# Steps after which nobody doubts a habit.
OFTEN = 12

HANDLERS = '''
import asyncio
from hyperweb import get, Response


@get("/made/{name}", cache="60s")
async def made(name: str) -> Response:
    """A page that is kept."""
    return Response(f"<!doctype html><link rel=stylesheet href=/s.css><p>{name}", content_type="text/html")


@get("/slow/{name}")
async def slow(name: str) -> Response:
    """A page that takes a while."""
    await asyncio.sleep(0.1)
    return Response(
        f"<!doctype html><link rel=stylesheet href=/s.css><p>{name}",
        content_type="text/html",
        headers={
            "link": "</f.woff2>; rel=preload; as=font; crossorigin, </only-mine.css>; rel=preload; as=style",
        },
    )


@get("/mine/{name}")
async def mine(name: str) -> Response:
    """A page for one."""
    return Response("<!doctype html><p>mine", content_type="text/html", headers={"cache-control": "private"})
'''


def step(server: Running, before: str, path: str, **more: str) -> tuple[int, dict[str, str], bytes]:
    """Goes from one page to another, as a browser does that follows a link."""
    referer = f"http://127.0.0.1:{server.port}{before}"
    return server.get(
        path, {**BROWSER, "Referer": referer, **{name.replace("_", "-"): one for name, one in more.items()}}
    )


def foretold(server: Running, path: str) -> dict[str, float]:
    status, fields, body = server.get(NEXT + path)
    assert (status, fields["content-type"]) == (200, "application/json")
    return {one["page"]: one["probability"] for one in json.loads(body)["next"]}


def stats(site: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(hyperweb("stats", site, "--json", check=True).stdout)
    return found


def until(true: Any) -> None:
    for _ in range(200):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {"handlers.py": HANDLERS, "static/s.css": "p{}", "static/f.woff2": "x"}
    root = make_site(tmp_path_factory.mktemp("learning") / "site", **files)
    with (root / "site.toml").open("a") as file:
        file.write("[learning]\ncontrol = 0\n")
    hyperweb("build", root, check=True)
    return root


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[Running]:
    with serving(site, "--prod", "--workers", "1", "--metrics", wait_for="/made/up") as running:
        yield running


def test_a_habit_is_learned_and_told(server: Running, site: Path) -> None:
    assert foretold(server, "/") == {}
    for _ in range(OFTEN):
        assert step(server, "/", "/posts/a/")[0] == 200
    step(server, "/", "/posts/b/")
    found = foretold(server, "/")
    # What is told already is no longer counted: the browser may have fetched it ahead.
    assert next(iter(found)) == "/posts/a/"
    assert 0.39 < found["/posts/a/"] < 1
    status, fields, body = server.get("/", CHROMIUM)
    assert (status, fields["speculation-rules"]) == (200, f'"{RULES}/"')
    assert "rel=prefetch" not in fields.get("link", "")
    assert body.startswith(b"<!doctype html>")
    status, fields, body = server.get(f"{RULES}/")
    assert (status, fields["content-type"]) == (200, "application/speculationrules+json")
    assert json.loads(body) == {"prefetch": [{"source": "list", "urls": ["/posts/a/"], "eagerness": "immediate"}]}
    # Another browser is told in words that it knows.
    assert server.get("/", BROWSER)[1]["link"] == "</posts/a/>; rel=prefetch"
    assert server.get("/", {**BROWSER, "Save-Data": "on"})[1].get("link") is None
    # Who is no browser that goes to a page is told nothing.
    for other in ({}, {"Sec-Fetch-Mode": "cors"}, {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}):
        assert "link" not in server.get("/", other)[1]
    assert json.loads(server.get(f"{RULES}/posts/a/")[2]) == {}
    figures = stats(site)["learning"]
    assert figures["steps"] > 3
    assert figures["hinted"] >= 2


@pytest.mark.parametrize(
    "fields",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Mode": "no-cors"},
        {"Sec-Purpose": "prefetch"},
        {"Cache-Control": "max-age=0"},
        {"Referer": "http://elsewhere.example/posts/b/"},
    ],
)
def test_what_is_no_step_of_a_visitor_is_not_learned(server: Running, fields: dict[str, str]) -> None:
    for path in ("/posts/a/", "/slow/x"):
        step(server, "/posts/b/", path, **fields)
        assert foretold(server, "/posts/b/") == {}


def test_what_is_not_for_all_or_no_page_is_not_learned(server: Running) -> None:
    step(server, "/tags/x/", "/mine/a")
    step(server, "/tags/x/", "/api/pid")
    step(server, "/tags/x/", "/no/such/page/")
    step(server, "/tags/x/", "/slow/b", Cookie="session=1")
    step(server, "/tags/x/", "/slow/c", Authorization="Basic YTpi")
    assert foretold(server, "/tags/x/") == {}
    step(server, "/tags/x/", "/made/b?token=1")
    assert list(foretold(server, "/tags/x/")) == ["/made/b"]


def test_steps_are_learned_on_a_connection_that_has_the_page(server: Running) -> None:
    etag = server.get("/tags/y/")[1]["etag"]
    assert step(server, "/tags/x/", "/tags/y/", If_None_Match=etag)[0] == 304
    step(server, "/tags/x/", "/made/kept")
    step(server, "/tags/x/", "/made/kept")
    assert {"/tags/y/", "/made/kept"} <= set(foretold(server, "/tags/x/"))


def test_a_question_that_names_no_page_is_answered_with_what_to_ask(server: Running) -> None:
    for bad in ("/api/content/next-likely-page", NEXT, NEXT + "%zz", NEXT + "/../x"):
        status, _, body = server.get(bad)
        assert (status, "page=" in json.loads(body)["hint"]) == (400, True), bad
    assert server.get(NEXT + "/", method="POST", body=b"")[0] == 405
    assert server.get(NEXT + "%2Fposts%2Fa%2F")[0] == 200
    assert server.get(NEXT + "/", method="HEAD")[2] == b""


def exchange(server: Running, path: str, fields: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return server.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n".encode())


def test_what_a_slow_page_needs_is_told_early(server: Running) -> None:
    first = exchange(server, "/slow/early", BROWSER)
    assert first.startswith(b"HTTP/1.1 200 ")
    second = exchange(server, "/slow/early", BROWSER)
    early, _, rest = second.partition(b"\r\n\r\n")
    assert early.split(b"\r\n") == [
        b"HTTP/1.1 103 Early Hints",
        b"link: </f.woff2>; rel=preload; as=font; crossorigin",
        b"link: </only-mine.css>; rel=preload; as=style",
        b"link: </s.css>; rel=preload; as=style",
    ]
    assert rest.startswith(b"HTTP/1.1 200 ")
    assert rest.endswith((b"<p>early\r\n0\r\n\r\n", b"<p>early"))
    # What is made for one may name what only they may know: of that, what is in the build is told.
    exchange(server, "/slow/mine", {**BROWSER, "Cookie": "session=1"})
    found = exchange(server, "/slow/mine", {**BROWSER, "Cookie": "session=1"})
    assert found.startswith(b"HTTP/1.1 103 ")
    early = found.partition(b"\r\n\r\n")[0]
    assert (b"/s.css" in early, b"/only-mine.css" in early) == (True, False)
    # Others may not know what to make of it.
    assert exchange(server, "/slow/early", {}).startswith(b"HTTP/1.1 200 ")
    # What is at hand is its own hint.
    for _ in range(2):
        assert exchange(server, "/made/early", BROWSER).startswith(b"HTTP/1.1 200 ")


def test_what_was_learned_outlives_the_server(site: Path, tmp_path: Path) -> None:
    root = make_site(tmp_path / "site", **{"handlers.py": HANDLERS})
    hyperweb("build", root, check=True)
    with serving(root, "--prod", "--workers", "1") as server:
        for _ in range(OFTEN):
            step(server, "/", "/posts/a/")
        before = foretold(server, "/")
        server.get("/made/hot")
        server.get("/made/asked?who=me")
    kept = (root / ".hyperweb/learned/next-pages").read_bytes() + (root / ".hyperweb/learned/hot-pages").read_bytes()
    assert b"/posts/a/" in kept
    assert b"/made/hot" in kept
    assert b"who=me" not in kept
    assert b"127.0.0.1" not in (root / ".hyperweb/learned/next-pages").read_bytes()
    with serving(root, "--prod", "--workers", "1", "--metrics") as server:
        assert foretold(server, "/") == before
        until(lambda: stats(root)["learning"]["warmed"] >= 1)
    (root / ".hyperweb/learned/next-pages").write_bytes(b"damaged")
    (root / ".hyperweb/learned/hot-pages").write_bytes(b"damaged")
    with serving(root, "--prod", "--workers", "1") as server:
        assert foretold(server, "/") == {}


def test_a_script_that_swaps_pages_is_told_of_none_to_fetch_whole(tmp_path: Path) -> None:
    root = make_site(tmp_path / "site")
    with (root / "site.toml").open("a") as file:
        file.write("[learning]\ncontrol = 0\n[client]\nspa = true\n")
    with serving(root, "--prod") as running:
        for _ in range(OFTEN):
            step(running, "/", "/posts/a/")
        assert foretold(running, "/")["/posts/a/"] > 0.39, "it is learned all the same"
        fields = running.get("/", CHROMIUM)[1] | running.get("/", BROWSER)[1]
    assert "speculation-rules" not in fields
    assert "prefetch" not in fields.get("link", "")


def test_one_setting_turns_it_off(tmp_path: Path) -> None:
    root = make_site(tmp_path / "site")
    with (root / "site.toml").open("a") as file:
        file.write("[learning]\nenabled = false\n")
    hyperweb("build", root, check=True)
    with serving(root, "--prod", "--workers", "1") as server:
        for _ in range(OFTEN):
            step(server, "/", "/posts/a/")
        assert server.get(NEXT + "/")[0] == 404
        assert "link" not in server.get("/", BROWSER)[1]
    assert not (root / ".hyperweb/learned").exists()


@pytest.fixture
def behind() -> Iterator[Origin]:
    def answer(asked: Asked) -> Answer:
        fields = {"content-type": "text/html", "cache-control": "max-age=60"}
        return Answer(headers=fields, body=f"<!doctype html><p>{asked.target}".encode())

    with origin(answer) as running:
        yield running


def asked_for(behind: Origin, target: str) -> list[Asked]:
    return [one for one in behind.asked if one.target == target]


def test_a_likely_page_is_fetched_before_anybody_asks(behind: Origin, tmp_path: Path) -> None:
    with edge(tmp_path, "--metrics", origins=(behind.url,)) as front:
        for _ in range(OFTEN):
            step(front, "/a", "/b%20c")
        hyperweb("purge", "--all", tmp_path, check=True)
        seen = len(asked_for(behind, "/b%20c"))
        step(front, "/", "/a")
        until(lambda: len(asked_for(behind, "/b%20c")) > seen)
        fetched = asked_for(behind, "/b%20c")[-1].headers
        assert fetched["sec-purpose"] == "prefetch"
        assert "cookie" not in fetched
        until(lambda: stats(tmp_path)["learning"]["warmed"] == 1)
        assert "hit" in front.get("/b%20c")[1]["cache-status"]
        # Hosts of an origin may be sites of their own.
        assert list(foretold(front, "/a")) == ["/b%20c"]
        body = front.get(NEXT + "/a", {"Host": "other.example"})[2]
        assert json.loads(body)["next"] == []


def test_an_edge_warms_what_was_hot_before_a_restart(behind: Origin, tmp_path: Path) -> None:
    with edge(tmp_path, origins=(behind.url,)) as front:
        for _ in range(3):
            front.get("/hot", {"Host": "a.example"})
    asked = len(asked_for(behind, "/hot"))
    with edge(tmp_path, "--metrics", origins=(behind.url,)) as front:
        until(lambda: len(asked_for(behind, "/hot")) > asked)
        assert asked_for(behind, "/hot")[-1].headers["host"] == "a.example"
        until(lambda: stats(tmp_path)["learning"]["warmed"] >= 1)
        assert "hit" in front.get("/hot", {"Host": "a.example"})[1]["cache-status"]


def test_an_edge_that_does_not_learn_asks_its_origin(behind: Origin, tmp_path: Path) -> None:
    with edge(tmp_path, "--no-learning", origins=(behind.url,)) as front:
        assert b"next-likely-page" in front.get(NEXT + "/")[2]
    assert not (tmp_path / ".hyperweb/learned").exists()


def test_a_connection_goes_on_after_early_hints(server: Running) -> None:
    exchange(server, "/slow/again", BROWSER)
    lines = "".join(f"{name}: {value}\r\n" for name, value in BROWSER.items())
    request = f"GET /slow/again HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as stream:
        stream.sendall(request + request)
        stream.settimeout(2)
        found = b""
        while found.count(b"HTTP/1.1 200 ") < 2 or not found.rstrip(b"0\r\n").endswith(b"again"):
            found += stream.recv(65536)
    assert found.count(b"HTTP/1.1 103 ") == 2
