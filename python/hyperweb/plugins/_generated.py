"""The files that plugins bring into a site, and which of a site's files these are."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from hyperweb.config._site import SOURCES
from hyperweb.plugins._load import PluginError

if TYPE_CHECKING:
    from pathlib import Path

    from hyperweb.plugins._load import Plugins

_NAME = "generated.json"


def write_generated(root: Path, state: Path, plugins: Plugins) -> None:
    """Writes what plugins bring, where it is other than what is there, and removes what they no longer bring.

    Args:
        root: The site's folder.
        state: Its folder of state, where it is noted which files are theirs.
        plugins: The plugins.

    Raises:
        PluginError: A plugin failed, or would overwrite what is not its own.
    """
    known = _known(state / _NAME)
    if not known and not plugins.of("source"):
        return
    found = plugins.source()
    now: dict[str, str] = {}
    for path, (name, data) in found.items():
        parts = PurePosixPath(path).parts
        if not parts[1:] or parts[0] not in SOURCES or ".." in parts:
            _refuse(plugins, name, f"`source` gave {path!r}, which is no path in a folder of a site's sources")
        file = root / path
        digest = now[path] = _digest(data)
        there = _digest(file.read_bytes()) if file.is_file() else None
        if there == digest:
            continue
        if there is not None and known.get(path) != there:
            _refuse(plugins, name, f"{path} stands there already, and was not made by it, or was changed since")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        except OSError as error:
            _refuse(plugins, name, f"{path} cannot be written: {error.strerror}")
    for path, digest in known.items():
        file = root / path
        if path not in now and file.is_file() and _digest(file.read_bytes()) == digest:
            file.unlink()
    state.mkdir(parents=True, exist_ok=True)
    (state / _NAME).write_bytes(msgspec.json.encode(now))


def _refuse(plugins: Plugins, name: str, reason: str) -> None:
    hint = "remove that file, or let the plugin give another path"
    raise PluginError(f"the plugin `{name}`: {reason}", file=plugins.file(name), hint=hint)


def _known(file: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, str])
    except (OSError, ValueError, msgspec.MsgspecError):
        return {}


def _digest(data: bytes) -> str:
    import hashlib

    return hashlib.blake2b(data, digest_size=16).hexdigest()
