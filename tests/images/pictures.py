"""Pictures to test with, made anew each time."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

ORIENTATION = 0x0112
MAKER = 0x010F


def colours(width: int, height: int) -> Image.Image:
    """Returns a picture whose left half is red, right half blue, with a shade from top to bottom."""
    made = Image.new("RGB", (width, height))
    for x in range(width):
        for y in range(height):
            shade = 155 + 100 * y // height
            made.putpixel((x, y), (shade, 0, 0) if x < width // 2 else (0, 0, shade))
    return made


def photo(file: Path, width: int = 120, height: int = 80, *, orientation: int | None = None) -> Path:
    """Writes a JPEG that says who made it, and how it is to be turned."""
    file.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[MAKER] = "Secret maker"
    if orientation is not None:
        exif[ORIENTATION] = orientation
    colours(width, height).save(file, "JPEG", quality=92, exif=exif)
    return file


def bomb(file: Path) -> Path:
    """Writes a PNG of a few hundred bytes that says it is 100,000 pixels wide and high."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 100_000, 100_000, 1, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b"")
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    return file


def animation(file: Path) -> Path:
    """Writes an animation, in the format of its ending."""
    frames = [Image.new("RGB", (20, 10), (shade, 0, 0)) for shade in (0, 120, 240)]
    frames[0].save(file, save_all=True, append_images=frames[1:])
    return file
