"""What a page says of itself in its front matter."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from hyperweb.config import DURATION
from hyperweb.errors import source_frame
from hyperweb.site._errors import SiteError

# One segment or several, none of which is empty or leads elsewhere, and nothing that a URL gives a meaning to.
_SLUG = r"^(?!\.{1,2}(/|$))[^/?#%\\\x00-\x1f\x7f]+(/(?!\.{1,2}(/|$))[^/?#%\\\x00-\x1f\x7f]+)*\Z"
_PATH = r"^(?!(.*/)?\.{1,2}(/|\Z))/[^?#\\\x00-\x1f\x7f]*\Z"


class FrontMatter(msgspec.Struct, kw_only=True, frozen=True):
    """The keys hyperweb gives a meaning to; all others are the page's own (`page.extra`)."""

    title: Annotated[str | None, Meta(description="The title; without it the first heading, or the file's name.")] = (
        None
    )
    date: Annotated[datetime.date | None, Meta(description="The day it is dated.")] = None
    updated: Annotated[datetime.date | None, Meta(description="The day it was last changed.")] = None
    tags: Annotated[tuple[str, ...], Meta(description="The names of its tags.")] = ()
    description: Annotated[str, Meta(description="What it is, for search engines and previews.")] = ""
    draft: Annotated[bool, Meta(description="A draft is built only with `--drafts` and in development.")] = False
    template: Annotated[str, Meta(description="The template it is rendered with.")] = "page.html"
    slug: Annotated[
        Annotated[str, Meta(pattern=_SLUG)] | None,
        Meta(description="The last part of its URL, instead of the file's name; without `?`, `#`, `%` or `\\`."),
    ] = None
    aliases: Annotated[
        tuple[Annotated[str, Meta(pattern=_PATH)], ...],
        Meta(description="Old paths that redirect here, each from the root on: `/old/`."),
    ] = ()
    order: Annotated[int, Meta(description="Pages are sorted by this first, then newest first.")] = 0
    render: Annotated[
        Literal["static", "cached", "dynamic"],
        Meta(description="At build, on first request (kept by its policy), or on every request."),
    ] = "static"
    each: Annotated[
        Literal["tags", "sections"] | None,
        Meta(description="For a page with a bracket in its name: what it is made once for each of."),
    ] = None
    ttl: Annotated[
        Annotated[str, Meta(pattern=DURATION)] | Annotated[int, Meta(ge=0)] | None,
        Meta(description="How long a cached page stays fresh: `10m` or seconds."),
    ] = None


_KNOWN = frozenset(FrontMatter.__struct_fields__)


def read_front_matter(found: dict[str, Any], *, file: str, text: str) -> tuple[FrontMatter, dict[str, Any]]:
    """Splits what stood in the front matter into what hyperweb knows and the page's own keys.

    Args:
        found: The parsed front matter.
        file: The file it came from, for errors.
        text: The file's whole text, for the line in an error.

    Raises:
        SiteError: A key has a value of the wrong kind.
    """
    known = {name: value for name, value in found.items() if name in _KNOWN and value is not None}
    extra = {name: value for name, value in found.items() if name not in _KNOWN}
    if isinstance(known.get("tags"), str):
        known["tags"] = [tag.strip() for tag in known["tags"].split(",") if tag.strip()]
    for name in ("date", "updated"):
        if isinstance(known.get(name), str):
            # A time of day may stand behind the day; pages are dated by the day.
            known[name] = known[name][:10]
    try:
        return msgspec.convert(known, FrontMatter, strict=True), extra
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$.")
        key = re.split(r"[`.\[]", path)[0]
        if "matching regex" in what:
            what = f"this is not how it is written: {known.get(key)!r}"
        line = line_of_key(text, key)
        raise SiteError(
            f"front matter: wrong value for `{key}`: {what[0].lower()}{what[1:]}",
            file=file,
            line=line,
            frame=source_frame(text, line) if line else None,
            hint=_meaning(key),
        ) from None


def line_of_key(text: str, key: str) -> int | None:
    """Returns the line of a file's text, from 1, on which the front matter sets `key`."""
    found = re.search(rf"^[ \t]*{re.escape(key)}[ \t]*[:=]", text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found and key else None


def _meaning(key: str) -> str | None:
    for field in msgspec.structs.fields(FrontMatter):
        if field.name == key:
            for meta in getattr(field.type, "__metadata__", ()):
                return str(meta.description)
    return None
