"""Finds the running servers of a site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperweb.config import load_site
from hyperweb.serve._errors import ServeError
from hyperweb.serve._runtime import Running, find_running

if TYPE_CHECKING:
    from pathlib import Path


def running_servers(site: Path) -> list[Running]:
    """Returns the servers that serve a site now, the newest first; there is at least one.

    Raises:
        ServeError: There is none.
    """
    # An edge alone notes itself in any folder.
    found = [] if (site / "site.toml").exists() else find_running(site / ".hyperweb")
    if found:
        return found
    config = load_site(site)
    found = find_running(config.state)
    if not found:
        raise ServeError(f"no server of {config.name} is running", hint=f"start one: hyperweb serve {site} --prod")
    return found
