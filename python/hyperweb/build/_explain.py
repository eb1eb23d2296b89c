"""Why a response was made anew, and what a source reaches: the build graph, read out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from hyperweb.build._graph import Graph

_PARTS = {"page": "text", "summary": "summary", "toc": "headings", "prev": "older neighbour", "next": "newer neighbour"}
_LISTS = {
    "pages": "which pages there are, and their order",
    "tags": "which tags there are",
    "settings": "the settings",
    "assets": "the addresses of all assets",
}
_NAMED = {
    "section": "which pages are in the section `{}`, and their order",
    "tag-pages": "which pages have the tag at `{}`, and their order",
    "tag-name": "the name of the tag at `{}`",
    "facts": "the {} of every page",
    "data": "the data file `{}`",
    "asset": "the address of assets/{}",
    "exists": "whether {} is there",
}
# A screen holds about so many lines.
_SHOWN = 20


class Explanation(msgspec.Struct):
    """What the build graph knows of a response or of a source.

    Attributes:
        path: The URL path of the response, or the source's path relative to the site.
        made: Whether the response was made in this build; None for a source.
        why: Why it was made, if it was.
        reads: What the response was made from.
        touches: For a source, the responses that something of it is in, and what that is.
    """

    path: str
    made: bool | None = None
    why: list[str] = []
    reads: list[str] = []
    touches: dict[str, list[str]] = {}

    def text(self) -> str:
        """Returns it for a person to read."""
        if self.made is None and not self.touches:
            return f"{self.path}: no response of this site, and no file that one is made from"
        if self.made is None:
            lines = [f"{url}: {', '.join(what)}" for url, what in self.touches.items()]
            return _listed(f"{self.path} is in {len(lines)} response{'s' if len(lines) > 1 else ''}:", lines)
        parts = [_listed(f"{self.path} is made from:", self.reads)]
        if self.made:
            parts.insert(0, _listed(f"{self.path} was made anew:", self.why))
        else:
            parts.insert(0, f"{self.path} was taken over: nothing it is made from changed")
        return "\n".join(parts)


def explain(
    path: str, root: Path, graph: Graph, *, made: Collection[str], changed: Iterable[str] | None
) -> Explanation:
    """Returns what the graph of a finished build knows of `path`.

    Args:
        path: A URL path, or a file of the site as one types it.
        root: The site's folder.
        graph: The graph.
        made: The URLs that were made in this build.
        changed: The dependencies that changed; None where everything was made, whatever had changed.
    """
    for url in (path, f"{path}/"):
        if url in graph.nodes:
            return _of_response(url, graph, made=url in made, changed=changed)
    source = _relative(path, root)
    touches = {}
    for url in sorted(graph.nodes):
        parts = [part for name in graph.reads(url) if (part := _part_of(name, source)) is not None]
        if parts:
            touches[url] = sorted(parts)
    return Explanation(source, touches=touches)


def _of_response(url: str, graph: Graph, *, made: bool, changed: Iterable[str] | None) -> Explanation:
    reads = sorted(graph.reads(url))
    why = []
    if made and changed is None:
        why = ["nothing could be taken over: it is the first build, `--clean`, or settings or hyperweb itself changed"]
    elif made:
        why = [said(name) for name in sorted(set(reads).intersection(changed or ()))]
        why = why or ["it is new, or what it is made from is other than the last time"]
    return Explanation(url, made=made, why=why, reads=[said(name) for name in reads])


def said(dependency: str) -> str:
    """Returns a dependency in words."""
    kind, _, name = dependency.partition(":")
    if kind == "fact":
        field, _, path = name.partition(":")
        return f"the {field} of {path}"
    if kind == "image":
        return f"the picture {name.partition(':')[2]}"
    if kind in _PARTS:
        return f"the {_PARTS[kind]} of {name}"
    if kind == "template":
        return name if name.startswith("pages/") else f"templates/{name}"
    if kind in _NAMED:
        return _NAMED[kind].format(name)
    return _LISTS.get(kind, name)


def _part_of(dependency: str, source: str) -> str | None:
    """Returns what of a source a dependency stands for, or None where it is about another."""
    kind, _, name = dependency.partition(":")
    if kind == "fact":
        field, _, path = name.partition(":")
        return field if path == source else None
    if kind == "template":
        return "all of it" if source in {name, f"templates/{name}"} else None
    if kind == "data":
        stem = source.removeprefix("data/").rpartition(".")[0].rpartition("/")[2]
        return "all of it" if source.startswith("data/") and stem == name else None
    if kind == "image":
        return "its variants" if name.partition(":")[2] == source else None
    if kind == "asset":
        return "its address" if source == f"assets/{name}" else None
    if kind == "file":
        return "all of it" if name == source else None
    return _PARTS.get(kind) if name == source else None


def _relative(path: str, root: Path) -> str:
    file = Path(path).resolve()
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else path


def _listed(head: str, lines: list[str]) -> str:
    shown = [f"  {line}" for line in lines[:_SHOWN]]
    if len(lines) > _SHOWN:
        shown.append(f"  … and {len(lines) - _SHOWN} more; --json has all")
    return "\n".join([head, *shown])
