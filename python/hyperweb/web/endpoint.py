"""One route, compiled: from the server's call to its response, with nothing left to find out at request time."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import functools
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, get_args, get_origin

import msgspec

from hyperweb.web._bind import Binder, Plan, hints_of
from hyperweb.web._send import collect, send
from hyperweb.web.encode import encode_json, to_response
from hyperweb.web.errors import RouteError
from hyperweb.web.headers import find_header, merge_vary
from hyperweb.web.log import logger
from hyperweb.web.purge import purge
from hyperweb.web.request import Request
from hyperweb.web.response import BYTES, HTML, JSON, Created, Response
from hyperweb.web.route import Route, located
from hyperweb.web.sse import ServerSentEvent, event_stream
from hyperweb.web.tags import clean_tag, format_tags, join_tags
from hyperweb.web.template import Template

if TYPE_CHECKING:
    from hyperweb.web.app import App
    from hyperweb.web.rsgi import HeaderList, Proto, Scope

Answer = Callable[["Scope", "Proto", Sequence[str]], Awaitable[None]]
Respond = Callable[[Request], Awaitable[Response]]
Failure = Callable[[Request, Exception], Awaitable[Response]]

_OWN_STATUS = (Response, Template, Created)
_STREAMS = (AsyncIterator, AsyncGenerator, AsyncIterable)


class Endpoint(msgspec.Struct, frozen=True):
    """A compiled route.

    Attributes:
        route: What it was compiled from.
        answer: Answers a request straight to the server.
        respond: Makes the response and leaves the sending to the caller, which is what middleware needs.
    """

    route: Route
    answer: Answer
    respond: Respond


def compile_endpoint(app: App, route: Route, binder: Binder, failure: Failure) -> Endpoint:
    """Compiles a route.

    Raises:
        RouteError: The handler asks for something that no request has.
    """
    plan = binder.plan(route.handler, route.pattern)
    finish = _finisher(app, route)
    if plan.needs_request or route.purge:
        return _with_request(app, route, _call_with_request(app, route, plan), finish, failure)
    return _with_path(app, route, _call_with_path(app, route, plan), finish, failure)


def _with_path(
    app: App, route: Route, call: Callable[[Sequence[str]], Awaitable[Any]], finish: _Finish, failure: Failure
) -> Endpoint:
    """The short way: a handler that asks for nothing but path parameters needs no Request."""
    json_types, status, lines = _json_types(route), route.status, _json_headers(app, route)
    kept = route.cache is not None

    async def answer(scope: Scope, proto: Proto, values: Sequence[str]) -> None:
        try:
            result = await call(values)
            if type(result) in json_types:
                proto.response_bytes(status, lines(values), encode_json(result))
                return
            response = finish(result, values)
            response = await collect(response) if kept else response
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is answered
            response = await failure(Request(app, scope, proto, route, values), error)
        await send(scope, proto, with_site_headers(app, response))

    async def respond(request: Request) -> Response:
        values = request._values  # noqa: SLF001 - the path's values, in the order of the pattern
        try:
            response = finish(await call(values), values)
            return await collect(response) if kept else response
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is answered
            return await failure(request, error)

    return Endpoint(route, answer, respond)


def _with_request(
    app: App, route: Route, call: Callable[[Request], Awaitable[Any]], finish: _Finish, failure: Failure
) -> Endpoint:
    json_types, status, lines = _json_types(route), route.status, _json_headers(app, route)
    purges, kept = bool(route.purge), route.cache is not None

    async def settle(request: Request, result: object) -> Response:
        response = finish(result, request._values)  # noqa: SLF001
        response = await collect(response) if kept else response
        # What was opened for the request is closed before the client hears of success, so that a commit that fails is
        # an error; for a stream it stays open until the last chunk.
        if (stack := request._stack) is not None and not isinstance(response.body, AsyncIterable):  # noqa: SLF001
            request._stack = None  # noqa: SLF001
            await stack.aclose()
        if purges and response.status < 400:  # noqa: PLR2004 - the first of the error codes
            await _purge(request)
        return response

    async def fail(request: Request, error: Exception) -> Response:
        if (stack := request._stack) is not None:  # noqa: SLF001
            request._stack = None  # noqa: SLF001
            try:
                await stack.__aexit__(type(error), error, error.__traceback__)
            except Exception as raised:  # noqa: BLE001 - clean-up may raise the same error, or another one
                error = raised
        return await failure(request, error)

    async def respond(request: Request) -> Response:
        try:
            return await settle(request, await call(request))
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is answered
            return await fail(request, error)

    async def answer(scope: Scope, proto: Proto, values: Sequence[str]) -> None:
        request = Request(app, scope, proto, route, values)
        try:
            result = await call(request)
            if type(result) in json_types and request._stack is None and not purges:  # noqa: SLF001
                proto.response_bytes(status, lines(values), encode_json(result))
                return
            response = await settle(request, result)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is answered
            response = await fail(request, error)
        await deliver(request, response)

    return Endpoint(route, answer, respond)


async def deliver(request: Request, response: Response) -> None:
    """Sends the response of a request and closes what was opened for it."""
    try:
        await send(request.scope, request._proto, with_site_headers(request.app, response))  # noqa: SLF001
    finally:
        if (stack := request._stack) is not None:  # noqa: SLF001
            request._stack = None  # noqa: SLF001
            await stack.aclose()


# ---- calling the handler -------------------------------------------------------------------------------------------


def _call_with_path(app: App, route: Route, plan: Plan) -> Callable[[Sequence[str]], Awaitable[Any]]:
    run = _runner(app, route)
    path = plan.path
    if not path:
        return lambda _: run()
    if len(path) == 1:
        name, at, convert = path[0]
        return lambda values: run(**{name: convert(values[at])})
    return lambda values: run(**{name: convert(values[at]) for name, at, convert in path})


def _call_with_request(app: App, route: Route, plan: Plan) -> Callable[[Request], Awaitable[Any]]:
    run = _runner(app, route)
    if plan.waits or plan.path:
        arguments = plan.arguments()

        async def call(request: Request) -> Any:
            return await run(**await arguments(request))

        return call
    reads = plan.reads
    return lambda request: run(**{name: read(request) for name, read in reads})


def _runner(app: App, route: Route) -> Callable[..., Awaitable[Any]]:
    """Returns the handler as something that is awaited.

    Raises:
        RouteError: It is a generator that is not async, which would block the loop between its chunks.
    """
    handler = route.handler
    bare = inspect.unwrap(handler)
    bare = bare if inspect.isroutine(bare) or isinstance(bare, functools.partial) else type(bare).__call__
    if inspect.iscoroutinefunction(bare):
        return handler
    if inspect.isgeneratorfunction(bare):
        message = f"handler {route.name}: a handler that yields is an async one"
        raise located(RouteError(message, hint="write 'async def'"), handler)
    if inspect.isasyncgenfunction(bare):
        make = event_stream if _yields(handler) is ServerSentEvent else None

        async def stream(**arguments: Any) -> Any:
            chunks = handler(**arguments)
            return chunks if make is None else make(chunks)

        return stream
    if route.inline:

        async def here(**arguments: Any) -> Any:
            return handler(**arguments)

        return here

    async def in_thread(**arguments: Any) -> Any:
        run = functools.partial(contextvars.copy_context().run, handler, **arguments)
        result = await asyncio.get_running_loop().run_in_executor(app.threads, run)
        # A plain function may hand back a coroutine, as decorators around async handlers do.
        return await result if inspect.isawaitable(result) else result

    return in_thread


def _yields(handler: Callable[..., Any]) -> Any:
    returned = hints_of(handler).get("return")
    return get_args(returned)[0] if get_origin(returned) in _STREAMS and get_args(returned) else None


# ---- making the response -------------------------------------------------------------------------------------------

_Finish = Callable[[object, Sequence[str]], Response]
_CACHING = frozenset({"cache-control", "cdn-cache-control"})


def _finisher(app: App, route: Route) -> _Finish:
    stream_type = BYTES if inspect.isasyncgenfunction(route.handler) and _yields(route.handler) is bytes else HTML
    status = route.status
    marked = bool(route.cache or route.tags or route.vary)
    lines = _cache_lines(route)

    def finish(result: object, values: Sequence[str]) -> Response:
        response = to_response(app, result, stream_type)
        if status != 200 and not isinstance(result, _OWN_STATUS):  # noqa: PLR2004 - the default
            response.status = status
        if marked and response.status < 400:  # noqa: PLR2004 - an error is not kept
            return _marked(response, route, lines(values))
        return response

    return finish


def _marked(response: Response, route: Route, lines: HeaderList) -> Response:
    # A copy, because a handler may return one and the same response again and again.
    response = copy.copy(response)
    response.headers = list(response.headers)
    # A response that sets a cookie is for one client, whatever the route says of its others.
    personal = find_header(response.headers, "set-cookie") is not None
    have = {name for name, _ in response.headers}
    if have & _CACHING:
        # One that says itself how it is kept says it to all caches.
        have |= _CACHING
    elif personal:
        response.headers.append(("cache-control", "private, no-store"))
        have |= _CACHING
    response.headers += [(name, value) for name, value in lines if name not in have]
    merge_vary(response.headers, route.vary)
    return response


def _cache_lines(route: Route) -> Callable[[Sequence[str]], HeaderList]:
    """Returns what makes the lines for caches and Cache-Tag; made once when no path parameter is in them."""
    fixed: HeaderList = []
    if route.cache is not None:
        fixed.append(("cache-control", route.cache.header()))
        if (edge := route.cache.edge_header()) is not None:
            fixed.append(("cdn-cache-control", edge))
    names = route.pattern.params
    if any("{" in tag for tag in route.tags):
        templates = route.tags
        return lambda values: [
            *fixed,
            ("cache-tag", join_tags(format_tags(templates, dict(zip(names, values, strict=True))))),
        ]
    if route.tags:
        fixed.append(("cache-tag", join_tags(clean_tag(tag) for tag in route.tags)))
    return lambda _: fixed


def with_site_headers(app: App, response: Response) -> Response:
    """Returns the response with those of the application's own header lines that it does not set itself."""
    if not app.headers:
        return response
    have = {name for name, _ in response.headers}
    whole = copy.copy(response)
    whole.headers = [*response.headers, *(pair for pair in app.headers if pair[0] not in have)]
    return whole


def _json_headers(app: App, route: Route) -> Callable[[Sequence[str]], HeaderList]:
    own = {"content-type", "vary", "cache-tag", *_CACHING}
    head: HeaderList = [("content-type", JSON), *(pair for pair in app.headers if pair[0] not in own)]
    if route.vary:
        merge_vary(head, route.vary)
    lines = _cache_lines(route)
    if any("{" in tag for tag in route.tags):
        return lambda values: head + lines(values)
    whole = head + lines(())
    return lambda _: whole


def _json_types(route: Route) -> frozenset[type]:
    """Returns the types that are sent as JSON without a look at anything else."""
    returned = hints_of(route.handler).get("return")
    found: set[type] = {dict, list}
    for each in (returned, *get_args(returned)):
        if inspect.isclass(each) and issubclass(each, msgspec.Struct):
            found.add(each)
    return frozenset(found)


async def _purge(request: Request) -> None:
    route = request.route
    if route is None:
        return
    try:
        await purge(tags=format_tags(route.purge, request.path_params))
    except Exception:  # noqa: BLE001 - see below
        # The work itself is done; telling the client that it failed would make it do it twice.
        logger.exception("%s: purging %s failed (request %s)", route.name, ", ".join(route.purge), request.id)
