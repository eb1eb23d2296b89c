"""Granian answering the bodies from memory, by RSGI: the least Python there can be."""

from __future__ import annotations

from typing import Any

from benches.compare.body import bodies

HEADERS = [("content-type", "text/plain; charset=utf-8")]
FILES = {body.path: body.content for body in bodies()}


async def app(scope: Any, protocol: Any) -> None:
    """Answers one request."""
    content = FILES.get(scope.path)
    if content is None:
        protocol.response_empty(404, [])
    else:
        protocol.response_bytes(200, HEADERS, content)
