"""The files of data/: TOML, JSON and YAML that templates read."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import msgspec

from hyperweb import _core
from hyperweb.errors import source_frame
from hyperweb.site._errors import SiteError

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
        found[stem] = _read(root / path, dot + ending)
    return found


def _read(file: Path, ending: str) -> Any:
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SiteError("this is not UTF-8 text", file=file, hint="save the file as UTF-8") from None
    except OSError as error:
        raise SiteError(f"cannot be read: {error.strerror}", file=file, hint="check its permissions") from None
    try:
        if ending == ".toml":
            return tomllib.loads(text)
        if ending == ".json":
            return msgspec.json.decode(text)
        return _yaml(text, file)
    except (tomllib.TOMLDecodeError, msgspec.DecodeError) as error:
        kind = ending[1:].upper()
        raise SiteError(f"not valid {kind}: {error}", file=file, frame=source_frame(text, 1)) from None


def _yaml(text: str, file: Path) -> Any:
    try:
        return msgspec.json.decode(_core.yaml_to_json(text, file.name))
    except _core.SourceError as error:
        raise SiteError(error.message, file=file, line=error.line, frame=error.frame) from None
