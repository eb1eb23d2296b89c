"""The hash behind each dependency that a render can record: the other end of the build graph's edges."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from hyperweb.config import settings_hash
from hyperweb.site._data import FORMATS
from hyperweb.site._errors import SiteError
from hyperweb.site._templates import PAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hyperweb.config import Settings
    from hyperweb.site._assets import Assets
    from hyperweb.site._page import Page
    from hyperweb.site._site import Site

_encode = msgspec.msgpack.Encoder(order="deterministic").encode


class Values:
    """Answers what stands behind a dependency now. One instance is valid for one state of the sources."""

    def __init__(
        self, settings: Settings, files: Mapping[str, str], site: Site, pages: Mapping[str, Page], assets: Assets
    ) -> None:
        self._files = files
        self._site = site
        self._pages = pages
        self._assets = assets
        self._known: dict[str, str] = {"settings": settings_hash(settings)}
        self._data = {
            path.rpartition("/")[2].rpartition(".")[0]: found
            for path, found in files.items()
            if path.startswith("data/") and path.endswith(FORMATS)
        }

    def __getitem__(self, dependency: str) -> str:
        known = self._known.get(dependency)
        if known is None:
            known = self._known[dependency] = self._find(dependency)
        return known

    def all(self, dependencies: Iterable[str]) -> dict[str, str]:
        """Returns the hashes behind `dependencies`."""
        return {dependency: self[dependency] for dependency in dependencies}

    def _find(self, dependency: str) -> str:
        kind, _, name = dependency.partition(":")
        if kind == "template":
            return self._files.get(name if name.startswith(PAGES) else f"templates/{name}", "")
        if kind == "file":
            return self._files.get(name, "")
        if kind == "page":
            return self._body(name)
        if kind == "nav":
            return self._neighbours(name)
        if kind == "pages":
            return _metas(self._site.pages)
        if kind == "section":
            return _metas(self._site.section(name))
        if kind == "data":
            return self._data.get(name, "")
        if kind == "asset":
            try:
                return self._assets.url(name)
            except SiteError:
                return ""
        if kind == "assets":
            return _hash("\n".join(sorted(self._assets.url(name) for name in self._assets.names())).encode())
        return ""

    def _body(self, path: str) -> str:
        # The references of a body stand for URLs that carry hashes of their own; the page changes when they do.
        page = self._pages.get(path)
        if page is None:
            return ""
        from hyperweb.site._record import recording

        try:
            with recording() as read:
                page.references()
        except SiteError:
            # One leads nowhere now: the page is made again, and says so.
            return ""
        behind = [self._files.get(path, ""), *sorted(f"{one}={self[one]}" for one in read if one != f"page:{path}")]
        return _hash("\n".join(behind).encode())

    def _neighbours(self, path: str) -> str:
        page = self._pages.get(path)
        if page is None:
            return ""
        return _metas([one for one in (page.prev, page.next) if one is not None])


def _metas(pages: Iterable[Page]) -> str:
    return _hash(_encode([page.meta for page in pages]))


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
