"""Whether pages are as small as they were meant to be."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING
from urllib.parse import unquote

from hyperweb.check._fault import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hyperweb import _core
    from hyperweb.check._pages import CheckedPage
    from hyperweb.site._assets import Assets
    from hyperweb.site._node import Node

_KINDS = {"style": "css", "script": "js", "image": "images"}
_WHAT = {"html": "HTML", "css": "CSS", "js": "JavaScript", "images": "pictures"}


class Budgets:
    """The sizes of a built site against what they may be.

    Args:
        budgets: The most bytes by kind: `html`, `css`, `js`, `images`, `file`.
        pack: The built site.
        nodes: Its responses by URL path.
        assets: Its assets, which know what they import.
    """

    def __init__(self, budgets: Mapping[str, int], pack: _core.Pack, nodes: Mapping[str, Node], assets: Assets) -> None:
        self._budgets = budgets
        self._nodes = nodes
        self._assets = assets
        self._sizes = {path: min((size for _, size in found), default=0) for path, _, found in pack.sizes()}
        self._imported: dict[str, list[str]] = {}

    def faults(self, pages: Mapping[str, CheckedPage]) -> Iterator[Fault]:
        """Yields what is larger than it may be."""
        named: dict[str, str] = {}
        for url, page in pages.items():
            named.setdefault(url, page.node.source)
            sizes = {"html": {url: self.size(url)}, "css": {}, "js": {}, "images": {}}
            for kind, files in self._files(page).items():
                sizes[kind] = files
                for file in files:
                    named.setdefault(file, self._nodes[file].source)
            for kind, files in sizes.items():
                total, most = sum(files.values()), self._budgets.get(kind, 0)
                if most and total > most:
                    yield Fault(
                        "budget",
                        *_said("the page", total, most, files, f" of {_WHAT[kind]}"),
                        url,
                        source=page.node.source,
                    )
        most = self._budgets.get("file", 0)
        for file, source in named.items():
            if most and self.size(file) > most:
                yield Fault("budget", *_said("the file", self.size(file), most, {}), "", source=source)

    def size(self, path: str) -> int:
        """Returns how many bytes of body are sent for a path, at best."""
        return self._sizes.get(path, 0)

    def _files(self, page: CheckedPage) -> dict[str, dict[str, int]]:
        """Returns the files that a page loads, with their sizes: of those it is a choice of, the largest."""
        choices: dict[tuple[str, int], str] = {}
        for reference in page.references:
            kind = _KINDS.get(reference.kind)
            path = unquote(reference.url.partition("#")[0].partition("?")[0])
            if kind is None or path not in self._nodes:
                continue
            key = (kind, reference.choice)
            if key not in choices or self.size(path) > self.size(choices[key]):
                choices[key] = path
        found: dict[str, dict[str, int]] = defaultdict(dict)
        for (kind, _), path in choices.items():
            for file in [path, *(self._imports(path) if kind == "js" else ())]:
                found[kind][file] = self.size(file)
        return found

    def _imports(self, path: str) -> list[str]:
        if path not in self._imported:
            name = self._nodes[path].target
            names = self._assets.sources(name)[1:] if name in self._assets else []
            self._imported[path] = [url for one in names if (url := unquote(self._assets.url(one))) in self._nodes]
        return self._imported[path]


def _said(what: str, size: int, most: int, files: Mapping[str, int], kind: str = "") -> tuple[str, str]:
    largest = max(files, key=lambda file: files[file]) if len(files) > 1 else None
    hint = f"the largest part is {largest} with {files[largest]:,} bytes" if largest else "make it smaller"
    return f"{what} has {size:,} bytes{kind}, and the budget is {most:,}", f"{hint}; `check.budgets` sets the budget"
