"""A template to render, as a handler returns it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hyperweb.web.headers import HeaderSource


class Templates(Protocol):
    """Renders the site's templates; `App.templates` holds one."""

    def render(self, name: str, context: Mapping[str, Any]) -> str:
        """Returns the HTML of a template."""


class Template:
    """A page from a template of the site.

    Attributes:
        name: The template's name, such as `search.html`.
        context: Its variables.
        status: The status code.
        headers: More header lines.
    """

    __slots__ = ("context", "headers", "name", "status")

    def __init__(
        self,
        name: str,
        context: Mapping[str, Any] | None = None,
        status: int = 200,
        headers: HeaderSource | None = None,
    ) -> None:
        self.name = name
        self.context = context or {}
        self.status = status
        self.headers = headers


def render(name: str, /, **context: Any) -> Template:
    """Returns a page for a handler to return, made from a template and its variables.

    `return render("search.html", found=posts)`: the page is made by the application that serves the request, so one
    handler can serve many sites. For the text itself use `request.app.render(name, context)`.
    """
    return Template(name, context)
