"""Minifies texts and single files. The interpreter's lock is not held meanwhile."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from hyperweb import _core
from hyperweb.build._errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_SCRIPTS = {".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"}


def minify_html(source: str | bytes, *, targets: Sequence[str] | None = None) -> bytes:
    """Returns HTML, smaller: what a browser shows is the same.

    Args:
        source: The page, or a part of one, in UTF-8.
        targets: Browserslist queries that its styles are lowered for, an empty list for the browsers of the last two
            years; without, styles stay in the words they are in.

    Raises:
        BuildError: It is not UTF-8 text, or a query is none.
    """
    with _told():
        return _core.minify_html(_text(source), targets=_browsers(targets)).encode()


def minify_css(source: str | bytes, *, targets: Sequence[str] | None = None, filename: str = "style.css") -> bytes:
    """Returns a stylesheet, smaller; what it imports stays imported.

    Args:
        source: The stylesheet, in UTF-8.
        targets: As for `minify_html`.
        filename: How errors name it.

    Raises:
        BuildError: It is not valid; the error says where.
    """
    text = _text(source)
    with _told():
        browsers = _browsers(targets)
        return _core.transform_css(filename, {filename: text}, {}, minify=True, bundle=False, targets=browsers).encode()


def minify_js(source: str | bytes, *, filename: str = "script.js") -> bytes:
    """Returns JavaScript or TypeScript as JavaScript, smaller.

    A text with `import` or `export`, or one named `.mjs`, is a module, whose names are its own. Any other shares the
    names at its top with the page, and keeps them.

    Args:
        source: The script, in UTF-8.
        filename: Its ending says the language: `.ts`, `.tsx`, `.jsx` or `.js`. Errors name it.

    Raises:
        BuildError: It is not valid; the error says where.
    """
    with _told():
        return _core.minify_js(_text(source), filename).encode()


def minify_json(source: str | bytes) -> bytes:
    """Returns JSON without white space between its parts; what is not valid as it is."""
    text = _text(source)
    return (_core.minify_json(text) or text).encode()


def minify_svg(source: str | bytes, *, targets: Sequence[str] | None = None) -> bytes:
    """Returns SVG, smaller: what is drawn is the same.

    Args:
        source: The picture, in UTF-8.
        targets: As for `minify_html`.

    Raises:
        BuildError: It is not UTF-8 text, or a query is none.
    """
    with _told():
        return _core.minify_svg(_text(source), targets=_browsers(targets)).encode()


def minify_xml(source: str | bytes) -> bytes:
    """Returns XML without comments and without the white space that stands alone between two tags."""
    return _core.minify_xml(_text(source)).encode()


def minify_file(file: Path, *, targets: Sequence[str] | None = None) -> bytes:
    """Returns a file minified by its ending; a file of no known kind as it is.

    Args:
        file: The file.
        targets: As for `minify_html`.

    Raises:
        BuildError: It is not UTF-8 text, or not valid; the error says where.
    """
    ending = file.suffix.lower()
    data = file.read_bytes()
    try:
        if ending in {".html", ".htm"}:
            return minify_html(data, targets=targets)
        if ending == ".css":
            return minify_css(data, targets=targets, filename=file.name)
        if ending in _SCRIPTS:
            return minify_js(data, filename=file.name)
        if ending in {".json", ".webmanifest", ".map"}:
            return minify_json(data)
        if ending == ".svg":
            return minify_svg(data, targets=targets)
        if ending in {".xml", ".rss", ".atom"}:
            return minify_xml(data)
    except BuildError as error:
        raise BuildError(
            error.message, file=file, line=error.line, hint=error.hint, frame=error.frame
        ) from error.__cause__
    return data


def _text(source: str | bytes) -> str:
    if isinstance(source, str):
        return source
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        raise BuildError("this is not UTF-8 text", line=line, hint="save the file as UTF-8") from None


def _browsers(targets: Sequence[str] | None) -> _core.Targets | None:
    return None if targets is None else _core.Targets(list(targets))


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except _core.SourceError as error:
        raise BuildError(error.message, file=error.file, line=error.line, hint=error.hint, frame=error.frame) from None
