"""Minifies single files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperweb import _core
from hyperweb.build._errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

_SCRIPTS = {".js", ".mjs", ".ts", ".tsx", ".jsx", ".mts"}
_KINDS = {".html", ".htm", ".css", *_SCRIPTS, ".json", ".webmanifest", ".xml", ".rss", ".atom", ".svg"}


def minify_file(file: Path) -> bytes:
    """Returns a file minified by its ending; a file of no known kind as it is.

    Raises:
        hyperweb._core.SourceError: It is not valid; it says where.
        BuildError: It is not UTF-8 text.
    """
    ending = file.suffix.lower()
    data = file.read_bytes()
    if ending not in _KINDS:
        return data
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BuildError("this is not UTF-8 text", file=file, line=line, hint="save the file as UTF-8") from None
    if ending in {".html", ".htm"}:
        made = _core.minify_html(text)
    elif ending == ".css":
        made = _core.transform_css(file.name, {file.name: text}, {}, minify=True)
    elif ending in _SCRIPTS:
        made = _core.transform_js(text, {}, filename=file.name, minify=True)
    elif ending in {".json", ".webmanifest"}:
        made = _core.minify_json(text) or text
    else:
        made = _core.minify_svg(text) if ending == ".svg" else _core.minify_xml(text)
    return made.encode()
