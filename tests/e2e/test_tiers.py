"""What the edge keeps outlives it on disk, is shared by machines through Redis, and is purged in every tier."""

from __future__ import annotations

import contextlib
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.origin import Answer, Asked, Origin, edge, origin
from tests.e2e.site import Running, hyperweb, make_site, serving
from tests.redis import redis_server, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

TOKEN = "a-token-of-some-length"
# Each run has another port, and an address with another port is another.
HOST = {"host": "example.org"}
BEARER = {"authorization": f"Bearer {TOKEN}", **HOST}
# Nothing is fetched that no client asked for.
DISK = ("--disk", "16MB", "--admin-token", TOKEN, "--threads", "2", "--no-learning")


@pytest.fixture
def behind() -> Iterator[Origin]:
    """An origin whose every answer is another."""
    count = iter(range(10**6))

    def answer(asked: Asked) -> Answer:
        path = asked.target.partition("?")[0]
        headers = {"Cache-Control": "max-age=300", "Cache-Tag": f"all, page{path}", "Content-Type": "text/plain"}
        if path.startswith("/brief"):
            headers["Cache-Control"] = "max-age=1"
        if path.startswith("/stale"):
            headers["Cache-Control"] = "max-age=1, stale-while-revalidate=300"
        if path.startswith("/varied"):
            headers["Vary"] = "X-Kind"
        if path.startswith("/private"):
            headers["Cache-Control"] = "private, max-age=300"
        return Answer(headers=headers, body=f"{path} {next(count)} ".encode() + b"text " * 400)

    with origin(answer) as found:
        yield found


def body(front: Running, path: str, **fields: str) -> bytes:
    status, _, found = front.get(path, HOST | {name.replace("_", "-"): value for name, value in fields.items()})
    assert status == 200, found
    return found


def written(state: Path, writes: int) -> None:
    """Waits until so much has been written to a disk."""
    until(lambda: f"{writes:,} written" in hyperweb("stats", state, check=True).stdout)


def test_what_is_kept_outlives_the_edge(tmp_path: Path, behind: Origin) -> None:
    with edge(tmp_path, *DISK, origins=(behind.url,)) as front:
        plain = body(front, "/a?q=1")
        kinds = {kind: body(front, "/varied", x_kind=kind) for kind in "xy"}
        private = body(front, "/private")
    with edge(tmp_path, *DISK, origins=(behind.url,)) as front:
        asked = len(behind.asked)
        status, headers, found = front.get("/a?q=1", HOST)
        assert (status, found) == (200, plain)
        assert headers["cache-status"].startswith(("hyperweb; hit; ttl=29", "hyperweb; hit; ttl=300"))
        assert int(headers["age"]) < 10
        assert {kind: body(front, "/varied", x_kind=kind) for kind in "xy"} == kinds
        etag = {**HOST, "if-none-match": headers["etag"]}
        assert front.get("/a?q=1", etag)[0] == 304
        assert front.get("/a?q=1", {**HOST, "range": "bytes=2-4"})[2] == plain[2:5]
        assert front.get("/a?q=1", {**HOST, "accept-encoding": "gzip"})[1]["content-encoding"] == "gzip"
        assert len(behind.asked) == asked
        assert body(front, "/private") != private
        assert body(front, "/varied", x_kind="z") not in kinds.values()


def test_what_is_over_is_not_used_again_and_what_is_stale_is_made_anew(tmp_path: Path, behind: Origin) -> None:
    with edge(tmp_path, *DISK, origins=(behind.url,)) as front:
        brief, stale = body(front, "/brief"), body(front, "/stale")
    time.sleep(1.1)
    with edge(tmp_path, *DISK, origins=(behind.url,), ready="/a") as front:
        assert body(front, "/brief") != brief
        _, headers, found = front.get("/stale", HOST)
        assert found == stale
        assert "detail=revalidating" in headers["cache-status"]
        assert int(headers["age"]) >= 1
        until(lambda: body(front, "/stale") != stale)


@pytest.mark.parametrize(
    ("target", "fields"),
    [("/a", {}), ("/*", {}), ("/", {"cache-tag": "all"}), ("/", {"cache-tag": "page/a"})],
    ids=["address", "prefix", "tag of all", "tag of one"],
)
def test_what_was_purged_does_not_come_back(
    tmp_path: Path, behind: Origin, target: str, fields: dict[str, str]
) -> None:
    with edge(tmp_path, *DISK, origins=(behind.url,)) as front:
        first = body(front, "/a")
        other = body(front, "/b")
        written(tmp_path, 3)
        assert front.get(target, {**BEARER, **fields}, method="PURGE")[0] == 200
    with edge(tmp_path, *DISK, origins=(behind.url,), ready="/b") as front:
        assert body(front, "/a") != first
        assert (body(front, "/b") == other) == (target == "/a" or fields == {"cache-tag": "page/a"})


def test_everything_is_purged_from_the_command_line(tmp_path: Path, behind: Origin) -> None:
    with edge(tmp_path, *DISK, origins=(behind.url,)) as front:
        first = body(front, "/a")
        written(tmp_path, 2)
        hyperweb("purge", tmp_path, "--all", check=True)
        assert body(front, "/a") != first
    with edge(tmp_path, *DISK, origins=(behind.url,), ready="/b") as front:
        assert body(front, "/a") != first


