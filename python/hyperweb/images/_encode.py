"""Makes variants of pictures: each is made once, and kept under its digest for as long as it is used."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from PIL import Image

    from hyperweb.images._variant import Variant

_DAY = 86_400
# Encoders count effort the other way round, or by steps of their own.
_MOST_EFFORT = 10
_WEBP_METHODS = 6


def folder_of(state: Path) -> Path:
    """Returns the folder of all variants, in the folder of a site's state."""
    return state / "images"


def encode(file: Path, wanted: Sequence[Variant], folder: Path) -> None:
    """Makes variants of one picture, which is decoded once, and puts each in place whole.

    Args:
        file: The picture.
        wanted: Its variants.
        folder: Where they are kept.

    Raises:
        OSError: The picture is damaged, or a variant cannot be written.
    """
    from hyperweb.images._pixels import open_upright

    folder.mkdir(parents=True, exist_ok=True)
    whole = open_upright(file)
    for variant in wanted:
        size = (variant.width, variant.height)
        if not variant.height:
            # Asked for before anybody knew how large the picture is.
            width = min(variant.width, whole.width)
            size = (width, max(1, round(whole.height * width / whole.width)))
        # Always of the whole: the bytes are the same whichever others are made with it.
        made = whole if whole.size == size else whole.resize(size, _filter(), reducing_gap=3.0)
        aside = folder / f"{variant.file}.{os.getpid()}.{threading.get_ident()}"
        try:
            _save(made, aside, variant)
            aside.replace(folder / variant.file)
        finally:
            aside.unlink(missing_ok=True)


def _filter() -> Image.Resampling:
    from PIL import Image

    return Image.Resampling.LANCZOS


def _save(image: Image.Image, file: Path, variant: Variant) -> None:
    if variant.format == "avif":
        speed = _MOST_EFFORT - variant.effort
        # One thread: the pool has one for each core, and the bytes are the same on every machine.
        image.save(file, "AVIF", quality=variant.quality, speed=speed, max_threads=1)
    elif variant.format == "webp":
        method = round(variant.effort * _WEBP_METHODS / _MOST_EFFORT)
        image.save(file, "WEBP", quality=variant.quality, method=method)
    elif variant.format == "jpeg":
        image.convert("RGB").save(file, "JPEG", quality=variant.quality, optimize=True, progressive=True)
    else:
        image.save(file, "PNG", optimize=True)


def missing(wanted: Iterable[Variant], folder: Path) -> dict[str, list[Variant]]:
    """Returns the variants that are not kept yet, by the picture they are of."""
    found: dict[str, list[Variant]] = {}
    known = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    for variant in wanted:
        if variant.file not in known:
            found.setdefault(variant.source, []).append(variant)
    return found


def sweep(used: Iterable[Variant], folder: Path, days: int) -> int:
    """Removes the variants that no build has used for some days, and notes which are used now.

    Args:
        used: The variants of this build.
        folder: Where they are kept.
        days: How long an unused one is kept; 0 is for ever.

    Returns:
        How many were removed.
    """
    if not folder.is_dir():
        return 0
    now = time.time()
    names = {variant.file for variant in used}
    removed = 0
    for entry in folder.iterdir():
        age = now - entry.stat().st_mtime
        with contextlib.suppress(OSError):
            if entry.name in names:
                # Once a day is often enough, and leaves builds with little to write.
                if age > _DAY:
                    os.utime(entry)
            elif days and age > days * _DAY:
                entry.unlink()
                removed += 1
    return removed
