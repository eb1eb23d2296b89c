"""Minifies single files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperweb import _core

if TYPE_CHECKING:
    from pathlib import Path

_SCRIPTS = {".js", ".mjs", ".ts", ".tsx", ".jsx", ".mts"}


def minify_file(file: Path) -> bytes:
    """Returns a file minified by its ending; a file of no known kind as it is.

    Raises:
        hyperweb._core.SourceError: It is not valid; it says where.
    """
    ending = file.suffix.lower()
    data = file.read_bytes()
    text = data.decode(errors="surrogateescape")
    if ending in {".html", ".htm"}:
        made = _core.minify_html(text)
    elif ending == ".css":
        made = _core.transform_css(file.name, {file.name: text}, {}, minify=True)
    elif ending in _SCRIPTS:
        made = _core.transform_js(text, {}, filename=file.name, minify=True)
    elif ending in {".json", ".webmanifest"}:
        made = _core.minify_json(text) or text
    elif ending in {".xml", ".rss", ".atom", ".svg"}:
        made = _core.minify_svg(text) if ending == ".svg" else _core.minify_xml(text)
    else:
        return data
    return made.encode(errors="surrogateescape")
