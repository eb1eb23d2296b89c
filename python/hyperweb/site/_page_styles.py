"""The rules of stylesheets that a page uses, put into the page."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from hyperweb import _core
from hyperweb.site._errors import SiteError
from hyperweb.site._module_tags import attributes
from hyperweb.site._record import record

if TYPE_CHECKING:
    from hyperweb.config import Settings
    from hyperweb.site._assets import Assets

_LINK = re.compile(r"<link\b([^<>]*)>", re.IGNORECASE)
# What may stand on a link whose stylesheet is put into the page.
_PLAIN = {"rel", "href", "integrity", "crossorigin", "type", "fetchpriority"}


class PageStyles:
    """Puts into each page the rules it uses, where the site asks for it.

    Args:
        settings: The site's settings.
        assets: The site's assets.
    """

    def __init__(self, settings: Settings, assets: Assets) -> None:
        self._settings = settings.css
        self._assets = assets
        self._used: _core.UsedStyles | None = None

    def forget(self) -> None:
        """Lets go of what was read of scripts that may have changed."""
        self._used = None

    def add(self, text: str) -> str:
        """Returns a page with the rules it uses in place of, or before, the stylesheets it loads."""
        if self._settings.inline == "none" or "stylesheet" not in text:
            return text
        links = []
        for link in _LINK.finditer(text):
            said = attributes(link[1])
            name = self._assets.name_of(said.get("href", ""))
            if name is not None and said.get("rel", "").lower() == "stylesheet" and set(said) <= _PLAIN:
                links.append((link, name))
        if not links:
            return text
        record("assets")
        if self._used is None:
            self._used = _core.UsedStyles([*self._settings.keep, *self._scripts()])
        is_critical = self._settings.inline == "critical"
        sheets = [(name, self._assets.make(name)[0].decode()) for _, name in links]
        try:
            made = self._used.of(text, sheets, first=self._settings.first_view if is_critical else None)
        except _core.SourceError as error:
            raise SiteError(error.message, file=error.file, line=error.line, hint=error.hint) from None
        for (link, _), rules in reversed(list(zip(links, made, strict=True))):
            # `</style` in a string would end the element.
            style = "<style>" + rules.replace("</", "<\\/") + "</style>" if rules else ""
            later = _later(link[0]) if is_critical else ""
            text = text[: link.start()] + style + later + text[link.end() :]
        return text

    def _scripts(self) -> list[str]:
        names = [name for name in self._assets.names() if self._assets.url(name).endswith(".js")]
        return [self._assets.make(name)[0].decode(errors="replace") for name in names]


def _later(link: str) -> str:
    """Returns a link that does not hold up the first view, and one for browsers without scripts."""
    said = "".join(f' {name}="{html.escape(value)}"' for name, value in attributes(link[5:-1].rstrip("/")).items())
    return f'<link{said} media="print" onload="this.media=\'all\'"><noscript><link{said}></noscript>'
