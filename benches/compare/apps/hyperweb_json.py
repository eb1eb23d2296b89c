"""The handlers.py of the generated site: the same JSON from a hyperweb handler."""

from __future__ import annotations

from benches.compare.apps.item import Item, make_item
from hyperweb import get


@get("/api/item")
async def read() -> Item:
    """Answers one request."""
    return make_item()
