"""Whether a built site is what a build would make now, found out without loading what building needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperweb import _core
from hyperweb.build._head import load_head
from hyperweb.plugins._load import site_hash

if TYPE_CHECKING:
    from hyperweb.config import SiteConfig


def is_current(config: SiteConfig) -> bool:
    """Whether `dist/` is up to date, by the sizes and times of the sources."""
    head = load_head(config.state)
    try:
        pack = _core.pack_id(str(config.pack))
    except _core.PackError:
        return False
    if head.pack != pack or head.settings != site_hash(config):
        return False
    state = str(config.state / "sources")
    return _core.Sources(str(config.root), state, max_file=config.settings.build.max_file).is_current()
