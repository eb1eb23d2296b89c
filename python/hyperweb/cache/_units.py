"""Sizes and lengths of time, as numbers or as people write them."""

from __future__ import annotations

import re

from hyperweb.cache._errors import CacheError

_BYTES = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_WRITTEN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def size(value: str | int) -> int:
    """Returns a size in bytes, from a number or from a text like `"64MB"` or `"1.5 GiB"`.

    Raises:
        CacheError: It is no size.
    """
    if isinstance(value, int):
        if value < 0:
            message = f"{value} is no size in bytes"
            raise CacheError(message)
        return value
    found = _WRITTEN.fullmatch(value)
    unit = None if found is None else _BYTES.get(found[2].lower())
    if found is None or unit is None:
        message = f'{value!r} is no size; write it like "64MB" or "1.5GiB"'
        raise CacheError(message)
    return int(float(found[1]) * unit)


def seconds(value: str | float | None) -> float | None:
    """Returns a length of time in seconds, from a number or from a text like `"10m"`; None stays None.

    Raises:
        CacheError: It is no length of time.
    """
    if value is None:
        return None
    if isinstance(value, str):
        found = _WRITTEN.fullmatch(value)
        unit = None if found is None else _SECONDS.get(found[2].lower())
        if found is None or unit is None:
            message = f'{value!r} is no length of time; write it like "10m", "1.5h" or "250ms"'
            raise CacheError(message)
        return float(found[1]) * unit
    if not value >= 0:
        message = f"{value} is no length of time in seconds"
        raise CacheError(message)
    return float(value)
