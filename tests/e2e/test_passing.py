"""What goes through the edge to a worker and back: framing, streams, and clients that leave."""

from __future__ import annotations

import json
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import Running, hyperweb, make_site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

HANDLERS = '''"""Handlers that answer in different shapes."""

import asyncio
import os
from collections.abc import AsyncIterator

from hyperweb import Request, Response, get, post, route

seen = {"left": 0}


@get("/api/big")
async def big() -> bytes:
    """Returns five million bytes."""
    return bytes(range(250)) * 20_000


@get("/api/slowly")
async def slowly() -> Response:
    """Sends parts with pauses between them."""

    async def parts() -> AsyncIterator[bytes]:
        try:
            for number in range(5):
                yield b"part %d\\n" % number
                await asyncio.sleep(0.2)
        except (asyncio.CancelledError, GeneratorExit):
            seen["left"] += 1
            raise

    return Response(parts(), content_type="text/plain")


@get("/api/left")
async def left() -> dict[str, int]:
    """Says how many left before the end."""
    return seen


@get("/api/late")
async def late() -> bytes:
    """Takes long to begin."""
    await asyncio.sleep(30)
    return b"late"


@get("/api/breaks")
async def breaks() -> Response:
    """Fails in the middle of its answer."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"beginning"
        await asyncio.sleep(0.05)
        os._exit(3)

    return Response(parts(), content_type="text/plain")


@get("/api/nothing")
async def nothing() -> Response:
    """Answers without a body."""
    return Response(None, status=204)


@get("/api/pid")
async def pid() -> dict[str, int]:
    """Says who answers."""
    return {"pid": os.getpid()}


@get("/api/fields")
async def fields(request: Request) -> dict[str, str]:
    """Gives back the fields it was sent."""
    return dict(request.headers.items())


@post("/api/length")
async def length(request: Request) -> dict[str, int]:
    """Says how much it was sent."""
    return {"length": len(await request.body())}


@route("/api/deaf", methods=["POST"])
async def deaf() -> dict[str, str]:
    """Answers without reading."""
    return {"read": "nothing"}
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_site(tmp_path_factory.mktemp("passing") / "site", **{"handlers.py": HANDLERS})


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[Running]:
    with serving(site, "--prod", "--metrics", "--workers", "2", wait_for="/api/pid") as running:
        yield running


def ask(path: str, *fields: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *fields, "", ""]).encode()


CLOSE = "Connection: close"


def test_a_large_answer_comes_whole(server: Running) -> None:
    status, headers, body = server.get("/api/big")
    assert (status, headers["content-length"]) == (200, "5000000")
    assert body == bytes(range(250)) * 20_000


def test_requests_in_one_write_are_answered_in_their_order(server: Running) -> None:
    asked = [ask(f"/api/{name}") for name in ("pid", "nothing", "big", "pid")]
    answer = server.raw(b"".join([*asked, ask("/robots.txt"), ask("/api/pid", CLOSE)]))
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 5
    assert answer.count(b"HTTP/1.1 204 No Content\r\n") == 1
    assert answer.index(b"204 No Content") < answer.index(b"content-length: 5000000") < answer.index(b"User-agent")
    assert answer.rindex(b'{"pid":') > answer.index(b"User-agent")


def test_a_head_has_no_body(server: Running) -> None:
    answer = server.raw(ask("/api/pid", method="HEAD") + ask("/api/nothing", CLOSE))
    first, second = answer.split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"200 OK")
    assert first.endswith(b"\r\n\r\n")
    assert second.startswith(b"204 No Content")
    assert b"content-length" not in second


def test_a_stream_comes_as_it_is_made_and_its_end_is_told(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as stream:
        stream.sendall(ask("/api/slowly", CLOSE))
        found, times = b"", []
        while part := stream.recv(65536):
            found += part
            times.append(time.monotonic())
    head, _, body = found.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert body.startswith(b"7\r\npart 0\n\r\n")
    assert body.endswith(b"7\r\npart 4\n\r\n0\r\n\r\n")
    assert times[-1] - times[0] > 0.5


def test_an_answer_that_is_cut_short_is_not_taken_for_whole(server: Running) -> None:
    answer = server.raw(ask("/api/breaks"))
    assert b"beginning" in answer
    assert not answer.endswith(b"0\r\n\r\n")
    # Another worker answers, or the one that took its place.
    assert server.get("/api/pid")[0] == 200


def test_a_client_that_leaves_stops_what_is_made_for_it(server: Running) -> None:
    def left() -> int:
        # Each worker counts on its own.
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: server.get("/api/left")[2], range(16)))
        return max(int(json.loads(answer)["left"]) for answer in answers)

    before = left()
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as stream:
        stream.sendall(ask("/api/slowly"))
        assert stream.recv(65536).startswith(b"HTTP/1.1 200 OK")
    for _ in range(50):
        if left() > before:
            return
        time.sleep(0.05)
    pytest.fail("it was made to its end")


def test_nobody_waits_for_an_answer_whose_client_left(site: Path, server: Running) -> None:
    def until_with_workers(count: int) -> bool:
        # All of them take a fraction of the time that the answer would.
        asked = (hyperweb("stats", site, "--json", check=True) for _ in range(20))
        return any(json.loads(one.stdout)["outstanding"] == count for one in asked)

    assert until_with_workers(0)
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as stream:
        stream.sendall(ask("/api/late"))
        assert until_with_workers(1)
    assert until_with_workers(0)


def test_bodies_of_known_and_unknown_length_arrive(server: Running) -> None:
    body = b"x" * 300_000
    status, _, answer = server.get("/api/length", method="POST", body=body)
    assert (status, json.loads(answer)) == (200, {"length": 300_000})
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (b"a" * 10, b"b" * 70_000, b"c")) + b"0\r\n\r\n"
    answer = server.raw(ask("/api/length", "Transfer-Encoding: chunked", CLOSE, method="POST") + chunks)
    assert answer.endswith(b'{"length":70011}')
    assert server.get("/api/length", method="POST", body=b"")[2] == b'{"length":0}'


def test_a_body_that_is_too_large_is_refused_whether_its_length_is_told_or_not(server: Running) -> None:
    large = 20 << 20
    told = server.raw(ask("/api/length", f"Content-Length: {large}", method="POST"))
    assert told.startswith(b"HTTP/1.1 413 ")
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as stream:
        stream.sendall(ask("/api/length", "Transfer-Encoding: chunked", method="POST"))
        part = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        try:
            for _ in range(large // 65536):
                stream.sendall(part)
            answer = stream.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            # It says so and closes, which may overtake what it said.
            answer = b"HTTP/1.1 413 "
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert server.get("/api/pid")[0] == 200


def test_a_handler_may_answer_without_reading(server: Running) -> None:
    for _ in range(3):
        status, _, answer = server.get("/api/deaf", method="POST", body=b"y" * 200_000)
        assert (status, answer) == (200, b'{"read":"nothing"}')
    assert server.get("/api/pid")[0] == 200


def test_the_worker_is_told_of_the_client_and_not_of_its_connection(server: Running) -> None:
    sent = [
        "Connection: keep-alive",
        "Keep-Alive: 5",
        "TE: trailers",
        "X-Forwarded-For: 6.6.6.6",
        "X-Forwarded-Host: evil",
        "X-Real-IP: 6.6.6.6",
        "X-Empty:",
        "X-Own: a",
        "X-Own: b",
    ]
    answer = server.raw(ask("/api/fields", *sent) + ask("/api/pid", CLOSE))
    fields = json.loads(answer.split(b"\r\n\r\n", 1)[1].split(b"HTTP/1.1", 1)[0])
    assert fields["x-forwarded-for"] == "127.0.0.1"
    assert fields["x-forwarded-host"] == "x"
    assert fields["x-empty"] == ""
    assert fields["x-own"] in {"a", "b", "a, b"}
    assert not fields.keys() & {"connection", "keep-alive", "te", "x-real-ip"}
    assert len(fields["x-request-id"]) == 32


def test_the_thread_that_reads_for_a_worker_preempts_nobody(server: Running) -> None:
    def batch(pid: int) -> list[int]:
        threads = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
        return [thread for thread in threads if os.sched_getscheduler(thread) == os.SCHED_BATCH]

    found: dict[int, list[int]] = {}
    # One that replaced another may not listen yet.
    for _ in range(200):
        found = {pid: batch(pid) for pid in server.children()}
        if all(found.values()):
            break
        time.sleep(0.05)
    assert found
    for pid, threads in found.items():
        # Threads it starts are like it; the one that runs Python is not.
        assert threads
        assert pid not in threads
