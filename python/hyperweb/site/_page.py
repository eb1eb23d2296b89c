"""One page, as templates see it."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from markupsafe import Markup

from hyperweb.site._record import record

if TYPE_CHECKING:
    from collections.abc import Callable


class Heading(msgspec.Struct, frozen=True):
    """A heading of a page: its level (1 to 6), its anchor and its text."""

    level: int
    id: str
    text: str


class PageMeta(msgspec.Struct, kw_only=True):
    """What is known of a page without its body; kept between builds."""

    path: str
    url: str
    title: str
    date: datetime.date | None = None
    updated: datetime.date | None = None
    tags: tuple[str, ...] = ()
    description: str = ""
    draft: bool = False
    template: str = "page.html"
    section: str = ""
    order: int = 0
    render: str = "static"
    ttl: str | int | None = None
    aliases: tuple[str, ...] = ()
    words: int = 0
    extra: dict[str, Any] = {}


class PageBody(msgspec.Struct):
    """A page's rendered Markdown."""

    html: str
    summary: str = ""
    toc: tuple[Heading, ...] = ()


class Page:
    """A page, as templates see it: its metadata at hand, its body made when asked for.

    Reading the body of a page is recorded, so that a feed with whole posts is made again when a post changes.
    """

    __slots__ = ("_body", "_load", "_meta", "_neighbours", "_references")

    def __init__(
        self, meta: PageMeta, load: Callable[[], PageBody], references: Callable[[], list[str | None]]
    ) -> None:
        self._meta = meta
        self._load = load
        self._references = references
        self._body: PageBody | None = None
        self._neighbours: tuple[Page | None, Page | None] = (None, None)

    def __repr__(self) -> str:
        return f"<Page {self._meta.path}>"

    @property
    def meta(self) -> PageMeta:
        """All that is known of the page without its body."""
        return self._meta

    @property
    def path(self) -> str:
        """The source file, relative to the site: `content/posts/a.md`."""
        return self._meta.path

    @property
    def url(self) -> str:
        """The URL path."""
        return self._meta.url

    @property
    def title(self) -> str:
        """The title: the front matter's, or the first heading, or the file's name."""
        return self._meta.title

    @property
    def date(self) -> datetime.date | None:
        """The day it is dated, or None."""
        return self._meta.date

    @property
    def updated(self) -> datetime.date | None:
        """The day it was last changed, as the front matter says, or its date."""
        return self._meta.updated or self._meta.date

    @property
    def tags(self) -> tuple[str, ...]:
        """The names of its tags."""
        return self._meta.tags

    @property
    def description(self) -> str:
        """The front matter's description, or an empty string."""
        return self._meta.description

    @property
    def draft(self) -> bool:
        """Whether it is marked as a draft."""
        return self._meta.draft

    @property
    def section(self) -> str:
        """The first folder below content/, or an empty string."""
        return self._meta.section

    @property
    def order(self) -> int:
        """The front matter's order, 0 unless it says."""
        return self._meta.order

    @property
    def words(self) -> int:
        """How many words its body has."""
        return self._meta.words

    @property
    def minutes(self) -> int:
        """How long it takes to read, at 230 words a minute and at least one minute."""
        return max(1, round(self._meta.words / 230))

    @property
    def extra(self) -> dict[str, Any]:
        """All keys of the front matter that hyperweb gives no meaning to."""
        return self._meta.extra

    @property
    def content(self) -> Markup:
        """The body as HTML."""
        return Markup(self._read().html)  # noqa: S704 - made from the site's own Markdown

    @property
    def summary(self) -> Markup:
        """The body up to `<!--more-->`, or its first paragraph, as HTML."""
        return Markup(self._read().summary)  # noqa: S704 - made from the site's own Markdown

    @property
    def toc(self) -> tuple[Heading, ...]:
        """The headings of the body in order."""
        return self._read().toc

    @property
    def prev(self) -> Page | None:
        """The next older page of the section."""
        record(f"nav:{self._meta.path}")
        return self._neighbours[0]

    @property
    def next(self) -> Page | None:
        """The next newer page of the section."""
        record(f"nav:{self._meta.path}")
        return self._neighbours[1]

    def _read(self) -> PageBody:
        record(f"page:{self._meta.path}")
        if self._body is None:
            self._body = self._load()
        return self._body

    def references(self) -> list[str | None]:
        """Returns the URLs the body's references stand for, recording what they lead to, without making the body."""
        return self._references()

    def link(self, older: Page | None, newer: Page | None) -> None:
        """Sets the neighbours in the section."""
        self._neighbours = (older, newer)
