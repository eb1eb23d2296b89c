"""Pages that nobody comes to by following links, and pages that go by one title."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin

from hyperweb.check._fault import Fault
from hyperweb.site._front_matter import line_of_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from hyperweb.check._pages import CheckedPage


def orphans(pages: Mapping[str, CheckedPage], leads: Mapping[str, set[str]]) -> Iterator[Fault]:
    """Yields the pages that cannot be reached from the front page by links.

    Args:
        pages: All pages by URL path.
        leads: For each of them the paths it links to.
    """
    if "/" not in pages:
        return
    reached = {"/"}
    todo = ["/"]
    while todo:
        for path in leads.get(todo.pop(), ()):
            if path not in reached:
                reached.add(path)
                todo.append(path)
    linked = set[str]().union(*(found - {url} for url, found in leads.items()))
    for url, page in pages.items():
        if url not in reached and page.is_whole:
            message = (
                "only pages that cannot be reached themselves link here" if url in linked else "no page links here"
            )
            hint = "link to it from a page that readers come to, or mark it `noindex` if they should not find it"
            yield Fault("orphan", message, hint, url, source=page.node.source)


def twins(pages: Mapping[str, CheckedPage], root: Path) -> Iterator[Fault]:
    """Yields the pages that have the title of another.

    Args:
        pages: All pages by URL path.
        root: The site's folder.
    """
    first: dict[str, str] = {}
    for url, page in pages.items():
        own = unquote(urljoin(url, page.facts.canonical or url))
        if not page.facts.title or not page.is_whole or not own.endswith(url):
            continue
        other = first.setdefault(page.facts.title, url)
        if other != url:
            message = f"the title `{page.facts.title}` is that of {other} too"
            hint = "readers tell pages apart by it, in tabs and in results of a search: say what is special to this one"
            source = page.node.source
            line = line_of_key((root / source).read_text(encoding="utf-8", errors="replace"), "title")
            yield Fault("duplicate-title", message, hint, url, source=source, line=line)
