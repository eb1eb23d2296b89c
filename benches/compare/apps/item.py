"""The JSON every dynamic peer makes anew for each request."""

from __future__ import annotations

import msgspec

PATH = "/api/item"


class Item(msgspec.Struct):
    """A thing with a few fields of each kind."""

    id: int
    name: str
    price: float
    in_stock: bool
    tags: list[str]
    sizes: list[int]


def make_item() -> Item:
    """Returns a new item, equal each time."""
    return Item(
        id=42,
        name="A lantern for the harbour wall",
        price=129.5,
        in_stock=True,
        tags=["outdoor", "brass", "storm"],
        sizes=[12, 18, 24, 36],
    )
