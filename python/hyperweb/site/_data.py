"""The files of data/: TOML, JSON and YAML that templates read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from hyperweb import _core
from hyperweb.errors import source_frame
from hyperweb.site._errors import SiteError
from hyperweb.site._toml import parse_toml

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FORMATS = (".toml", ".json", ".yaml", ".yml")


def read_data(root: Path, paths: Iterable[str]) -> dict[str, Any]:
    """Reads the data files `paths` (relative to `root`) by stem.

    Raises:
        SiteError: A file cannot be read or parsed, or two have one name.
    """
    found: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for path in sorted(paths):
        name = path.rpartition("/")[2]
        stem, dot, ending = name.rpartition(".")
        if dot + ending not in FORMATS:
            continue
        if stem in origin:
            raise SiteError(f"two data files are named `{stem}`: {origin[stem]} and {path}", hint="rename one of them")
        origin[stem] = path
        found[stem] = _read(root / path, dot + ending, f"{root.name}/{path}")
    return found


def _read(file: Path, ending: str, shown: str) -> Any:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SiteError("this is not UTF-8 text", file=shown, line=line, hint="save the file as UTF-8") from None
    except OSError as error:
        raise SiteError(f"cannot be read: {error.strerror}", file=shown, hint="check its permissions") from None
    if ending == ".toml":
        return parse_toml(text, shown, text)
    if ending == ".json":
        return _json(text, shown)
    return _yaml(text, shown)


def _json(text: str, shown: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        line, reason, hint = 1, "it is nested too deeply", "take some levels out"
    except msgspec.DecodeError as error:
        place = re.search(r"\(byte (\d+)\)", str(error))
        line = text.encode().count(b"\n", 0, int(place[1])) + 1 if place else max(1, len(text.splitlines()))
        reason = re.sub(r"^JSON is malformed: |\s*\(byte \d+\)", "", str(error))
        hint = "names and text stand in double quotes, a comma stands between two values and none after the last"
    raise SiteError(f"not valid JSON: {reason}", file=shown, line=line, frame=source_frame(text, line), hint=hint)


def _yaml(text: str, shown: str) -> Any:
    try:
        return msgspec.json.decode(_core.yaml_to_json(text, shown))
    except _core.SourceError as error:
        raise SiteError(
            error.message, file=shown, line=error.line, column=error.column, frame=error.frame, hint=error.hint
        ) from None
