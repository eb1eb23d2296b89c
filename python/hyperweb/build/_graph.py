"""The build graph between builds: what each response was made from, and what stood behind that.

One file, `.hyperweb/graph`. A build leaves all responses made from one state of the sources, so the hash behind a
dependency is kept once and not once for each response; what changed since is found by one pass over the dependencies.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from hyperweb.build._head import FORMAT, Head
from hyperweb.build._sizes import Made
from hyperweb.site._renderer import Memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from hyperweb.site._values import Values

# Dependencies that nothing has any more are dropped once there are this many for each that something has.
_GARBAGE = 2


class Graph(msgspec.Struct):
    """What the last build knew.

    Attributes:
        names: All dependencies, and maybe some that nothing depends on any more.
        values: The hash behind each, in the same order.
        nodes: For each URL the numbers of its dependencies.
        memory: What the renderer keeps.
        made: For each URL how it was made, the last time it was.
    """

    names: list[str] = []
    values: list[str] = []
    nodes: dict[str, list[int]] = {}
    memory: Memory = msgspec.field(default_factory=Memory)
    made: dict[str, Made] = {}

    def changed(self, now: Values) -> set[int]:
        """Returns the numbers of the dependencies whose hash is another; `now` answers the hash of any."""
        # Written out: this asks for every dependency of a site in every build.
        known = now.known
        return {
            number
            for number, (name, value) in enumerate(zip(self.names, self.values, strict=True))
            if (known.get(name) or now[name]) != value
        }

    def unaffected(self, numbers: AbstractSet[int]) -> set[str]:
        """Returns the URLs that depend on none of these dependencies."""
        return {url for url, reads in self.nodes.items() if numbers.isdisjoint(reads)}

    def reads(self, url: str) -> list[str]:
        """Returns what the response at `url` was made from."""
        return [self.names[number] for number in self.nodes.get(url, ())]


def make_graph(last: Graph, reads: Mapping[str, Iterable[str] | None], now: Values) -> Graph:
    """Returns the graph of a finished build.

    Args:
        last: The graph of the build before.
        reads: For each URL what it was made from; None where it was taken over from the build before.
        now: The hash behind each dependency.
    """
    if len(last.names) > _GARBAGE * sum(1 for _ in set[int]().union(*last.nodes.values())) + 1000:
        reads = {url: last.reads(url) if found is None else found for url, found in reads.items()}
        last = Graph()
    numbers = {name: number for number, name in enumerate(last.names)}
    nodes = {
        url: last.nodes[url] if found is None else [numbers.setdefault(name, len(numbers)) for name in sorted(found)]
        for url, found in reads.items()
    }
    # In the order of the numbers. What changed is asked for anew, and nothing that was taken over depends on it.
    return Graph(names=list(numbers), values=[now[name] for name in numbers], nodes=nodes)


def load_graph(folder: Path) -> Graph:
    """Returns the graph kept in `folder`, or an empty one when there is none, or none that can be used."""
    try:
        head, _, body = (folder / "graph").read_bytes().partition(b"\n")
        if msgspec.json.decode(head, type=Head).format != FORMAT:
            return Graph()
        graph = msgspec.msgpack.decode(body, type=Graph)
    except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
        # Damage shows as bytes that are no UTF-8, or as values nested without end, too.
        return Graph()
    if len(graph.names) != len(graph.values):
        return Graph()
    there = range(len(graph.names))
    used = set[int]().union(*graph.nodes.values())
    return graph if all(number in there for number in used) else Graph()


def save_graph(folder: Path, head: Head, graph: Graph) -> None:
    """Writes the graph aside and puts it in place at once, so that an interrupted build leaves the last one."""
    aside = folder / f"graph.{os.getpid()}"
    aside.write_bytes(msgspec.json.encode(head) + b"\n" + msgspec.msgpack.encode(graph))
    aside.replace(folder / "graph")
