"""What handlers ask for by type alone: a database, the user who is signed in."""

from __future__ import annotations

import contextlib
import inspect
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

from hyperweb.web.errors import RouteError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hyperweb.web.request import Request

    Resolve = Callable[[Request], Awaitable[Any]]
    Arguments = Callable[[Request], Awaitable[dict[str, Any]]]

F = TypeVar("F", bound="Callable[..., Any]")

_YIELDS = ("AsyncIterator", "AsyncGenerator", "AsyncIterable", "Iterator", "Generator", "Iterable")


def provided_type(factory: Callable[..., Any], hints: dict[str, Any]) -> Any:
    """Returns the type a factory says it returns or yields.

    Raises:
        RouteError: It does not say.
    """
    if inspect.isclass(factory):
        return factory
    returned = hints.get("return")
    if _is_generator(factory):
        name = getattr(get_origin(returned), "__name__", "")
        returned = get_args(returned)[0] if name in _YIELDS and get_args(returned) else None
    if returned is None:
        name = getattr(factory, "__name__", repr(factory))
        msg = f"provider {name}: its return type says what it provides, and it has none"
        raise RouteError(msg, hint="write '-> Database', or '-> AsyncIterator[Database]' when it yields")
    return returned


def resolver(wanted: Any, factory: Callable[..., Any], arguments: Arguments) -> Resolve:
    """Returns what makes a dependency, once a request.

    Args:
        wanted: The type it is provided for.
        factory: Makes it: a function or an async one, or a generator of either kind whose code after the `yield` runs
            when the request is done, with the exception raised into it when the request failed.
        arguments: Makes the factory's own arguments.
    """
    make = _maker(factory)

    async def resolve(request: Request) -> Any:
        made = request._provided  # noqa: SLF001 - the request keeps what was made for it
        if made is None:
            made = request._provided = {}  # noqa: SLF001
        if wanted not in made:
            made[wanted] = await make(request, await arguments(request))
        return made[wanted]

    return resolve


def _maker(factory: Callable[..., Any]) -> Callable[[Request, dict[str, Any]], Awaitable[Any]]:
    if inspect.isasyncgenfunction(factory):
        open_async = contextlib.asynccontextmanager(factory)

        async def enter_async(request: Request, arguments: dict[str, Any]) -> Any:
            return await _stack(request).enter_async_context(open_async(**arguments))

        return enter_async
    if inspect.isgeneratorfunction(factory):
        open_sync = contextlib.contextmanager(factory)

        async def enter(request: Request, arguments: dict[str, Any]) -> Any:
            return _stack(request).enter_context(open_sync(**arguments))

        return enter

    async def call(_: Request, arguments: dict[str, Any]) -> Any:
        made = factory(**arguments)
        return await made if inspect.isawaitable(made) else made

    return call


def _is_generator(factory: Callable[..., Any]) -> bool:
    return inspect.isasyncgenfunction(factory) or inspect.isgeneratorfunction(factory)


def _stack(request: Request) -> contextlib.AsyncExitStack:
    if request._stack is None:  # noqa: SLF001 - the request keeps what has to be closed after it
        request._stack = contextlib.AsyncExitStack()  # noqa: SLF001
    return request._stack  # noqa: SLF001
