"""The report of a build as a page: what is how large, as a map of areas and as tables."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from hyperweb.build._sizes import CODINGS, bytes_in_words
from hyperweb.build._treemap import Box, treemap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hyperweb.build._sizes import FileSize, KindSize, Sizes

# More rectangles than these could not be told apart.
_MOST = 400
_WHOLE = Box(0.0, 0.0, 100.0, 56.25)
# A name is shown where it has room, in parts of a hundred of the width.
_ROOM = Box(0.0, 0.0, 7.0, 2.6)
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
.map { position: relative; width: 100%; aspect-ratio: 16 / 9 }
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
            yield _rectangle(name, size, kind, inner)


def _rectangle(name: str, size: int, kind: str, box: Box) -> str:
    style = (
        f"left:{box.x / _WHOLE.width:.4%};top:{box.y / _WHOLE.height:.4%};"
        f"width:{box.width / _WHOLE.width:.4%};height:{box.height / _WHOLE.height:.4%};background:{_COLOURS[kind]}"
    )
    said = escape(f"{name} {bytes_in_words(size)}")
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
