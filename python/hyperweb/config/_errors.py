"""What can be wrong with a site's settings."""

from __future__ import annotations

from hyperweb.errors import HyperwebError


class ConfigError(HyperwebError):
    """A setting, or the file it stands in, cannot be used. The exit code is 2: wrong use."""

    exit_code = 2
