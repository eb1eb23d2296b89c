"""What a plugin is written against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hyperweb.site._page import Page
    from hyperweb.site._site import Site


class Document(msgspec.Struct):
    """A file of content, read and rendered; what a plugin writes into it takes the place of what was there.

    Attributes:
        path: The file, relative to the site.
        front: Its front matter.
        html: Its text as HTML.
        summary: What stands for it in lists, as HTML.
        words: How many words its text has.
    """

    path: str
    front: dict[str, Any]
    html: str
    summary: str
    words: int


class Plugin:
    """A plugin: a subclass has the methods of the stages that it takes part in.

    The same input must give the same output: what is made once is taken over until something it is made from changes.

    Attributes:
        version: Change it with what the plugin does, and all is made anew. The file of the plugin counts anyway, what
            that reads or imports does not.
    """

    version: str = ""

    def source(self, root: Path) -> Mapping[str, str | bytes]:
        """Returns files that are written into the site before it is looked at, by their paths in it.

        A file that stood there before and is not the plugin's is never overwritten: that is an error.

        Args:
            root: The site's folder.
        """
        del root
        return {}

    def parse(self, document: Document) -> None:
        """Changes a file of content after it was read and its Markdown rendered."""

    def render(self, page: Page, variables: dict[str, Any]) -> None:
        """Changes or adds what the template of a page sees, before it is rendered.

        Args:
            page: The page.
            variables: What the template sees beside `page` and `site`.
        """

    def transform(self, url: str, content_type: str, body: bytes) -> bytes:
        """Returns what is served in place of a page or an asset; it is minified and compressed afterwards.

        Args:
            url: Its URL path.
            content_type: Its media type.
            body: What was made of it.
        """
        del url, content_type
        return body

    def emit(self, site: Site) -> Mapping[str, str | bytes]:
        """Returns further responses, by URL path, after all pages were rendered: an index for a search, a list.

        Args:
            site: The site, as templates see it.
        """
        del site
        return {}
