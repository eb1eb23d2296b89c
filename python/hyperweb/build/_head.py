"""Whether the last build is still good. It stands in front of the graph, for a build that has nothing to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 8
"""The version of the graph's format."""

_LONGEST = 4096


class Head(msgspec.Struct, frozen=True):
    """The first line of `.hyperweb/graph`.

    Attributes:
        format: The version of the format.
        pack: The id of the pack that was written; another pack in its place makes the graph void.
        settings: The hash of the settings.
        pages: How many pages it has.
        assets: How many assets, copied files and redirects.
    """

    format: int = FORMAT
    pack: str = ""
    settings: str = ""
    pages: int = 0
    assets: int = 0


def load_head(folder: Path) -> Head:
    """Returns what stands in front of the graph kept in `folder`, or an empty one where there is none to be used."""
    try:
        with (folder / "graph").open("rb") as file:
            head = msgspec.json.decode(file.readline(_LONGEST), type=Head)
    except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
        return Head()
    return head if head.format == FORMAT else Head()
