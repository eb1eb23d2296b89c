"""The report of a build as a page: what is how large, as a map of areas and as tables."""

from __future__ import annotations

import re
import zlib
from html import escape
from typing import TYPE_CHECKING

from hyperweb.build._sizes import CODINGS, bytes_in_words
from hyperweb.build._treemap import Box, treemap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hyperweb.build._bundle_sizes import BundleSize
    from hyperweb.build._sizes import FileSize, KindSize, Sizes

# More rectangles than these could not be told apart.
_MOST = 400
_WHOLE = Box(0.0, 0.0, 100.0, 56.25)
# A name is shown where it has room, in parts of a hundred of the width.
_ROOM = Box(0.0, 0.0, 7.0, 2.6)
# A line of text, in the same.
_LINE = 2.0
_FRAME = "#374151"
_COLOURS = {
    "pages": "#3b6fb6",
    "styles": "#8a4fa3",
    "scripts": "#b5762a",
    "pictures": "#3f8f5b",
    "fonts": "#a84a5a",
    "other": "#6b7280",
}
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 75rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
.map { position: relative; width: 100%; aspect-ratio: 16 / 9; margin-bottom: 1rem }
.map div { position: absolute; overflow: hidden; box-sizing: border-box; border: 1px solid Canvas; color: #fff;
  font-size: 11px; padding: 1px 3px; white-space: nowrap; text-overflow: ellipsis }
table { border-collapse: collapse } th, td { padding: .15rem 1rem .15rem 0; text-align: right }
th:first-child, td:first-child { text-align: left } thead { border-bottom: 1px solid }
.key span { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 1em }
</style>
</head>
<body>
"""


def report_page(title: str, sizes: Sizes, files: Sequence[FileSize]) -> str:
    """Returns the report as HTML: one page that needs no other file.

    Args:
        title: The site's title.
        sizes: The sizes by kind, and the extremes.
        files: The size of every response.
    """
    heading = f"What {title} weighs"
    parts = [
        _HEAD.replace("{title}", escape(heading)),
        f"<h1>{escape(heading)}</h1>\n<p>Areas are bytes as they are sent, in the smallest coding.</p>\n",
        _key(sizes.kinds),
        '<div class="map">\n',
        *_map(files),
        "</div>\n",
        "<h2>By kind</h2>\n",
        _table(
            ("kind", "count", "source", *CODINGS),
            (
                (kind.kind, f"{kind.count:,}", *(bytes_in_words(getattr(kind, name)) for name in ("source", *CODINGS)))
                for kind in sizes.kinds
            ),
        ),
        "<h2>Largest to send</h2>\n",
        _table(
            ("path", "source", "plain", "compressed"),
            ((one.path, *map(bytes_in_words, (one.source, one.identity, one.best))) for one in sizes.largest),
        ),
        "<h2>Slowest to make</h2>\n",
        _table(
            ("path", "milliseconds"),
            ((one.path, f"{one.milliseconds:.1f}") for one in sizes.slowest if one.milliseconds),
        ),
    ]
    if sizes.bundles:
        parts += [
            "<h2>In the bundles</h2>\n",
            "<p>Each bundle is as large as it is sent, and in it each module by its bytes before minifying.</p>\n",
            '<div class="map">\n',
            *_bundles(sizes.bundles),
            "</div>\n",
            _table(("package", "bundles", "modules", "bytes"), _packages(sizes.bundles)),
        ]
    if sizes.budgets:
        parts += [
            "<h2>Budgets</h2>\n",
            _table(
                ("budget", "limit", "over", "largest", "has"),
                (
                    (one.budget, bytes_in_words(one.limit), str(one.over), one.largest, bytes_in_words(one.bytes))
                    for one in sizes.budgets
                ),
            ),
        ]
    return "".join([*parts, "</body>\n</html>\n"])


def _map(files: Sequence[FileSize]) -> Iterator[str]:
    """Yields the rectangles: those of one kind stand together, the largest kind first."""
    kinds: dict[str, list[FileSize]] = {}
    for file in sorted(files, key=lambda one: (-one.best, one.path)):
        if file.best:
            kinds.setdefault(file.kind, []).append(file)
    ordered = sorted(kinds.items(), key=lambda one: -sum(file.best for file in one[1]))
    boxes = treemap([sum(file.best for file in found) for _, found in ordered], _WHOLE)
    for (kind, found), box in zip(ordered, boxes, strict=True):
        shown, rest = found[:_MOST], found[_MOST:]
        named = [(file.path, file.best) for file in shown]
        if rest:
            named.append((f"{len(rest):,} more {kind}", sum(file.best for file in rest)))
            named.sort(key=lambda one: -one[1])
        for (name, size), inner in zip(named, treemap([size for _, size in named], box), strict=True):
            yield _rectangle(name, size, _COLOURS[kind], inner)


def _bundles(bundles: Sequence[BundleSize]) -> Iterator[str]:
    """Yields the rectangles of bundles, and in each those of its modules below its name."""
    shown = [one for one in bundles if one.best][:_MOST]
    for bundle, box in zip(shown, treemap([one.best for one in shown], _WHOLE), strict=True):
        yield _rectangle(bundle.path, bundle.best, _FRAME, box)
        inner = _below_name(box)
        named = [(one.file, one.package, one.bytes) for one in bundle.modules if one.bytes]
        if rest := named[_MOST:]:
            named = [*named[:_MOST], (f"{len(rest):,} more modules", "", sum(size for *_, size in rest))]
            named.sort(key=lambda one: -one[2])
        for (name, package, size), place in zip(named, treemap([size for *_, size in named], inner), strict=True):
            yield _rectangle(name, size, _colour(package), place, within=f"{bundle.path}: ")


def _below_name(box: Box) -> Box:
    """Returns what of a rectangle is left for what is in it."""
    if box.width <= _ROOM.width or box.height <= _ROOM.height * 2:
        return box
    return Box(box.x, box.y + _LINE, box.width, box.height - _LINE)


def _colour(package: str) -> str:
    """Returns the colour of a package's modules: the same in every bundle and every report."""
    return _COLOURS["scripts"] if not package else f"hsl({zlib.crc32(package.encode()) % 360} 40% 38%)"


