"""Cache tags (surrogate keys): the names a response is kept under, so that it can be dropped by name."""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_UNSAFE = re.compile(r"[^\x21-\x2b\x2d-\x7e]+")


def clean_tag(tag: str) -> str:
    """Returns the tag with what cannot stand in a Cache-Tag line percent-encoded.

    Spaces and commas separate tags there; a client's text inside a tag must not become a second one. Purging uses the
    same form, so both sides agree.
    """
    return _UNSAFE.sub(lambda found: quote(found[0], safe=""), tag)


def join_tags(tags: Iterable[str]) -> str:
    """Returns the Cache-Tag value of these tags."""
    return ", ".join(tags)


def template_fields(template: str) -> list[str]:
    """Returns the names in braces of a tag such as `post:{slug}`.

    Raises:
        ValueError: The braces do not balance, or hold more than a name.
    """
    fields = []
    for _, name, spec, conversion in string.Formatter().parse(template):
        if name is None:
            continue
        if not name.isidentifier() or spec or conversion:
            msg = f"tag {template!r}: braces hold the name of a path parameter and nothing else"
            raise ValueError(msg)
        fields.append(name)
    return fields


def format_tags(templates: Iterable[str], values: Mapping[str, str]) -> list[str]:
    """Returns the tags with the path parameters put in."""
    return [clean_tag(template.format_map(values)) for template in templates]
