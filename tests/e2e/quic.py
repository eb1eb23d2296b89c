"""A client of HTTP/3 (RFC 9114), by aioquic."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, NamedTuple, cast

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection, H3Stream
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, QuicEvent, StreamReset

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from aioquic.quic.connection import QuicConnection

import contextlib


class Reply(NamedTuple):
    """What a request was answered."""

    status: int
    headers: dict[str, str]
    body: bytes


class Reset(Exception):
    """A request that was ended by its server."""


class Connection(H3Connection):
    """One that knows that a HEAD has no body (aioquic does not)."""

    def __init__(self, quic: QuicConnection) -> None:
        super().__init__(quic)
        self.heads: set[int] = set()

    def _check_content_length(self, stream: H3Stream) -> None:
        if stream.stream_id not in self.heads:
            super()._check_content_length(stream)


class Tunnel:
    """A stream that goes on after its head, in both directions."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.body = bytearray()
        self.is_over = False
        self.changed = asyncio.Event()

    async def until(self, enough: Callable[[Tunnel], bool]) -> None:
        """Waits until what came is enough."""
        async with asyncio.timeout(20):
            while not enough(self):
                self.changed.clear()
                await self.changed.wait()


class Client(QuicConnectionProtocol):
    """A connection."""

    def __init__(self, *args: object, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]
        self.http = Connection(self._quic)
        self.ended: ConnectionTerminated | None = None
        self.over = asyncio.Event()
        # What came before an answer, by its stream.
        self.interim: dict[int, list[list[tuple[str, str]]]] = {}
        self._tunnels: dict[int, Tunnel] = {}
        self._replies: dict[int, tuple[asyncio.Future[Reply], list[tuple[bytes, bytes]], bytearray]] = {}

    def quic_event_received(self, event: QuicEvent) -> None:
        """Takes what comes."""
        if isinstance(event, ConnectionTerminated):
            self.ended = event
            self.over.set()
            for future, _, _ in self._replies.values():
                if not future.done():
                    future.set_exception(ConnectionError(event.reason_phrase))
        if isinstance(event, StreamReset) and event.stream_id in self._replies:
            future = self._replies[event.stream_id][0]
            if not future.done():
                future.set_exception(Reset(hex(event.error_code)))
        for found in self.http.handle_event(event):
            self._take(found)

    def _tunnelled(self, event: HeadersReceived | DataReceived) -> None:
        tunnel = self._tunnels[event.stream_id]
        if isinstance(event, HeadersReceived):
            tunnel.fields = {name.decode(): value.decode() for name, value in event.headers}
        else:
            tunnel.body += event.data
        tunnel.is_over |= event.stream_ended
        tunnel.changed.set()

    def _take(self, event: H3Event) -> None:
        if isinstance(event, HeadersReceived | DataReceived) and event.stream_id in self._tunnels:
            self._tunnelled(event)
            return
        if not isinstance(event, HeadersReceived | DataReceived) or event.stream_id not in self._replies:
            return
        future, headers, body = self._replies[event.stream_id]
        if isinstance(event, HeadersReceived) and dict(event.headers).get(b":status", b"").startswith(b"1"):
            told = [(name.decode(), value.decode()) for name, value in event.headers]
            self.interim.setdefault(event.stream_id, []).append(told)
        elif isinstance(event, HeadersReceived):
            headers.extend(event.headers)
        else:
            body += event.data
        if event.stream_ended and not future.done():
            fields = {name.decode(): value.decode() for name, value in headers}
            future.set_result(Reply(int(fields.pop(":status")), fields, bytes(body)))

    def begin(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        ends: bool = True,
        authority: str = "localhost",
        raw: bytes | None = None,
    ) -> tuple[int, asyncio.Future[Reply]]:
        """Sends a request, or `raw` bytes in its place; returns its stream, and what it will be answered."""
        if self.ended:
            raise ConnectionError(self.ended.reason_phrase)
        stream = self._quic.get_next_available_stream_id()
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._replies[stream] = (future, [], bytearray())
        if method == "HEAD":
            self.http.heads.add(stream)
        if raw is not None:
            self.send_raw(stream, raw, ends=ends)
            return stream, future
        fields = [(":method", method), (":scheme", "https"), (":authority", authority), (":path", path), *headers]
        encoded = [(name.encode(), value.encode()) for name, value in fields]
        self.http.send_headers(stream, encoded, end_stream=ends and body is None)
        if body is not None:
            self.http.send_data(stream, body, end_stream=ends)
        self.transmit()
        return stream, future

    async def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        authority: str = "localhost",
    ) -> Reply:
        """Asks, and waits for the answer."""
        _, future = self.begin(path, method=method, headers=headers, body=body, authority=authority)
        return await asyncio.wait_for(future, 20)

    def open(
        self, path: str, protocol: str, *more: tuple[str, str], authority: str = "localhost"
    ) -> tuple[int, Tunnel]:
        """Asks for a tunnel (RFC 9220); returns its stream, and what comes over it."""
        stream = self._quic.get_next_available_stream_id()
        self._tunnels[stream] = Tunnel()
        pseudo = [(":method", "CONNECT"), (":protocol", protocol), (":scheme", "https"), (":authority", authority)]
        fields = [*pseudo, (":path", path), *more]
        self.http.send_headers(stream, [(name.encode(), value.encode()) for name, value in fields])
        self.transmit()
        return stream, self._tunnels[stream]

    def send(self, stream: int, data: bytes, *, ends: bool = False) -> None:
        """Sends some more over a stream."""
        self.http.send_data(stream, data, end_stream=ends)
        self.transmit()

    def send_raw(self, stream: int, data: bytes, *, ends: bool = False) -> None:
        """Sends bytes over a stream as they are."""
        self._quic.send_stream_data(stream, data, ends)
        self.transmit()

    def begin_raw(self, *, one_way: bool = False) -> int:
        """Begins a stream, of which nothing was said yet."""
        return self._quic.get_next_available_stream_id(is_unidirectional=one_way)

    @property
    def control(self) -> int:
        """The stream that frames of the connection go over."""
        number = self.http._local_control_stream_id
        assert number is not None
        return number

    @property
    def encoder(self) -> int:
        """The stream that entries of the table of fields go over."""
        number = self.http._local_encoder_stream_id
        assert number is not None
        return number

    def reset(self, stream: int) -> None:
        """Gives a request up, where it is not over yet."""
        with contextlib.suppress(ValueError):
            self._quic.reset_stream(stream, 0x10C)
            self._quic.stop_stream(stream, 0x10C)
        self.transmit()


def configuration(trusts: str | None = None, name: str = "localhost") -> QuicConfiguration:
    """Returns what a client speaks; without a file of authorities it trusts anyone."""
    made = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=name)
    if trusts is None:
        made.verify_mode = ssl.CERT_NONE
    else:
        made.load_verify_locations(trusts)
    return made


@contextlib.asynccontextmanager
async def connected(port: int, given: QuicConfiguration | None = None) -> AsyncIterator[Client]:
    """Connects to a server on this machine."""
    made = given or configuration()
    async with connect("127.0.0.1", port, configuration=made, create_protocol=Client) as client:
        yield cast("Client", client)
