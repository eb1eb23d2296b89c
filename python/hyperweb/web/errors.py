"""What can go wrong with a request, with a route's definition, and with a purge."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from hyperweb.errors import HyperwebError
from hyperweb.web.headers import header_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def reason(status: int) -> str:
    """Returns the reason phrase of a status code (RFC 9110, section 15)."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error" if status >= HTTPStatus.BAD_REQUEST else "Response"


class HTTPError(Exception):
    """Raised to answer a request with an error status, as problem+json or as a page by the request's Accept.

    Attributes:
        status: The status code, 400 to 599.
        detail: What to tell the client, one sentence; empty for the reason phrase alone.
        headers: More header lines for the response.

    Raises:
        ValueError: The status is not one of an error, or a header cannot be sent.
    """

    def __init__(self, status: int, detail: str = "", headers: Mapping[str, str] | None = None) -> None:
        if not HTTPStatus.BAD_REQUEST <= status <= 599:  # noqa: PLR2004 - the last code of the class of server errors
            raise ValueError(f"an error status is from 400 to 599, not {status}")
        super().__init__(f"{status} {detail or reason(status)}")
        self.status = int(status)
        self.detail = detail
        self.headers = header_list(headers)


HTTPException = HTTPError
"""The name other frameworks use for `HTTPError`."""


class BadRequest(HTTPError):
    """400: some part of the request cannot be used.

    Attributes:
        errors: Pairs of the field at fault (`data.title`, `page`) and what is wrong with it.
    """

    def __init__(self, detail: str = "", errors: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(HTTPStatus.BAD_REQUEST, detail or "; ".join(f"{field}: {what}" for field, what in errors))
        self.errors = tuple(errors)


class NotFound(HTTPError):
    """404: there is nothing at this path, or nothing the client may know of."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(HTTPStatus.NOT_FOUND, detail)


class MethodNotAllowed(HTTPError):
    """405: the path exists and does not take this method; `Allow` names those it takes (RFC 9110, 15.5.6)."""

    def __init__(self, allowed: Sequence[str]) -> None:
        listed = ", ".join(allowed)
        super().__init__(HTTPStatus.METHOD_NOT_ALLOWED, f"This path takes {listed}.", {"allow": listed})


class PayloadTooLarge(HTTPError):
    """413: the body is larger than the application takes."""

    def __init__(self, limit: int) -> None:
        detail = f"The body is larger than {limit} bytes."
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


class UnsupportedMediaType(HTTPError):
    """415: the body's content type is not one this path reads."""

    def __init__(self, got: str, takes: Sequence[str]) -> None:
        named = f"{got!a} is not one this path reads" if got else "the request names none"
        super().__init__(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Type: {named}; send {', '.join(takes)}.")


class UnsafeRedirectError(HTTPError):
    """400: a redirect to another site was asked for and not allowed.

    The target usually came from the request (`?next=`), so this is the client's error, not the server's.
    """

    def __init__(self, target: str) -> None:
        super().__init__(HTTPStatus.BAD_REQUEST, f"{target!a} is not a path of this site.")
        self.target = target


class RouteError(HyperwebError):
    """A route, a handler's parameter or a provider is defined wrongly. Found before the first request is served."""


class PurgeError(HyperwebError):
    """The edge could not be told to drop what it keeps."""
