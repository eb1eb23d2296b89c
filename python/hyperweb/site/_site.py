"""A whole site, as templates see it."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from hyperweb import __version__
from hyperweb.site._record import record
from hyperweb.site._urls import encoded, slugify

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hyperweb.config import Settings
    from hyperweb.site._page import Page, PageMeta


class Tag:
    """A tag with the pages that carry it, newest first."""

    __slots__ = ("_name", "_pages", "slug")

    def __init__(self, name: str, slug: str, pages: list[Page]) -> None:
        self._name = name
        self.slug = slug
        self._pages = pages

    @property
    def name(self) -> str:
        """The name, as its newest page writes it."""
        record(f"tag-name:{self.slug}")
        return self._name

    @property
    def pages(self) -> list[Page]:
        """The pages that carry it, newest first."""
        record(f"tag-pages:{self.slug}")
        return self._pages

    @property
    def url(self) -> str:
        """Where its page is, if the site has one at pages/tags/[tag].html."""
        return encoded(f"/tags/{self.slug}/")

    def __str__(self) -> str:
        return self.name


class Section:
    """A folder below content/, as a page that is made once for each section sees it."""

    __slots__ = ("_site", "name", "slug")

    def __init__(self, name: str, site: Site) -> None:
        self.name = name
        self.slug = slugify(name)
        self._site = site

    @property
    def pages(self) -> list[Page]:
        """Its pages, newest first, without the folder's own index."""
        return self._site.section(self.name)


class Site:
    """A site: its settings, its pages and its data. What a template reads of it is recorded.

    Attributes:
        clashes: Tags that would have one address: the page, its tag, and the tag that has the address already.
    """

    def __init__(self, settings: Settings, pages: Iterable[tuple[PageMeta, Page]], data: dict[str, Any]) -> None:
        self._settings = settings
        by_path = {meta.path: (meta, page) for meta, page in pages}
        ordered = sorted(by_path.values(), key=newest_first)
        self._pages = [page for _, page in ordered]
        self._data = data
        self._sections: dict[str, list[Page]] = {}
        for meta, page in ordered:
            self._sections.setdefault(meta.section, []).append(page)
        for section in self._sections.values():
            for index, page in enumerate(section):
                older = section[index + 1] if index + 1 < len(section) else None
                page.link(older, section[index - 1] if index else None)
        self.clashes: list[tuple[Page, str, str]] = []
        self._tags = _find_tags(ordered, self.clashes)
        self._by_path = {path: page for path, (_, page) in by_path.items()}

    @property
    def title(self) -> str:
        """The name of the site."""
        return self._settings.title

    @property
    def base_url(self) -> str:
        """Where the site is published, without a slash at the end; empty when it is not said."""
        return self._settings.base_url.rstrip("/")

    @property
    def description(self) -> str:
        """What the site is, in a sentence."""
        return self._settings.description

    @property
    def language(self) -> str:
        """The language the site is written in."""
        return self._settings.language

    @property
    def extra(self) -> dict[str, Any]:
        """The `[extra]` table of site.toml."""
        return self._settings.extra

    @property
    def version(self) -> str:
        """The version of hyperweb."""
        return __version__

    @property
    def pages(self) -> list[Page]:
        """All content pages, newest first, then by path."""
        record("pages")
        return self._pages

    @property
    def tags(self) -> list[Tag]:
        """All tags by name."""
        record("tags")
        return list(self._tags.values())

    @property
    def data(self) -> _Data:
        """What stands in data/: `site.data.team` is data/team.toml, .json or .yaml."""
        return _Data(self._data)

    def section(self, name: str) -> list[Page]:
        """Returns the pages of the folder `name` below content/, newest first, without the folder's own index."""
        record(f"section:{name}")
        index = f"content/{name}/index.md"
        return [page for page in self._sections.get(name, []) if page.path != index]

    def page(self, path: str) -> Page | None:
        """Returns the page made from a file of content/ (`posts/a.md`), or None."""
        record(f"fact:path:content/{path}")
        return self._by_path.get(f"content/{path}")

    def tag(self, slug: str) -> Tag | None:
        """Returns the tag of a slug, or None."""
        record("tags")
        return self._tags.get(slug)


class _Data:
    """The files of data/ by stem; reading one is recorded."""

    __slots__ = ("_files",)

    def __init__(self, files: dict[str, Any]) -> None:
        self._files = files

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        record(f"data:{name}")
        try:
            return self._files[name]
        except KeyError:
            raise AttributeError(name) from None

    def __getitem__(self, name: str) -> Any:
        record(f"data:{name}")
        return self._files[name]


def newest_first(known: tuple[PageMeta, Page]) -> tuple[int, int, str]:
    """The order of pages: by `order`, then newest first, undated ones last, then by path."""
    page = known[0]
    return (page.order, -page.date.toordinal() if page.date is not None else -1, page.path)


def _find_tags(pages: Iterable[tuple[PageMeta, Page]], clashes: list[tuple[Page, str, str]]) -> dict[str, Tag]:
    slugs: dict[str, str] = {}
    listed: dict[str, list[Page]] = {}
    found: dict[str, Tag] = {}
    for meta, page in pages:
        for name in meta.tags:
            slug = slugs.get(name)
            if slug is None:
                slug = slugs[name] = slugify(name)
                if slug not in found:
                    listed[slug] = []
                    found[slug] = Tag(name, slug, listed[slug])
                elif _plain(found[slug].name) != _plain(name):
                    clashes.append((page, name, found[slug].name))
            listed[slug].append(page)
    return {slug: found[slug] for slug in sorted(found)}


def _plain(tag: str) -> str:
    """Returns a tag without what is one and the same tag spelled otherwise: its case, and how its words are parted."""
    return re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFKC", tag).casefold()).strip()
