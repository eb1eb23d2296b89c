"""Which paths name something, where Granian faces the clients: the edge has the same rules for what it reads itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hyperweb.web.rsgi import Proto

# Granian has decoded the path: what was no UTF-8 is U+FFFD now (RFC 3986, sections 2.1 and 3.3).
_HOSTILE = re.compile(r"[\x00-\x1f\x7f\\\ufffd]|/\.{1,2}(?:/|\Z)|\A(?!/)")


def is_hostile(path: str) -> bool:
    """Whether a decoded path names nothing here: for dot segments, backward slashes, control characters, no UTF-8."""
    return _HOSTILE.search(path) is not None


def refuse_path(proto: Proto) -> None:
    """Answers that a path names nothing here, as the edge does."""
    fields = [
        ("content-type", "text/plain; charset=utf-8"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ]
    proto.response_bytes(400, fields, b"This path names nothing here.\n")
