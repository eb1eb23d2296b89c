"""Marks in rendered pages that say which line of which template a tag comes from, for those who look for its source."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jinja2.ext import Extension
from jinja2.lexer import TOKEN_DATA, Token

from hyperweb import _core

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jinja2.lexer import TokenStream

_TAG = re.compile(r"<(?=[a-zA-Z/!])")


class Marks(Extension):
    """Puts a mark in front of each tag that a template holds."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Yields the tokens of a template, with marks in its text."""
        name = stream.name or ""
        source = name if name.startswith("pages/") else f"templates/{name}"
        for token in stream:
            if token.type == TOKEN_DATA:
                yield Token(token.lineno, TOKEN_DATA, _marked(token.value, source, token.lineno))
            else:
                yield token


def _marked(text: str, source: str, line: int) -> str:
    return _TAG.sub(
        lambda found: _core.source_mark(source, line + text.count("\n", 0, found.start())) + found[0],
        text,
    )
