"""One page, as templates see it."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from markupsafe import Markup

from hyperweb.site._record import is_recording, record, record_all, recording
from hyperweb.site._urls import encoded

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

    What is read of a page is recorded field by field, so that a list of titles is made again when a title changes and
    not when a text does, and a feed with whole posts when a post does. Its path names it and does not change.
    """

    __slots__ = ("_body", "_load", "_meta", "_neighbours", "_read")

    def __init__(self, meta: PageMeta, load: Callable[[], PageBody]) -> None:
        self._meta = meta
        self._load = load
        self._body: PageBody | None = None
        self._read: set[str] = set()
        self._neighbours: tuple[Page | None, Page | None] = (None, None)

    def __repr__(self) -> str:
        return f"<Page {self._meta.path}>"

    @property
    def meta(self) -> PageMeta:
        """All that is known of the page without its body."""
        self._note("meta")
        return self._meta

    @property
    def path(self) -> str:
        """The source file, relative to the site: `content/posts/a.md`."""
        return self._meta.path

    @property
    def url(self) -> str:
        """The URL path, percent-encoded where that is needed."""
        self._note("url")
        return encoded(self._meta.url)

    @property
    def title(self) -> str:
        """The title: the front matter's, or the first heading, or the file's name."""
        self._note("title")
        return self._meta.title

    @property
    def date(self) -> datetime.date | None:
        """The day it is dated, or None."""
        self._note("date")
        return self._meta.date

    @property
    def updated(self) -> datetime.date | None:
        """The day it was last changed, as the front matter says, or its date."""
        self._note("updated")
        return self._meta.updated or self._meta.date

    @property
    def tags(self) -> tuple[str, ...]:
        """The names of its tags."""
        self._note("tags")
        return self._meta.tags

    @property
    def description(self) -> str:
        """The front matter's description, or an empty string."""
        self._note("description")
        return self._meta.description

    @property
    def draft(self) -> bool:
        """Whether it is marked as a draft."""
        self._note("draft")
        return self._meta.draft

    @property
    def section(self) -> str:
        """The first folder below content/, or an empty string."""
        return self._meta.section

    @property
    def order(self) -> int:
        """The front matter's order, 0 unless it says."""
        self._note("order")
        return self._meta.order

    @property
    def words(self) -> int:
        """How many words its body has."""
        self._note("words")
        return self._meta.words

    @property
    def minutes(self) -> int:
        """How long it takes to read, at 230 words a minute and at least one minute."""
        self._note("minutes")
        return max(1, round(self._meta.words / 230))

    @property
    def extra(self) -> dict[str, Any]:
        """All keys of the front matter that hyperweb gives no meaning to."""
        self._note("extra")
        return self._meta.extra

    @property
    def content(self) -> Markup:
        """The body as HTML."""
        return Markup(self._whole("page").html)  # noqa: S704 - made from the site's own Markdown

    @property
    def summary(self) -> Markup:
        """The body up to `<!--more-->`, or its first paragraph, as HTML."""
        return Markup(self._whole("summary").summary)  # noqa: S704 - made from the site's own Markdown

    @property
    def toc(self) -> tuple[Heading, ...]:
        """The headings of the body in order."""
        return self._whole("toc").toc

    @property
    def prev(self) -> Page | None:
        """The next older page of the section."""
        record(f"prev:{self._meta.path}")
        return self._neighbours[0]

    @property
    def next(self) -> Page | None:
        """The next newer page of the section."""
        record(f"next:{self._meta.path}")
        return self._neighbours[1]

    def _note(self, field: str) -> None:
        if is_recording():
            record(f"fact:{field}:{self._meta.path}")

    def _whole(self, part: str) -> PageBody:
        record(f"{part}:{self._meta.path}")
        if self._body is None:
            with recording() as self._read:
                self._body = self._load()
        else:
            # Where its links lead was read once, and is in every page that shows the body.
            record_all(self._read)
        return self._body

    def replace(self, meta: PageMeta) -> None:
        """Takes what is known of the page now; its body is made anew when it is asked for."""
        self._meta = meta
        self.forget()

    def forget(self) -> None:
        """Lets go of its body, which is made anew when it is asked for."""
        self._body = None
        self._read = set()

    def link(self, older: Page | None, newer: Page | None) -> None:
        """Sets the neighbours in the section."""
        self._neighbours = (older, newer)
