"""Floods by HTTP/2: what costs a client nothing and a server much. The connection is ended, and others are served."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import hpack
import pytest

from tests.e2e.hostile.http2 import (
    ACK,
    CANCEL,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    GOAWAY,
    HEADERS,
    NO_ERROR,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Client,
    connect,
    frame,
    settings,
)
from tests.e2e.origin import Answer, Asked, edge, origin, wait_listening
from tests.e2e.site import Running, hyperweb

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

LARGE = b"0123456789abcdef" * 20_000
# What a connection may take of memory beside others, however it behaves: bytes of the resident set.
MOST_MEMORY = 96 << 20


def answer(asked: Asked) -> Answer:
    return Answer(body=LARGE if asked.target.startswith("/large") else b"fine")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("floods")


@pytest.fixture(scope="module")
def front(state: Path) -> Iterator[Running]:
    limits = ("--limit", "write_time=2", "--limit", "idle_time=30", "--threads", "1")
    with origin(answer) as behind, edge(state, *limits, origins=(behind.url,), ready="") as running:
        wait_listening(running)
        yield running


@pytest.fixture(autouse=True)
def _serves_others(front: Running, state: Path) -> Iterator[None]:
    """Whatever a client did, the server keeps its memory, has nothing under way, and serves the next."""
    before = resident(front)
    yield
    with connect(front) as client:
        assert client.status(client.ask("/")) == 200
    assert resident(front) - before < MOST_MEMORY
    assert front.process.poll() is None
    assert "panicked" not in (state / "edge.log").read_text()


def resident(running: Running) -> int:
    text = Path(f"/proc/{running.process.pid}/statm").read_text(encoding="ascii")
    return int(text.split()[1]) * 4096


def refused(state: Path, reason: str) -> int:
    found = json.loads(hyperweb("stats", state, "--json", check=True).stdout)
    return int(found["refused"][reason])


def flood(client: Client, piece: bytes, times: int = 20_000) -> None:
    """Sends a piece many times, until the server takes no more."""
    many = 200
    for _ in range(times // many):
        if not client.send(piece * many):
            return


def is_told_to_calm_down(client: Client) -> bool:
    """Whether the connection was closed, and the client told why, unless a reset of TCP overtook that."""
    code = client.goaway()
    assert client.closed, "it goes on"
    return code in {ENHANCE_YOUR_CALM, None}


@pytest.mark.parametrize(
    ("piece", "reason"),
    [
        (frame(PING, 0, 0, b"12345678"), "control_frames"),
        (frame(PING, ACK, 0, b"12345678"), "control_frames"),
        (frame(SETTINGS), "control_frames"),
        (settings(s1=4096, s4=65_535), "control_frames"),
        (frame(PRIORITY, 0, 3, struct.pack(">IB", 1, 5)), "control_frames"),
        (frame(0xEE, 0, 0, b"nobody knows"), "control_frames"),
        (frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)), "control_frames"),
    ],
    ids=["ping", "pong", "settings", "tables", "priority", "unknown", "window"],
)
def test_frames_that_ask_for_nothing(front: Running, state: Path, piece: bytes, reason: str) -> None:
    before = refused(state, reason)
    with connect(front) as client:
        flood(client, piece)
        assert is_told_to_calm_down(client)
    assert refused(state, reason) == before + 1


def test_pings_and_no_reader(front: Running) -> None:
    with connect(front, polite=False) as client:
        client.stream.settimeout(1)
        flood(client, frame(PING, 0, 0, b"12345678"), 200_000)
        assert is_told_to_calm_down(client)


def test_empty_data(front: Running) -> None:
    with connect(front) as client:
        number = client.ask("/", "POST", end=False)
        flood(client, frame(DATA, 0, number))
        assert is_told_to_calm_down(client)


def test_tiny_data_in_large_padding(front: Running) -> None:
    with connect(front) as client:
        number = client.ask("/", "POST", end=False)
        flood(client, frame(DATA, 8, number, b"\xff" + bytes(255)), 40_000)
        client.goaway(3)
        answered = client.of(number, HEADERS)
        assert client.closed or not answered


def test_rapid_reset(front: Running, state: Path) -> None:
    """Requests are begun and given up at once (CVE-2023-44487)."""
    before = refused(state, "flood") + refused(state, "resets")
    with connect(front) as client:
        for _ in range(200):
            pieces = []
            for _ in range(50):
                number, data = client.headers("/large")
                pieces.append(data + frame(RST_STREAM, 0, number, struct.pack(">I", CANCEL)))
            if not client.send(b"".join(pieces)):
                break
        assert is_told_to_calm_down(client)
    assert refused(state, "flood") + refused(state, "resets") == before + 1


def test_resets_that_take_their_time(front: Running, state: Path) -> None:
    before = refused(state, "resets")
    with connect(front) as client:
        for _ in range(500):
            number = client.ask("/")
            if client.status(number, 2) != 200:
                break
            client.send(frame(RST_STREAM, 0, number, struct.pack(">I", CANCEL)))
        assert is_told_to_calm_down(client)
    assert refused(state, "resets") == before + 1


@pytest.mark.parametrize(
    "fault",
    [
        lambda number: frame(WINDOW_UPDATE, 0, number, bytes(4)),
        lambda number: frame(WINDOW_UPDATE, 0, number, struct.pack(">I", 0x7FFFFFFF)),
        lambda number: frame(DATA, 0, number, b"after the end"),
    ],
    ids=["nothing", "overflow", "closed"],
)
def test_made_you_reset(front: Running, state: Path, fault: object) -> None:
    """Requests are begun, and the server is made to reset them by a fault (CVE-2025-8671)."""
    assert callable(fault)

    def count() -> int:
        return refused(state, "flood") + refused(state, "malformed")

    before = count()
    with connect(front) as client:
        for _ in range(60):
            pieces = []
            for _ in range(20):
                number, data = client.headers("/large")
                pieces.append(data + fault(number))
            if not client.send(b"".join(pieces)):
                break
        # Some faults are of the connection at once, others of their stream until there are too many.
        assert client.goaway() != NO_ERROR
        assert client.closed
    assert count() == before + 1


def test_fields_that_never_end(front: Running) -> None:
    """CONTINUATION after CONTINUATION (CVE-2024-27316)."""
    with connect(front) as client:
        never = hpack.Encoder()
        client.send(frame(HEADERS, END_STREAM, 1, client.block()))
        block = never.encode([("x-more", "y" * 100)], huffman=False)
        flood(client, frame(CONTINUATION, 0, 1, block), 40_000)
        assert client.goaway() is not None or client.closed
        assert client.closed


def test_empty_continuations(front: Running) -> None:
    with connect(front) as client:
        client.send(frame(HEADERS, END_STREAM, 1, client.block()))
        flood(client, frame(CONTINUATION, 0, 1))
        assert is_told_to_calm_down(client)


def test_a_bomb_of_fields(front: Running) -> None:
    """One large field in the table, and thousands of references to it, a byte each."""
    with connect(front) as client:
        client.status(client.ask("/", "GET", ("x-bomb", "b" * 3000)))
        bomb = b"\xbe" * 16_000
        for number in range(3, 203, 2):
            if not client.send(frame(HEADERS, END_HEADERS | END_STREAM, number, client.block() + bomb)):
                break
        client.read(wait=2)
        statuses = {dict(client.fields(one))[":status"] for one in client.frames if one.kind == HEADERS}
        assert statuses <= {"200", "431"}
        assert client.closed or "431" in statuses


def test_a_table_of_fields_that_grows_without_end(front: Running) -> None:
    with connect(front) as client:
        # A table larger than what the server said, which is 4096 bytes (RFC 7541, section 6.3).
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x3f\xe1\xff\x7f" + client.block()))
        assert client.goaway() is not None
        assert client.closed


def test_more_streams_than_there_may_be(front: Running) -> None:
    with connect(front, settings(s4=0)) as client:
        pieces = [client.headers("/large")[1] for _ in range(1500)]
        client.send(b"".join(pieces))
        client.read(lambda: sum(one.kind == RST_STREAM for one in client.frames) >= 400 or client.closed, 10)
        taken = sum(one.kind == HEADERS for one in client.frames)
        assert taken <= 1000
        client.goaway()
        assert client.closed, "nothing is taken of what was asked for"


def test_windows_of_nothing(front: Running, state: Path) -> None:
    """Many connections ask for much, and take nothing of it."""
    before, memory = refused(state, "slow_reader"), resident(front)
    opened = []
    for _ in range(20):
        with_window = connect(front, settings(s4=0))
        client = with_window.__enter__()
        opened.append((with_window, client))
        client.send(b"".join(client.headers("/large")[1] for _ in range(50)))
    for _, client in opened:
        client.read(lambda: any(one.kind == GOAWAY for one in client.frames) or client.closed, 15)  # noqa: B023
    assert resident(front) - memory < 2 * MOST_MEMORY
    for with_window, client in opened:
        client.goaway()
        assert client.closed
        with_window.__exit__(None, None, None)
    assert refused(state, "slow_reader") - before == 20


def test_frames_that_are_none(front: Running) -> None:
    for piece in (
        b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",
        frame(HEADERS, END_HEADERS, 2, b""),
        frame(SETTINGS, 0, 1),
        frame(SETTINGS, 0, 0, b"x"),
        frame(PING, 0, 0, b"1"),
        frame(CONTINUATION, END_HEADERS, 1, b""),
        frame(DATA, 0, 1, b"x"),
        frame(RST_STREAM, 0, 1, bytes(4)),
        frame(GOAWAY, 0, 1, bytes(8)),
        frame(HEADERS, END_HEADERS | 8, 1, b"\xff"),
    ):
        with connect(front) as client:
            client.send(piece)
            client.goaway()
            assert client.closed, piece
