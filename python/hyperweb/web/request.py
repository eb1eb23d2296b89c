"""The request, as a handler sees it that asks for it."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from hyperweb.web._convert import decode_json
from hyperweb.web.body import read_body, stream_body
from hyperweb.web.cookies import parse_cookies
from hyperweb.web.errors import BadRequest, UnsupportedMediaType
from hyperweb.web.forms import MULTIPART, URLENCODED, FormFields, media_type, parse_multipart, parse_urlencoded
from hyperweb.web.query import QueryParams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AsyncExitStack

    from hyperweb.web.app import App
    from hyperweb.web.route import Route
    from hyperweb.web.rsgi import Headers, Proto, Scope

T = TypeVar("T")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,128}")


def request_id(scope: Scope) -> str:
    """Returns the X-Request-Id the request came with, or a new one when it has none that is safe to log."""
    given = scope.headers.get("x-request-id")
    if given is not None and _REQUEST_ID.fullmatch(given):
        return str(given)
    return secrets.token_hex(8)


class Request:
    """A request. Everything that has to be parsed is parsed when it is asked for.

    Attributes:
        app: The application that answers it.
        scope: The server's own description of it.
        route: The route that was found, or None.
        state: Whatever middleware and handlers want to hand on.
    """

    __slots__ = (
        "_body",
        "_cookies",
        "_id",
        "_proto",
        "_provided",
        "_query",
        "_stack",
        "_state",
        "_values",
        "app",
        "route",
        "scope",
    )

    def __init__(self, app: App, scope: Scope, proto: Proto, route: Route | None, values: Sequence[str]) -> None:
        self.app = app
        self.scope = scope
        self.route = route
        self._proto = proto
        self._values = values
        self._body: bytes | None = None
        self._query: QueryParams | None = None
        self._cookies: dict[str, str] | None = None
        self._id: str | None = None
        self._state: dict[str, Any] | None = None
        self._provided: dict[Any, Any] | None = None
        self._stack: AsyncExitStack | None = None

    @property
    def method(self) -> str:
        """The method, in upper case."""
        return self.scope.method

    @property
    def path(self) -> str:
        """The percent-decoded path."""
        return self.scope.path

    @property
    def query_string(self) -> str:
        """What follows the `?`, as sent."""
        return self.scope.query_string

    @property
    def headers(self) -> Headers:
        """The headers: `headers.get(name)`, `headers.get_all(name)`, `headers.items()`."""
        return self.scope.headers

    @property
    def query(self) -> QueryParams:
        """The query's parameters."""
        if self._query is None:
            self._query = QueryParams(self.scope.query_string)
        return self._query

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies by name."""
        if self._cookies is None:
            self._cookies = parse_cookies(self.scope.headers.get_all("cookie"))
        return self._cookies

    @property
    def path_params(self) -> dict[str, str]:
        """The path's parameters as text."""
        return {} if self.route is None else dict(zip(self.route.pattern.params, self._values, strict=True))

    @property
    def state(self) -> dict[str, Any]:
        """Whatever middleware and handlers want to hand on."""
        if self._state is None:
            self._state = {}
        return self._state

    @property
    def id(self) -> str:
        """The request's id: the edge's, or one made here."""
        if self._id is None:
            self._id = request_id(self.scope)
        return self._id

    @property
    def client(self) -> str:
        """The client's address without its port, as the edge saw it when there is one; empty when it is not known."""
        if self.app.behind_edge and (forwarded := self._forwarded("for")):
            return forwarded
        return self.scope.client.rpartition(":")[0].strip("[]")

    @property
    def scheme(self) -> str:
        """Either `http` or `https`: what the client spoke."""
        return (self.app.behind_edge and self._forwarded("proto")) or self.scope.scheme

    @property
    def host(self) -> str:
        """The host the client asked for, with its port when it named one; the client chooses it, so check it."""
        forwarded = self.app.behind_edge and self._forwarded("host")
        return forwarded or self.scope.authority or self.scope.headers.get("host", "")

    @property
    def url(self) -> str:
        """The address that was asked for, the path percent-decoded."""
        query = self.scope.query_string
        return f"{self.scheme}://{self.host}{self.scope.path}{'?' + query if query else ''}"

    async def body(self) -> bytes:
        """Returns the whole body; a second call returns it again.

        Raises:
            PayloadTooLarge: It is more than `app.max_body`.
            BadRequest: The client went before all of it had come.
        """
        if self._body is None:
            self._body = await read_body(self.scope, self._proto, self.app.max_body, bounded=self.app.behind_edge)
        return self._body

    def bind(self, route: Route, values: Sequence[str]) -> None:
        """Says which route was found, and the path's values in the order of its pattern."""
        self.route = route
        self._values = values

    def stream(self) -> AsyncIterator[bytes]:
        """Yields the body as it comes, without keeping it; `app.max_body` bounds it all the same."""
        return stream_body(self.scope, self._proto, self.app.max_body)

    async def text(self) -> str:
        """Returns the body as UTF-8 text.

        Raises:
            BadRequest: It is not UTF-8.
        """
        try:
            return (await self.body()).decode()
        except UnicodeDecodeError as error:
            raise BadRequest(errors=[("body", f"not UTF-8 at byte {error.start}")]) from None

    async def json(self, kind: type[T] | None = None) -> T | Any:
        """Returns the body decoded from JSON, whatever its content type, as a type when one is given.

        Raises:
            BadRequest: It is not JSON, or not of the type; the field is named.
        """
        decode = msgspec.json.decode if kind is None else msgspec.json.Decoder(kind).decode
        return decode_json(decode, await self.body(), "body")

    async def form(self) -> FormFields:
        """Returns the fields and files of the posted form.

        Raises:
            UnsupportedMediaType: The body is not a form.
            BadRequest: The form cannot be read.
        """
        given = self.scope.headers.get("content-type", "")
        kind, parameters = media_type(given)
        if kind == URLENCODED:
            return parse_urlencoded(await self.body())
        if kind == MULTIPART:
            return parse_multipart(await self.body(), parameters)
        raise UnsupportedMediaType(given, (URLENCODED, MULTIPART))

    async def disconnected(self) -> None:
        """Returns when the client has gone."""
        await self._proto.client_disconnect()

    def _forwarded(self, what: str) -> str:
        return str(self.scope.headers.get(f"x-forwarded-{what}", "")).partition(",")[0].strip()

    def __repr__(self) -> str:
        return f"Request({self.method} {self.path!a})"