def test_what_is_purged_softly_is_stale_below_too(tmp_path: Path, behind: Origin) -> None:
    with edge(tmp_path, *DISK, origins=(behind.url,)) as front:
        first = body(front, "/stale")
        written(tmp_path, 2)
        soft = {**BEARER, "cache-tag": "all", "soft-purge": "1"}
        assert front.get("/", soft, method="PURGE")[0] == 200
    with edge(tmp_path, *DISK, origins=(behind.url,), ready="/b") as front:
        _, headers, found = front.get("/stale", HOST)
        assert found == first
        assert "detail=revalidating" in headers["cache-status"]


def test_a_write_makes_what_is_kept_below_doubtful(tmp_path: Path, behind: Origin) -> None:
    with edge(tmp_path, *DISK, origins=(behind.url,)) as front:
        first, kind = body(front, "/a"), body(front, "/varied", x_kind="x")
        written(tmp_path, 4)
        front.get("/a", HOST, method="POST", body=b"x")
        front.get("/varied", HOST, method="DELETE")
    with edge(tmp_path, *DISK, origins=(behind.url,), ready="/b") as front:
        assert body(front, "/a") != first
        assert body(front, "/varied", x_kind="x") != kind


def test_a_killed_edge_finds_what_it_had_written(tmp_path: Path, behind: Origin) -> None:
    first = b""
    # It does not end as it should.
    with contextlib.suppress(AssertionError), edge(tmp_path, *DISK, origins=(behind.url,)) as front:
        first = body(front, "/a")
        written(tmp_path, 2)
        front.process.send_signal(signal.SIGKILL)
    assert first
    with edge(tmp_path, *DISK, origins=(behind.url,), ready="/a") as front:
        assert body(front, "/a") == first


def test_a_damaged_file_is_made_anew(tmp_path: Path, behind: Origin) -> None:
    with edge(tmp_path, *DISK, origins=(behind.url,)) as front:
        first = body(front, "/a")
    file = tmp_path / ".hyperweb" / "cache" / "data.mdb"
    file.write_bytes(b"\xff" * file.stat().st_size)
    with edge(tmp_path, *DISK, origins=(behind.url,), ready="/b") as front:
        second = body(front, "/a")
        assert second != first
        assert body(front, "/a") == second
    assert "cache tier disk" in (tmp_path / "edge.log").read_text()
    with edge(tmp_path, *DISK, origins=(behind.url,), ready="/b") as front:
        assert body(front, "/a") == second


def test_machines_share_what_they_keep_and_their_purges(tmp_path: Path, behind: Origin) -> None:
    states = tmp_path / "one", tmp_path / "two"
    for state in states:
        state.mkdir()
    with redis_server(tmp_path) as (url, server):
        options = ("--redis", url, "--admin-token", TOKEN, "--threads", "1")
        with (
            edge(states[0], *options, origins=(behind.url,)) as one,
            edge(states[1], *options, origins=(behind.url,)) as two,
        ):
            first = body(one, "/a")
            written(states[0], 2)
            assert body(two, "/a") == first
            kind = body(one, "/varied", x_kind="x")
            written(states[0], 4)
            assert body(two, "/varied", x_kind="x") == kind
            # The other has it in memory now, and hears of the purge.
            assert one.get("/", {**BEARER, "cache-tag": "page/a"}, method="PURGE")[0] == 200
            until(lambda: body(two, "/a") != first)
            assert body(two, "/varied", x_kind="x") == kind
            second = body(two, "/a")
            two.get("/a", HOST, method="POST", body=b"x")
            until(lambda: body(one, "/a") != second)
            # Without the server each goes on alone.
            server.send_signal(signal.SIGSTOP)
            assert body(one, "/c") == body(one, "/c")
            server.kill()
            server.wait()
            assert body(two, "/d") == body(two, "/d")


def test_another_version_of_the_handlers_answers_for_itself(tmp_path: Path) -> None:
    root = make_site(tmp_path / "site")
    with (root / "site.toml").open("a") as file:
        file.write('[cache]\ndisk = "16MB"\n')
    with serving(root, "--prod") as server:
        first = body(server, "/api/count")
    with serving(root, "--prod") as server:
        assert body(server, "/api/count") == first
    handlers = root / "handlers.py"
    handlers.write_text(handlers.read_text().replace('calls["count"] += 1', 'calls["count"] += 100'))
    with serving(root, "--prod") as server:
        second = body(server, "/api/count")
        assert b"100" in second
        # A build that is taken up while it runs is another version too.
        handlers.write_text(handlers.read_text().replace("+= 100", "+= 500"))
        hyperweb("build", root, check=True)
        until(lambda: b"500" in body(server, "/api/count"))
        # What was answered while workers took turns may have been purged once more.
        time.sleep(1)
        third = body(server, "/api/count")
    with serving(root, "--prod") as server:
        assert body(server, "/api/count") == third


def test_tiers_without_an_edge_are_refused(tmp_path: Path) -> None:
    root = make_site(tmp_path / "site")
    with (root / "site.toml").open("a") as file:
        file.write('[cache]\ndisk = "16MB"\n')
    found = hyperweb("serve", root, "--prod", "--direct")
    assert found.returncode == 1
    assert "with --direct there is none" in found.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--memory", "much"), "`--memory` is no size: 'much'"),
        (("--memory", "0%"), "`--memory` is no share: '0%'"),
        (("--disk", "1 hectare"), "`cache.disk` is no size: '1 hectare'"),
        (("--redis", "http://h"), "`cache.redis` is no address of a server: 'http://h'"),
    ],
)
def test_what_cannot_be_a_tier_is_said(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    found = hyperweb("edge", "--origin", "http://127.0.0.1:1", "--state", tmp_path, *options)
    assert found.returncode == 1
    assert said in found.stderr
    assert "hint: " in found.stderr
