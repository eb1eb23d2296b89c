"""Reads a site's settings: command line over `HYPERWEB_*` over site.toml over defaults."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from hyperweb.config._errors import ConfigError
from hyperweb.config._settings import Settings
from hyperweb.config._site import SiteConfig
from hyperweb.errors import source_frame

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENV_PREFIX = "HYPERWEB_"
# Variables of that prefix which are not settings: they pass facts between hyperweb's own processes and tests.
_ENV_OTHER = frozenset({"HYPERWEB_ADMIN_SOCKET", "HYPERWEB_REQUIRE_PROGRAMS", "HYPERWEB_TRACES", "HYPERWEB_LOG"})
_ERROR_PATH = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>.+)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>[^`]+)`")


def load_site(root: str | Path, overrides: Mapping[str, Any] | None = None) -> SiteConfig:
    """Reads the settings of the site in the folder `root`.

    Args:
        root: The site's folder.
        overrides: Settings from the command line by dotted name (`"serve.port"`); None values are left out.

    Raises:
        ConfigError: The folder or its site.toml is missing or cannot be used.
    """
    folder = Path(root)
    if not folder.exists():
        raise ConfigError(f"no site here: the folder {folder} does not exist", hint="give the path of a site's folder")
    if not folder.is_dir():
        raise ConfigError(f"not a site: {folder} is not a folder", hint="give the folder that holds site.toml")
    folder = folder.resolve()
    file = folder / "site.toml"
    text = _read(file, folder)
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(file, text, error) from None
    settings = _convert(table, file, text)
    layered = msgspec.to_builtins(settings)
    for name, value in _from_environment(os.environ):
        _put(layered, name, value)
    for name, value in (overrides or {}).items():
        if value is not None:
            _put(layered, name, value)
    try:
        settings = msgspec.convert(layered, Settings, strict=False)
    except msgspec.ValidationError as error:
        what, path = _split(error)
        raise ConfigError(
            f"the setting {path or '(unknown)'} cannot be used: {what}",
            hint="it comes from the command line or from a HYPERWEB_* variable",
        ) from None
    return SiteConfig(folder, settings)


def _read(file: Path, folder: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"no site here: {folder} has no site.toml", hint='create it with one line: title = "My site"'
        ) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError("this is not UTF-8 text", file=file, line=line, hint="save the file as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=file, hint="check its permissions") from None


def _syntax_error(file: Path, text: str, error: tomllib.TOMLDecodeError) -> ConfigError:
    found = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
    message = re.sub(r"\s*\(at [^)]*\)", "", str(error))
    line = int(found[1]) if found else max(1, text.count("\n"))
    column = int(found[2]) if found else None
    return ConfigError(
        f"not valid TOML: {message}", file=file, line=line, frame=source_frame(text, line, column=column)
    )


def _convert(table: dict[str, Any], file: Path, text: str) -> Settings:
    try:
        return msgspec.convert(table, Settings)
    except msgspec.ValidationError as error:
        what, path = _split(error)
        unknown = _UNKNOWN.match(what)
        if unknown:
            name = unknown["name"]
            dotted = f"{path}.{name}" if path else name
            near = difflib.get_close_matches(dotted, setting_names(), n=1, cutoff=0.5)
            hint = f"did you mean `{near[0]}`?" if near else "see the settings reference for the names there are"
            message = f"unknown setting `{dotted}`"
        else:
            dotted = path
            message = f"wrong value for `{dotted}`: {what[0].lower()}{what[1:]}"
            about = describe(re.sub(r"\[\d+\]", "", dotted))
            hint = about or "see the settings reference"
        line = line_of(text, dotted)
        frame = source_frame(text, line) if line else None
        raise ConfigError(message, file=file, line=line, hint=hint, frame=frame) from None


def _split(error: msgspec.ValidationError) -> tuple[str, str]:
    found = _ERROR_PATH.match(str(error))
    if not found:
        return str(error), ""
    return found["what"], (found["path"] or "").removeprefix("$").removeprefix(".")


def line_of(text: str, dotted: str) -> int | None:
    """Returns the line (from 1) on which the key `dotted` of a TOML text stands, or the table it would stand in."""
    parts = [part for part in re.split(r"\.|\[(?:\d+|\.\.\.)\]", dotted) if part]
    table: list[str] = []
    best: int | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        heading = re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]?\]", line)
        if heading:
            table = [name.strip().strip("\"'") for name in heading[1].split(".")]
            if table == parts:
                return number
            if table == parts[: len(table)]:
                best = number
            continue
        key = re.match(r"\s*([A-Za-z0-9_.\-\"']+)\s*=", line)
        if not key:
            continue
        name = [*table, *(part.strip("\"'") for part in key[1].split("."))]
        if name == parts:
            return number
        if name == parts[: len(name)]:
            best = number
    return best


def setting_names() -> list[str]:
    """Returns the dotted names of all settings."""
    names = []
    for field in msgspec.structs.fields(Settings):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            names += [f"{field.name}.{inner.name}" for inner in msgspec.structs.fields(field.type)]
        names.append(field.name)
    return names


def describe(dotted: str) -> str | None:
    """Returns what the setting means, with its unit, or None where there is no such setting."""
    struct: Any = Settings
    about: str | None = None
    for part in dotted.split("."):
        field = next((field for field in msgspec.structs.fields(struct) if field.name == part), None)
        if field is None:
            return about
        about = None
        for meta in getattr(field.type, "__metadata__", ()):
            if isinstance(meta, msgspec.Meta) and meta.description:
                unit = (meta.extra or {}).get("unit")
                about = meta.description + (f" (in {unit})" if unit else "")
        struct = field.type
        if not (isinstance(struct, type) and issubclass(struct, msgspec.Struct)):
            return about
    return about


def _from_environment(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    names = {_ENV_PREFIX + name.upper().replace(".", "_"): name for name in setting_names()}
    found = []
    for variable, value in environ.items():
        if not variable.startswith(_ENV_PREFIX) or variable in _ENV_OTHER:
            continue
        name = names.get(variable)
        if name is None:
            near = difflib.get_close_matches(variable, names, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else "unset it, or see the settings reference"
            raise ConfigError(f"the environment variable {variable} names no setting", hint=hint)
        found.append((name, value))
    return found


def _put(table: dict[str, Any], dotted: str, value: object) -> None:
    *path, last = dotted.split(".")
    for part in path:
        table = table.setdefault(part, {})
    table[last] = value
