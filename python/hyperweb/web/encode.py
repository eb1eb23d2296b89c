"""What a handler returned, to a response."""

from __future__ import annotations

from collections.abc import AsyncIterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from hyperweb.web.response import BYTES, HTML, JSON, Created, Response
from hyperweb.web.template import Template

if TYPE_CHECKING:
    from hyperweb.web.app import App

encode_json = msgspec.json.Encoder().encode


def to_response(app: App, result: object, stream_type: str = HTML) -> Response:
    """Returns the response of a handler's result.

    A response is itself; text is HTML; bytes are bytes; None is 204; a template is rendered; an async iterable is
    streamed; everything else is JSON.

    Args:
        app: The application, for its templates.
        result: What the handler returned.
        stream_type: The content type of a stream.

    Raises:
        TypeError: The result is nothing that can be sent.
    """
    if isinstance(result, Response):
        return result
    if isinstance(result, str):
        return Response(result)
    if result is None:
        return Response(None, HTTPStatus.NO_CONTENT)
    if isinstance(result, bytes | bytearray | memoryview):
        return Response(result, content_type=BYTES)
    if isinstance(result, Template):
        text = app.render(result.name, result.context)
        return Response(text, result.status, result.headers, content_type=HTML)
    if isinstance(result, Created):
        return _created(app, result)
    if isinstance(result, AsyncIterable):
        return Response(result, content_type=stream_type)
    if isinstance(result, tuple) and not hasattr(result, "_fields"):
        msg = "a handler may not return a tuple: return Response(body, status, headers), or a list"
        raise TypeError(msg)
    return Response(encode_json(result), content_type=JSON)


def _created(app: App, result: Created[Any]) -> Response:
    response = to_response(app, result.value)
    response.status = int(HTTPStatus.CREATED)
    if result.location is not None:
        response.set_header("location", result.location)
    return response
