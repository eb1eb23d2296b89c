"""Granian answering JSON made by msgspec, by RSGI: the least Python there can be."""

from __future__ import annotations

from typing import Any

import msgspec

from benches.compare.apps.item import PATH, make_item

HEADERS = [("content-type", "application/json")]
ENCODER = msgspec.json.Encoder()


async def app(scope: Any, protocol: Any) -> None:
    """Answers one request."""
    if scope.path == PATH:
        protocol.response_bytes(200, HEADERS, ENCODER.encode(make_item()))
    else:
        protocol.response_empty(404, [])
