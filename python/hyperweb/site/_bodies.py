"""The rendered Markdown of documents, kept between builds: a changed layout needs no text to be parsed anew.

One file, `.hyperweb/bodies`, that is only ever added to, and begun anew when most of it is of no use any more. What is
read back names the document and the hash of its source, so that damage, or the end of a build that was killed, only
means that a document is parsed again.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

_NAME = "bodies"
# Begun anew when it is so many times as long as what of it is in use, beyond a length that does not matter.
_GARBAGE = 3
_SMALL = 16 << 20


class Parsed(msgspec.Struct, array_like=True):
    """A document's text as HTML.

    Attributes:
        path: The document.
        hash: The hash of its source.
        version: The version of hyperweb that rendered it.
        html: The text.
        summary: The text up to `<!--more-->`, or its first paragraph.
        toc: The headings: level, anchor, text.
    """

    path: str
    hash: str
    version: str
    html: str
    summary: str
    toc: list[tuple[int, str, str]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Parsed).decode


class Place(msgspec.Struct, array_like=True, frozen=True):
    """Where a body stands in the file: its offset and its length in bytes."""

    at: int
    length: int


class Bodies:
    """The file of all bodies.

    Args:
        folder: The site's folder of state.
        used: How many bytes of the file are in use.
    """

    def __init__(self, folder: Path, used: int) -> None:
        file = folder / _NAME
        size = file.stat().st_size if file.is_file() else 0
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        # Another name, for a build that reads the old one may be at work.
        if size > (_SMALL if used else 0) and size > _GARBAGE * used:
            with contextlib.suppress(OSError):
                file.unlink()
        self._file = os.open(file, flags, 0o644)
        self._end = os.fstat(self._file).st_size
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0

    def close(self) -> None:
        """Writes what is left, and closes the file."""
        if self._file >= 0:
            self.flush()
            os.close(self._file)
            self._file = -1

    def add(self, body: Parsed) -> Place:
        """Adds a body, and returns where it will stand."""
        data = _encode(body)
        place = Place(self._end + self._waiting_bytes, len(data))
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > 1 << 20:
            self.flush()
        return place

    def flush(self) -> None:
        """Writes what waits to be written."""
        data = memoryview(b"".join(self._waiting))
        while data:
            written = os.pwrite(self._file, data, self._end)
            self._end += written
            data = data[written:]
        self._waiting.clear()
        self._waiting_bytes = 0

    def read(self, place: Place, path: str, digest: str, version: str) -> Parsed | None:
        """Returns a body, or None where there is none of this document and this source."""
        if place.at + place.length > self._end:
            self.flush()
        try:
            found = _decode(os.pread(self._file, place.length, place.at))
        except (OSError, ValueError, msgspec.MsgspecError):
            return None
        return found if (found.path, found.hash, found.version) == (path, digest, version) else None
