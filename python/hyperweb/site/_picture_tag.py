"""The template tag `{% picture "cup.jpg", "A cup", width=300 %}`: what `image()` returns, for those who like tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import nodes
from jinja2.ext import Extension

if TYPE_CHECKING:
    from jinja2.parser import Parser


class Picture(Extension):
    """Calls `image()` with what stands in the tag."""

    tags = {"picture"}  # noqa: RUF012 - jinja2 declares it for instances

    def parse(self, parser: Parser) -> nodes.Node:
        """Takes `{% picture NAME, TEXT, option=value %}`."""
        line = next(parser.stream).lineno
        arguments: list[nodes.Expr] = []
        options: list[nodes.Keyword] = []
        while parser.stream.current.type != "block_end":
            if arguments or options:
                parser.stream.skip_if("comma")
            if parser.stream.current.type == "name" and parser.stream.look().type == "assign":
                name = parser.stream.current.value
                parser.stream.skip(2)
                options.append(nodes.Keyword(name, parser.parse_expression(), lineno=line))
            else:
                arguments.append(parser.parse_expression())
        called = nodes.Call(nodes.Name("image", "load", lineno=line), arguments, options, None, None, lineno=line)
        return nodes.Output([called], lineno=line)
