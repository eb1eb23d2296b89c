"""The pages of a site as a check sees them: rendered as the build renders them, and read by the parser."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hyperweb import _core
from hyperweb.site import SiteError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hyperweb.site._node import Node
    from hyperweb.site._renderer import Renderer

# Pages that are held at a time: bounds what a check of a large site needs of memory.
_BATCH = 256


class Place(NamedTuple):
    """Where something stands: the line of the page's text, and the source that is marked there, as `a.md:12`."""

    line: int
    source: str | None


class Reference(NamedTuple):
    """A reference of a page: its URL, what it is for, a number that alternatives share, and its place."""

    url: str
    kind: str
    choice: int
    place: Place


class Problem(NamedTuple):
    """What is wrong with a page in itself."""

    rule: str
    message: str
    hint: str
    place: Place


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """What was found in a page; valid as long as what it is made from is the same.

    Attributes:
        title: Its title.
        anchors: The names that a fragment may have.
        references: Its references.
        base: What relative references are relative to, where the page says so.
        canonical: The page that it is a copy of, as it says.
        hidden: Whether it asks search engines to leave it out.
        problems: What is wrong with it in itself.
    """

    title: str
    anchors: frozenset[str]
    references: list[Reference]
    base: str | None
    canonical: str | None
    hidden: bool
    problems: list[Problem]


class CheckedPage(NamedTuple):
    """A page, and what was found in it."""

    node: Node
    facts: Facts

    @property
    def references(self) -> list[Reference]:
        """Its references."""
        return self.facts.references

    @property
    def problems(self) -> list[Problem]:
        """What is wrong with it in itself."""
        return self.facts.problems

    @property
    def is_whole(self) -> bool:
        """Whether it is a page that readers come to: none for what is not found, and none that hides itself."""
        return not self.facts.hidden and self.node.url != "/404.html"


def is_page(node: Node) -> bool:
    """Whether a response is HTML that is there when a site is built."""
    if node.kind == "alias" or node.render != "static":
        return False
    return (node.kind == "page" and node.url.endswith("/")) or node.url.endswith((".html", ".htm"))


def check_pages(
    renderer: Renderer, nodes: Iterable[Node], *, threads: int, progress: Callable[[str, int, int], None] | None = None
) -> Iterator[CheckedPage]:
    """Renders pages and yields what is found in each.

    Args:
        renderer: The site.
        nodes: The pages.
        threads: Threads that parse.
        progress: Told how far it is.

    Raises:
        SiteError: A page cannot be rendered.
    """
    work = list(nodes)
    # While one batch is parsed the next is rendered.
    with ThreadPoolExecutor(1) as pool:
        running = None
        for at in range(0, len(work), _BATCH):
            batch = work[at : at + _BATCH]
            texts = _texts(renderer, batch)
            if running is not None:
                yield from running.result()
            running = pool.submit(_read, batch, texts, threads)
            if progress is not None:
                progress("check", at + len(batch), len(work))
        if running is not None:
            yield from running.result()


def _texts(renderer: Renderer, batch: list[Node]) -> list[str]:
    renderer.forget_bodies()
    renderer.prepare([node.source for node in batch])
    return [_text(renderer, node) for node in batch]


def _text(renderer: Renderer, node: Node) -> str:
    if node.kind == "page":
        return renderer.render(node).text
    try:
        return (renderer.config.root / node.source).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        shown = f"{renderer.config.name}/{node.source}"
        raise SiteError(f"cannot be read: {error.strerror}", file=shown, hint="check its permissions") from None


def _read(batch: list[Node], texts: list[str], threads: int) -> list[CheckedPage]:
    return [
        CheckedPage(
            node,
            Facts(
                title=page.title,
                anchors=frozenset(page.anchors),
                references=[
                    Reference(url, kind, choice, Place(*place)) for url, kind, choice, place in page.references
                ],
                base=page.base,
                canonical=page.canonical,
                hidden=page.hidden,
                problems=[Problem(rule, message, hint, Place(*place)) for rule, message, hint, place in page.problems],
            ),
        )
        for node, page in zip(batch, _core.check_pages(texts, threads=threads), strict=True)
    ]
