"""Response header lines: what is allowed in them and how they are put together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hyperweb.web.rsgi import HeaderList

HeaderSource = Mapping[str, str] | Iterable[tuple[str, str]]

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")


def check_header(name: str, value: str) -> tuple[str, str]:
    """Returns the pair with its name in lower case.

    Raises:
        ValueError: The name is not a token or the value holds a control character (RFC 9110, sections 5.1 and 5.5);
            a line break in it would let a client's text become a header of its own.
    """
    if _NAME.fullmatch(name) is None:
        msg = f"{name!a} is not a header name"
        raise ValueError(msg)
    if _VALUE.fullmatch(value) is None:
        msg = f"header {name}: a value may not hold control characters: {value!a}"
        raise ValueError(msg)
    return name.lower(), value


def header_list(headers: HeaderSource | None) -> HeaderList:
    """Returns checked header lines from a mapping, or from pairs when a name comes more than once."""
    if not headers:
        return []
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [check_header(name, value) for name, value in pairs]


def find_header(headers: HeaderList, name: str) -> str | None:
    """Returns the first value of a header whose name is given in lower case."""
    for have, value in headers:
        if have == name:
            return value
    return None


def merge_vary(headers: HeaderList, names: Iterable[str]) -> None:
    """Adds names to the Vary line, keeping those already there (RFC 9110, section 12.5.5)."""
    have = [part.strip() for name, value in headers if name == "vary" for part in value.split(",")]
    wanted = [name.lower() for name in names if name.lower() not in {part.lower() for part in have}]
    if wanted:
        headers[:] = [pair for pair in headers if pair[0] != "vary"]
        headers.append(("vary", ", ".join([*have, *wanted])))
