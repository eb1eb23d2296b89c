"""Reads a site's settings: command line over `HYPERWEB_*` over site.toml over defaults."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

import msgspec

from hyperweb.config._errors import ConfigError
from hyperweb.config._settings import Settings
from hyperweb.config._site import SiteConfig
from hyperweb.errors import source_frame

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENV_PREFIX = "HYPERWEB_"
# Variables of that prefix which are not settings: they pass facts between hyperweb's own processes and tests.
_ENV_OTHER = frozenset({"HYPERWEB_ADMIN_SOCKET", "HYPERWEB_HANDOVER", "HYPERWEB_REQUIRE_PROGRAMS", "HYPERWEB_LOG"})
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
        layered = msgspec.to_builtins(_convert(table, file, text))
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(file, text, error) from None
    except RecursionError:
        raise ConfigError("values are nested too deeply", file=file, hint="take some levels out") from None
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
    if settings.build.targets:
        _check_targets(settings.build.targets, file, text)
    if settings.images.folder and not settings.images.secret:
        raise ConfigError(
            "`images.folder` needs `images.secret`: without it anybody could ask for any amount of work",
            file=file,
            line=line_of(text, "images.folder"),
            hint="set HYPERWEB_IMAGES_SECRET, to the output of `openssl rand -hex 16` for one",
        )
    config = SiteConfig(folder, settings)
    if not config.out_is_apart:
        raise ConfigError(
            f"`build.out` is {settings.build.out!r}: building there would overwrite the site itself",
            file=file,
            line=line_of(text, "build.out"),
            hint="give it a folder of its own, such as `dist`",
        )
    return config


def _check_targets(queries: tuple[str, ...], file: Path, text: str) -> None:
    from hyperweb import _core

    try:
        _core.Targets(list(queries))
    except _core.SourceError as error:
        line = line_of(text, "build.targets")
        frame = source_frame(text, line) if line else None
        message = f"wrong value for `build.targets`: {error.message}"
        raise ConfigError(message, file=file, line=line, hint=error.hint, frame=frame) from None


def _read(file: Path, folder: Path) -> str:
    try:
        if file.exists() and not file.is_file():
            # Reading a pipe would wait for whoever writes to it.
            raise ConfigError("this is no regular file", file=file, hint="put a file of settings in its place")
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
        f"not valid TOML: {message}",
        file=file,
        line=line,
        frame=source_frame(text, line, column=column),
        hint="a setting is `name = value`, text stands in quotes, and a section begins with `[name]`",
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
            near = difflib.get_close_matches(re.sub(r"\[\d+\]", "", dotted), _keys(Settings), n=1, cutoff=0.5)
            hint = f"did you mean `{near[0]}`?" if near else "see the settings reference for the names there are"
            message = f"unknown setting `{dotted}`"
        else:
            dotted = path.removesuffix("[...]")
            what = "this is not how it is written" if "matching regex" in what else f"{what[0].lower()}{what[1:]}"
            message = f"wrong value for `{dotted}`: {what}"
            about = describe(re.sub(r"\[(\d+|\.\.\.)\]", "", dotted))
            hint = about or "see the settings reference"
        line = line_of(text, dotted)
        frame = source_frame(text, line) if line else None
        raise ConfigError(message, file=file, line=line, hint=hint, frame=frame) from None


def _split(error: msgspec.ValidationError) -> tuple[str, str]:
    found = _ERROR_PATH.match(str(error))
    if not found:
        return str(error), ""
    path = (found["path"] or "").removeprefix("key` in `")
    return found["what"], path.removeprefix("$").removeprefix(".")


_TEXT = re.compile(r"\'\'\'.*?\'\'\'|\"\"\".*?\"\"\"", re.DOTALL)
_HEADING = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\-\"\']+)\s*=")


def line_of(text: str, dotted: str) -> int | None:
    """Returns the line (from 1) on which the key `dotted` of a TOML text stands, or the table it would stand in."""
    wanted = re.findall(r"\[\d+\]|[^.\[\]]+", dotted.replace("[...]", ""))
    table: list[str] = []
    counts: dict[tuple[str, ...], int] = {}
    best: int | None = None
    deepest = 0
    # Lines of a text that spans several are none of keys.
    for number, line in enumerate(_TEXT.sub(lambda found: "\n" * found[0].count("\n"), text).split("\n"), start=1):
        heading = _HEADING.match(line)
        key = _KEY.match(line)
        if heading:
            table = _place(_names(heading[2]), counts, is_array=heading[1] == "[[")
            name = table
        elif key:
            name = [*table, *_names(key[1])]
        else:
            continue
        if len(name) > deepest and name == wanted[: len(name)]:
            best, deepest = number, len(name)
    return best


def _names(dotted: str) -> list[str]:
    return [name.strip().strip("\"'") for name in dotted.split(".")]


def _place(names: list[str], counts: dict[tuple[str, ...], int], *, is_array: bool) -> list[str]:
    """Returns the path of a table, with the number of each list of tables it stands in."""
    if is_array:
        counts[tuple(names)] = counts.get(tuple(names), -1) + 1
    found = []
    for end, name in enumerate(names, start=1):
        found.append(name)
        if tuple(names[:end]) in counts:
            found.append(f"[{counts[tuple(names[:end])]}]")
    return found


def setting_names() -> list[str]:
    """Returns the dotted names of all settings."""
    names = []
    for field in msgspec.structs.fields(Settings):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            names += [f"{field.name}.{inner.name}" for inner in msgspec.structs.fields(field.type)]
        names.append(field.name)
    return names


def variable_of(dotted: str) -> str:
    """Returns the environment variable that sets the setting `dotted`."""
    return _ENV_PREFIX + dotted.upper().replace(".", "_")


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
        struct = _table(field.type)
        if struct is None:
            return about
    return about


def _table(kind: Any) -> type[msgspec.Struct] | None:
    """Returns the structure of a table or of each of a list of tables, or None for any other type."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) is tuple:
        kind = get_args(kind)[0]
    return kind if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else None


def _keys(struct: type[msgspec.Struct], prefix: str = "") -> list[str]:
    """Returns the dotted names of all keys there are, those in lists of tables too."""
    found = []
    for field in msgspec.structs.fields(struct):
        found.append(prefix + field.name)
        inner = _table(field.type)
        if inner is not None:
            found += _keys(inner, f"{prefix}{field.name}.")
    return found


def _from_environment(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    names = {variable_of(name): name for name in setting_names()}
    found = []
    for variable, value in environ.items():
        if not variable.startswith(_ENV_PREFIX) or variable in _ENV_OTHER:
            continue
        name = names.get(variable)
        if name is None:
            # `HYPERWEB_PORT` is meant for `HYPERWEB_SERVE_PORT`.
            ending = "_" + variable.removeprefix(_ENV_PREFIX)
            near = [one for one in names if one.endswith(ending)] or difflib.get_close_matches(
                variable, names, n=1, cutoff=0.5
            )
            hint = f"did you mean {near[0]}?" if near else "unset it, or see the settings reference"
            raise ConfigError(f"the environment variable {variable} names no setting", hint=hint)
        found.append((name, value))
    return found


def _put(table: dict[str, Any], dotted: str, value: object) -> None:
    *path, last = dotted.split(".")
    for part in path:
        table = table.setdefault(part, {})
    table[last] = value
