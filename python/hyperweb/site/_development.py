"""What a template has for development only: `{% dev %}` and `<!-- dev -->` blocks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension

if TYPE_CHECKING:
    from jinja2.parser import Parser

_MARK = re.compile(r"<!--\s*(/?)dev\s*-->")


class Development(Extension):
    """Keeps blocks for development where the environment is one of development, and leaves them out where it is not.

    What is left out is not compiled: what it includes is not even looked for.
    """

    tags = {"dev"}  # noqa: RUF012 - jinja2 declares it for instances

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        """Takes `{% dev %}` … `{% enddev %}`."""
        next(parser.stream)
        body = parser.parse_statements(("name:enddev",), drop_needle=True)
        return body if is_development(self.environment) else []

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Takes `<!-- dev -->` … `<!-- /dev -->` out of the source; lines keep their numbers.

        Raises:
            jinja2.TemplateSyntaxError: A block is not closed, or not open.
        """
        if "dev" not in source:
            return source
        made = []
        at = 0
        opened: re.Match[str] | None = None
        for mark in _MARK.finditer(source):
            closes = bool(mark[1])
            if closes == (opened is None):
                why = "`<!-- /dev -->` closes nothing" if closes else "`<!-- dev -->` stands in a block of its own kind"
                raise jinja2.TemplateSyntaxError(why, source.count("\n", 0, mark.start()) + 1, name, filename)
            part = source[at : mark.start()]
            made.append(part if opened is None or is_development(self.environment) else "\n" * part.count("\n"))
            opened = None if closes else mark
            at = mark.end()
        if opened is not None:
            line = source.count("\n", 0, opened.start()) + 1
            raise jinja2.TemplateSyntaxError("`<!-- dev -->` is not closed by `<!-- /dev -->`", line, name, filename)
        return "".join([*made, source[at:]])


def is_development(environment: jinja2.Environment) -> bool:
    """Whether templates are rendered for the one who writes them."""
    return bool(getattr(environment, "development", False))
