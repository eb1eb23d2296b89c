"""Keeps, inside a worker that faces the clients, what its handlers say may be kept."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import msgspec

from hyperweb import _core

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from hyperweb.web.purge import Purge
    from hyperweb.web.rsgi import HeaderList, Proto, Scope

_log = logging.getLogger("hyperweb.serve")
# Who waits for another's response looks this often before it asks for its own.
_MOST_TURNS = 3

Question = tuple[str, str, str, list[tuple[str, str]]]


class Kept:
    """Answers GET and HEAD of the routes with `cache=`: from memory, or from the one call all who ask at once share.

    Args:
        enter: The application's own way in.
        limit_bytes: The most bytes that are kept.
    """

    def __init__(self, enter: Callable[[Scope, Proto], Awaitable[None]], limit_bytes: int) -> None:
        self._enter = enter
        self._responses = _core.Responses(limit_bytes)
        self._flights: dict[tuple[str, str, str], asyncio.Future[bool]] = {}
        self._background: set[asyncio.Task[None]] = set()

    def purge(self, purge: Purge) -> int:
        """Forgets what a purge names, and returns how many responses that removed at once."""
        return self._responses.purge(msgspec.json.encode(purge))

    async def answer(self, scope: Scope, proto: Proto) -> None:
        """Answers a request."""
        question = _question(scope)
        for _ in range(_MOST_TURNS):
            found = self._responses.find(*question, scope.method)
            if found is not None and found[0] != "if-error":
                if found[0] == "while-revalidating":
                    self._refresh(scope, question)
                _send(proto, *found[1])
                return
            if scope.method == "HEAD" or scope.headers.get("range") is not None:
                break
            flight = self._flights.get(question[:3])
            if flight is None:
                await self._lead(scope, question, proto, found)
                return
            if not await asyncio.shield(flight):
                break
        await self._enter(scope, proto)

    async def _lead(self, scope: Scope, question: Question, proto: Proto | None, stale: Any = None) -> None:
        """Makes a response, keeps it where that is allowed, and lets those who wait look for it."""
        flight = self._flights[question[:3]] = asyncio.get_running_loop().create_future()
        kept = False
        try:
            captured = Captured(proto)
            fill = self._responses.begin()
            await self._enter(scope, captured)
            if captured.passed_on:
                return
            status, headers, body = captured.status, captured.headers, captured.body
            if stale is not None and status >= 500:  # noqa: PLR2004 - the class of server errors
                status, headers, body = stale[1]
            else:
                (status, headers, body), kept = self._responses.offer(*question, status, headers, body, fill)
            if proto is not None:
                _send(proto, status, headers, body)
        finally:
            del self._flights[question[:3]]
            flight.set_result(kept)

    def _refresh(self, scope: Scope, question: Question) -> None:
        """Makes a stale response anew in the background, unless somebody does so already."""
        if question[:3] in self._flights:
            return
        task = asyncio.ensure_future(self._lead(scope, question, None))
        self._background.add(task)
        task.add_done_callback(self._refreshed)

    def _refreshed(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a stale response was not made anew", exc_info=error)


class Captured:
    """Takes a response where the server's own `proto` would send it; all else it hands on.

    Attributes:
        status: The status code.
        headers: The header lines.
        body: The body.
        passed_on: Whether the response was a stream and has gone to the client as it came.
    """

    def __init__(self, proto: Proto | None) -> None:
        self._proto = proto
        self.status = 500
        self.headers: HeaderList = []
        self.body = b""
        self.passed_on = False

    async def __call__(self) -> bytes:
        """Reads the whole body of the request."""
        return b"" if self._proto is None else await self._proto()

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Reads the body of the request chunk by chunk."""
        return _nothing() if self._proto is None else aiter(self._proto)

    async def client_disconnect(self) -> None:
        """Never returns: what is made here is for others too."""
        await asyncio.get_running_loop().create_future()

    def response_empty(self, status: int, headers: HeaderList) -> None:
        """Takes a response without a body."""
        self.response_bytes(status, headers, b"")

    def response_bytes(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Takes a response."""
        self.status, self.headers, self.body = status, headers, body

    def response_stream(self, status: int, headers: HeaderList) -> Any:
        """Hands a stream on; nobody else can be given what is sent while it is made."""
        self.passed_on = True
        if self._proto is None:
            return _Void()
        return self._proto.response_stream(status, headers)


class _Void:
    """Where a stream goes that nobody asked for."""

    async def send_bytes(self, data: bytes) -> None:
        del data

    async def send_str(self, data: str) -> None:
        del data


async def _nothing() -> AsyncIterator[bytes]:
    chunks: tuple[bytes, ...] = ()
    for chunk in chunks:
        yield chunk


def _question(scope: Scope) -> Question:
    host = (scope.authority or scope.headers.get("host") or "").lower()
    return (host, scope.path, scope.query_string, scope.headers.items())


def _send(proto: Proto, status: int, headers: HeaderList, body: bytes) -> None:
    if body:
        proto.response_bytes(status, headers, body)
    else:
        proto.response_empty(status, headers)
