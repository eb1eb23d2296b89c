"""The base of every error that hyperweb shows to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class HyperwebError(Exception):
    """Something a person must mend: what was wrong, where, and what to do.

    Attributes:
        message: What was wrong, in one sentence.
        file: The file it was found in, or None.
        line: The line in that file, counted from 1, or None.
        column: The column in that line, counted from 1, or None.
        hint: What to do, or None.
        frame: The source around the line, ready to print, or None.
        exit_code: What the command exits with: 1, the work failed; 2, wrong use.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        line: int | None = None,
        column: int | None = None,
        hint: str | None = None,
        frame: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = None if file is None else str(file)
        self.line = line
        self.column = column
        self.hint = hint
        self.frame = None if frame is None else "\n".join(_cut(line) for line in frame.splitlines())

    def __str__(self) -> str:
        where = ""
        if self.file is not None:
            place = [part for part in (self.file, self.line, self.line and self.column) if part is not None]
            where = ":".join(map(str, place)) + ": "
        text = f"{where}{self.message}"
        if self.frame:
            text += f"\n{self.frame}"
        if self.hint:
            text += f"\n  hint: {self.hint}"
        return text


# Of a longer line of source (a minified script, or damage) no more is shown.
_LONGEST = 160


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def source_frame(source: str, line: int, *, column: int | None = None, around: int = 2) -> str:
    """Returns the lines around `line` (counted from 1) with a marker, for a terminal."""
    lines = source.splitlines()
    first = max(1, line - around)
    last = min(len(lines), line + around)
    width = len(str(last))
    shown = []
    for number in range(first, last + 1):
        marker = ">" if number == line else " "
        shown.append(f"  {marker} {number:>{width}} | {lines[number - 1]}".rstrip())
        if number == line and column is not None and column > 0:
            shown.append(f"    {' ' * width} | {' ' * (column - 1)}^")
    return "\n".join(shown)
