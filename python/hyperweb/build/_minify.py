"""Minifies texts and single files. The interpreter's lock is not held meanwhile."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Literal

import msgspec

from hyperweb import _core
from hyperweb.build._errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_SCRIPTS = {".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"}


class Minified(msgspec.Struct, frozen=True):
    """A file made smaller.

    Attributes:
        code: What it is now.
        source_map: The source map (ECMA-426), for a script or stylesheet where it was asked for.
        licenses: The comments that state a licence, where they go into a file of their own.
    """

    code: bytes
    source_map: bytes | None = None
    licenses: bytes | None = None


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


def minify_css(
    source: str | bytes,
    *,
    targets: Sequence[str] | None = None,
    filename: str = "style.css",
    licenses: Literal["keep", "drop"] = "keep",
) -> bytes:
    """Returns a stylesheet, smaller; what it imports stays imported.

    Args:
        source: The stylesheet, in UTF-8.
        targets: As for `minify_html`.
        filename: How errors name it.
        licenses: Whether comments that state a licence (`/*! … */`) stay.

    Raises:
        BuildError: It is not valid; the error says where.
    """
    return _css(_text(source), filename, targets, source_map=False, licenses=licenses).code


def minify_js(source: str | bytes, *, filename: str = "script.js", licenses: Literal["keep", "drop"] = "drop") -> bytes:
    """Returns JavaScript or TypeScript as JavaScript, smaller.

    A text with `import` or `export`, or one named `.mjs`, is a module, whose names are its own. Any other shares the
    names at its top with the page, and keeps them.

    Args:
        source: The script, in UTF-8.
        filename: Its ending says the language: `.ts`, `.tsx`, `.jsx` or `.js`. Errors name it.
        licenses: Whether comments that state a licence (`/*! … */`, `@license`, `@preserve`) stay.

    Raises:
        BuildError: It is not valid; the error says where.
    """
    return _js(_text(source), filename, source_map=False, licenses=licenses).code


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
    return minified(file, targets=targets).code


def minified(
    file: Path,
    *,
    targets: Sequence[str] | None = None,
    source_map: bool = False,
    licenses: Literal["keep", "drop", "extern"] | None = None,
) -> Minified:
    """As `minify_file`, with all that comes of it.

    Args:
        file: The file.
        targets: As for `minify_html`.
        source_map: Whether scripts and stylesheets have a source map.
        licenses: What becomes of the comments that state a licence; None keeps them in stylesheets alone.
    """
    ending = file.suffix.lower()
    data = file.read_bytes()
    try:
        if ending in {".html", ".htm"}:
            return Minified(minify_html(data, targets=targets))
        if ending == ".css":
            return _css(_text(data), file.name, targets, source_map=source_map, licenses=licenses or "keep")
        if ending in _SCRIPTS:
            return _js(_text(data), file.name, source_map=source_map, licenses=licenses or "drop")
        if ending in {".json", ".webmanifest", ".map"}:
            return Minified(minify_json(data))
        if ending == ".svg":
            return Minified(minify_svg(data, targets=targets))
        if ending in {".xml", ".rss", ".atom"}:
            return Minified(minify_xml(data))
    except BuildError as error:
        raise BuildError(
            error.message, file=file, line=error.line, column=error.column, hint=error.hint, frame=error.frame
        ) from error.__cause__
    return Minified(data)


def _css(text: str, filename: str, targets: Sequence[str] | None, *, source_map: bool, licenses: str) -> Minified:
    with _told():
        browsers = _browsers(targets)
        return _made(_core.minify_css(text, filename, targets=browsers, source_map=source_map, licenses=licenses))


def _js(text: str, filename: str, *, source_map: bool, licenses: str) -> Minified:
    with _told():
        return _made(_core.minify_js(text, filename, source_map=source_map, licenses=licenses))


def _made(found: tuple[str, str | None, list[str]]) -> Minified:
    code, mapped, licenses = found
    return Minified(
        code.encode(),
        None if mapped is None else mapped.encode(),
        ("\n\n".join(licenses) + "\n").encode() if licenses else None,
    )


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
        raise BuildError(
            error.message, file=error.file, line=error.line, column=error.column, hint=error.hint, frame=error.frame
        ) from None
