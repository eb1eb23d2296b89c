"""Parses TOML, with errors that say where."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from hyperweb.errors import source_frame
from hyperweb.site._errors import SiteError

if TYPE_CHECKING:
    from pathlib import Path

_PLACE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)")


def parse_toml(toml: str, file: str | Path, text: str) -> dict[str, Any]:
    """Returns TOML parsed.

    Args:
        toml: The TOML, its lines numbered as in the file.
        file: The file, as an error shows it.
        text: The file's whole text, for an error.

    Raises:
        SiteError: It is not valid.
    """
    try:
        return tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        found = _PLACE.search(str(error))
        line = int(found[1]) if found and found[1] else max(1, toml.count("\n"))
        reason = _PLACE.sub("", str(error))
        hint = "a value is written `name = value`, and text stands in quotes"
    except RecursionError:
        line, reason, hint = 1, "it is nested too deeply", "take some levels out"
    raise SiteError(f"not valid TOML: {reason}", file=file, line=line, frame=source_frame(text, line), hint=hint)
