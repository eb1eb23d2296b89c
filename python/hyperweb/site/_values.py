"""The hash behind each dependency that a render can record: the other end of the build graph's edges."""

from __future__ import annotations

import copy
import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from hyperweb.site._data import FORMATS
from hyperweb.site._errors import SiteError
from hyperweb.site._templates import PAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hyperweb.site._assets import Assets
    from hyperweb.site._documents import Kept
    from hyperweb.site._module_tags import ModuleTags
    from hyperweb.site._page import Page
    from hyperweb.site._site import Site

_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_PARTS = frozenset({"page", "summary", "toc"})


class Values:
    """Answers what stands behind a dependency now. One instance is valid for one state of the sources.

    Args:
        settings: The hash of the settings and plugins.
        files: The hashes of the site's files, by path.
        site: The site.
        pages: Its pages, by path.
        documents: What is known of its documents, by path.
        assets: Its assets.

    Attributes:
        known: The answers given so far.
    """

    def __init__(
        self,
        settings: str,
        *,
        files: Mapping[str, str],
        site: Site,
        pages: Mapping[str, Page],
        documents: Mapping[str, Kept],
        assets: Assets,
        tags: ModuleTags,
    ) -> None:
        self._files = files
        self._site = site
        self._pages = pages
        self._documents = documents
        self._assets = assets
        self._tags = tags
        self.known: dict[str, str] = {"settings": settings}
        self._data = {
            path.rpartition("/")[2].rpartition(".")[0]: found
            for path, found in files.items()
            if path.startswith("data/") and path.endswith(FORMATS)
        }

    def __getitem__(self, dependency: str) -> str:
        known = self.known.get(dependency)
        if known is None:
            known = self.known[dependency] = self._find(dependency)
        return known

    def without(self, changed: Iterable[str], files: Mapping[str, str]) -> Values:
        """Returns the values for sources of which the texts of some documents and templates changed.

        Args:
            changed: The files that changed.
            files: The hashes of all files now.
        """
        made = copy.copy(self)
        ends = tuple(f":{path.removeprefix('templates/')}" for path in changed)
        made.known = {
            name: value
            for name, value in self.known.items()
            if not name.endswith(ends) and not name.startswith("facts:")
        }
        made._files = files  # noqa: SLF001 - of its own class
        return made

    def all(self, dependencies: Iterable[str]) -> dict[str, str]:
        """Returns the hashes behind `dependencies`."""
        return {dependency: self[dependency] for dependency in dependencies}

    def _find(self, dependency: str) -> str:
        kind, _, name = dependency.partition(":")
        if kind == "template":
            return self._files.get(name if name.startswith(PAGES) else f"templates/{name}", "")
        if kind == "file":
            return self._files.get(name, "")
        if kind == "image":
            return self._files.get(name.partition(":")[2], "")
        if kind == "exists":
            return "1" if name in self._files else ""
        if kind == "fact":
            field, _, path = name.partition(":")
            return self._fact(field, path)
        if kind in _PARTS:
            document = self._documents.get(name) if name in self._pages else None
            return getattr(document, kind).hex() if document is not None else ""
        if kind == "data":
            return self._data.get(name, "")
        if kind == "asset":
            try:
                return self._assets.url(name)
            except SiteError:
                return ""
        if kind == "bundle":
            return _hash(self._tags.markup([name]).encode())
        if kind == "assets":
            return _hash("\n".join(sorted(self._assets.url(name) for name in self._assets.names())).encode())
        return self._list(kind, name)

    def _list(self, kind: str, name: str) -> str:
        if kind == "facts":
            return _hash(_encode([_field(page, name) for page in self._site.pages]))
        if kind == "pages":
            return _paths(self._site.pages)
        if kind == "section":
            return _paths(self._site.section(name))
        if kind == "tags":
            return _hash(_encode([tag.slug for tag in self._site.tags]))
        if kind == "tag-name":
            tag = self._site.tag(name)
            return tag.name if tag is not None else ""
        if kind == "tag-pages":
            tag = self._site.tag(name)
            return _paths(tag.pages) if tag is not None else ""
        if kind in {"prev", "next"}:
            page = self._pages.get(name)
            other = getattr(page, kind) if page is not None else None
            return other.path if other is not None else ""
        return ""

    def _fact(self, field: str, path: str) -> str:
        page = self._pages.get(path)
        return "" if page is None else _hash(_encode(_field(page, field)))


def _field(page: Page, name: str) -> Any:
    return getattr(page, name)


def _paths(pages: Iterable[Page]) -> str:
    return _hash("\n".join(page.path for page in pages).encode())


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
