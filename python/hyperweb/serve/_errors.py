"""What can keep a site from being served."""

from __future__ import annotations

from hyperweb.errors import HyperwebError


class ServeError(HyperwebError):
    """The server cannot start or go on. The exit code is 1."""
