"""Purges over HTTP: by address, tag, prefix, softly, with a token; and what is on its way meanwhile."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.e2e.origin import Answer, Asked, Origin, edge, origin
from tests.e2e.site import Running, free_port, hyperweb, make_site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

TOKEN = "a-token-of-some-length"
BEARER = {"authorization": f"Bearer {TOKEN}"}


class Purged(NamedTuple):
    """An edge before an origin that counts."""

    front: Running
    behind: Origin
    admin: int
    state: Path

    def purge(self, path: str, **fields: str) -> int:
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        status, _, body = self.front.get(path, {**BEARER, **named}, method="PURGE")
        assert status == 200, body
        count: int = json.loads(body)["purged"]
        return count

    def kept(self, path: str) -> bool:
        return self.front.get(path)[1]["cache-status"].startswith("hyperweb; hit")

    def fill(self, *paths: str) -> None:
        for path in paths:
            self.front.get(path)
            assert self.kept(path), path


@pytest.fixture
def purged(tmp_path: Path) -> Iterator[Purged]:
    count = iter(range(10**6))

    def answer(asked: Asked) -> Answer:
        path, _, query = asked.target.partition("?")
        if "slow" in query:
            time.sleep(0.5)
        said = f"{path} {next(count)}".encode()
        headers = {"Cache-Control": "max-age=60, stale-while-revalidate=60", "Cache-Tag": f"all, page{path}"}
        if path.startswith("/by-key"):
            headers = {"Cache-Control": "max-age=60", "Surrogate-Key": "keyed other"}
        if path.startswith("/varied"):
            headers["Vary"] = "X-Kind"
        return Answer(headers=headers, body=said)

    admin = free_port()
    options = ("--admin-token", TOKEN, "--admin", f"127.0.0.1:{admin}", "--threads", "2")
    with origin(answer) as behind, edge(tmp_path, *options, origins=(behind.url,)) as front:
        yield Purged(front, behind, admin, tmp_path)


def test_an_address_is_purged_with_its_query_and_in_all_variants(purged: Purged) -> None:
    purged.fill("/a", "/a?x=1", "/b")
    assert purged.purge("/a") == 1
    assert not purged.kept("/a")
    assert purged.kept("/a?x=1")
    assert purged.kept("/b")
    for kind in "xyz":
        purged.front.get("/varied", {"x-kind": kind})
    assert purged.purge("/varied") >= 3
    for kind in "xyz":
        assert purged.front.get("/varied", {"x-kind": kind})[1]["cache-status"] == "hyperweb; fwd=miss; stored"
    assert purged.purge("/never") == 0


def test_tags_and_prefixes_are_purged(purged: Purged) -> None:
    purged.fill("/a", "/a/b", "/c", "/by-key")
    assert purged.purge("/whatever", cache_tag="page/a, page/c") == 2
    assert [purged.kept(path) for path in ("/a", "/a/b", "/c")] == [False, True, False]
    purged.fill("/a", "/a/b", "/c")
    assert purged.purge("/", surrogate_key="keyed") == 1
    assert not purged.kept("/by-key")
    assert purged.purge("/a*") == 2
    assert [purged.kept(path) for path in ("/a", "/a/b", "/c")] == [False, False, True]


def test_no_client_and_no_origin_sees_the_tags(purged: Purged) -> None:
    for path in ("/a", "/by-key"):
        for _ in range(2):
            assert not purged.front.get(path)[1].keys() & {"cache-tag", "surrogate-key"}
    purged.purge("/a")
    assert {asked.method for asked in purged.behind.asked} == {"GET"}, "a purge goes to nobody"


@pytest.mark.parametrize("soft", [{"soft_purge": "1"}, {"soft_purge": "1", "cache_tag": "all"}])
def test_a_soft_purge_leaves_what_is_stale_to_be_used_meanwhile(purged: Purged, soft: dict[str, str]) -> None:
    purged.fill("/a")
    before = purged.front.get("/a")[2]
    purged.purge("/a", **soft)
    status, headers, body = purged.front.get("/a")
    assert (status, body) == (200, before)
    assert "detail=revalidating" in headers["cache-status"]
    for _ in range(100):
        if purged.front.get("/a")[2] != before:
            break
        time.sleep(0.02)
    else:
        pytest.fail("nothing new was made")


@pytest.mark.parametrize("given", [{}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}])
def test_without_the_token_nothing_is_purged(purged: Purged, given: dict[str, str]) -> None:
    purged.fill("/a")
    status, headers, _ = purged.front.get("/a", given, method="PURGE")
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert admin(purged, "POST", "/purge", {"all": True}, given)[0] == 401
    assert purged.kept("/a")


@pytest.mark.parametrize(
    "order", [{"paths": ["/a"]}, {"urls": [""]}, {"prefix": "/"}, {"tags": ["all"]}, {"all": True}]
)
def test_a_purge_is_not_undone_by_what_is_on_its_way(purged: Purged, order: dict[str, object]) -> None:
    path = "/a?slow"
    if "urls" in order:
        order = {"urls": [f"http://127.0.0.1:{purged.front.port}{path}"]}
    with ThreadPoolExecutor(8) as threads:
        early = [threads.submit(purged.front.get, path) for _ in range(4)]
        time.sleep(0.2)
        assert admin(purged, "POST", "/purge", order)[0] == 200
        # These came after the purge: what was asked for before it is not for them, although they could wait for it.
        late = [threads.submit(purged.front.get, path) for _ in range(4)]
        before, after = ({one.result()[2] for one in some} for some in (early, late))
    assert len(before) == len(after) == 1
    assert before != after
    assert purged.front.get(path)[2] in after


def test_a_purge_under_load_is_seen_by_all_at_once(purged: Purged) -> None:
    stop = threading.Event()
    wrong: list[bytes] = []
    number = [0]

    def answer(_: Asked) -> Answer:
        seen = number[0]
        time.sleep(0.01)
        return Answer(headers={"Cache-Control": "max-age=60", "Cache-Tag": "all"}, body=b"%d" % seen)

    purged.behind.answer = answer

    def ask() -> None:
        while not stop.is_set():
            least = number[1] if len(number) > 1 else 0
            body = purged.front.get("/n")[2]
            if int(body) < least:
                wrong.append(body)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for made in range(1, 40):
        number[0] = made
        admin(purged, "POST", "/purge", {"tags": ["all"]})
        # From here on nobody may see what was before.
        number[1:] = [made]
        time.sleep(0.02)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def admin(
    purged: Purged, method: str, path: str, body: object = None, fields: dict[str, str] | None = None
) -> tuple[int, bytes]:
    sent = None if body is None else json.dumps(body).encode()
    given = BEARER if fields is None else fields
    status, _, answer = Running(purged.front.process, purged.admin).get(path, given, method, sent)
    return status, answer


def test_the_admin_listener_says_what_is_wrong(purged: Purged) -> None:
    assert admin(purged, "GET", "/healthz") == (200, b'{"ok":true}')
    assert admin(purged, "POST", "/purge", {})[0] == 400
    assert b"names nothing" in admin(purged, "POST", "/purge", {"tags": []})[1]
    assert b"unknown field `tag`" in admin(purged, "POST", "/purge", {"tag": "x"})[1]
    assert admin(purged, "GET", "/nothing")[0] == 404


def test_the_command_purges_here_and_elsewhere(purged: Purged) -> None:
    purged.fill("/a", "/b", "/c", "/d")
    url = f"http://127.0.0.1:{purged.front.port}/a"
    assert hyperweb("purge", purged.state, "--url", url, check=True).stdout == "1 responses forgotten\n"
    assert not purged.kept("/a")
    server = ("--server", f"http://127.0.0.1:{purged.admin}")
    assert hyperweb("purge", *server, "--path", "/b", "--token", TOKEN, check=True).stdout == "1 responses forgotten\n"
    assert not purged.kept("/b")
    told = hyperweb("purge", *server, "--path", "/c", "--soft", "--token", TOKEN, check=True).stdout
    assert told == "1 responses softened\n"
    refused = hyperweb("purge", *server, "--all", "--token", "wrong")
    assert refused.returncode == 1
    assert "401" in refused.stderr
    assert purged.kept("/d")
    assert "is no URL to purge" in hyperweb("purge", purged.state, "--url", "/a").stderr


def test_a_listener_for_other_machines_needs_a_token(tmp_path: Path) -> None:
    found = hyperweb(
        "edge", "--origin", "http://127.0.0.1:1", "--admin", "0.0.0.0:0", "--port", "0", "--state", tmp_path
    )
    assert found.returncode == 1
    assert "it needs a token" in found.stderr
    found = hyperweb("edge", "--origin", "http://127.0.0.1:1", "--admin-token", "short", "--state", tmp_path)
    assert found.returncode == 2


def test_a_site_takes_purges_too(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    settings = site / "site.toml"
    port = free_port()
    more = f'[serve]\nadmin = "127.0.0.1:{port}"\nadmin_token = "{TOKEN}"\n'
    settings.write_text(settings.read_text(encoding="utf-8") + more, encoding="utf-8")
    with serving(site, "--prod", "--workers", "1", wait_for="/api/count") as running:
        first = json.loads(running.get("/api/count")[2])["count"]
        assert running.get("/api/count", BEARER, method="PURGE")[0] == 200
        assert json.loads(running.get("/api/count")[2])["count"] == first + 1
        assert running.get("/posts/a/", BEARER, method="PURGE")[0] == 200, "nothing of it is kept, and it stays"
        assert running.get("/posts/a/")[0] == 200


def test_without_a_token_the_method_is_one_like_others(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Answer:
        return Answer(418 if asked.method == "PURGE" else 200)

    with origin(answer) as behind, edge(tmp_path, origins=(behind.url,)) as front:
        assert front.get("/a", method="PURGE")[0] == 418
