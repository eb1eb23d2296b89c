"""What a render reads, recorded while it reads it: the edges of the build graph.

A dependency is a short string. Those of files name them (`template:post.html`, `file:pages/index.html`, `data:team`,
`asset:app.css`), those of pages name one thing that is known of one of them: `fact:title:content/posts/a.md`,
`page:content/posts/a.md` for its body, `next:content/posts/a.md`. A picture stands with the widths of its variants:
`image:480,800:assets/a.jpg`. Lists are which pages they hold, in order, and
nothing of these: `pages`, `section:posts`, `tags`, `tag-pages:rust`. The build gives each the hash of what stood behind
it, and renders a page again only when one of them changed.
"""

from __future__ import annotations

from collections import Counter
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# A render that reads one field of more pages than this depends on that field of all pages: an edge for each would cost
# more than the renders it saves, in a site where every page lists every page.
_MANY = 256

_reading: ContextVar[set[str] | None] = ContextVar("hyperweb_reading", default=None)


def record(dependency: str) -> None:
    """Notes that the render under way read `dependency`; outside a render it does nothing."""
    reading = _reading.get()
    if reading is not None:
        reading.add(dependency)


def is_recording() -> bool:
    """Whether what is read is noted."""
    return _reading.get() is not None


def record_all(dependencies: Iterable[str]) -> None:
    """Notes what an earlier render read, for one that takes over what that made."""
    reading = _reading.get()
    if reading is not None:
        reading.update(dependencies)


class recording:  # noqa: N801 - it is used like a function
    """Collects what is read within, which counts as read by what stands around it too."""

    __slots__ = ("_found", "_token")

    def __enter__(self) -> set[str]:
        self._found: set[str] = set()
        self._token = _reading.set(self._found)
        return self._found

    def __exit__(self, *_: object) -> None:
        _reading.reset(self._token)
        record_all(self._found)


def settled(reads: set[str], source: str) -> set[str]:
    """Returns what a render depends on.

    What the page knows of itself stands in its own file, which it depends on anyway.

    Args:
        reads: What was recorded, `file:` and the page's own source among it.
        source: The page's own source.
    """
    own = f":{source}"
    kept = {one for one in reads if not (one.endswith(own) and one.startswith(_OF_ONE_FILE))}
    if len(reads) <= _MANY:
        return kept
    facts = Counter(one.split(":", 2)[1] for one in reads if one.startswith("fact:"))
    many = {f"fact:{name}:" for name, count in facts.items() if count > _MANY}
    if not many:
        return kept
    coarse = {one for one in kept if one.startswith(tuple(many))}
    return kept - coarse | {f"facts:{one.split(':')[1]}" for one in many}


_OF_ONE_FILE = ("fact:", "page:", "summary:", "toc:")
