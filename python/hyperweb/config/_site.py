"""A site's folder with its settings."""

from __future__ import annotations

from pathlib import Path

import msgspec

from hyperweb.config._settings import Settings

SOURCES = ("content", "pages", "templates", "assets", "static", "data", "locales")
"""The folders of a site that it is built from."""


class SiteConfig(msgspec.Struct, frozen=True):
    """Where a site is and what was decided for it.

    Attributes:
        root: The site's folder, absolute.
        settings: Its settings, all sources applied.
    """

    root: Path
    settings: Settings

    @property
    def name(self) -> str:
        """The name of the site's folder."""
        return self.root.name

    @property
    def out(self) -> Path:
        """The folder the built site is written to."""
        return self.root / self.settings.build.out

    @property
    def pack(self) -> Path:
        """The packed site."""
        return self.out / "site.pack"

    @property
    def public(self) -> Path:
        """The plain files any host can serve."""
        return self.out / "public"

    @property
    def out_is_apart(self) -> bool:
        """Whether building can overwrite none of the site's own files."""
        out = self.out.resolve()
        own = [self.state, *(self.root / name for name in SOURCES)]
        return not self.root.is_relative_to(out) and not any(out.is_relative_to(folder) for folder in own)

    @property
    def state(self) -> Path:
        """The folder of incremental state; safe to delete."""
        return self.root / ".hyperweb"
