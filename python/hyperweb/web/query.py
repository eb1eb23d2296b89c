"""The query string and form posts in the same coding (WHATWG URL, application/x-www-form-urlencoded)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import unquote_plus

from hyperweb.web.errors import BadRequest

MAX_FIELDS = 1000
"""More fields than this in one query or form are refused: each costs memory and time."""


def parse_query(text: str, what: str = "query") -> dict[str, list[str]]:
    """Returns every value of every name, in order. Bytes that are not UTF-8 become U+FFFD.

    Args:
        text: The query string as sent, without the `?`.
        what: What to call it in the error.

    Raises:
        BadRequest: There are more than `MAX_FIELDS` fields.
    """
    values: dict[str, list[str]] = {}
    if not text:
        return values
    if text.count("&") >= MAX_FIELDS:
        raise BadRequest(errors=[(what, f"more than {MAX_FIELDS} fields")])
    for part in text.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        if "%" in part or "+" in part:
            name, value = unquote_plus(name), unquote_plus(value)
        if name in values:
            values[name].append(value)
        else:
            values[name] = [value]
    return values


class QueryParams(Mapping[str, str]):
    """The query's parameters by name. Of one that is repeated, `[]` and `get` give the last; `all` gives every one.

    Attributes:
        multi: Every value of every name, in order.
    """

    __slots__ = ("multi",)

    def __init__(self, text: str = "") -> None:
        self.multi = parse_query(text)

    def __getitem__(self, name: str) -> str:
        return self.multi[name][-1]

    def __iter__(self) -> Iterator[str]:
        return iter(self.multi)

    def __len__(self) -> int:
        return len(self.multi)

    def all(self, name: str) -> list[str]:
        """Returns every value of one name, in order; empty when it was not sent."""
        return list(self.multi.get(name, ()))

    def __repr__(self) -> str:
        return f"QueryParams({self.multi!r})"
