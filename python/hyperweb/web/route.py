"""A route: which requests, to which handler, kept how long and under which tags."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any, TypedDict

import msgspec

from hyperweb.web.caching import Cache, as_cache
from hyperweb.web.errors import RouteError
from hyperweb.web.pattern import Pattern, parse_pattern
from hyperweb.web.tags import template_fields

Handler = Callable[..., Any]

_TOKEN = re.compile(r"[A-Z][A-Z0-9!#$%&'*+.^_`|~-]*")
_KEPT = {"GET", "HEAD"}


class Options(TypedDict, total=False):
    """What a route may say besides its methods and path.

    Attributes:
        cache: How long the edge keeps the response: seconds, `10m`, or a `Cache`.
        tags: The cache tags it is kept under, with path parameters in braces: `post:{slug}`.
        vary: The request headers the response depends on.
        purge: The cache tags to drop after this handler has succeeded.
        status: The status of a result that is not itself a response; 200 by default.
        inline: Runs a plain `def` handler on the event loop in place of a thread: right when it never waits.
        name: The route's name; the handler's by default.
    """

    cache: str | float | Cache | None
    tags: Sequence[str]
    vary: Sequence[str]
    purge: Sequence[str]
    status: int
    inline: bool
    name: str


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A route, checked.

    Attributes:
        methods: The methods, in upper case.
        pattern: The path.
        handler: What answers.
        cache: How long the response is kept, or None.
        tags: The cache tags, with path parameters in braces.
        vary: The request headers the response depends on, in lower case.
        purge: The cache tags to drop after a success.
        status: The status of a result that is not itself a response.
        inline: Whether a plain `def` handler runs on the event loop.
        name: The route's name.
    """

    methods: tuple[str, ...]
    pattern: Pattern
    handler: Handler
    cache: Cache | None = None
    tags: tuple[str, ...] = ()
    vary: tuple[str, ...] = ()
    purge: tuple[str, ...] = ()
    status: int = 200
    inline: bool = False
    name: str = ""

    @property
    def path(self) -> str:
        """The pattern's text, in the form the compiled router takes."""
        return self.pattern.text


def make_route(methods: Sequence[str], path: str, handler: Handler, options: Options) -> Route:
    """Returns a checked route.

    Raises:
        RouteError: Something about it cannot work. It names the handler's file and line.
    """
    try:
        return _checked(methods, path, handler, options)
    except RouteError as error:
        raise located(error, handler) from None
    except ValueError as error:
        raise located(RouteError(f"route {path!r}: {error}"), handler) from None


def described(route: Route) -> str:
    """Returns a route's name with its handler's file and line, for an error that is about another place too."""
    code = getattr(inspect.unwrap(route.handler), "__code__", None)
    file = PurePath(code.co_filename) if code is not None else None
    # A page has its file in its name, and no code but ours.
    if code is None or file is None or file.is_relative_to(PurePath(__file__).parent):
        return route.name
    return f"{route.name} ({file.name}:{code.co_firstlineno})"


def located(error: RouteError, handler: Handler) -> RouteError:
    """Returns the error with the file and line of the handler it is about."""
    code = getattr(inspect.unwrap(handler), "__code__", None)
    if code is None or error.file is not None:
        return error
    return RouteError(error.message, file=code.co_filename, line=code.co_firstlineno, hint=error.hint)


def _checked(methods: Sequence[str], path: str, handler: Handler, options: Options) -> Route:
    pattern = parse_pattern(path)
    names = tuple(dict.fromkeys(method.upper() for method in methods))
    if not names or any(_TOKEN.fullmatch(method) is None for method in names):
        raise RouteError(f"route {path!r}: {', '.join(names) or 'nothing'} is not a list of methods")
    cache = as_cache(options.get("cache"))
    if cache is not None:
        cache.header(), cache.edge_header()
        if not _KEPT.issuperset(names):
            raise RouteError(f"route {path!r}: cache= is for GET; the answer to {', '.join(names)} is not kept")
    tags, purge = _texts(options, "tags"), _texts(options, "purge")
    for template in (*tags, *purge):
        for field in template_fields(template):
            if field not in pattern.params:
                known = ", ".join(pattern.params) or "none"
                msg = f"route {path!r}: tag {template!r} names {field!r}, which is not a path parameter"
                raise RouteError(msg, hint=f"the path's parameters: {known}")
    return Route(
        methods=names,
        pattern=pattern,
        handler=handler,
        cache=cache,
        tags=tags,
        vary=tuple(name.lower() for name in _texts(options, "vary")),
        purge=purge,
        status=options.get("status", 200),
        inline=options.get("inline", False),
        name=str(options.get("name") or getattr(handler, "__name__", type(handler).__name__)),
    )


def _texts(options: Options, key: str) -> tuple[str, ...]:
    value = options.get(key, ())
    if isinstance(value, str) or not isinstance(value, Sequence):
        msg = f"{key}= is a list of texts, not {value!r}"
        raise ValueError(msg)  # noqa: TRY004 - make_route turns it into an error with a file and a line
    return tuple(value)
