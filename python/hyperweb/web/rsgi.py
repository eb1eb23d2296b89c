"""The part of the RSGI protocol the web layer speaks, as types.

RSGI is Granian's interface between a Rust server and Python: a `scope` that describes the request and a `proto` that
reads its body and sends the response. Granian gives these objects; the ASGI adapter gives look-alikes, so that one
dispatch path serves both.

Two facts of Granian the rest of the package relies on:

- `scope.path` is percent-decoded, once, with U+FFFD for bytes that are not UTF-8. A `%2F` is therefore a `/` here: a
  parameter of one segment can never hold a slash, because the path then has one segment more and does not match.
- A header whose name or value is not allowed is dropped without a word. `headers.check_header` refuses it instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

HeaderList = list[tuple[str, str]]


class Headers(Protocol):
    """The request's headers; names are lower case in `items` and of any case in `get`."""

    def get(self, key: str, default: Any = None) -> Any:
        """Returns the first value of a header."""

    def get_all(self, key: str) -> list[str]:
        """Returns every value of a header, in order."""

    def items(self) -> list[tuple[str, str]]:
        """Returns the headers in order."""


class Scope(Protocol):
    """What is known of a request before its body."""

    @property
    def proto(self) -> str:
        """Either `http` or `ws`."""

    @property
    def method(self) -> str:
        """The method, in upper case as sent."""

    @property
    def path(self) -> str:
        """The percent-decoded path."""

    @property
    def query_string(self) -> str:
        """What follows the `?`, as sent, without it."""

    @property
    def scheme(self) -> str:
        """Either `http` or `https`."""

    @property
    def http_version(self) -> str:
        """The protocol version: `1.1`, `2`."""

    @property
    def client(self) -> str:
        """The peer, as `address:port`; empty on a Unix socket."""

    @property
    def server(self) -> str:
        """The address that took the connection."""

    @property
    def authority(self) -> str | None:
        """The authority of an absolute request target, or HTTP/2's `:authority`."""

    @property
    def headers(self) -> Headers:
        """The headers."""


class Transport(Protocol):
    """What a streamed response is written to. Writing after the client has gone is not an error."""

    async def send_bytes(self, data: bytes) -> None:
        """Sends one chunk."""

    async def send_str(self, data: str) -> None:
        """Sends one chunk, UTF-8 encoded."""


class Proto(Protocol):
    """Reads the body and sends the response, once."""

    def __call__(self) -> Awaitable[bytes]:
        """Reads the whole body, however large."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Reads the body chunk by chunk."""

    async def client_disconnect(self) -> None:
        """Returns when the client has gone."""

    def response_empty(self, status: int, headers: HeaderList) -> None:
        """Answers without a body."""

    def response_bytes(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Answers with a body."""

    def response_stream(self, status: int, headers: HeaderList) -> Transport:
        """Answers with a body that is sent in chunks."""
