"""The bodies every peer serves: exact sizes, the same bytes on every run, and hard to compress."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass
from functools import cache

KIB = 1024
SIZES_KIB = (1, 10, 64)
ALPHABET = string.ascii_letters + string.digits + "-_"


@dataclass(frozen=True, slots=True)
class Body:
    """A body and where it is served."""

    kib: int
    content: bytes

    @property
    def name(self) -> str:
        """The file's name, the same at every peer."""
        return f"{self.kib}k.txt"

    @property
    def path(self) -> str:
        """The path it is requested by."""
        return f"/{self.name}"


@cache
def bodies() -> tuple[Body, ...]:
    """Returns the bodies, smallest first: text lines of 64 characters, the last one cut to size."""
    return tuple(Body(kib, _text(kib * KIB)) for kib in SIZES_KIB)


def _text(size: int) -> bytes:
    choose = random.Random(size)
    letters = "".join(choose.choices(ALPHABET, k=size))
    lines = "".join(letters[at : at + 63] + "\n" for at in range(0, size, 63))
    return lines[:size].encode()
