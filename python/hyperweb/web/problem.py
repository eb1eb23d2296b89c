"""Error responses: problem+json (RFC 9457), or a page for a person, by the request's Accept."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import msgspec

from hyperweb.web.errors import BadRequest, HTTPError, reason
from hyperweb.web.response import HTML, Response

if TYPE_CHECKING:
    from collections.abc import Callable

PROBLEM_JSON = "application/problem+json"


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field of the request.

    Attributes:
        field: Its name: `page`, `data.title`, `header x-token`.
        message: What is wrong with it.
    """

    field: str
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong with a request (RFC 9457, section 3).

    Attributes:
        title: The status's reason phrase.
        status: The status code.
        detail: One sentence on this occurrence.
        errors: The fields at fault.
        request_id: What to look for in the log.
        type: What kind of problem it is; `about:blank` says no more than the status.
    """

    title: str
    status: int
    detail: str = ""
    errors: tuple[FieldError, ...] = ()
    request_id: str
    type: str = "about:blank"


def problem_of(error: HTTPError, request_id: str) -> Problem:
    """Returns the problem an error describes."""
    fields = error.errors if isinstance(error, BadRequest) else ()
    return Problem(
        title=reason(error.status),
        status=error.status,
        detail=error.detail,
        errors=tuple(FieldError(field, message) for field, message in fields),
        request_id=request_id,
    )


def prefers_html(accept: str) -> bool:
    """Returns whether a client wants a page before JSON (RFC 9110, section 12.5.1).

    It has to name `text/html`, as browsers do: a script that takes anything is better served by JSON.
    """
    html = json = 0.0
    for part in accept.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        if kind == "text/html":
            html = max(html, weight)
        elif kind in {"application/json", PROBLEM_JSON}:
            json = max(json, weight)
    return html > 0 and html >= json


def problem_response(
    error: HTTPError, *, accept: str, request_id: str, page: Callable[[Problem], str | None] | None = None
) -> Response:
    """Returns the response that tells a client of an error. It is never kept by a cache.

    Args:
        error: What went wrong.
        accept: The request's Accept header.
        request_id: The id the log has.
        page: Makes the page for a person; None, or a None from it, is the plain page.
    """
    problem = problem_of(error, request_id)
    headers = [*error.headers, ("cache-control", "no-store"), ("vary", "accept"), ("x-request-id", request_id)]
    if prefers_html(accept):
        text = None if page is None else page(problem)
        return Response(plain_page(problem) if text is None else text, error.status, headers, content_type=HTML)
    return Response(msgspec.json.encode(problem), error.status, headers, content_type=PROBLEM_JSON)


def plain_page(problem: Problem) -> str:
    """Returns a small page with no script and no style of its own, so that any security policy lets it through."""
    title = escape(f"{problem.status} {problem.title}")
    fields = "".join(f"<li><code>{escape(each.field)}</code>: {escape(each.message)}</li>" for each in problem.errors)
    detail = f"<ul>{fields}</ul>" if fields else f"<p>{escape(problem.detail)}</p>" if problem.detail else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"></head>'
        f"<body><h1>{title}</h1>{detail}<p><small>Request {escape(problem.request_id)}</small></p></body></html>"
    )
