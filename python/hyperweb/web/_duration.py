"""Lengths of time as people write them: `90`, `30s`, `10m`, `2h`, `1d`."""

from __future__ import annotations

import re

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PART = re.compile(r"([0-9]{1,9})([smhdw]?)")
_WHOLE = re.compile(r"[0-9]{1,9}|(?:[0-9]{1,9}[smhdw])+")


def seconds(value: str | float) -> int:
    """Returns a length of time in whole seconds.

    Args:
        value: A number of seconds, or text such as `10m` or `1h30m`.

    Raises:
        ValueError: The text is not a length of time, or the number is negative.
    """
    if isinstance(value, str):
        text = value.strip().lower()
        if _WHOLE.fullmatch(text) is None:
            msg = f"{value!r} is not a length of time; write it like '30s', '10m', '1h30m' or '1d'"
            raise ValueError(msg)
        return sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(text))
    if value < 0:
        msg = f"a length of time is not negative: {value}"
        raise ValueError(msg)
    return int(value)
