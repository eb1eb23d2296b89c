"""Links of the site's pages that lead nowhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from hyperweb.site import SiteError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hyperweb.site._renderer import Renderer

_PARAMETER = re.compile(r"\\\{[^{}]*?(:path)?\\\}")


def dead_links(renderer: Renderer, patterns: list[str]) -> Iterator[SiteError]:
    """Yields an error for each link of a document to a path of this site that nothing answers.

    Args:
        renderer: The site.
        patterns: The route patterns of what Python answers.
    """
    routes = [re.compile(route_expression(pattern)) for pattern in patterns]
    nodes = renderer.nodes
    found = [(source, reference) for source, reference in renderer.links() if reference.url not in nodes]
    for source, reference in dict.fromkeys(found):
        path = unquote(reference.url.partition("#")[0].partition("?")[0])
        if path in nodes or f"{path}/" in nodes or any(route.fullmatch(path) for route in routes):
            continue
        yield SiteError(
            f"the link `{reference.url}` leads nowhere",
            file=f"{renderer.config.name}/{source}",
            line=reference.line,
            hint="no page, file or route has this path",
        )


def route_expression(pattern: str) -> str:
    """Returns the regular expression of the paths that a route pattern matches."""
    return _PARAMETER.sub(lambda found: ".+" if found[1] else "[^/]+", re.escape(pattern))
