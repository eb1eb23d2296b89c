"""Pixels as browsers show them: upright, in sRGB, eight bits a channel, and nothing said beside them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageCms, ImageOps

if TYPE_CHECKING:
    from pathlib import Path

# Of sixteen bits the upper eight are kept.
_DEEP = 256


def plain(image: Image.Image) -> Image.Image:
    """Returns a picture in RGB, or RGBA where parts of it are transparent, its colours those of sRGB."""
    alpha = image.has_transparency_data
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda value: value / _DEEP).convert("L")
    if profile and image.mode in {"RGB", "RGBA", "CMYK", "L"}:
        image = _in_srgb(image, profile, "RGBA" if image.mode == "RGBA" else "RGB")
    mode = "RGBA" if alpha else "RGB"
    return image if image.mode == mode else image.convert(mode)


def open_upright(file: Path) -> Image.Image:
    """Returns a picture, decoded, turned as its EXIF says and without its metadata.

    Raises:
        OSError: It is damaged.
    """
    with Image.open(file) as opened:
        opened.load()
        made = plain(ImageOps.exif_transpose(opened))
    bare = Image.new(made.mode, made.size)
    bare.paste(made)
    return bare


def _in_srgb(image: Image.Image, profile: bytes, mode: str) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return image
        made = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        # A profile that cannot be read is as good as none: browsers do without as well.
        return image
    return made if made is not None else image
