"""Where the front matter of a file in pages/ ends; `rust/build/src/frontmatter.rs` finds it in content/."""

from __future__ import annotations

import re
from typing import NamedTuple

_CLOSED = re.compile(r"(\+\+\+|---)\n((?:.*\n)*?)\1[ \t]*(?:\n|\Z)")


class Fenced(NamedTuple):
    """Front matter: its fence, what stands between, and the offset at which the page itself begins."""

    fence: str
    inner: str
    end: int


def fenced(text: str) -> Fenced | None:
    """Returns the front matter of a page, or None where it has none.

    Raises:
        ValueError: It is not closed; the message is the fence.
    """
    found = _CLOSED.match(text)
    if found is not None:
        return Fenced(found[1], found[2], found.end())
    if text.startswith(("+++\n", "---\n")):
        raise ValueError(text[:3])
    return None
