"""What is known of a picture before anything is made of it."""

from __future__ import annotations

import base64
import io
import re
import warnings
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

RASTER = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif")
"""The endings of pictures made of pixels, in lower case."""
VECTOR = ".svg"

_ORIENTATION = 0x0112
# These turn a picture on its side (EXIF 2.32, section 4.6.4).
_SIDEWAYS = frozenset({5, 6, 7, 8})
_BLUR_WIDTH = 16
_SVG_HEAD = 4096
_ROOT = re.compile(rb"<svg\b[^>]*>", re.IGNORECASE)
_NUMBER = r"""\s*=\s*["']\s*([0-9.]+)(?:px)?\s*["']"""
_BOX = re.compile(r"""\bviewBox\s*=\s*["']\s*[-0-9.]+[\s,]+[-0-9.]+[\s,]+([0-9.]+)[\s,]+([0-9.]+)""")


class ImageFacts(msgspec.Struct, frozen=True):
    """What is known of a picture; valid as long as the file's hash is the same.

    Attributes:
        hash: The hash of the file.
        kind: `photo` has variants made of it; `vector` and `animated` are served as they are; `broken` cannot be used.
        width: Its width in pixels as it is shown: turned as its EXIF says.
        height: Its height likewise.
        format: Pillow's name of its format.
        alpha: Whether parts of it are transparent.
        color: Its mean colour, `#rrggbb`; empty where it is transparent.
        blur: A tiny picture of it, as a `data:` URL; empty where it is transparent.
        trouble: What is wrong with it, for `broken`.
    """

    hash: str
    kind: Literal["photo", "vector", "animated", "broken"]
    width: int = 0
    height: int = 0
    format: str = ""
    alpha: bool = False
    color: str = ""
    blur: str = ""
    trouble: str = ""


def read_facts(file: Path, digest: str, max_pixels: int) -> ImageFacts:
    """Returns what is known of a picture. All of it is decoded once, small, which shows whether it is whole.

    Args:
        file: The picture.
        digest: The hash of the file.
        max_pixels: A picture of more is not decoded: a few bytes can claim to be a wall of pixels.
    """
    if file.suffix.lower() == VECTOR:
        return _vector(file, digest)
    from PIL import UnidentifiedImageError

    try:
        with warnings.catch_warnings(action="ignore"), _opened(file) as opened:
            width, height = opened.size
            if width * height > max_pixels:
                said = f"it has {width:,} by {height:,} pixels, and at most {max_pixels:,} are read"
                return ImageFacts(digest, "broken", trouble=said)
            return _whole(opened, digest)
    except UnidentifiedImageError:
        return ImageFacts(digest, "broken", trouble="it is no picture, or of an unknown format")
    except Exception as error:  # noqa: BLE001 - decoders raise what they like of what they did not expect
        return ImageFacts(digest, "broken", trouble=f"it is damaged: {str(error) or type(error).__name__}")


def _opened(file: Path) -> Image.Image:
    """Opens a picture however large it claims to be: its size is looked at before a pixel is decoded."""
    from PIL import Image

    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        return Image.open(file)
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _whole(opened: Image.Image, digest: str) -> ImageFacts:
    width, height = opened.size
    if opened.getexif().get(_ORIENTATION) in _SIDEWAYS:
        width, height = height, width
    form = opened.format or ""
    if getattr(opened, "is_animated", False):
        return ImageFacts(digest, "animated", width, height, form)
    # A JPEG is decoded at an eighth of its size, which is enough and reads all of the file.
    opened.draft("RGB", (_BLUR_WIDTH * 4, _BLUR_WIDTH * 4))
    opened.load()
    alpha = opened.has_transparency_data
    if alpha:
        return ImageFacts(digest, "photo", width, height, form, alpha=True)
    from hyperweb.images._pixels import plain

    small = plain(opened)
    tiny = small.resize((_BLUR_WIDTH, max(1, round(_BLUR_WIDTH * height / width))))
    red, green, blue = (int(value) for value in tiny.resize((1, 1)).tobytes()[:3])
    return ImageFacts(
        digest, "photo", width, height, form, color=f"#{red:02x}{green:02x}{blue:02x}", blur=_data_url(tiny)
    )


def _data_url(tiny: Image.Image) -> str:
    made = io.BytesIO()
    tiny.save(made, "WEBP", quality=30, method=6)
    return f"data:image/webp;base64,{base64.b64encode(made.getvalue()).decode()}"


def _vector(file: Path, digest: str) -> ImageFacts:
    """Returns the facts of an SVG: its size, as its root element says it."""
    try:
        with file.open("rb") as opened:
            found = _ROOT.search(opened.read(_SVG_HEAD))
    except OSError as error:
        return ImageFacts(digest, "broken", trouble=f"it cannot be read: {error.strerror}")
    root = found[0].decode(errors="replace") if found else ""
    width, height = (re.search(rf"\s{name}{_NUMBER}", root) for name in ("width", "height"))
    box = _BOX.search(root)
    sizes = (width[1], height[1]) if width and height else (box[1], box[2]) if box else ("0", "0")
    try:
        return ImageFacts(digest, "vector", round(float(sizes[0])), round(float(sizes[1])), "SVG")
    except ValueError:
        return ImageFacts(digest, "vector", format="SVG")
