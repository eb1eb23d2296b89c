"""Server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import msgspec

from hyperweb.web.headers import HeaderSource, header_list
from hyperweb.web.response import Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

EVENT_STREAM = "text/event-stream"


class ServerSentEvent(msgspec.Struct, frozen=True):
    """One event.

    Attributes:
        data: Text is sent as it is; anything else as JSON.
        event: The event's name; None is `message`.
        id: What the browser names as the last event it saw when it connects again.
        retry: How long the browser waits before it connects again, in milliseconds.
    """

    data: Any = None
    event: str | None = None
    id: str | None = None
    retry: int | None = None

    def encode(self) -> bytes:
        """Returns the event's lines and the empty line that ends it.

        Raises:
            ValueError: The name or the id holds a line break, which would begin another field.
        """
        lines = []
        for label, value in (("event", self.event), ("id", self.id)):
            if value is not None:
                if any(char in value for char in "\r\n\0"):
                    msg = f"the {label} of a server-sent event is one line: {value!a}"
                    raise ValueError(msg)
                lines.append(f"{label}: {value}")
        if self.retry is not None:
            lines.append(f"retry: {int(self.retry)}")
        if self.data is not None:
            text = self.data if isinstance(self.data, str) else msgspec.json.encode(self.data).decode()
            # A lone CR ends a line too, so all three forms are split on, and no other separator is.
            lines += [f"data: {part}" for part in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n"


def event_stream(
    events: AsyncIterable[ServerSentEvent | str], *, keep_alive: float = 15.0, headers: HeaderSource | None = None
) -> Response:
    """Returns a response that sends events as they come.

    Args:
        events: The events; text is an event with that text as data. It is closed when the client goes.
        keep_alive: After this many seconds of silence a comment is sent, so that no proxy between takes the connection
            for dead.
        headers: More header lines.
    """
    lines = [("content-type", EVENT_STREAM), ("cache-control", "no-store"), ("x-accel-buffering", "no")]
    return Response(_encoded(events, keep_alive), 200, [*lines, *header_list(headers)])


async def _encoded(events: AsyncIterable[ServerSentEvent | str], keep_alive: float) -> AsyncIterator[bytes]:
    iterator = aiter(events)
    coming: asyncio.Task[ServerSentEvent | str] | None = None
    try:
        while True:
            if coming is None:
                coming = asyncio.ensure_future(_next(iterator))
            done, _ = await asyncio.wait({coming}, timeout=keep_alive)
            if not done:
                yield b": keep-alive\n\n"
                continue
            try:
                event = coming.result()
            except StopAsyncIteration:
                return
            finally:
                coming = None
            yield (event if isinstance(event, ServerSentEvent) else ServerSentEvent(event)).encode()
    finally:
        if coming is not None:
            coming.cancel()
            with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
                await coming
        if (close := getattr(iterator, "aclose", None)) is not None:
            await close()


async def _next(iterator: AsyncIterator[ServerSentEvent | str]) -> ServerSentEvent | str:
    return await anext(iterator)
