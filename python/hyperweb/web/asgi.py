"""ASGI in: any ASGI server can run an application. The request is dressed as RSGI and goes the same way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hyperweb.web.rsgi import HeaderList

AsgiScope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[AsgiScope, Receive, Send], Awaitable[None]]

_NO_BODY = {204, 304}


class AsgiHeaders:
    """The headers of an ASGI scope."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: list[tuple[bytes, bytes]]) -> None:
        self._pairs = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in pairs]

    def get(self, key: str, default: Any = None) -> Any:
        """Returns the first value of a header."""
        key = key.lower()
        return next((value for name, value in self._pairs if name == key), default)

    def get_all(self, key: str) -> list[str]:
        """Returns every value of a header, in order."""
        key = key.lower()
        return [value for name, value in self._pairs if name == key]

    def items(self) -> list[tuple[str, str]]:
        """Returns the headers in order."""
        return list(self._pairs)


class AsgiRequestScope:
    """An ASGI scope, seen as an RSGI one.

    Attributes:
        asgi: The scope itself.
    """

    proto = "http"

    def __init__(self, asgi: AsgiScope) -> None:
        self.asgi = asgi
        self.method: str = asgi["method"].upper()
        root = asgi.get("root_path", "")
        path: str = asgi["path"]
        self.path = path[len(root) :] or "/" if root and path.startswith(root) else path
        self.query_string = asgi.get("query_string", b"").decode("latin-1")
        self.scheme: str = asgi.get("scheme", "http")
        self.http_version: str = asgi.get("http_version", "1.1")
        self.client = _address(asgi.get("client"))
        self.server = _address(asgi.get("server"))
        self.authority: str | None = None
        self.headers = AsgiHeaders(list(asgi.get("headers", ())))


class AsgiTransport:
    """Sends a streamed response as ASGI messages."""

    __slots__ = ("_proto",)

    def __init__(self, proto: AsgiProto) -> None:
        self._proto = proto

    async def send_bytes(self, data: bytes) -> None:
        """Sends one chunk; an empty one is nothing."""
        if data:
            await self._proto.send_chunk(data)

    async def send_str(self, data: str) -> None:
        """Sends one chunk, UTF-8 encoded."""
        await self.send_bytes(data.encode())


class AsgiProto:
    """ASGI's receive and send, seen as an RSGI protocol. `flush` sends what was answered."""

    def __init__(self, method: str, receive: Receive, send: Send) -> None:
        self._head = method == "HEAD"
        self._receive = receive
        self._send = send
        self._status = 0
        self._headers: HeaderList = []
        self._body = b""
        self._streaming = False
        self._started = False
        self._ended = False
        self._gone = False

    async def __call__(self) -> bytes:
        """Reads the whole body."""
        return b"".join([chunk async for chunk in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Reads the body chunk by chunk."""
        while not self._ended:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._gone = self._ended = True
                raise ConnectionResetError("the client went before its body had come")
            self._ended = not message.get("more_body", False)
            if chunk := message.get("body", b""):
                yield chunk

    async def client_disconnect(self) -> None:
        """Returns when the client has gone."""
        while not self._gone:
            message = await self._receive()
            self._gone = message["type"] == "http.disconnect"

    def response_empty(self, status: int, headers: HeaderList) -> None:
        """Answers without a body."""
        self.response_bytes(status, headers, b"")

    def response_bytes(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Answers with a body."""
        self._status, self._headers, self._body = status, headers, body

    def response_stream(self, status: int, headers: HeaderList) -> AsgiTransport:
        """Answers with a body that is sent in chunks."""
        self._status, self._headers, self._streaming = status, headers, True
        return AsgiTransport(self)

    async def send_chunk(self, data: bytes) -> None:
        """Sends the head, the first time, and a chunk."""
        await self._start()
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def flush(self) -> None:
        """Sends what has not been sent yet of the response."""
        if (
            not self._streaming
            and self._status not in _NO_BODY
            and not any(name == "content-length" for name, _ in self._headers)
        ):
            self._headers = [*self._headers, ("content-length", str(len(self._body)))]
        await self._start()
        await self._send({"type": "http.response.body", "body": b"" if self._head else self._body, "more_body": False})

    async def _start(self) -> None:
        if not self._started:
            self._started = True
            headers = [(name.encode("latin-1"), value.encode("utf-8")) for name, value in self._headers]
            await self._send({"type": "http.response.start", "status": self._status, "headers": headers})


async def run_lifespan(
    receive: Receive, send: Send, startup: Callable[[], Awaitable[None]], shutdown: Callable[[], Awaitable[None]]
) -> None:
    """Speaks ASGI's lifespan protocol."""
    for phase, run in (("startup", startup), ("shutdown", shutdown)):
        message = await receive()
        while message["type"] != f"lifespan.{phase}":
            message = await receive()
        try:
            await run()
        except Exception as error:  # noqa: BLE001 - the server is told, and ends
            await send({"type": f"lifespan.{phase}.failed", "message": f"{type(error).__name__}: {error}"})
            return
        await send({"type": f"lifespan.{phase}.complete"})


async def refuse_websocket(receive: Receive, send: Send) -> None:
    """Closes a WebSocket before it opens; the client sees 403."""
    async with asyncio.timeout(10):
        await receive()
    await send({"type": "websocket.close", "code": 1000})


def _address(pair: Any) -> str:
    if not pair:
        return ""
    host, port = pair
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
