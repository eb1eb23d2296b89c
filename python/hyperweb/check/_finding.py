"""Something a check found."""

from __future__ import annotations

from typing import Literal

import msgspec

# Of the pages that show one fault of a template so many are named.
_NAMED = 3


class Finding(msgspec.Struct, kw_only=True):
    """Something that should be mended, and where.

    Attributes:
        rule: The rule that found it.
        severity: Whether it is an error or a warning.
        message: What is wrong, in a sentence.
        hint: What to do.
        file: The source it comes from, with the site's folder in front: `blog/content/a.md`.
        line: The line in that file, from 1, or None where it is about the whole.
        pages: The URL paths of the pages that show it; one fault of a template is one finding.
    """

    rule: str
    severity: Literal["error", "warning"]
    message: str
    hint: str
    file: str
    line: int | None = None
    pages: list[str] = []

    def text(self) -> str:
        """Returns it for a person to read."""
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        lines = [f"{where}: {self.severity}: {self.message} [{self.rule}]"]
        if self.pages:
            more = len(self.pages) - _NAMED
            shown = ", ".join(self.pages[:_NAMED])
            lines.append(f"  on {shown}" + (f" and {more} more page{'s' if more > 1 else ''}" if more > 0 else ""))
        lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)
