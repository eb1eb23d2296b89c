"""Finds the sources of faults: the pages that show one are rendered again, with marks in front of their tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperweb.check._finding import Finding
from hyperweb.check._pages import check_pages
from hyperweb.check._rules import RULES
from hyperweb.site._renderer import Renderer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hyperweb.check._fault import Fault
    from hyperweb.check._pages import CheckedPage, Place
    from hyperweb.config import SiteConfig
    from hyperweb.site._node import Node


def findings(faults: Sequence[Fault], pages: dict[str, CheckedPage], plain: Renderer) -> list[Finding]:
    """Returns faults with the sources they come from, those of one source as one.

    Args:
        faults: What is wrong.
        pages: The pages by URL path.
        plain: The site as it was rendered.
    """
    nodes = [pages[url].node for url in dict.fromkeys(one.page for one in faults if one.part != "whole")]
    marked = {page.node.url: page for page in _marked(plain, nodes)}
    found: dict[tuple[str, str, str, int | None], Finding] = {}
    for fault in faults:
        file, line = _place(fault, pages, marked)
        key = (fault.rule, fault.message, file, line)
        if key not in found:
            found[key] = Finding(
                rule=fault.rule,
                severity=RULES[fault.rule].severity,
                message=fault.message,
                hint=fault.hint,
                file=f"{plain.config.name}/{file}",
                line=line,
            )
        # Faults of one rule come page by page.
        shown = found[key].pages
        if fault.page and (not shown or shown[-1] != fault.page):
            shown.append(fault.page)
    return sorted(found.values(), key=lambda one: (one.file, one.line or 0, one.rule, one.message))


def _marked(plain: Renderer, nodes: Iterable[Node]) -> Iterable[CheckedPage]:
    config: SiteConfig = plain.config
    rendered = [node for node in nodes if node.kind == "page"]
    if not rendered:
        return []
    renderer = Renderer(
        config,
        fingerprint=True,
        minify=config.settings.build.minify,
        drafts=config.settings.build.drafts,
        marked=True,
        memory=plain.memory,
    )
    renderer.update(plain.files)
    return check_pages(renderer, [renderer.nodes[node.url] for node in rendered], threads=0)


def _place(fault: Fault, pages: dict[str, CheckedPage], marked: dict[str, CheckedPage]) -> tuple[str, int | None]:
    if fault.part == "whole":
        return fault.source, fault.line
    page = pages[fault.page]
    if fault.page not in marked:
        return page.node.source, _part(page, fault).place.line
    place = _same(_part(page, fault), getattr(marked[fault.page], fault.part), fault.position)
    if place is None or place.source is None:
        return page.node.source, None
    file, _, line = place.source.rpartition(":")
    return file, int(line)


class _HasPlace:
    """What both references and problems have."""

    place: Place


def _part(page: CheckedPage, fault: Fault) -> _HasPlace:
    part: _HasPlace = getattr(page, fault.part)[fault.position]
    return part


def _same(wanted: _HasPlace, there: Sequence[_HasPlace], index: int) -> Place | None:
    """Returns the place of what is the same in the marked page: at the same index, or anywhere."""
    bare = _bare(wanted)
    near = there[index : index + 1]
    return next((one.place for one in [*near, *there] if _bare(one) == bare), None)


def _bare(part: object) -> tuple[object, ...]:
    # A tuple of which the place is the last.
    return tuple(part)[:-1]  # type: ignore[arg-type]
