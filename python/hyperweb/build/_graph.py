"""The build graph between builds: what each response was made from, and what stood behind that.

One file, `.hyperweb/graph`. A build leaves all responses made from one state of the sources, so the hash behind a
dependency is kept once and not once for each response; what changed since is found by one pass over the dependencies.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from hyperweb.site._renderer import Memory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hyperweb.site._values import Values

_VERSION = 2


class Graph(msgspec.Struct):
    """What the last build knew.

    Attributes:
        format: The version of this format.
        pack: The id of the pack that was written; another pack in its place makes the graph void.
        settings: The hash of the settings.
        names: All dependencies.
        values: The hash behind each, in the same order.
        nodes: For each URL the numbers of its dependencies.
        memory: What the renderer keeps.
    """

    format: int = _VERSION
    pack: str = ""
    settings: str = ""
    names: list[str] = []
    values: list[str] = []
    nodes: dict[str, list[int]] = {}
    memory: Memory = msgspec.field(default_factory=Memory)

    def unchanged(self, now: Values) -> set[str]:
        """Returns the URLs whose every dependency has the hash it had; `now` answers the hash of any dependency."""
        changed = {
            number
            for number, (name, value) in enumerate(zip(self.names, self.values, strict=True))
            if now[name] != value
        }
        return {url for url, numbers in self.nodes.items() if changed.isdisjoint(numbers)}

    def reads(self, url: str) -> list[str]:
        """Returns what the response at `url` was made from."""
        return [self.names[number] for number in self.nodes.get(url, ())]


def make_graph(reads: Mapping[str, list[str]], now: Values, *, settings: str, memory: Memory) -> Graph:
    """Returns the graph of a finished build.

    Args:
        reads: For each URL what it was made from.
        now: The hash behind each dependency.
        settings: The hash of the settings.
        memory: What the renderer keeps.
    """
    numbers: dict[str, int] = {}
    nodes = {url: [numbers.setdefault(name, len(numbers)) for name in sorted(found)] for url, found in reads.items()}
    names = list(numbers)
    return Graph(settings=settings, names=names, values=[now[name] for name in names], nodes=nodes, memory=memory)


def load_graph(folder: Path) -> Graph:
    """Returns the graph kept in `folder`, or an empty one when there is none, or none that can be used."""
    try:
        graph = msgspec.msgpack.decode((folder / "graph").read_bytes(), type=Graph)
    except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
        # Damage shows as bytes that are no UTF-8, or as values nested without end, too.
        return Graph()
    if graph.format != _VERSION or len(graph.names) != len(graph.values):
        return Graph()
    there = range(len(graph.names))
    used = set[int]().union(*graph.nodes.values())
    return graph if all(number in there for number in used) else Graph()


def save_graph(folder: Path, graph: Graph) -> None:
    """Writes the graph aside and puts it in place at once, so that an interrupted build leaves the last one."""
    data = msgspec.msgpack.encode(graph)
    aside = folder / f"graph.{os.getpid()}"
    aside.write_bytes(data)
    aside.replace(folder / "graph")
