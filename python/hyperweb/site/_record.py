"""What a render reads, recorded while it reads it: the edges of the build graph.

A dependency is a short string: `template:post.html`, `pages`, `section:posts`, `page:posts/a.md`, `asset:app.css`,
`data:team`, `nav:posts/a.md`. The build gives each the hash of what stood behind it, and renders a page again only when
one of them changed.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_reading: ContextVar[set[str] | None] = ContextVar("hyperweb_reading", default=None)


def record(dependency: str) -> None:
    """Notes that the render under way read `dependency`; outside a render it does nothing."""
    reading = _reading.get()
    if reading is not None:
        reading.add(dependency)


@contextmanager
def recording() -> Iterator[set[str]]:
    """Collects what is read within."""
    found: set[str] = set()
    token = _reading.set(found)
    try:
        yield found
    finally:
        _reading.reset(token)
