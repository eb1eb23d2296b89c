"""Floods by HTTP/3: what costs a client nothing and a server much. The connection is ended, and others are served."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aioquic.buffer import encode_uint_var
from aioquic.h3.connection import ErrorCode

from tests.e2e.certificates import Pair
from tests.e2e.origin import Answer, Asked, edge, origin, wait_listening
from tests.e2e.quic import Client, Reset, connected
from tests.e2e.site import Running, hyperweb

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

pytestmark = pytest.mark.e2e

DATA, HEADERS, CANCEL_PUSH, SETTINGS, PUSH_PROMISE, GOAWAY, MAX_PUSH_ID = 0, 1, 3, 4, 5, 7, 13
PRIORITY_UPDATE, UNKNOWN = 0xF0700, 0x21 + 0x1F * 7
LOAD = ErrorCode.H3_EXCESSIVE_LOAD
# What a connection may take of memory beside others, however it behaves: bytes of the resident set.
MOST_MEMORY = 48 << 20


def answer(asked: Asked) -> Answer:
    if asked.target == "/slow":
        time.sleep(0.5)
    return Answer(body=b"fine")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("floods3")


@pytest.fixture(scope="module")
def front(state: Path) -> Iterator[Running]:
    limits = ("control_frames=200", "resets=60", "head=4096", "head_time=5")
    options = [word for limit in limits for word in ("--limit", limit)]
    pair = Pair(state / "pair", "localhost")
    more = ("--http3", "--threads", "1", *pair.options(), *options)
    with origin(answer) as behind, edge(state, *more, origins=(behind.url,), ready="") as running:
        wait_listening(running)
        yield running


def resident(running: Running) -> int:
    text = Path(f"/proc/{running.process.pid}/statm").read_text(encoding="ascii")
    return int(text.split()[1]) * 4096


def refused(state: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads(hyperweb("stats", state, "--json", check=True).stdout)["refused"]
    return found


@pytest.fixture(autouse=True)
def _serves_others(front: Running, state: Path) -> Iterator[None]:
    """Whatever a client did, the server keeps its memory, and serves the next."""
    before = resident(front)
    yield

    async def polite(client: Client) -> None:
        for number in range(20):
            client.send_raw(client.control, frame(PRIORITY_UPDATE, b"\0u=%d" % (number % 8)))
        assert (await client.ask("/")).body == b"fine"

    run(front, polite)
    assert resident(front) - before < MOST_MEMORY
    assert front.process.poll() is None
    assert "panicked" not in (state / "edge.log").read_text()


def run(front: Running, work: Callable[[Client], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with connected(front.port) as client:
            assert (await client.ask("/")).status == 200
            await work(client)

    asyncio.run(whole())


def frame(kind: int, payload: bytes = b"", length: int | None = None) -> bytes:
    """Returns a frame, which may say that it is longer than it is."""
    return encode_uint_var(kind) + encode_uint_var(len(payload) if length is None else length) + payload


async def ends(client: Client) -> int:
    """Waits for the server to end the connection, and returns the code it gives."""
    async with asyncio.timeout(10):
        await client.over.wait()
    assert client.ended is not None
    return client.ended.error_code


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(SETTINGS), ErrorCode.H3_FRAME_UNEXPECTED),
        (frame(SETTINGS, b"\x06\x20"), ErrorCode.H3_FRAME_UNEXPECTED),
        (frame(DATA, b"x"), ErrorCode.H3_FRAME_UNEXPECTED),
        (frame(HEADERS, b"\0\0\xd1"), ErrorCode.H3_FRAME_UNEXPECTED),
        (frame(PUSH_PROMISE, b"\0\0\0"), ErrorCode.H3_FRAME_UNEXPECTED),
        # Frames of HTTP/2.
        (frame(6, bytes(8)), ErrorCode.H3_FRAME_UNEXPECTED),
        (frame(SETTINGS, bytes(100), 1 << 30), LOAD),
        (frame(HEADERS, bytes(100), 1 << 30), LOAD),
        (frame(GOAWAY, b"\x04") + frame(GOAWAY, b"\x08"), ErrorCode.H3_ID_ERROR),
    ],
)
def test_what_has_no_place_on_the_control_stream(front: Running, sent: bytes, code: int) -> None:
    async def work(client: Client) -> None:
        client.send_raw(client.control, sent)
        assert await ends(client) == code

    run(front, work)


@pytest.mark.parametrize(
    "one",
    [
        frame(MAX_PUSH_ID, b"\x05"),
        frame(CANCEL_PUSH, b"\x05"),
        frame(PRIORITY_UPDATE, b"\0u=1"),
        frame(UNKNOWN),
        frame(UNKNOWN, b"some"),
        frame(UNKNOWN, bytes(20_000)),
    ],
)
def test_frames_that_ask_for_nothing(front: Running, state: Path, one: bytes) -> None:
    async def work(client: Client) -> None:
        before = refused(state)["control_frames"]
        for _ in range(30):
            client.send_raw(client.control, one * 10)
            await asyncio.sleep(0.01)
            if client.ended:
                break
        assert await ends(client) == LOAD
        assert refused(state)["control_frames"] == before + 1

    run(front, work)


def test_a_client_that_says_goodbye_again_and_again(front: Running) -> None:
    async def work(client: Client) -> None:
        # With a request under way the end is not come.
        client.begin("/slow")
        client.send_raw(client.control, frame(GOAWAY, b"\0") * 400)
        assert await ends(client) == LOAD

    run(front, work)


@pytest.mark.parametrize("where", ["control", "request", "before"])
def test_a_frame_without_end(front: Running, where: str) -> None:
    async def work(client: Client) -> None:
        stream = client.control
        if where != "control":
            stream = client.begin_raw()
            if where == "request":
                client.send_raw(stream, frame(HEADERS, b"\0\0\xd1\xd7\xc1\x50\x01x"))
        client.send_raw(stream, frame(UNKNOWN, b"", 1 << 40))
        for _ in range(200):
            client.send_raw(stream, bytes(30_000))
            await asyncio.sleep(0.01)
            if client.ended:
                break
        assert await ends(client) == LOAD

    run(front, work)


@pytest.mark.parametrize("kind", [UNKNOWN, 0x41, 0x54])
def test_streams_that_nobody_knows(front: Running, kind: int) -> None:
    async def work(client: Client) -> None:
        for _ in range(600):
            stream = client.begin_raw(one_way=True)
            client.send_raw(stream, encode_uint_var(kind) + b"\0some", ends=True)
            await asyncio.sleep(0.002)
            if client.ended:
                break
        assert await ends(client) == LOAD

    run(front, work)


@pytest.mark.parametrize("kind", [0, 2, 3])
def test_there_is_one_stream_of_each_of_its_own(front: Running, kind: int) -> None:
    async def work(client: Client) -> None:
        client.send_raw(client.begin_raw(one_way=True), encode_uint_var(kind))
        assert await ends(client) == ErrorCode.H3_STREAM_CREATION_ERROR

    run(front, work)


def test_data_of_no_bytes(front: Running) -> None:
    async def work(client: Client) -> None:
        stream, _ = client.begin("/", method="POST", headers=[("content-length", "9")], ends=False, body=b"x")
        client.send_raw(stream, frame(DATA) * 1000)
        assert await ends(client) == LOAD

    run(front, work)


def test_fields_that_never_come_to_an_end(front: Running, state: Path) -> None:
    async def one(client: Client) -> None:
        client.send_raw(client.begin_raw(), frame(HEADERS, bytes(100), 1 << 30))
        assert await ends(client) == LOAD

    async def many(client: Client) -> None:
        # Each is short enough, and all of them are not.
        for _ in range(300):
            client.send_raw(client.begin_raw(), frame(HEADERS, bytes(8000), 8100))
            await asyncio.sleep(0.002)
            if client.ended:
                break
        assert await ends(client) == LOAD

    before = refused(state)["large_head"]
    run(front, one)
    run(front, many)
    assert refused(state)["large_head"] == before + 2


def test_a_few_bytes_that_stand_for_many(front: Running) -> None:
    async def work(client: Client) -> None:
        # Each is a whole policy, by its number in the table that both have (RFC 9204, appendix A).
        bomb = b"\0\0\xd1\xd7\xc1\x50\x01x" + b"\xff\x16" * 3000
        for _ in range(20):
            stream, future = client.begin("/", ends=False, raw=frame(HEADERS, bomb))
            assert (await asyncio.wait_for(future, 10)).status == 431
            client.reset(stream)
        assert (await client.ask("/")).status == 200, "the connection goes on"

    run(front, work)


def test_a_table_that_was_not_offered(front: Running) -> None:
    async def refers(client: Client) -> None:
        # To an entry that was never made.
        client.send_raw(client.begin_raw(), frame(HEADERS, b"\x02\0\x80"))
        assert await ends(client) == ErrorCode.QPACK_DECOMPRESSION_FAILED

    async def fills(client: Client) -> None:
        # It is larger than nothing, and is filled without end: nobody reads it, and the windows stay closed.
        client.send_raw(client.encoder, b"\x3f\xe1\xff\xff\x07")
        for _ in range(60):
            client.send_raw(client.encoder, b"\xc0\x7f\xa1\x9c\x01" + bytes(1 << 20))
            await asyncio.sleep(0.01)

    run(front, refers)
    run(front, fills)


@pytest.mark.parametrize("late", [False, True])
def test_requests_that_are_given_up(front: Running, state: Path, *, late: bool) -> None:
    async def work(client: Client) -> None:
        before = refused(state)["resets"]
        for _ in range(40):
            streams = [client.begin("/slow" if late else "/", method="POST", ends=False)[0] for _ in range(10)]
            await asyncio.sleep(0.05 if late else 0)
            for stream in streams:
                client.reset(stream)
            await asyncio.sleep(0.02)
            if client.ended:
                break
        assert await ends(client) == LOAD
        assert refused(state)["resets"] == before + 1

    run(front, work)


def test_fields_that_are_no_fields(front: Running) -> None:
    async def work(client: Client) -> None:
        for section in (b"", b"\0", b"\0\0\xff\xff\xff\xff\xff\xff\xff\x7f", b"\0\0\x27\x02:protocol", b"\0\0\x50\x7f"):
            stream, future = client.begin("/", ends=False, raw=frame(HEADERS, section))
            try:
                await asyncio.wait_for(future, 5)
            except (Reset, ConnectionError):
                break
            del stream

    run(front, work)
