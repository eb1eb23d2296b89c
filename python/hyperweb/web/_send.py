"""Writes a response to the server."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

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
        transport = proto.response_stream(response.status, response.headers)
        try:
            if scope.method != "HEAD":
                await _pump(iterator, proto, transport)
        finally:
            if (close := getattr(iterator, "aclose", None)) is not None:
                await close()


async def _pump(iterator: AsyncIterator[Any], proto: Proto, transport: Transport) -> None:
    gone = asyncio.ensure_future(proto.client_disconnect())
    sending = asyncio.ensure_future(_copy(iterator, transport))
    try:
        await asyncio.wait({gone, sending}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
    finally:
        for task in (gone, sending):
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task


async def _copy(iterator: AsyncIterator[Any], transport: Transport) -> None:
    async for chunk in iterator:
        if isinstance(chunk, str):
            await transport.send_str(chunk)
        else:
            await transport.send_bytes(bytes(chunk))
