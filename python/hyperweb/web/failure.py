"""What a client is told, and the log, when a request fails."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from hyperweb.web.encode import to_response
from hyperweb.web.errors import HTTPError
from hyperweb.web.log import logger
from hyperweb.web.problem import Problem, problem_response
from hyperweb.web.redirect import Redirect
from hyperweb.web.response import Response

if TYPE_CHECKING:
    from hyperweb.web.request import Request

UNHANDLED = "The server could not answer this request. The fault is not in the request."


class RequestInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A request as the error hook sees it: plain values, safe to keep.

    Attributes:
        id: What the log calls the request.
        method: The method.
        path: The percent-decoded path.
        query_string: What follows the `?`, as sent.
        headers: The headers in order, names in lower case.
        client: The client's address, or empty text.
        accept: The Accept header.
        route: The pattern that was found, or None.
        handler: The name of the handler, or None.
        path_params: The path's parameters as text.
    """

    id: str
    method: str
    path: str
    query_string: str
    headers: list[tuple[str, str]]
    client: str
    accept: str
    route: str | None
    handler: str | None
    path_params: dict[str, str]


ErrorHook = Callable[[RequestInfo, Exception], Response | Awaitable[Response | None] | None]
ErrorPage = Callable[[Problem], str | None]


def request_info(request: Request) -> RequestInfo:
    """Returns the plain values of a request."""
    route = request.route
    return RequestInfo(
        id=request.id,
        method=request.method,
        path=request.path,
        query_string=request.query_string,
        headers=list(request.headers.items()),
        client=request.client,
        accept=request.headers.get("accept", ""),
        route=None if route is None else route.path,
        handler=None if route is None else getattr(route.handler, "__qualname__", route.name),
        path_params=request.path_params,
    )


async def failure_response(
    request: Request, error: Exception, hook: ErrorHook | None, page: ErrorPage | None
) -> Response:
    """Returns the response of a request that raised.

    An `HTTPError` is answered as it says and not logged: it is the handler's answer. Anything else is logged with its
    traceback and the request's id, offered to the hook, and answered with 500; the client learns the id and no more.
    """
    if isinstance(error, Redirect):
        return error.response
    if not isinstance(error, HTTPError):
        logger.error("%s %a failed (request %s)", request.method, request.path, request.id, exc_info=error)
        if hook is not None and (made := await _ask(hook, request, error)) is not None:
            return made
        error = HTTPError(HTTPStatus.INTERNAL_SERVER_ERROR, UNHANDLED)
    accept = request.headers.get("accept", "")
    try:
        return problem_response(error, accept=accept, request_id=request.id, page=page)
    except Exception:  # noqa: BLE001 - the plain page cannot fail
        logger.exception("the error page failed (request %s)", request.id)
        return problem_response(error, accept=accept, request_id=request.id)


async def _ask(hook: ErrorHook, request: Request, error: Exception) -> Response | None:
    try:
        made = hook(request_info(request), error)
        if inspect.isawaitable(made):
            made = await made
        return None if made is None else to_response(request.app, made)
    except Exception:  # noqa: BLE001 - the usual answer is still there
        logger.exception("the error hook failed (request %s)", request.id)
        return None
