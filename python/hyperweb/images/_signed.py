"""Addresses of pictures that come at run time: signed, so that only the site can ask for work to be done."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

ROUTE = "/_image"
"""Where they are answered."""

# Half of what SHA-256 gives is as long as a key of AES (RFC 2104, section 5: at least half).
_LENGTH = 16
_WIDEST = 8192
_WIDTH = re.compile(r"[1-9][0-9]{0,3}")

Format = Literal["avif", "webp", "jpeg", "png"]
_FORMATS = ("avif", "webp", "jpeg", "png")


class Asked(msgspec.Struct, frozen=True):
    """What is asked for.

    Attributes:
        path: The picture, relative to the folder of such pictures.
        width: How wide it is to be at most, in pixels.
        format: Its format.
    """

    path: str
    width: int
    format: str


def signed_url(secret: str, path: str, width: int, form: Format = "webp") -> str:
    """Returns the address of a picture in a width and a format.

    Args:
        secret: What the site signs with: `images.secret`.
        path: The picture, relative to `images.folder`.
        width: How wide it is to be at most, from 1 to 8192 pixels.
        form: `avif`, `webp`, `jpeg` or `png`.

    Raises:
        ValueError: The width or the format is none.
    """
    if type(width) is not int or not 0 < width <= _WIDEST:
        msg = f"the width of a picture is from 1 to {_WIDEST} pixels, not {width!r}"
        raise ValueError(msg)
    if form not in _FORMATS:
        msg = f"a picture's format is one of {', '.join(_FORMATS)}, not {form!r}"
        raise ValueError(msg)
    asked = Asked(path, width, form)
    return f"{ROUTE}?{urlencode({'src': path, 'w': width, 'f': form, 's': _signature(secret, asked)})}"


def asked_for(secret: str, query: Mapping[str, str]) -> Asked | None:
    """Returns what a query asks for, or None where the site has not signed that.

    Args:
        secret: What the site signs with.
        query: The query's parameters.
    """
    width = query.get("w", "")
    if set(query) != {"src", "w", "f", "s"} or not _WIDTH.fullmatch(width) or query["f"] not in _FORMATS:
        return None
    asked = Asked(query["src"], int(width), query["f"])
    # Compared in constant time, and before anything is done.
    if not hmac.compare_digest(_signature(secret, asked).encode(), query["s"].encode()):
        return None
    return asked


def _signature(secret: str, asked: Asked) -> str:
    said = f"{asked.width}\n{asked.format}\n{asked.path}".encode(errors="surrogatepass")
    digest = hmac.digest(secret.encode(), said, hashlib.sha256)[:_LENGTH]
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
