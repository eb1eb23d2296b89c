"""Where a handler's parameter comes from, when its name and type do not say: `Annotated[str, Header("x-token")]`."""

from __future__ import annotations

import msgspec


class Path(msgspec.Struct, frozen=True):
    """A parameter of the path; by default every parameter named in the route's braces is one."""

    name: str | None = None


class Query(msgspec.Struct, frozen=True):
    """A parameter of the query string; by default every scalar that is not in the path is one.

    Attributes:
        name: Its name there; None for the handler's own name.
    """

    name: str | None = None


class Header(msgspec.Struct, frozen=True):
    """A request header.

    Attributes:
        name: The header; None for the handler's own name with `_` as `-`.
    """

    name: str | None = None


class Cookie(msgspec.Struct, frozen=True):
    """A cookie.

    Attributes:
        name: The cookie; None for the handler's own name.
    """

    name: str | None = None


class Body(msgspec.Struct, frozen=True):
    """The body, JSON or a form by its content type; by default the parameter named `data` is."""


class Form(msgspec.Struct, frozen=True):
    """The body, which must be a form."""


Marker = Path | Query | Header | Cookie | Body | Form
MARKERS = (Path, Query, Header, Cookie, Body, Form)
