"""A client of HTTP/2 that does what it is told, frame by frame (RFC 9113), right or wrong."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from typing import TYPE_CHECKING, NamedTuple

import hpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.site import Running

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 1, 4, 1
NO_ERROR, PROTOCOL_ERROR, CANCEL, ENHANCE_YOUR_CALM = 0, 1, 8, 11
INITIAL_WINDOW, MAX_STREAMS, ENABLE_CONNECT = 4, 3, 8


class Frame(NamedTuple):
    """A frame that came."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """Returns the bytes of a frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(**values: int) -> bytes:
    """Returns a frame of settings, each named `s` and its number: `s4=0`."""
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", int(name[1:]), value) for name, value in values.items()))


class Client:
    """A connection.

    Args:
        stream: The socket, with TLS or without.
        first: What is sent after the preface: settings.
        polite: Whether settings and pings are acknowledged.
    """

    def __init__(self, stream: socket.socket, first: bytes | None = None, *, polite: bool = True) -> None:
        # What is sent piece by piece would wait for acknowledgements.
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = stream
        self.polite = polite
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.frames: list[Frame] = []
        self.closed = False
        self._read = b""
        self._next = 1
        self.send(PREFACE + (settings() if first is None else first))

    def send(self, data: bytes) -> bool:
        """Sends bytes; whether the connection took them."""
        try:
            self.stream.sendall(data)
        except OSError:
            # What the server said before it closed may still be read.
            return False
        return True

    def block(self, path: str = "/", method: str = "GET", *more: tuple[str, str], scheme: str = "http") -> bytes:
        """Returns the fields of a request, encoded."""
        fields = [(":method", method), (":scheme", scheme), (":authority", "localhost"), (":path", path), *more]
        encoded: bytes = self.encoder.encode(fields)
        return encoded

    def headers(
        self, path: str = "/", method: str = "GET", *more: tuple[str, str], end: bool = True
    ) -> tuple[int, bytes]:
        """Returns the next stream's number, and the frame that begins it."""
        number, self._next = self._next, self._next + 2
        flags = END_HEADERS | (END_STREAM if end else 0)
        return number, frame(HEADERS, flags, number, self.block(path, method, *more))

    def ask(self, path: str = "/", method: str = "GET", *more: tuple[str, str], end: bool = True) -> int:
        """Begins a request, and returns its stream."""
        number, data = self.headers(path, method, *more, end=end)
        self.send(data)
        return number

    def read(self, enough: Callable[[], bool] | None = None, wait: float = 10.0) -> list[Frame]:
        """Reads until that is `enough`, the server closes, or the time is over; returns all frames so far."""
        until = time.monotonic() + wait
        while not self.closed and not (enough is not None and enough()):
            self.stream.settimeout(max(0.01, until - time.monotonic()))
            try:
                part = self.stream.recv(65536)
            except TimeoutError:
                break
            except OSError:
                part = b""
            if not part:
                self.closed = True
                break
            self._read += part
            self._take()
            if time.monotonic() > until:
                break
        return self.frames

    def _take(self) -> None:
        while len(self._read) >= 9:
            length = int.from_bytes(self._read[:3], "big")
            if len(self._read) < 9 + length:
                return
            kind, flags, number = struct.unpack(">BBI", self._read[3:9])
            made = Frame(kind, flags, number & 0x7FFFFFFF, self._read[9 : 9 + length])
            self._read = self._read[9 + length :]
            self.frames.append(made)
            if self.polite and made.kind in {SETTINGS, PING} and not made.flags & ACK:
                self.send(frame(made.kind, ACK, 0, made.payload if made.kind == PING else b""))

    def of(self, number: int, kind: int) -> list[Frame]:
        """Returns the frames of a kind that came on a stream."""
        return [one for one in self.frames if one.stream == number and one.kind == kind]

    def status(self, number: int, wait: float = 10.0) -> int | None:
        """Waits for the head of a response, and returns its status."""
        self.read(lambda: bool(self.of(number, HEADERS) or self.of(number, RST_STREAM)), wait)
        heads = self.of(number, HEADERS)
        if not heads:
            return None
        # Each is decoded once, in order: the table grows with them.
        return int(dict(self.fields(heads[0]))[":status"])

    def fields(self, head: Frame) -> list[tuple[str, str]]:
        """Returns the fields of a response."""
        if not hasattr(self, "_decoded"):
            self._decoded: dict[int, list[tuple[str, str]]] = {}
        for one in self.frames:
            if one.kind == HEADERS and id(one) not in self._decoded:
                self._decoded[id(one)] = [(str(name), str(value)) for name, value in self.decoder.decode(one.payload)]
        return self._decoded[id(head)]

    def body(self, number: int, wait: float = 10.0) -> bytes:
        """Waits for the end of a response, and returns its body."""

        def is_over() -> bool:
            frames = self.of(number, DATA) + self.of(number, HEADERS)
            return any(one.flags & END_STREAM for one in frames) or bool(self.of(number, RST_STREAM))

        self.read(is_over, wait)
        return b"".join(one.payload for one in self.of(number, DATA))

    def ping(self, wait: float = 10.0) -> bool:
        """Whether the server answers a ping: it is there, and all before was read."""
        payload = struct.pack(">Q", time.monotonic_ns())
        self.send(frame(PING, 0, 0, payload))
        self.read(lambda: any(one.kind == PING and one.payload == payload for one in self.frames), wait)
        return any(one.kind == PING and one.payload == payload for one in self.frames)

    def goaway(self, wait: float = 10.0) -> int | None:
        """Waits for the server to close, and returns the last code of GOAWAY, or None without one."""
        self.read(wait=wait)
        codes = [int.from_bytes(one.payload[4:8], "big") for one in self.frames if one.kind == GOAWAY]
        return codes[-1] if codes else None


@contextlib.contextmanager
def connect(running: Running, first: bytes | None = None, *, polite: bool = True) -> Iterator[Client]:
    """Connects with prior knowledge (RFC 9113, section 3.3)."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as stream:
        yield Client(stream, first, polite=polite)
