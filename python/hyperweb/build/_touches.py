"""What a source file reaches: the responses that something of it is in, and what that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperweb.site._urls import encoded, slugify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hyperweb.build._graph import Graph

PARTS = {"page": "text", "summary": "summary", "toc": "headings", "prev": "older neighbour", "next": "newer neighbour"}
_ALL = "all of it"
_PLACE = "that it is in the list, and where"
_SETTINGS = ("site.toml",)


def touches(source: str, graph: Graph) -> dict[str, list[str]]:
    """Returns for each response that something of a source is in what that is.

    Args:
        source: The file, relative to the site.
        graph: The graph of a finished build.
    """
    parts = dict(_parts(source, graph))
    return {
        url: sorted({parts[number] for number in graph.nodes[url] if number in parts})
        for url in sorted(graph.nodes)
        if not parts.keys().isdisjoint(graph.nodes[url])
    }


def _parts(source: str, graph: Graph) -> Iterator[tuple[int, str]]:
    """Yields the dependencies that something of the source stands behind, by number, and what that is."""
    kept = graph.memory.documents.get(source)
    tags = {slugify(tag) for tag in kept.meta.tags} if kept is not None else set()
    section = kept.meta.section if kept is not None else None
    assets = _assets_of(source, graph)
    for number, name in enumerate(graph.names):
        kind, _, rest = name.partition(":")
        part = _part_of(kind, rest, source)
        if part is None and kept is not None:
            if kind in {"prev", "next"} and graph.values[number] == source:
                part = "that it is the neighbour"
            elif kind == "facts":
                part = rest
            elif (
                kind in {"pages", "tags"}
                or (kind == "section" and rest == section)
                or (kind in {"tag-pages", "tag-name"} and rest in tags)
            ):
                part = _PLACE
        if part is None and (rest in assets if kind == "asset" else kind == "assets" and assets):
            part = "its address"
        if part is not None:
            yield number, part


def _part_of(kind: str, name: str, source: str) -> str | None:
    """Returns what of a source a dependency that names it stands for, or None where it names another."""
    if kind == "fact":
        field, _, path = name.partition(":")
        return field if path == source else None
    if kind == "template":
        return _ALL if source in {name, f"templates/{name}"} else None
    if kind == "data":
        stem = source.removeprefix("data/").rpartition(".")[0].rpartition("/")[2]
        return _ALL if source.startswith("data/") and stem == name else None
    if kind == "image":
        return "its variants" if name.partition(":")[2] == source else None
    if kind == "file":
        return _ALL if name == source else None
    if kind == "exists":
        return "whether it is there" if name == source else None
    if kind == "settings":
        return "the settings" if source in _SETTINGS else None
    return PARTS.get(kind) if name == source else None


def _assets_of(source: str, graph: Graph) -> set[str]:
    """Returns the assets whose address changes with a source: itself, and what it is built into."""
    if not source.startswith("assets/"):
        return set()
    number = next((at for at, name in enumerate(graph.names) if name == f"file:{source}"), None)
    urls = {encoded(url) for url, reads in graph.nodes.items() if number in reads}
    named = zip(graph.names, graph.values, strict=True)
    made = {name.removeprefix("asset:") for name, value in named if name.startswith("asset:") and value in urls}
    return made | {source.removeprefix("assets/")}
