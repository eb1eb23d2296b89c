"""Code around every request: `async def timing(request, call_next): ...`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hyperweb.web.request import Request
from hyperweb.web.response import Response

CallNext = Callable[[Request], Awaitable[Response]]
"""What comes after: called with the request it returns the response, of the next middleware or of the handler."""
Middleware = Callable[[Request, CallNext], Awaitable[Response]]
"""What stands around every request: it is given the request and what comes after, and returns a response."""


def chain(middleware: list[Middleware], last: CallNext) -> CallNext:
    """Returns one function out of many, the first of them outermost."""
    for each in reversed(middleware):
        last = _link(each, last)
    return last


def _link(middleware: Middleware, following: CallNext) -> CallNext:
    async def call(request: Request) -> Response:
        return await middleware(request, following)

    return call
