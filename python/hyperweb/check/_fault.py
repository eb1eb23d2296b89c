"""A fault before its source is known: what is wrong, on which page, and with what of it."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Fault(NamedTuple):
    """Something wrong.

    Attributes:
        rule: The rule that found it.
        message: What is wrong.
        hint: What to do.
        page: The URL path of the page it was found on, or an empty string.
        part: The list of the page's facts that has it; `whole` where it is about the page.
        position: Its place in that list.
        source: The file where it is about the whole, or where no page shows it.
        line: The line in that file.
    """

    rule: str
    message: str
    hint: str
    page: str
    part: Literal["problems", "references", "whole"] = "whole"
    position: int = 0
    source: str = ""
    line: int | None = None
