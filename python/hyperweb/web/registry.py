"""Routes and the rest that a module defines with decorators, until an application collects them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from hyperweb.web.errors import RouteError
from hyperweb.web.route import Options, Route, make_route

if TYPE_CHECKING:
    from typing import Unpack

F = TypeVar("F", bound=Callable[..., Any])
Hook = Callable[[], Any]

_KEY = "__hyperweb__"


class Registry(msgspec.Struct):
    """What one module, or one application, has defined.

    Attributes:
        routes: The routes.
        providers: Pairs of a type (None: the one the factory says) and what makes it.
        startup: What runs before the first request.
        shutdown: What runs after the last one.
    """

    routes: list[Route] = []
    providers: list[tuple[Any, Callable[..., Any]]] = []
    startup: list[Hook] = []
    shutdown: list[Hook] = []

    def extend(self, other: Registry) -> None:
        """Adds everything of another registry."""
        self.routes += other.routes
        self.providers += other.providers
        self.startup += other.startup
        self.shutdown += other.shutdown


def registry_of(function: Callable[..., Any]) -> Registry:
    """Returns the registry of the module a function is written in.

    It is kept in the module's own namespace, so a module that is loaded afresh begins with an empty one and nothing of
    an older version of it is left over.
    """
    space = getattr(function, "__globals__", None)
    if not isinstance(space, dict):
        msg = f"{function!r} is not a function: decorate a function, or use App.route"
        raise RouteError(msg)
    found = space.setdefault(_KEY, Registry())
    if not isinstance(found, Registry):
        msg = f"the name {_KEY} is taken in {space.get('__name__')}"
        raise RouteError(msg)
    return found


def collect(module: ModuleType) -> list[Registry]:
    """Returns the registries of a module, of the modules it imports by name and of its loaded submodules.

    `import shop` in a site's handlers.py is thus enough for the routes of shop.py to be served.
    """
    imported = [value for value in vars(module).values() if isinstance(value, ModuleType)]
    below = [sys.modules[name] for name in sorted(sys.modules) if name.startswith(module.__name__ + ".")]
    found = [vars(each).get(_KEY) for each in dict.fromkeys([module, *imported, *below])]
    return [each for each in found if isinstance(each, Registry)]


def route(path: str, *, methods: list[str] | tuple[str, ...], **options: Unpack[Options]) -> Callable[[F], F]:
    """Answers several methods of a path with a function of this module.

    Args:
        path: A pattern such as `/posts/{slug}`; see `Options` for the rest.
        methods: The methods.
        **options: Those of `Options`.

    Raises:
        RouteError: The route cannot work.
    """

    def add(handler: F) -> F:
        registry_of(handler).routes.append(make_route(methods, path, handler, options))
        return handler

    return add


def get(path: str, **options: Unpack[Options]) -> Callable[[F], F]:
    """Answers GET, and HEAD with it; see `route`."""
    return route(path, methods=("GET",), **options)


def post(path: str, **options: Unpack[Options]) -> Callable[[F], F]:
    """Answers POST; see `route`."""
    return route(path, methods=("POST",), **options)


def put(path: str, **options: Unpack[Options]) -> Callable[[F], F]:
    """Answers PUT; see `route`."""
    return route(path, methods=("PUT",), **options)


def patch(path: str, **options: Unpack[Options]) -> Callable[[F], F]:
    """Answers PATCH; see `route`."""
    return route(path, methods=("PATCH",), **options)


def delete(path: str, **options: Unpack[Options]) -> Callable[[F], F]:
    """Answers DELETE; see `route`."""
    return route(path, methods=("DELETE",), **options)


def provide(factory: F) -> F:
    """Provides the type a function returns, or yields, to the handlers that ask for it; see `App.provide`."""
    registry_of(factory).providers.append((None, factory))
    return factory


def on_startup(hook: F) -> F:
    """Runs a function, async or not, before the first request."""
    registry_of(hook).startup.append(hook)
    return hook


def on_shutdown(hook: F) -> F:
    """Runs a function, async or not, after the last request."""
    registry_of(hook).shutdown.append(hook)
    return hook
