"""What can go wrong in a cache, as far as its user has to know."""

from __future__ import annotations

from hyperweb.errors import HyperwebError


class CacheError(HyperwebError):
    """A cache cannot be set up as asked, or a value cannot be kept in it."""


class WaitedTooLongError(CacheError):
    """Another thread or task is making the value, and took longer than this one would wait."""
