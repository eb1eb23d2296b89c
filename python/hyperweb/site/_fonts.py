"""Fonts: cut down to the letters a site has, and what stands in for them until they have come."""

from __future__ import annotations

import hashlib
import html
import io
import logging
import os
from typing import TYPE_CHECKING, Any

from hyperweb.site._errors import SiteError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FONTS = (".woff2", ".woff", ".ttf", ".otf")
SHEET = "hyperweb/fonts.css"
"""The stylesheet of stand-ins that hyperweb makes."""
_TEXTS = (".md", ".html", ".htm", ".xml", ".txt", ".toml", ".json", ".yaml", ".yml", ".csv", ".py", ".css", ".svg")
_SCRIPTS = (".ts", ".tsx", ".mts", ".jsx", ".js", ".mjs")
# What a browser or a reader may put into a page: Basic Latin, Latin-1's signs, quotes, dashes, arrows, the ellipsis.
_ALWAYS = {*range(0x20, 0x7F), 0xA0, 0xA9, 0xAB, 0xB0, 0xB7, 0xBB, 0xD7, 0x2026, 0x2022, 0x20AC, 0x2122, 0x2212}
_ALWAYS |= {*range(0x2010, 0x2016), *range(0x2018, 0x201F), *range(0x2190, 0x2194), 0x2039, 0x203A, 0xFFFD}
# How often letters come in text, in thousandths, and how wide they are in what most machines have, in 2048ths.
_OFTEN = dict(
    zip(
        " abcdefghijklmnopqrstuvwxyz",
        (190, 66, 12, 23, 34, 103, 18, 16, 49, 56, 1, 6, 33, 19, 55, 61, 15, 1, 48, 51, 74, 22, 8, 19, 1, 16, 1),
        strict=True,
    )
)
_ARIAL = (
    "569 1139 1139 1024 1139 1139 569 1139 1139 455 455 1024 455 1706 1139 1139 1139 1139 682 1024 569 1139 1024 1479"
)
_TIMES = "512 909 1024 909 1024 909 682 1024 1024 569 569 1024 569 1593 1024 1024 1024 1024 682 797 569 1024 1024 1479"
_WIDTHS = {"Arial": f"{_ARIAL} 1024 1024 1024", "Times New Roman": f"{_TIMES} 1024 1024 909"}


def letters_of(text: str) -> str:
    """Returns the characters of a source file, each once; those written as references too."""
    plain = set(text)
    if "&" in plain:
        plain |= set(html.unescape(text))
    return "".join(sorted(plain))


def has_letters(path: str) -> bool:
    """Whether what stands in a source file can come to stand on a page."""
    return path.endswith(_TEXTS + _SCRIPTS)


