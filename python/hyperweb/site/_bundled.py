"""Which files of assets/ are bundled: what pages load, and what is only a part of that."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec

from hyperweb.site._documents import beside, is_relative

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hyperweb.site._assets import Imports
    from hyperweb.site._bundle import Bundler

_SCRIPTS = (".ts", ".tsx", ".mts", ".jsx", ".js", ".mjs")
_FOLDER = "/assets/"
# The assets hyperweb brings itself stand alone.
_BUILT_IN = "hyperweb/"


class Plan(msgspec.Struct):
    """What is bundled.

    Attributes:
        entries: The scripts that pages load and that are bundled.
        parts: The scripts that only others import: they have no address.
        sheets: The stylesheets that import from packages.
    """

    entries: list[str] = []
    parts: set[str] = set()
    sheets: list[str] = []


def plan_of(
    kept: Mapping[str, Imports],
    files: Mapping[str, str],
    bundler: Bundler,
    mentioned: Callable[[set[str]], set[str]],
    text: Callable[[str], str],
) -> Plan:
    """Returns what is bundled.

    A script is loaded by pages unless another one imports it; one that is imported is so as well where a template, or
    `build.entries`, names it.
    """
    own = {name: found for name, found in kept.items() if not name.startswith(_BUILT_IN)}
    scripts = {name for name in own if name.endswith(_SCRIPTS)}
    imported: set[str] = set()
    named: list[tuple[str, str]] = []
    for name in sorted(scripts):
        for url in own[name].urls:
            target = _target(name, url, files, _SCRIPTS)
            if target is not None and target.endswith(_SCRIPTS) and target != name:
                imported.add(target)
            elif target is None and is_relative(url) and not url.startswith((".", "/")):
                named.append((name, url))
    imported.update(target for target in bundler.aliased(named) if target in scripts)
    hidden = {name for name in scripts if name.rpartition("/")[2].startswith("_")}
    wanted = {name for name in scripts if any(fnmatch.fnmatch(name, glob) for glob in bundler.patterns)}
    doubtful = (imported | hidden) - wanted
    loaded = (scripts - doubtful) | (mentioned(doubtful) if doubtful else set())
    asks = re.compile("|".join([*_ASKS[bundler.licenses], *(rf"\b{re.escape(name)}\b" for name in bundler.names)]))
    entries = [
        name
        for name in sorted(loaded)
        if bundler.maps
        or own[name].urls
        or name in imported
        or name.endswith((".tsx", ".jsx"))
        or asks.search(text(name))
    ]
    styles = [name for name in sorted(own) if name.endswith(".css")]
    sheets = [
        name
        for name in styles
        if bundler.maps or _is_from_packages(name, own, files, set()) or _has_license(name, own, files, bundler, text)
    ]
    return Plan(entries=entries, parts=imported - set(entries), sheets=sheets)


# What a script that stands alone has to be bundled for: what it says of itself, and the licences it states.
_ASKS = {
    "drop": (r"import\.meta\.env",),
    "keep": (r"import\.meta\.env", r"/\*!|//!|@license|@preserve"),
    "extern": (r"import\.meta\.env", r"/\*!|//!|@license|@preserve"),
}


def _has_license(
    name: str, own: Mapping[str, Imports], files: Mapping[str, str], bundler: Bundler, text: Callable[[str], str]
) -> bool:
    """Whether a stylesheet, or one it imports, states a licence that does not stay where it is."""
    if bundler.licenses == "keep":
        return False
    todo = [name]
    for one in todo:
        if "/*!" in text(one):
            return True
        for url in own[one].urls:
            target = _target(one, url, files, ())
            if target is not None and target in own and target.endswith(".css") and target not in todo:
                todo.append(target)
    return False


def _is_from_packages(name: str, own: Mapping[str, Imports], files: Mapping[str, str], seen: set[str]) -> bool:
    if name in seen or name not in own:
        return False
    seen.add(name)
    for url in own[name].urls:
        target = _target(name, url, files, ())
        if target is None:
            if is_relative(url) and not url.startswith("."):
                return True
        elif target.endswith(".css") and _is_from_packages(target, own, files, seen):
            return True
    return False


def _target(name: str, url: str, files: Mapping[str, str], endings: Iterable[str]) -> str | None:
    """Returns the asset that a reference means, or None where it means none."""
    bare = unquote(url.partition("?")[0].partition("#")[0])
    if bare.startswith(_FOLDER):
        target = bare.removeprefix(_FOLDER)
    elif is_relative(bare) and (bare.startswith(".") or name.endswith(".css")):
        target = beside(name, bare)
    else:
        return None
    stem = target.rpartition(".")[0]
    candidates = [target, *(target + ending for ending in endings), *(f"{target}/index{ending}" for ending in endings)]
    if target.endswith((".js", ".jsx", ".mjs")):
        # TypeScript is imported by the name it will have.
        candidates += [stem + ending for ending in endings]
    return next((one for one in candidates if one in files), None)
