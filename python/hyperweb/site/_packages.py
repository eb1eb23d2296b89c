"""What a bundle was made of beside the site's own files: whether any of it changed since."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "bundle"
"""Where bundles are kept, in `.hyperweb/`."""
FOREIGN = "foreign"
"""The file there that says which files of others they were made of."""
_PUBLIC = "PUBLIC_"


class Stat(msgspec.Struct, frozen=True, array_like=True):
    """What tells that a file was not touched; -1 where there is none."""

    size: int
    modified: int
    inode: int


def stat_of(file: str) -> Stat:
    """Returns what tells later that a file was not touched."""
    try:
        found = os.stat(file)  # noqa: PTH116 - of thousands of files, in every build
    except OSError:
        return Stat(-1, -1, -1)
    return Stat(found.st_size, found.st_mtime_ns, found.st_ino)


def packages_changed(state: Path) -> bool:
    """Whether a file that is not the site's own changed since the last build, or the environment that scripts see."""
    try:
        foreign, seen = _kept(state)
    except FileNotFoundError:
        return False
    except (OSError, msgspec.MsgspecError):
        return True
    return seen != environment() or any(stat_of(file) != stat for file, stat in foreign.items())


def foreign_files(state: Path) -> list[str]:
    """Returns the files that are not the site's own and that the last build is made of.

    Raises:
        OSError: It cannot be read which these are.
        ValueError: What was kept of them is damaged.
    """
    try:
        return list(_kept(state)[0])
    except FileNotFoundError:
        return []


def _kept(state: Path) -> tuple[dict[str, Stat], dict[str, str]]:
    kept = (state / FOLDER / FOREIGN).read_bytes()
    return msgspec.json.decode(kept, type=tuple[dict[str, Stat], dict[str, str]])


def environment() -> dict[str, str]:
    """Returns the variables of the environment that scripts see as `import.meta.env`: those named `PUBLIC_*`."""
    return {name: value for name, value in sorted(os.environ.items()) if name.startswith(_PUBLIC)}