class Fonts:
    """Cuts fonts down and measures them.

    Args:
        root: The site's folder.
        state: Where what was made is kept.
        kept: The letters of each source file that an earlier run found, with the file's hash.
    """

    def __init__(self, root: Path, state: Path, kept: dict[str, tuple[str, str]]) -> None:
        self._root = root
        self._state = state / "fonts"
        self._kept = kept
        self._letters: frozenset[int] = frozenset()
        self._measured: tuple[str, str] | None = None
        self.hash = ""

    def update(self, files: Mapping[str, str]) -> None:
        """Takes the site's source files (path → hash), and gathers their letters."""
        for path in [path for path in self._kept if path not in files]:
            del self._kept[path]
        letters: set[str] = set()
        for path, found in files.items():
            if not has_letters(path):
                continue
            known = self._kept.get(path)
            if known is None or known[0] != found:
                text = (self._root / path).read_text(encoding="utf-8", errors="ignore")
                known = self._kept[path] = (found, letters_of(text))
            letters |= set(known[1])
        both = letters | {letter.lower() for letter in letters} | {letter.upper() for letter in letters}
        self._letters = frozenset(_ALWAYS | {ord(letter) for letter in both if len(letter) == 1})
        self.hash = hashlib.blake2b(repr(sorted(self._letters)).encode(), digest_size=16).hexdigest()

    def subset(self, data: bytes, name: str) -> bytes:
        """Returns a font with the site's letters alone, in the same format.

        Raises:
            SiteError: fontTools is not installed, or it is no font.
        """
        key = hashlib.blake2b(data + self.hash.encode(), digest_size=16).hexdigest()
        file = self._state / key
        if file.is_file():
            return file.read_bytes()
        made = self._subset(data, name)
        self._state.mkdir(parents=True, exist_ok=True)
        aside = file.with_suffix(f".{os.getpid()}")
        aside.write_bytes(made)
        aside.replace(file)
        return made

    def _subset(self, data: bytes, name: str) -> bytes:
        font = self._open(data, name)
        try:
            return self._cut(font)
        except Exception as error:  # noqa: BLE001 - as in `_open`
            raise self._no_font(name, error) from None

    def _cut(self, font: Any) -> bytes:
        from fontTools import subset

        options = subset.Options()
        options.layout_features = ["*"]
        options.notdef_outline = True
        options.flavor = font.flavor
        # A table it does not know is of an editor, and dropping it is what is wanted.
        logging.getLogger("fontTools.subset").setLevel(logging.ERROR)
        cutter = subset.Subsetter(options)
        cutter.populate(unicodes=self._letters)
        cutter.subset(font)
        # A build of the same sources gives the same bytes.
        font.recalcTimestamp = False
        out = io.BytesIO()
        font.save(out)
        return out.getvalue()

    def sheet(self, fonts: Mapping[str, str]) -> str:
        """Returns a stylesheet with a stand-in for each family: a font that is there, as wide and as high.

        Args:
            fonts: The fonts of assets/: name → hash.

        Raises:
            SiteError: fontTools is not installed, or one is no font.
        """
        key = hashlib.blake2b(repr(sorted(fonts.items())).encode(), digest_size=16).hexdigest()
        if self._measured is None or self._measured[0] != key:
            faces: dict[str, str] = {}
            for name in sorted(fonts):
                family, face = self._face((self._root / "assets" / name).read_bytes(), name)
                faces.setdefault(family, face)
            self._measured = (key, "".join(faces[family] for family in sorted(faces)))
        return self._measured[1]

    def _face(self, data: bytes, name: str) -> tuple[str, str]:
        """Returns a font's family and the stand-in for it."""
        font = self._open(data, name)
        try:
            family = str((font["name"].getBestFamilyName() if "name" in font else None) or name)
            return family, _stand_in(family, font)
        except Exception as error:  # noqa: BLE001 - as in `_open`
            raise self._no_font(name, error) from None

    def _open(self, data: bytes, name: str) -> Any:
        try:
            from fontTools.ttLib import TTFont
        except ImportError:
            raise SiteError(
                "fonts are cut down by fontTools, which is not installed",
                file=self._shown(name),
                hint="`pip install 'hyperweb[fonts]'`, or take `css.fonts` out of site.toml",
            ) from None
        try:
            return TTFont(io.BytesIO(data), lazy=False, recalcTimestamp=False)
        except Exception as error:  # noqa: BLE001 - of a damaged font, any part of fontTools and what it unpacks with says so
            raise self._no_font(name, error) from None

    def _shown(self, name: str) -> str:
        return f"{self._root.name}/assets/{name}"

    def _no_font(self, name: str, error: Exception) -> SiteError:
        said = f"it has no table {error}" if isinstance(error, KeyError) else error
        return SiteError(f"this is no font: {said}", file=self._shown(name), hint="export it anew")


def _stand_in(family: str, font: Any) -> str:
    widths, names = font["hmtx"], font.getBestCmap()
    upem = font["head"].unitsPerEm
    local = "Times New Roman" if 2 <= font["OS/2"].panose.bSerifStyle <= 10 else "Arial"  # noqa: PLR2004 - PANOSE 1.0
    there = dict(zip(_OFTEN, map(int, _WIDTHS[local].split()), strict=True))
    used = [letter for letter in _OFTEN if ord(letter) in names]
    if not used:
        return ""
    own = sum(_OFTEN[letter] * widths[names[ord(letter)]][0] for letter in used) / upem
    theirs = sum(_OFTEN[letter] * there[letter] for letter in used) / 2048
    adjust = own / theirs
    high = font["hhea"]
    parts = {
        "size-adjust": adjust,
        "ascent-override": high.ascent / upem / adjust,
        "descent-override": -high.descent / upem / adjust,
        "line-gap-override": high.lineGap / upem / adjust,
    }
    said = "".join(f"{name}:{value * 100:.2f}%;" for name, value in parts.items())
    quoted = family.replace("\\", "\\\\").replace('"', '\\"')
    return f'@font-face{{font-family:"{quoted} fallback";src:local("{local}");{said}}}\n'
