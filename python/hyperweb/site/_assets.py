"""The files of assets/: which URL each has, and what it becomes.

The name of a built asset carries a hash of the sources it is made of, those it imports included, so that a browser may
keep it for ever. It is a hash of the sources and not of the output: two modules that import each other have one too.
"""

from __future__ import annotations

import hashlib
import mimetypes
from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec

from hyperweb import __version__, _core
from hyperweb.site._documents import beside, is_relative, site_error
from hyperweb.site._errors import SiteError
from hyperweb.site._urls import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCRIPTS = (".ts", ".tsx", ".mts", ".jsx", ".js", ".mjs")
STYLES = (".css",)
FOLDER = "assets/"
# Assets hyperweb itself brings: the name a template asks for, and what makes the text.
HIGHLIGHT = "hyperweb/highlight.css"
CLIENT = "hyperweb/spa.ts"


class Imports(msgspec.Struct):
    """What a script or stylesheet refers to; valid as long as the file's hash is the same."""

    hash: str
    urls: tuple[str, ...]


class Assets:
    """All assets of a site.

    Args:
        root: The site's folder.
        minify: Whether they are minified, with names that carry a hash; without, a name is the file's own.
        kept: The imports an earlier build found, by name.
    """

    def __init__(
        self, root: Path, kept: dict[str, Imports], *, minify: bool, fingerprint: bool, targets: _core.Targets
    ) -> None:
        self._root = root
        self._minify = minify
        self._fingerprint = fingerprint
        self._browsers = targets
        self.kept = kept
        self._files: dict[str, str] = {}
        self._urls: dict[str, str] = {}
        self._names: list[str] | None = None

    def update(self, files: Mapping[str, str]) -> list[SiteError]:
        """Takes the files of assets/ (path in the site → hash). Returns what is wrong with them."""
        self._files = {path.removeprefix(FOLDER): found for path, found in files.items()}
        for name, text in built_in().items():
            self._files[name] = hashlib.sha256(text.encode()).hexdigest()
        self._urls = {}
        self._names = None
        for name in [name for name in self.kept if name not in self._files]:
            del self.kept[name]
        errors = []
        for name, found in self._files.items():
            if name.endswith(SCRIPTS + STYLES) and (name not in self.kept or self.kept[name].hash != found):
                self.kept.pop(name, None)
                try:
                    self.kept[name] = Imports(found, self._imports(name))
                except SiteError as error:
                    errors.append(error)
        return errors

    def names(self) -> list[str]:
        """Returns the names of all assets that are written.

        Those that do not begin with an underscore, and what these refer to; a stylesheet that another one imports is
        put into that one.
        """
        if self._names is None:
            found = {name: None for name in self._files if not name.rpartition("/")[2].startswith("_")}
            todo = list(found)
            for name in todo:
                for target in self._reached(name):
                    if target not in found:
                        found[target] = None
                        todo.append(target)
            self._names = list(found)
        return self._names

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def url(self, name: str) -> str:
        """Returns the URL path of an asset.

        Raises:
            SiteError: There is no such file in assets/.
        """
        known = self._urls.get(name)
        if known is None:
            known = self._urls[name] = self._url(name)
        return known

    def hash(self, name: str) -> str:
        """Returns the hash of the file's own bytes."""
        return self._files[name]

    def sources(self, name: str) -> list[str]:
        """Returns the names of all assets that `name` is made of, itself first."""
        found = [name]
        for one in found:
            if one in self.kept:
                found += [target for target in self._targets(one).values() if target not in found]
        return found

    def make(self, name: str) -> tuple[bytes, str]:
        """Returns the bytes of an asset as they are served, and their media type.

        Raises:
            SiteError: The file cannot be read, or is not valid CSS, TypeScript or JavaScript.
        """
        if name.endswith(STYLES):
            return self._style(name), "text/css; charset=utf-8"
        if name.endswith(SCRIPTS):
            return self._script(name), "text/javascript; charset=utf-8"
        return self._read(name), media_type(name)

    def size(self, name: str) -> int:
        """Returns how many bytes the sources have that a script or a stylesheet is made of."""
        sources = [one for one in self.sources(name) if one.endswith(STYLES)] if name.endswith(STYLES) else [name]
        return sum(len(self._text(one).encode()) for one in sources)

    def _url(self, name: str) -> str:
        if name not in self._files:
            raise missing(name, self._files)
        stem, dot, ending = name.rpartition(".")
        if not dot:
            stem, ending = name, ""
        if dot + ending in SCRIPTS:
            ending = "js"
        if not self._fingerprint:
            return encoded(f"/{FOLDER}{stem}{dot}{ending}")
        digest = hashlib.sha256(f"{__version__}{self._minify}".encode())
        for source in sorted(self.sources(name)):
            digest.update(f"{source}\0{self._files[source]}\0".encode())
        return encoded(f"/{FOLDER}{stem}.{digest.hexdigest()[:10]}{dot}{ending}")

    def _reached(self, name: str) -> list[str]:
        """Returns the assets that a browser is led to from the built form of `name`."""
        try:
            sources = [one for one in self.sources(name) if one.endswith(STYLES)] if name.endswith(STYLES) else [name]
            targets = [target for one in sources if one in self.kept for target in self._targets(one).values()]
        except SiteError:
            # A reference that leads nowhere is an error where the URL of `name` is asked for.
            return []
        return [target for target in targets if not (name.endswith(STYLES) and target.endswith(STYLES))]

    def _targets(self, name: str) -> dict[str, str]:
        """Returns the assets that the references of `name` mean: reference → asset."""
        found = {}
        for url in self.kept[name].urls:
            target = self._target(name, url)
            if target is not None:
                found[url] = target
        return found

    def _target(self, name: str, url: str) -> str | None:
        if url.startswith("/" + FOLDER):
            target = unquote(url.removeprefix("/" + FOLDER).partition("?")[0].partition("#")[0])
        elif is_relative(url) and (name.endswith(STYLES) or url.startswith(".")):
            target = beside(name, unquote(url.partition("?")[0].partition("#")[0]))
        else:
            return None
        for candidate in (target, *(target + ending for ending in SCRIPTS if name.endswith(SCRIPTS))):
            if candidate in self._files:
                return candidate
        file = f"{self._root.name}/{FOLDER}{name}"
        raise SiteError(f"`{url}` leads to no file of assets/", file=file, line=self._line(name, url), hint="check it")

    def _line(self, name: str, url: str) -> int | None:
        for number, line in enumerate(self._text(name).splitlines(), start=1):
            if url in line:
                return number
        return None

    def _imports(self, name: str) -> tuple[str, ...]:
        try:
            if name.endswith(STYLES):
                return tuple(_core.css_references(self._text(name), filename=FOLDER + name))
            return tuple(_core.js_imports(self._text(name), filename=FOLDER + name))
        except _core.SourceError as error:
            raise site_error(error, self._root) from None

    def _style(self, name: str) -> bytes:
        sources = {one: self._text(one) for one in self.sources(name) if one.endswith(STYLES)}
        urls = {}
        for one in sources:
            for url, target in self._targets(one).items():
                if target not in sources:
                    urls[f"{one}\0{url}"] = self.url(target)
        try:
            text = _core.transform_css(name, sources, urls, minify=self._minify, targets=self._browsers)
        except _core.SourceError as error:
            raise site_error(error, self._root) from None
        return text.encode()

    def _script(self, name: str) -> bytes:
        urls = {url: self.url(target) for url, target in self._targets(name).items()}
        try:
            text = _core.transform_js(self._text(name), urls, filename=FOLDER + name, minify=self._minify)
        except _core.SourceError as error:
            raise site_error(error, self._root) from None
        return text.encode()

    def _text(self, name: str) -> str:
        text = built_in().get(name)
        if text is not None:
            return text
        try:
            return self._read(name).decode()
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            file = f"{self._root.name}/{FOLDER}{name}"
            raise SiteError("this is not UTF-8 text", file=file, line=line, hint="save the file as UTF-8") from None

    def _read(self, name: str) -> bytes:
        file = self._root / FOLDER / name
        try:
            return file.read_bytes()
        except OSError as error:
            shown = f"{self._root.name}/{FOLDER}{name}"
            raise SiteError(f"cannot be read: {error.strerror}", file=shown, hint="check its permissions") from None


def built_in() -> dict[str, str]:
    """Returns the assets hyperweb brings itself: name → text."""
    if not _BUILT_IN:
        from importlib.resources import files

        _BUILT_IN[HIGHLIGHT] = _core.highlight_stylesheet()
        _BUILT_IN[CLIENT] = files("hyperweb.client").joinpath("spa.ts").read_text(encoding="utf-8")
    return _BUILT_IN


_BUILT_IN: dict[str, str] = {}


def missing(name: str, there: Mapping[str, str]) -> SiteError:
    """Returns the error for an asset that is not there, with the nearest name."""
    import difflib

    near = difflib.get_close_matches(name, there, n=1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`?" if near else "put the file into assets/"
    return SiteError(f"there is no asset `{name}`", hint=hint)


def media_type(name: str) -> str:
    """Returns the media type for a file's ending, with its charset where it is text."""
    return _core.media_type(name) or mimetypes.guess_type(name)[0] or "application/octet-stream"
