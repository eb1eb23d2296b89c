"""What can be wrong with a site's content and templates."""

from __future__ import annotations

from hyperweb.errors import HyperwebError


class SiteError(HyperwebError):
    """A page, template or asset of the site cannot be used. The exit code is 1: the work failed."""
