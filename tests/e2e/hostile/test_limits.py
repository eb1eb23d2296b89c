"""More than is served: too long, too many, too slow. Each is refused, counted, and told to the log in few lines."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.hostile.raw import send, statuses
from tests.e2e.origin import Answer, Asked, edge, origin
from tests.e2e.site import Running, hyperweb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

LAST = b"GET /api/up HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def refused(site: Path) -> dict[str, int]:
    told: dict[str, Any] = json.loads(hyperweb("stats", site, "--json", check=True).stdout)
    found: dict[str, int] = told["refused"]
    return found


def get(target: bytes = b"/api/up", *fields: bytes) -> bytes:
    return b"\r\n".join([b"GET " + target + b" HTTP/1.1", b"Host: x", *fields, b"", b""])


@pytest.mark.parametrize(
    ("name", "sent", "status"),
    [
        ("long_target", get(b"/" + b"a" * 9000), 414),
        ("long_target", b"GET /" + b"a" * 9000, 414),
        ("large_head", get(b"/api/up", b"X: " + b"a" * 40_000), 431),
        ("large_head", get(b"/api/up", *[b"X-%d: %s" % (n, b"a" * 1000) for n in range(60)]), 431),
        ("many_fields", get(b"/api/up", *[b"X: y"] * 200), 431),
        ("many_fields", get(b"/robots.txt", *[b"X: y"] * 200), 431),
        ("large_body", b"POST /api/take HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n", 413),
        (
            "large_body",
            b"POST /api/take HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100001\r\n\r\n",
            413,
        ),
        (
            "large_body",
            b"POST /api/take HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"4e20\r\n%s\r\n" % (b"x" * 20_000) * 6,
            413,
        ),
        ("slow_head", b"GET /api/up HTTP/1.1\r\nHost: x\r\n", 408),
        ("slow_body", b"POST /api/take HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", 408),
        ("slow_body", b"POST /api/take HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 408),
        ("malformed", b"nonsense\r\n\r\n", 400),
    ],
)
def test_what_is_too_much_is_refused_and_counted(
    site: Path, server: Running, name: str, sent: bytes, status: int
) -> None:
    before = refused(site)[name]
    reply = send(server.port, sent, wait=3)
    assert reply.statuses == [status], reply.bytes[:200]
    assert reply.closed
    assert refused(site)[name] == before + 1
    assert server.get("/api/up")[0] == 200


def test_the_largest_body_that_is_taken_is_taken(server: Running) -> None:
    status, _, answer = server.get("/api/take", method="POST", body=b"x" * 100_000)
    assert (status, answer) == (200, b'{"length":100000}')


def test_a_compressed_body_is_passed_on_as_it_is(server: Running) -> None:
    # What is a hundred megabytes unpacked is a hundred kilobytes here: nobody unpacks it for the handler.
    bomb = gzip.compress(bytes(90 << 20))
    assert len(bomb) < 100_000
    status, _, answer = server.get("/api/take", {"content-encoding": "gzip"}, "POST", bomb)
    assert status in {200, 413, 415}
    if status == 200:
        assert json.loads(answer) == {"length": len(bomb)}
    larger = gzip.compress(bytes(110 << 20))
    assert len(larger) > 100_000
    assert server.get("/api/take", {"content-encoding": "gzip"}, "POST", larger)[0] == 413


def test_a_client_that_sends_byte_by_byte_does_not_hold_a_head_open(server: Running) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as stream:
        found = b""
        stream.settimeout(0.1)
        for byte in b"GET /api/up HTTP/1.1\r\nX: " + b"a" * 200:
            try:
                stream.sendall(bytes([byte]))
                found += stream.recv(1000)
            except TimeoutError:
                continue
            except OSError:
                break
            if found:
                break
    assert statuses(found) == [408]
    assert time.monotonic() - began < 10


def test_a_connection_without_a_request_is_closed_without_a_word(site: Path, tmp_path: Path) -> None:
    del site
    with origin(lambda _: Answer(body=b"x")) as behind:
        options = ("--limit", "idle_time=0.5", "--limit", "head_time=0.5", "--threads", "1")
        with edge(tmp_path, *options, origins=(behind.url,)) as front:
            assert send(front.port, b"", wait=3) == ([], b"", True)
            kept = send(front.port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", wait=3)
            assert (kept.statuses, kept.closed) == ([200], True)


def test_a_reader_that_takes_nothing_is_given_up(site: Path, server: Running) -> None:
    before = refused(site)["slow_reader"]
    with socket.socket() as stream:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stream.connect(("127.0.0.1", server.port))
        stream.sendall(get(b"/big.bin") * 20)
        for _ in range(100):
            time.sleep(0.05)
            if refused(site)["slow_reader"] > before:
                break
        else:
            pytest.fail("it was waited for")


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Running]:
    def answer(asked: Asked) -> Answer:
        return Answer(body=asked.target.encode())

    limits = ("--limit", "connections=8", "--limit", "address_connections=5", "--limit", "requests=3")
    with origin(answer) as behind, edge(tmp_path, *limits, "--threads", "1", origins=(behind.url,)) as front:
        yield front


def test_so_many_connections_are_served_and_no_more(crowded: Running, tmp_path: Path) -> None:
    held = []
    for _ in range(5):
        stream = socket.create_connection(("127.0.0.1", crowded.port), timeout=5)
        stream.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert stream.recv(1000).startswith(b"HTTP/1.1 200 ")
        held.append(stream)
    for _ in range(20):
        reply = send(crowded.port, b"")
        assert (reply.statuses, reply.closed) == ([503], True)
        assert b"retry-after: 2" in reply.bytes
    # Another address is another client.
    others = []
    for number in range(3):
        stream = socket.create_connection(("127.0.0.1", crowded.port), 5, source_address=(f"127.0.0.{2 + number}", 0))
        stream.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert stream.recv(1000).startswith(b"HTTP/1.1 200 ")
        others.append(stream)
    with socket.create_connection(("127.0.0.1", crowded.port), 5, source_address=("127.0.0.9", 0)) as stream:
        assert stream.recv(1000).startswith(b"HTTP/1.1 503 ")
    for stream in held + others:
        stream.close()
    for _ in range(100):
        if send(crowded.port, LAST).statuses == [200]:
            break
        time.sleep(0.02)
    else:
        pytest.fail("those that left are still counted")
    log = (tmp_path / "edge.log").read_text()
    assert log.count("address_connections") == 1, "a line for each is a flood"
    assert "WARNING hyperweb.edge: 127.0.0.1 was one connection more of its address" in log


def test_a_connection_has_so_many_requests(crowded: Running) -> None:
    reply = send(crowded.port, get(b"/a") * 5)
    assert reply.statuses == [200] * 3
    assert reply.closed
    assert reply.bytes.count(b"connection: close") == 1


def test_limits_that_are_none_are_named(tmp_path: Path) -> None:
    def told(limit: str) -> str:
        found = hyperweb("edge", "--origin", "http://127.0.0.1:1", "--limit", limit, "--state", tmp_path)
        assert found.returncode == 1
        return found.stderr

    assert "`--limit heads=1` is no limit" in told("heads=1")
    assert "the names: target, head," in told("head")
    assert "`$.head`" in told("head=5")


def test_what_is_kept_is_answered_when_there_is_too_much_to_do(tmp_path: Path) -> None:
    let_go = threading.Event()

    def answer(asked: Asked) -> Answer:
        if asked.target.startswith("/slow"):
            let_go.wait(20)
        age = 1 if asked.target == "/stale" else 300
        return Answer(headers={"Cache-Control": f"max-age={age}"}, body=asked.target.encode())

    limits = ("--limit", "outstanding=3", "--threads", "1", "--metrics")
    with origin(answer) as behind, edge(tmp_path, *limits, origins=(behind.url,)) as front:
        assert front.get("/kept")[0] == front.get("/stale")[0] == 200
        time.sleep(1.1)
        with ThreadPoolExecutor(8) as pool:
            slow = [pool.submit(front.get, f"/slow{number}") for number in range(3)]
            # As many as wait for one of them cost no more than one.
            slow += [pool.submit(front.get, "/slow0") for _ in range(3)]
            for _ in range(200):
                if sum(one.target.startswith("/slow") for one in behind.asked) == 3:
                    break
                time.sleep(0.02)
            status, headers, _ = front.get("/new")
            assert (status, headers["retry-after"]) == (503, "2")
            assert front.get("/new", method="POST", body=b"x")[0] == 503
            assert front.get("/kept")[1]["cache-status"].startswith("hyperweb; hit")
            status, headers, body = front.get("/stale")
            assert (status, body) == (200, b"/stale")
            assert "detail=gone" in headers["cache-status"]
            let_go.set()
            assert {found.result()[0] for found in slow} == {200}
        assert front.get("/new")[0] == 200
        assert refused(tmp_path)["overload"] == 3
    assert "more than `limits.outstanding` that had to be made" in (tmp_path / "edge.log").read_text()
