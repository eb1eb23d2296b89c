"""What every table of site.toml is made of."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Meta


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of site.toml; a key it does not define is an error."""


def said(text: str, *, unit: str | None = None, **bounds: Any) -> Meta:
    """Returns the meaning of one setting, with its unit and its bounds."""
    return Meta(description=text, extra={"unit": unit} if unit else None, **bounds)
