"""What a handler returns when the value alone does not say enough."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from hyperweb.web.cookies import format_cookie
from hyperweb.web.headers import HeaderSource, check_header, find_header, header_list

if TYPE_CHECKING:
    from datetime import datetime

    from hyperweb.web.cookies import SameSite

HTML = "text/html; charset=utf-8"
JSON = "application/json"
BYTES = "application/octet-stream"

Chunks = AsyncIterable[str] | AsyncIterable[bytes] | AsyncIterable[str | bytes]
"""The body of a streamed response."""

T_co = TypeVar("T_co", covariant=True)


class Response:
    """A response: body, status, headers.

    Attributes:
        status: The status code.
        headers: Header lines, names in lower case.
        body: The whole body, or what yields it chunk by chunk.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        body: str | bytes | bytearray | memoryview | Chunks | None = None,
        status: int = 200,
        headers: HeaderSource | None = None,
        *,
        content_type: str | None = None,
    ) -> None:
        """Makes a response.

        Args:
            body: Text is sent as UTF-8 HTML and bytes as they are, unless a content type says what they are; an async
                iterable is sent chunk by chunk; None is no body.
            status: The status code, 200 to 599.
            headers: A mapping, or pairs when a name comes more than once.
            content_type: The Content-Type; one among `headers` is stronger.

        Raises:
            ValueError: A header cannot be sent, or the status is out of range.
        """
        if not 200 <= status <= 599:  # noqa: PLR2004 - RFC 9110, section 15; 1xx are not responses of a handler
            msg = f"a response's status is from 200 to 599, not {status}"
            raise ValueError(msg)
        self.status = int(status)
        self.headers = header_list(headers)
        given = content_type
        self.body: bytes | Chunks | None
        if isinstance(body, str):
            self.body, content_type = body.encode(), content_type or HTML
        elif body is None or type(body) is bytes:
            self.body, content_type = body, content_type or (None if body is None else BYTES)
        elif isinstance(body, bytes | bytearray | memoryview):
            self.body, content_type = bytes(body), content_type or BYTES
        else:
            self.body, content_type = _chunks(body), content_type or HTML
        if content_type is not None and find_header(self.headers, "content-type") is None:
            pair = ("content-type", content_type)
            self.headers.insert(0, check_header(*pair) if given is not None else pair)

    def header(self, name: str) -> str | None:
        """Returns the first value of a header, or None."""
        return find_header(self.headers, name.lower())

    def set_header(self, name: str, value: str) -> Self:
        """Puts a header in place of every one of that name.

        Raises:
            ValueError: The header cannot be sent.
        """
        pair = check_header(name, value)
        self.headers = [have for have in self.headers if have[0] != pair[0]]
        self.headers.append(pair)
        return self

    def set_cookie(
        self,
        name: str,
        value: str,
        *,
        max_age: int | None = None,
        expires: datetime | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = True,
        http_only: bool = True,
        same_site: SameSite = "lax",
    ) -> Self:
        """Adds a cookie: secure, hidden from scripts and not sent along from other sites, unless told otherwise.

        Args:
            name: Its name.
            value: Its value; encode what RFC 6265 does not allow.
            max_age: How long the browser keeps it, in seconds; None with no `expires` is until the browser closes.
            expires: When the browser drops it, in UTC.
            path: The paths it is sent for.
            domain: The host and those below it; None is this host alone.
            secure: Send it over HTTPS only. Browsers treat localhost as secure.
            http_only: Hide it from scripts.
            same_site: Whether requests begun by other sites carry it.

        Raises:
            ValueError: A part holds characters that a cookie may not hold.
        """
        cookie = format_cookie(
            name,
            value,
            max_age=max_age,
            expires=expires,
            path=path,
            domain=domain,
            secure=secure,
            http_only=http_only,
            same_site=same_site,
        )
        self.headers.append(("set-cookie", cookie))
        return self

    def delete_cookie(self, name: str, *, path: str | None = "/", domain: str | None = None) -> Self:
        """Tells the browser to drop a cookie; path and domain are those it was set with."""
        return self.set_cookie(name, "", max_age=0, path=path, domain=domain)

    def __repr__(self) -> str:
        return f"Response(status={self.status}, headers={self.headers!r})"


def _chunks(body: object) -> Chunks:
    if isinstance(body, AsyncIterable):
        return body
    raise TypeError(f"a response's body is text, bytes or an async iterable of them, not {type(body).__name__}")


class Created(Generic[T_co]):
    """201: something was made (RFC 9110, section 15.3.2).

    Attributes:
        value: What was made; it becomes the body, encoded by its type.
        location: Its path, for the Location header, or None.
    """

    __slots__ = ("location", "value")

    def __init__(self, value: T_co, location: str | None = None) -> None:
        self.value = value
        self.location = location
