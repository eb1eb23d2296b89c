"""ASGI out: an ASGI application below a prefix of the path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hyperweb.web.asgi import AsgiRequestScope
from hyperweb.web.errors import RouteError

if TYPE_CHECKING:
    from hyperweb.web.asgi import AsgiApp, AsgiScope, Message
    from hyperweb.web.rsgi import HeaderList, Proto, Scope, Transport


class Mount:
    """An ASGI application and where it is.

    Attributes:
        prefix: The path it is below, without a slash at the end.
        app: The application.
    """

    __slots__ = ("app", "prefix")

    def __init__(self, prefix: str, app: AsgiApp) -> None:
        if not prefix.startswith("/") or prefix.endswith("/") or "{" in prefix:
            raise RouteError(f"mount {prefix!r}: a prefix looks like '/admin'")
        self.prefix = prefix
        self.app = app

    def takes(self, path: str) -> bool:
        """Returns whether a path is below the prefix."""
        return path.startswith(self.prefix) and (len(path) == len(self.prefix) or path[len(self.prefix)] == "/")

    async def answer(self, scope: Scope, proto: Proto) -> None:
        """Answers an HTTP request."""
        bridge = _Bridge(proto, scope.method == "HEAD")
        await self.app(self.asgi_scope(scope), bridge.receive, bridge.send)
        bridge.end()

    def asgi_scope(self, scope: Scope) -> AsgiScope:
        """Returns the ASGI scope of a request, which has the prefix as its root path (ASGI HTTP, section scope)."""
        if isinstance(scope, AsgiRequestScope):
            inner = dict(scope.asgi)
            inner["root_path"] = scope.asgi.get("root_path", "") + self.prefix
            return inner
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": scope.http_version,
            "method": scope.method,
            "scheme": scope.scheme,
            "path": scope.path,
            "raw_path": quote(scope.path).encode("ascii"),
            "query_string": scope.query_string.encode("latin-1", "replace"),
            "root_path": self.prefix,
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in scope.headers.items()],
            "client": _pair(scope.client),
            "server": _pair(scope.server),
            "state": {},
        }


class _Bridge:
    """ASGI's receive and send over an RSGI protocol."""

    __slots__ = ("_body", "_chunks", "_head", "_headers", "_proto", "_sent", "_status", "_transport")

    def __init__(self, proto: Proto, head: bool) -> None:  # noqa: FBT001 - one flag of a private class
        self._proto = proto
        self._head = head
        self._chunks: Any = None
        self._body: bytes | None = b""
        self._status = 0
        self._headers: HeaderList = []
        self._transport: Transport | None = None
        self._sent = False

    async def receive(self) -> Message:
        if self._body is None:
            await self._proto.client_disconnect()
            return {"type": "http.disconnect"}
        if self._chunks is None:
            self._chunks = aiter(self._proto)
        try:
            return {"type": "http.request", "body": bytes(await anext(self._chunks)), "more_body": True}
        except StopAsyncIteration:
            self._body = None
            return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [
                (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in message.get("headers", ())
            ]
        elif message["type"] == "http.response.body":
            await self._send_body(message.get("body", b""), more=message.get("more_body", False))

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        if self._sent:
            return
        if self._transport is None:
            if not more:
                self._sent = True
                if body:
                    self._proto.response_bytes(self._status, self._headers, bytes(body))
                else:
                    self._proto.response_empty(self._status, self._headers)
                return
            self._transport = self._proto.response_stream(self._status, self._headers)
        if body and not self._head:
            await self._transport.send_bytes(bytes(body))
        self._sent = not more

    def end(self) -> None:
        """Raises when the application has returned without an answer."""
        if not self._sent and self._transport is None:
            raise RuntimeError("the mounted application returned without a response")


def _pair(address: str) -> tuple[str, int] | None:
    host, _, port = address.rpartition(":")
    return (host.strip("[]"), int(port)) if port.isdigit() else None
