"""The security headers of a site's responses, built and made at run time alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hyperweb.config._settings import Settings

_ALL = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
}
_DOCUMENT = {
    "x-frame-options": "SAMEORIGIN",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "browsing-topics=(), interest-cohort=()",
    "content-security-policy": "base-uri 'self'; frame-ancestors 'self'; object-src 'none'",
}


def security_headers(settings: Settings, kind: str) -> list[tuple[str, str]]:
    """Returns the security headers for a response of the media type `kind`: the default ones, as the site changed them.

    Documents carry all of them, other responses those that mean something there.
    """
    headers = dict(_ALL)
    if kind.startswith(("text/html", "image/svg+xml")):
        headers |= _DOCUMENT
    for name, value in settings.security.headers.items():
        if value:
            headers[name.lower()] = value
        else:
            headers.pop(name.lower(), None)
    return sorted(headers.items())
