"""What can go wrong in a comparison."""

from __future__ import annotations


class CompareError(Exception):
    """A peer did not start, answered wrongly, or a measurement cannot be trusted."""


class MissingPeerError(CompareError):
    """A peer's program is not on this machine; says how to get it."""
