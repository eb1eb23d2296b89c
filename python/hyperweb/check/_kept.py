"""What checks found in pages, kept in `.hyperweb/check`: a page that did not change is not rendered again."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hyperweb import __version__, _core
from hyperweb.check._pages import CheckedPage, Facts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hyperweb.build._graph import Graph
    from hyperweb.site._node import Node

_FORMAT = 1


class _File(msgspec.Struct, array_like=True):
    """The file: by whom it was written, and for each URL path a key and what was found."""

    stamp: str = ""
    pages: dict[str, tuple[bytes, Facts]] = {}


class KeptPages:
    """The pages of the last check.

    Args:
        state: The site's folder of incremental state.
        settings: The hash of the site's settings.
        graph: What the responses of the build were made from.
    """

    def __init__(self, state: Path, settings: str, graph: Graph) -> None:
        self._path = state / "check"
        self._graph = graph
        self._stamp = f"{_FORMAT} {__version__} {Path(_core.__file__).stat().st_mtime_ns} {settings}"
        self._last = self._load()
        self._now: dict[str, tuple[bytes, Facts]] = {}

    def find(self, node: Node) -> CheckedPage | None:
        """Returns what is known of a page that is made from what it was made from then."""
        known = self._last.get(node.url)
        if known is None or known[0] != self._key(node.url):
            return None
        self._now[node.url] = known
        return CheckedPage(node, known[1])

    def keep(self, page: CheckedPage) -> None:
        """Notes what was found in a page."""
        key = self._key(page.node.url)
        if key:
            self._now[page.node.url] = (key, page.facts)

    def save(self) -> None:
        """Writes what is known now, if it is other than before."""
        if self._now.keys() == self._last.keys() and all(self._last[url] is known for url, known in self._now.items()):
            return
        aside = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        aside.write_bytes(msgspec.msgpack.encode(_File(self._stamp, self._now)))
        aside.replace(self._path)

    def _load(self) -> dict[str, tuple[bytes, Facts]]:
        try:
            found = msgspec.msgpack.decode(self._path.read_bytes(), type=_File)
        except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
            return {}
        return found.pages if found.stamp == self._stamp else {}

    def _key(self, url: str) -> bytes:
        """Returns what stands behind all that a page is made from; nothing where the build does not know it."""
        numbers = self._graph.nodes.get(url)
        if numbers is None:
            return b""
        values: Iterable[str] = (self._graph.values[number] for number in sorted(numbers))
        names = (self._graph.names[number] for number in sorted(numbers))
        return hashlib.blake2b("\0".join([*names, *values]).encode(), digest_size=16).digest()
