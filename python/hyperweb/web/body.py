"""Reads a request's body, never more of it than the application takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperweb.web.errors import BadRequest, PayloadTooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hyperweb.web.rsgi import Proto, Scope

DEFAULT_LIMIT = 10 * 1000 * 1000
"""The largest body taken unless the application says otherwise, in bytes."""


def declared_length(scope: Scope, limit: int) -> int | None:
    """Returns the Content-Length, or None when the length is not told beforehand.

    Raises:
        PayloadTooLarge: It is more than the limit; nothing of the body was read then.
        BadRequest: It is not a length.
    """
    text = scope.headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise BadRequest(errors=[("header content-length", "not a length")])
    # Nothing longer than this many digits is under any limit, and int() of a very long text is slow.
    if len(text) > 18 or int(text) > limit:  # noqa: PLR2004
        raise PayloadTooLarge(limit)
    return int(text)


async def read_body(scope: Scope, proto: Proto, limit: int, *, bounded: bool = False) -> bytes:
    """Returns the whole body.

    Args:
        scope: The request.
        proto: Where its body comes from.
        limit: The largest body that is taken, in bytes.
        bounded: Whether the peer, which is the edge then, lets no body through that is too large. A body without a
            declared length is read whole in that case, because only so Granian tells one that was cut off from one
            that ended: read chunk by chunk, both just end.

    Raises:
        PayloadTooLarge: It is more than the limit.
        BadRequest: The client went before all of it had come.
    """
    # The server holds a client to its Content-Length, so one within the limit needs no counting.
    if declared_length(scope, limit) is None and not bounded:
        whole = bytearray()
        async for chunk in stream_body(scope, proto, limit):
            whole += chunk
        return bytes(whole)
    try:
        body = await proto()
    except (RuntimeError, ConnectionError) as error:
        raise _cut_off(error) from error
    if len(body) > limit:
        raise PayloadTooLarge(limit)
    return body


async def stream_body(scope: Scope, proto: Proto, limit: int) -> AsyncIterator[bytes]:
    """Yields the body as it comes.

    Raises:
        PayloadTooLarge: More than the limit came.
        BadRequest: The client went before all that it had announced had come.
    """
    announced = declared_length(scope, limit)
    total = 0
    try:
        async for chunk in proto:
            total += len(chunk)
            if total > limit:
                raise PayloadTooLarge(limit)
            yield chunk
    except (RuntimeError, ConnectionError) as error:
        raise _cut_off(error) from error
    if announced is not None and total < announced:
        raise _cut_off(None)


def _cut_off(error: Exception | None) -> Exception:
    """Returns what to raise for a body that did not come whole; a mistake in using the protocol stays what it is."""
    if error is None or isinstance(error, ConnectionError) or type(error).__name__ == "RSGIProtocolClosed":
        return BadRequest(errors=[("body", "ended before all of it had come")])
    return error
