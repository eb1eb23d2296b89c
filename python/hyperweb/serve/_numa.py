"""Which processors are near which memory (NUMA), as the kernel tells in /sys."""

from __future__ import annotations

import os
import sys
from pathlib import Path

SYSTEM = Path("/sys/devices/system/node")


def nodes(root: Path = SYSTEM, allowed: set[int] | None = None) -> list[list[int]]:
    """Returns the processors of each node of memory, those that this process may use.

    Args:
        root: Where the kernel tells of nodes.
        allowed: The processors that may be used; by default those that this process may run on.

    Returns:
        A list for each node that has any, or none at all where there are not at least two: then every place is as good
        as another.
    """
    if allowed is None:
        allowed = os.sched_getaffinity(0) if sys.platform == "linux" else set()
    try:
        folders = sorted((int(one.name[4:]), one) for one in root.iterdir() if one.name[4:].isdecimal())
    except OSError:
        return []
    found = [sorted(_processors(folder / "cpulist") & allowed) for _, folder in folders]
    usable = [one for one in found if one]
    return usable if len(usable) > 1 else []


def _processors(path: Path) -> set[int]:
    """Reads a list such as `0-3,8,10-11`; what is none is empty."""
    found: set[int] = set()
    try:
        for part in path.read_text(encoding="ascii").strip().split(","):
            if part:
                first, _, last = part.partition("-")
                found.update(range(int(first), int(last or first) + 1))
    except (OSError, ValueError):
        return set()
    return found


def place(found: list[list[int]], taken: list[list[int]]) -> list[int]:
    """Returns the processors for another worker, those of the node that has the fewest of them.

    Args:
        found: The processors of each node, as [`nodes`][hyperweb.serve._numa.nodes] tells them.
        taken: The processors of the workers that there are.

    Returns:
        Nothing where it may run anywhere.
    """
    return min(found, key=taken.count) if found else []
