"""Writes a response to the server."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from typing import TYPE_CHECKING, Any

from hyperweb.web.log import logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hyperweb.web.response import Response
    from hyperweb.web.rsgi import Proto, Scope, Transport


async def send(scope: Scope, proto: Proto, response: Response) -> None:
    """Sends a response; of a HEAD, the server leaves out the body and keeps the length of it.

    A stream is stopped, and its generator closed, as soon as the client goes.
    """
    body = response.body
    if body is None:
        proto.response_empty(response.status, response.headers)
    elif isinstance(body, bytes):
        proto.response_bytes(response.status, response.headers, body)
    else:
        iterator: AsyncIterator[Any] = aiter(body)
        try:
            await _pump(scope, iterator, proto, proto.response_stream(response.status, response.headers))
        finally:
            if (close := getattr(iterator, "aclose", None)) is not None:
                await close()


async def collect(response: Response) -> Response:
    """Returns the response with its stream run to the end, so that an error in it is known before anything is sent."""
    body = response.body
    if body is None or isinstance(body, bytes):
        return response
    iterator: AsyncIterator[Any] = aiter(body)
    try:
        parts = [chunk.encode() if isinstance(chunk, str) else bytes(chunk) async for chunk in iterator]
    finally:
        if (close := getattr(iterator, "aclose", None)) is not None:
            await close()
    whole = copy.copy(response)
    whole.body = b"".join(parts)
    return whole


async def _pump(scope: Scope, iterator: AsyncIterator[Any], proto: Proto, transport: Transport) -> None:
    if scope.method == "HEAD":
        return
    gone = asyncio.ensure_future(proto.client_disconnect())
    sending = asyncio.ensure_future(_copy(iterator, transport))
    del transport
    try:
        await asyncio.wait({gone, sending}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
    except Exception:
        # The status has gone out. Over ASGI the client is told by a body that is cut off; Granian's RSGI ends it as if
        # it were whole, which is why a response that is to be kept is never sent like this.
        logger.exception("%s %a failed after its answer had begun", scope.method, scope.path)
        raise
    finally:
        for task in (gone, sending):
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task
        # The response ends when its transport goes. An error holds the frames it passed, and a log may hold the error,
        # so no frame may keep the transport, nor the task that keeps the error.
        del gone, sending, task


async def _copy(iterator: AsyncIterator[Any], transport: Transport) -> None:
    try:
        async for chunk in iterator:
            if isinstance(chunk, str):
                await transport.send_str(chunk)
            else:
                await transport.send_bytes(bytes(chunk))
    finally:
        del transport
