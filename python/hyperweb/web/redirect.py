"""Redirects that stay on the site unless they are told to leave it."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote, urlsplit

from hyperweb.web.errors import UnsafeRedirectError
from hyperweb.web.response import Response

_SAFE = "/?#[]@!$&'()*+,;=:%-._~"


def is_local_path(target: str) -> bool:
    r"""Returns whether a browser takes the target for a path of the same site.

    Browsers read `//host`, `/\\host` and `/<tab>/host` as another site (WHATWG URL, section 4.4), so a path starts with
    one slash and holds no backslash and no control character.
    """
    if not target.startswith("/") or target.startswith("//") or "\\" in target:
        return False
    return all(char > " " and char != "\x7f" for char in target)


def location(target: str, *, external: bool) -> str:
    """Returns the Location value of a target: what is not ASCII is percent-encoded.

    Raises:
        UnsafeRedirectError: The target is not a path of this site; with `external`, not an http or https address.
    """
    if not is_local_path(target):
        if not external or any(char <= " " or char in "\\\x7f" for char in target):
            raise UnsafeRedirectError(target)
        try:
            parts = urlsplit(target)
        except ValueError:
            raise UnsafeRedirectError(target) from None
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise UnsafeRedirectError(target)
    return quote(target, safe=_SAFE)


def redirect(
    target: str, *, status: int = HTTPStatus.SEE_OTHER, permanent: bool = False, external: bool = False
) -> Response:
    """Returns a response that sends the client elsewhere.

    Args:
        target: A path of this site, such as `/posts/`.
        status: 303 by default: whatever the request was, the client asks for the target with GET.
        permanent: 308: clients and search engines remember it, and keep the method.
        external: Allow a full `http:` or `https:` address; never from the request unchecked.

    Raises:
        UnsafeRedirectError: The target leaves the site and `external` does not allow it.
    """
    where = location(target, external=external)
    return Response(None, HTTPStatus.PERMANENT_REDIRECT if permanent else status, [("location", where)])


class Redirect(Exception):
    """Raised, from a handler or from something it depends on, to redirect. The arguments are those of `redirect`.

    Attributes:
        response: What the client is sent.
    """

    def __init__(
        self, target: str, *, status: int = HTTPStatus.SEE_OTHER, permanent: bool = False, external: bool = False
    ) -> None:
        super().__init__(target)
        self.response = redirect(target, status=status, permanent=permanent, external=external)
