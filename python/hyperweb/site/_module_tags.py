"""What a page says of the scripts it loads: what to fetch with them, and where the parts are that they name."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import msgspec

from hyperweb.site._record import record

if TYPE_CHECKING:
    from hyperweb.config import Settings
    from hyperweb.site._assets import Assets
    from hyperweb.site._bundle import Bundler, Output

_TAG = re.compile(r"<(script|link)\b([^<>]*)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+)))?""")
_MAP = re.compile(r"<script\b[^<>]*type\s*=\s*[\"']?importmap\b[^<>]*>(.*?)</script\s*>", re.IGNORECASE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


class ModuleTags:
    """Adds to pages what their scripts need.

    Args:
        settings: The site's settings.
        bundler: What came of bundling.
        assets: The site's assets.
    """

    def __init__(self, settings: Settings, bundler: Bundler, assets: Assets) -> None:
        self._settings = settings
        self._bundler = bundler
        self._assets = assets

    def add(self, text: str) -> str:
        """Returns a page with an import map, with its preload list and with the stylesheets of its scripts."""
        if "/assets/" not in text:
            return text
        entries = self._entries(text)
        for name in entries:
            record(f"bundle:{name}")
        if entries:
            text = self._put(text, entries)
        return self._with_integrity(text) if self._settings.build.integrity else text

    def markup(self, entries: list[str]) -> str:
        """Returns all that is said of some scripts: whatever it depends on changes it."""
        return "\n".join(
            [msgspec.json.encode(self._map(entries)).decode(), self._preloads(entries), self._styles(entries)]
            + [self._bundler.entries[name].integrity for name in entries if name in self._bundler.entries]
        )

    def _entries(self, text: str) -> list[str]:
        """Returns the scripts a page loads that were bundled, by name."""
        by_url = {one.url: name for name, one in self._bundler.entries.items() if one.kind == "script"}
        found: dict[str, None] = {}
        if by_url:
            for tag in _TAG.finditer(_COMMENT.sub("", text)):
                said = attributes(tag[2])
                url = said.get("src", "") if tag[1].lower() == "script" else said.get("href", "")
                if url in by_url and (tag[1].lower() == "script" or said.get("rel", "") == "modulepreload"):
                    found[by_url[url]] = None
        return list(found)

    def _put(self, text: str, entries: list[str]) -> str:
        styles = self._styles(entries)
        if styles:
            head, close, rest = text.partition("</head>")
            text = f"{head}{styles}{close}{rest}" if close else styles + text
        mapped = self._map(entries)
        there = _MAP.search(text)
        if there and mapped:
            return text[: there.start(1)] + merged(there[1], mapped) + text[there.end(1) :]
        before = f'<script type="importmap">{_json(mapped)}</script>' if mapped else ""
        before += self._preloads(entries)
        first = next((tag for tag in _TAG.finditer(text) if _runs(tag)), None)
        return text if first is None else text[: first.start()] + before + text[first.start() :]

    def _map(self, entries: list[str]) -> dict[str, dict[str, str]]:
        """Returns the import map: where what scripts name is now."""
        if self._bundler.naming != "mapped":
            return {}
        # A page that is swapped in cannot bring another map: there, all pages have that of the site.
        wanted = list(self._bundler.entries) if self._settings.client.spa else entries
        first = [self._bundler.entries[name].name for name in wanted if name in self._bundler.entries]
        reached = self._bundler.closure(first, later=True)
        named = {other for one in reached for other in (*one.imports, *one.dynamic)}
        parts = sorted((one for one in reached if one.name in named), key=lambda one: one.name)
        if not parts:
            return {}
        made = {"imports": {f"/assets/{one.name}": one.url for one in parts}}
        if self._settings.build.integrity:
            made["integrity"] = {one.url: one.integrity for one in parts}
        return made

    def _preloads(self, entries: list[str]) -> str:
        """Returns the links for what the scripts import at once, which a browser would find only in them."""
        if self._bundler.naming == "plain":
            return ""
        parts = [one for one in self._at_once(entries) if one.name not in self._names(entries)]
        return "".join(f'<link rel="modulepreload" href="{html.escape(one.url)}"{self._said(one)}>' for one in parts)

    def _styles(self, entries: list[str]) -> str:
        names = dict.fromkeys(name for one in self._at_once(entries) for name in one.styles)
        styles = [self._bundler.outputs[name] for name in names if name in self._bundler.outputs]
        return "".join(f'<link rel="stylesheet" href="{html.escape(one.url)}"{self._said(one)}>' for one in styles)

    def _at_once(self, entries: list[str]) -> list[Output]:
        return self._bundler.closure(self._names(entries), later=False)

    def _names(self, entries: list[str]) -> list[str]:
        return [self._bundler.entries[name].name for name in entries if name in self._bundler.entries]

    def _said(self, output: Output) -> str:
        return f' integrity="{output.integrity}"' if self._settings.build.integrity else ""

    def _with_integrity(self, text: str) -> str:
        """Returns a page whose scripts and stylesheets of assets/ say what they are."""

        def said(tag: re.Match[str]) -> str:
            found = attributes(tag[2])
            name = tag[1].lower()
            url = found.get("src" if name == "script" else "href", "")
            if not url.startswith("/assets/") or "integrity" in found:
                return tag[0]
            if name == "link" and not {"stylesheet", "modulepreload"} & set(found.get("rel", "").lower().split()):
                return tag[0]
            hashed = self._assets.integrity(url)
            return tag[0] if hashed is None else f'<{tag[1]}{tag[2].rstrip("/ ")} integrity="{hashed}">'

        return _TAG.sub(said, text)


def attributes(text: str) -> dict[str, str]:
    """Returns the attributes in a tag."""
    return {
        found[1].lower(): html.unescape(found[2] or found[3] or found[4] or "") for found in _ATTRIBUTE.finditer(text)
    }


def merged(text: str, mapped: dict[str, dict[str, str]]) -> str:
    """Returns the import map of a page with another one in it; what the page says is stronger."""
    try:
        own: Any = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    if not isinstance(own, dict):
        return text
    for part, values in mapped.items():
        said = own.get(part)
        own[part] = {**values, **(said if isinstance(said, dict) else {})}
    return _json(own)


def _runs(tag: re.Match[str]) -> bool:
    said = attributes(tag[2])
    if tag[1].lower() == "link":
        return said.get("rel", "").lower() == "modulepreload"
    return said.get("type", "").lower() in {"", "module", "text/javascript", "application/javascript"}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode().replace("</", "<\\/")
