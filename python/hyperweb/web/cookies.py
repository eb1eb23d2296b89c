"""Cookies: reading the Cookie header and writing Set-Cookie (RFC 6265)."""

from __future__ import annotations

import re
from email.utils import format_datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

SameSite = Literal["lax", "strict", "none"]

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
_ATTRIBUTE = re.compile(r"[\x20-\x3a\x3c-\x7e]*")


def parse_cookies(lines: Iterable[str]) -> dict[str, str]:
    """Returns the cookies of the Cookie header lines, leniently; of one name sent twice, the first.

    A browser puts the cookie of the longest path first (RFC 6265, section 5.4), so the first is the closest one.
    """
    cookies: dict[str, str] = {}
    for line in lines:
        for part in line.split(";"):
            name, found, value = part.strip().partition("=")
            if found and name and name not in cookies:
                cookies[name] = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    return cookies


def format_cookie(
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
) -> str:
    """Returns a Set-Cookie value; the defaults are the careful ones.

    Raises:
        ValueError: A part holds characters that a cookie may not hold (RFC 6265, section 4.1.1).
    """
    if _NAME.fullmatch(name) is None:
        msg = f"{name!a} is not a cookie name"
        raise ValueError(msg)
    if _VALUE.fullmatch(value) is None:
        msg = f"cookie {name}: {value!a} holds characters a cookie may not; encode it first"
        raise ValueError(msg)
    parts = [f"{name}={value}"]
    if max_age is not None:
        parts.append(f"Max-Age={max_age}")
    if expires is not None:
        parts.append(f"Expires={format_datetime(expires, usegmt=True)}")
    for label, attribute in (("Path", path), ("Domain", domain)):
        if attribute is not None:
            if _ATTRIBUTE.fullmatch(attribute) is None:
                msg = f"cookie {name}: {attribute!a} is not a {label}"
                raise ValueError(msg)
            parts.append(f"{label}={attribute}")
    # A browser drops SameSite=None without Secure, so the one implies the other.
    if secure or same_site == "none":
        parts.append("Secure")
    if http_only:
        parts.append("HttpOnly")
    parts.append(f"SameSite={same_site.capitalize()}")
    return "; ".join(parts)
