"""The architecture page names files and functions; it must not name what is not there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "sites" / "docs" / "content" / "architecture.md"

_SPAN = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"(?:rust|python|sites|tests|tools)/[\w./]+")


def names(text: str) -> list[tuple[str, list[Path]]]:
    """Returns the functions that a text names, each with the two files that are named nearest to it."""
    found: list[tuple[str, list[Path]]] = []
    for paragraph in text.split("\n\n"):
        spans = [(one.start(), one[1]) for one in _SPAN.finditer(paragraph)]
        files = [(at, ROOT / span) for at, span in spans if _PATH.fullmatch(span) and "." in span]
        for at, span in spans:
            if span.endswith("()"):
                assert files, f"{span} stands in a paragraph that names no file"
                near = sorted(files, key=lambda each: abs(each[0] - at))
                found.append((span.removesuffix("()"), [file for _, file in near[:2]]))
    return found


def test_every_path_is_there() -> None:
    paths = {span for span in _SPAN.findall(PAGE.read_text(encoding="utf-8")) if _PATH.fullmatch(span)}
    assert len(paths) > 60
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_every_function_is_in_the_file_it_is_said_to_be_in() -> None:
    found = names(PAGE.read_text(encoding="utf-8"))
    assert len(found) > 30
    missing = []
    for name, files in found:
        defined = re.compile(rf"^\s*(?:pub(?:\(crate\))? )?(?:const )?(?:async )?(?:fn|def) {name}\b", re.MULTILINE)
        if not any(defined.search(file.read_text(encoding="utf-8")) for file in files):
            missing.append((name, [str(file.relative_to(ROOT)) for file in files]))
    assert missing == []
