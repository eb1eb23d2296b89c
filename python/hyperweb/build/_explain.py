"""Why a response was made anew, and what a source reaches: the build graph, read out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hyperweb.build._touches import PARTS, touches

if TYPE_CHECKING:
    from collections.abc import Collection

    from hyperweb.build._graph import Graph

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
    path: str, root: Path, graph: Graph, *, made: Collection[str], changed: Collection[str] | None, last: Graph
) -> Explanation:
    """Returns what the graph of a finished build knows of `path`.

    Args:
        path: A URL path, or a file of the site as one types it.
        root: The site's folder.
        graph: The graph.
        made: The URLs that were made in this build.
        changed: The dependencies that changed; None where everything was made, whatever had changed.
        last: The graph of the build before: a response is made anew for what it was made from then.
    """
    for url in (path, f"{path}/"):
        if url in graph.nodes:
            why = _why(url, last, changed) if url in made else []
            return Explanation(url, made=url in made, why=why, reads=[said(name) for name in sorted(graph.reads(url))])
    source = _relative(path, root)
    return Explanation(source, touches=touches(source, graph))


def _why(url: str, last: Graph, changed: Collection[str] | None) -> list[str]:
    if changed is None:
        return ["nothing could be taken over: it is the first build, `--clean`, or settings or hyperweb itself changed"]
    if url not in last.nodes:
        return ["it is new"]
    why = [said(name) for name in sorted(set(last.reads(url)).intersection(changed))]
    return why or ["the last build's pack has no such response"]


def said(dependency: str) -> str:
    """Returns a dependency in words."""
    kind, _, name = dependency.partition(":")
    if kind == "fact":
        field, _, path = name.partition(":")
        return f"the {field} of {path}"
    if kind == "image":
        return f"the picture {name.partition(':')[2]}"
    if kind in PARTS:
        return f"the {PARTS[kind]} of {name}"
    if kind == "template":
        return name if name.startswith("pages/") else f"templates/{name}"
    if kind in _NAMED:
        return _NAMED[kind].format(name)
    return _LISTS.get(kind, name)


def _relative(path: str, root: Path) -> str:
    file = Path(path).resolve()
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else path


def _listed(head: str, lines: list[str]) -> str:
    shown = [f"  {line}" for line in lines[:_SHOWN]]
    if len(lines) > _SHOWN:
        shown.append(f"  … and {len(lines) - _SHOWN} more; --json has all")
    return "\n".join([head, *shown])
