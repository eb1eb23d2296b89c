"""FastAPI answering the same JSON from a typed model, the way its documentation shows."""

from __future__ import annotations

from fastapi import FastAPI
from pydantic import BaseModel

PATH = "/api/item"
app = FastAPI()


class Item(BaseModel):
    """The fields of `benches.compare.apps.item.Item`."""

    id: int
    name: str
    price: float
    in_stock: bool
    tags: list[str]
    sizes: list[int]


@app.get(PATH)
async def read() -> Item:
    """Answers one request."""
    return Item(
        id=42,
        name="A lantern for the harbour wall",
        price=129.5,
        in_stock=True,
        tags=["outdoor", "brass", "storm"],
        sizes=[12, 18, 24, 36],
    )