def _packages(bundles: Sequence[BundleSize]) -> Iterator[Sequence[str]]:
    """Yields a row for each package, the largest first."""
    sizes: dict[str, list[tuple[str, int]]] = {}
    for bundle in bundles:
        for module in bundle.modules:
            sizes.setdefault(module.package, []).append((bundle.path, module.bytes))
    for package, found in sorted(sizes.items(), key=lambda one: -sum(size for _, size in one[1])):
        count = len({path for path, _ in found})
        name = package or "the site's own"
        yield name, f"{count:,}", f"{len(found):,}", bytes_in_words(sum(size for _, size in found))


def _rectangle(name: str, size: int, colour: str, box: Box, *, within: str = "") -> str:
    style = (
        f"left:{box.x / _WHOLE.width:.4%};top:{box.y / _WHOLE.height:.4%};"
        f"width:{box.width / _WHOLE.width:.4%};height:{box.height / _WHOLE.height:.4%};background:{colour}"
    )
    said = escape(f"{within}{name} {bytes_in_words(size)}")
    inner = escape(_short(name)) if box.width > _ROOM.width and box.height > _ROOM.height else ""
    return f'<div title="{said}" style="{style}">{inner}</div>\n'


def _short(name: str) -> str:
    """Returns a path without the folders that its neighbours have too, and without the digest in it."""
    bare = re.sub(r"\.[0-9a-f]{10,16}(?=\.\w+$)", "", name)
    return "/".join(bare.rstrip("/").split("/")[-2:]) if bare != "/" else bare


def _key(kinds: Sequence[KindSize]) -> str:
    parts = [f'<span style="background:{_COLOURS[one.kind]}"></span>{one.kind}' for one in kinds]
    return f'<p class="key">{"".join(parts)}</p>\n'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    made = ["<table>\n<thead><tr>", *(f"<th>{escape(one)}</th>" for one in head), "</tr></thead>\n<tbody>\n"]
    for row in rows:
        made += ["<tr>", *(f"<td>{escape(one)}</td>" for one in row), "</tr>\n"]
    return "".join([*made, "</tbody>\n</table>\n"])
