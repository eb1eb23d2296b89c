"""One thing that is served: its URL, and the source it is made from."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from hyperweb.site._page import Page


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One response of the site.

    Attributes:
        url: The URL path.
        kind: `page` is rendered by a template, `asset` comes through the pipeline, `file` is copied, `alias` redirects.
        source: The file it comes from, relative to the site.
        render: When a page is rendered: at build, on first request, or every time.
        page: The page a template sees, for `page`.
        template: The template's name, for `page`.
        variables: What else the template sees.
        target: The asset's name, or where the alias leads.
        ttl: How long a cached page stays fresh.
    """

    url: str
    kind: Literal["page", "asset", "file", "alias"]
    source: str
    render: str = "static"
    page: Page | None = None
    template: str = ""
    variables: dict[str, Any] = {}
    target: str = ""
    ttl: str | int | None = None
