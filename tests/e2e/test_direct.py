"""A built site without an edge: Granian faces the clients, and pages come out of the pack in Python."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import brotli
import pytest

from tests.e2e.site import Running, environment, free_port, hyperweb, make_site, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = make_site(tmp_path_factory.mktemp("direct") / "site")
    (site / "static/big.bin").write_bytes(bytes(range(256)) * 8192)
    return site


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[Running]:
    with serving(site, "--prod", "--direct", "--workers", "2") as running:
        yield running


def until(what: Callable[[], bool]) -> None:
    """Asks again until it is so."""
    for _ in range(200):
        if what():
            return
        time.sleep(0.05)
    pytest.fail("it never came to be")


def test_each_encoding_gives_the_same_page(server: Running) -> None:
    status, headers, plain = server.get("/posts/a/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"Text of A" in plain
    assert headers["vary"] == "accept-encoding"
    assert headers["content-length"] == str(len(plain))
    tags = {headers["etag"]}
    for field, decode in (("br", brotli.decompress), ("gzip", gzip.decompress)):
        status, headers, body = server.get("/posts/a/", {"accept-encoding": field})
        assert (status, headers["content-encoding"]) == (200, field)
        assert decode(body) == plain
        tags.add(headers["etag"])
    assert len(tags) == 3
    assert server.get("/posts/a/", {"accept-encoding": "br;q=0.1, gzip;q=0.9"})[1]["content-encoding"] == "gzip"
    assert server.get("/posts/a/", {"accept-encoding": "*;q=0"})[0] == 406


def test_the_answers_are_those_of_the_edge(site: Path, server: Running) -> None:
    asked: list[tuple[str, dict[str, str]]] = [
        ("/", {}),
        ("/posts/a/", {"accept-encoding": "br"}),
        ("/posts/a", {}),
        ("/old/", {}),
        ("/nope/", {}),
        ("/robots.txt", {"range": "bytes=0-3"}),
        ("/posts/a/", {"range": "bytes=999999-"}),
        ("/big.bin", {"range": "bytes=-2"}),
        ("/posts/a/?utm=1", {}),
    ]
    varying = {"date", "cache-status", "server"}
    # Of one folder one server at a time is known.
    other = site.parent / "edge" / "site"
    shutil.copytree(site, other, ignore=shutil.ignore_patterns(".hyperweb"))
    with serving(other, "--prod", "--workers", "1") as edge:
        for path, headers in asked:
            ours, theirs = server.get(path, headers), edge.get(path, headers)
            assert (ours[0], ours[2]) == (theirs[0], theirs[2]), path
            assert {name: value for name, value in ours[1].items() if name not in varying} == {
                name: value for name, value in theirs[1].items() if name not in varying
            }, path


def test_conditions_ranges_and_heads(server: Running) -> None:
    _, headers, body = server.get("/posts/a/")
    status, short, nothing = server.get("/posts/a/", {"if-none-match": headers["etag"]})
    assert (status, nothing, short["etag"]) == (304, b"", headers["etag"])
    assert server.get("/posts/a/", {"if-modified-since": headers["last-modified"]})[0] == 304
    assert server.get("/posts/a/", {"if-none-match": '"other"'})[0] == 200
    status, partial, part = server.get("/posts/a/", {"range": "bytes=2-5"})
    assert (status, part, partial["content-range"]) == (206, body[2:6], f"bytes 2-5/{len(body)}")
    assert server.get("/posts/a/", {"range": "bytes=999999-"})[0] == 416
    assert server.get("/posts/a/", {"range": "bytes=0-1", "if-range": '"no"'})[0] == 200
    status, head, nothing = server.get("/posts/a/", method="HEAD")
    assert (status, nothing, head["content-length"]) == (200, b"", str(len(body)))
    assert head["etag"] == headers["etag"]


def test_a_large_file_is_sent_whole_and_in_part(site: Path, server: Running) -> None:
    whole = (site / "static/big.bin").read_bytes()
    status, headers, body = server.get("/big.bin")
    assert (status, headers["content-length"]) == (200, str(len(whole)))
    assert body == whole
    status, headers, body = server.get("/big.bin", {"range": "bytes=256-1000000"})
    assert (status, headers["content-range"]) == (206, f"bytes 256-1000000/{len(whole)}")
    assert body == whole[256:1000001]
    status, headers, body = server.get("/big.bin", method="HEAD")
    assert (status, headers["content-length"], body) == (200, str(len(whole)), b"")


def test_redirects_and_what_is_not_there(server: Running) -> None:
    status, headers, _ = server.get("/posts/a?x=1")
    assert (status, headers["location"]) == (308, "/posts/a/?x=1")
    status, headers, _ = server.get("/old/")
    assert (status, headers["location"]) == (308, "/posts/a/")
    status, headers, body = server.get("/nope/")
    assert (status, headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert b"Nothing here" in body
    assert server.get("//example.org/posts/a")[0] == 404


@pytest.mark.parametrize(
    "path",
    ["/../site.toml", "/%2e%2e/site.toml", "/a%2fb", "/a%5cb", "/a%00b", "/%c0%ae%c0%ae/x", "/.hyperweb/graph"],
)
def test_hostile_paths_lead_to_no_file(server: Running, path: str) -> None:
    answer = server.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.split(b" ", 2)[1] in {b"400", b"404"}
    assert b"title =" not in answer


def test_handlers_answer_beside_the_pages(server: Running) -> None:
    status, headers, body = server.get("/api/pid")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body)["pid"] in server.children()
    status, headers, body = server.get("/api/pid", method="HEAD")
    assert (status, body) == (200, b"")
    status, _, body = server.get("/greet/you")
    assert status == 200
    assert b"<p>Hello you</p>" in body
    status, _, body = server.get("/api/echo", {"content-type": "application/json"}, "POST", b'{"a": [1, 2]}')
    assert (status, json.loads(body)) == (200, {"a": [1, 2]})
    assert server.get("/api/echo", {"content-type": "application/json"}, "POST", b"{")[0] == 400
    status, headers, _ = server.get("/api/echo")
    assert (status, "POST" in headers["allow"]) == (405, True)


def counts(server: Running, times: int = 24) -> dict[int, set[int]]:
    """Asks many times at once; returns what each worker counted."""
    found: dict[int, set[int]] = {}
    with ThreadPoolExecutor(8) as threads:
        for status, _, body in threads.map(lambda _: server.get("/api/count"), range(times)):
            assert status == 200
            answer = json.loads(body)
            found.setdefault(answer["pid"], set()).add(answer["count"])
    return found


def test_a_worker_keeps_what_its_handler_made_and_makes_it_once(server: Running) -> None:
    assert all(len(found) == 1 for found in counts(server).values())
    _, headers, body = server.get("/api/count")
    assert "s-maxage" in headers["cache-control"]
    assert "cache-tag" not in headers
    status, head, nothing = server.get("/api/count", method="HEAD")
    assert (status, nothing, head["content-length"]) == (200, b"", str(len(body)))
    # Another query is another response.
    assert json.loads(server.get("/api/count?x=1")[2]) != json.loads(body)


@pytest.mark.parametrize(
    "options", [["--tag", "count"], ["--path", "/api/count"], ["--prefix", "/api/"], ["--all"], []]
)
def test_a_purge_reaches_every_worker(site: Path, server: Running, options: list[str]) -> None:
    before = counts(server)
    if options:
        hyperweb("purge", site, *options, check=True)
    else:
        assert server.get("/api/forget", method="POST", body=b"")[0] == 200

    def all_new() -> bool:
        return all(found.isdisjoint(before.get(pid, set())) for pid, found in counts(server).items())

    until(all_new)


def test_a_purge_of_something_else_leaves_it(site: Path, server: Running) -> None:
    before = counts(server)
    hyperweb("purge", site, "--tag", "other", "--path", "/api", "--prefix", "/posts/", check=True)
    time.sleep(0.5)
    after = counts(server)
    assert all(after[pid] == before[pid] for pid in after.keys() & before.keys())


def test_handlers_carry_the_security_headers(server: Running) -> None:
    for path in ("/api/pid", "/api/count", "/greet/you"):
        headers = server.get(path)[1]
        assert headers["x-content-type-options"] == "nosniff", path
        assert "frame-ancestors" in headers["content-security-policy"], path


def test_a_peer_is_not_believed_what_only_the_edge_may_say(site: Path) -> None:
    handlers = '''"""Handlers."""

from hyperweb import Request, get


@get("/who")
async def who(request: Request) -> dict[str, str | None]:
    """Says where a request came from."""
    return {"client": request.client, "scheme": request.url.partition(":")[0]}
'''
    own = make_site(site.parent / "who", **{"handlers.py": handlers})
    with serving(own, "--prod", "--direct", "--workers", "1") as server:
        forged = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https", "x-forwarded-host": "evil.example"}
        found = json.loads(server.get("/who", {"host": "x", **forged})[2])
        assert "203.0.113.9" not in str(found["client"])
        assert found["scheme"] == "http"


def test_a_killed_worker_is_replaced(server: Running) -> None:
    victim = json.loads(server.get("/api/pid")[2])["pid"]
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in server.children() and len(server.children()) == 2)
    assert server.get("/posts/a/")[0] == 200


def test_a_new_build_is_taken_up_with_its_pages_and_its_handlers(site: Path, server: Running) -> None:
    post, handlers = site / "content/posts/b.md", site / "handlers.py"
    post.write_text(post.read_text("utf-8") + "\nAnother build.\n", "utf-8")
    handlers.write_text(handlers.read_text("utf-8").replace('"pid": os', '"new": os'))
    hyperweb("build", site, check=True)
    # Of several workers any may answer: it is taken up when none shows the old one any more.
    until(lambda: all(b"Another build" in server.get("/posts/b/")[2] for _ in range(10)))
    until(lambda: all(b"new" in server.get("/api/pid")[2] for _ in range(10)))
    until(lambda: len(server.children()) == 2)


def test_a_damaged_pack_is_refused_and_the_old_one_stays(site: Path, server: Running) -> None:
    pack = site / "dist" / "site.pack"
    good = pack.read_bytes()
    try:
        aside = site / "dist" / "bad"
        aside.write_bytes(good[:-50])
        aside.replace(pack)
        time.sleep(0.5)
        assert server.get("/posts/a/")[0] == 200
        assert server.get("/robots.txt")[2] == b"User-agent: *\n"
    finally:
        pack.write_bytes(good)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_the_server(site: Path, number: signal.Signals) -> None:
    port = free_port()
    command = [sys.executable, "-m", "hyperweb", "serve", str(site), "--prod", "--direct", "--workers", "2"]
    with subprocess.Popen(
        [*command, "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    ) as process:
        running = Running(process, port)  # type: ignore[arg-type]
        until(lambda: answers(running))
        children = running.children()
        assert len(children) == 2
        process.send_signal(number)
        assert process.wait(20) == (-number if number == signal.SIGKILL else 0)
    until(lambda: not any(lives(child) for child in children))


def answers(server: Running) -> bool:
    try:
        return server.get("/")[0] == 200
    except OSError:
        return False


def lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
