"""The files of assets/: which URL each has, and what it becomes.

The name of a built asset carries a hash of the sources it is made of, those it imports included, so that a browser may
keep it for ever. A script that imports others is bundled with them, and its name carries a hash of what came of it.
"""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec

from hyperweb import __version__, _core
from hyperweb.site._bundle import integrity_of
from hyperweb.site._bundled import Plan, plan_of
from hyperweb.site._documents import beside, is_relative, site_error
from hyperweb.site._errors import SiteError
from hyperweb.site._fonts import FONTS, SHEET
from hyperweb.site._packages import stat_of
from hyperweb.site._urls import encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hyperweb.site._bundle import Bundler, Output
    from hyperweb.site._fonts import Fonts
    from hyperweb.site._tailwind import Tailwind

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
        minify_js: Whether scripts are minified.
        minify_css: Whether stylesheets are minified.
        fingerprint: Whether names carry a hash; without, a name is the file's own.
        kept: The imports an earlier build found, by name.
        bundler: What puts scripts together with what they import; without, each stays by itself.
        mentioned: Answers which of some names stand in the site's templates.
        fonts: What cuts fonts down, where the site asks for it.
        tailwind: What makes stylesheets, where the site asks for it.
    """

    def __init__(
        self,
        root: Path,
        kept: dict[str, Imports],
        *,
        minify_js: bool,
        minify_css: bool,
        fingerprint: bool,
        targets: _core.Targets,
        bundler: Bundler | None = None,
        mentioned: Callable[[set[str]], set[str]] = set,
        fonts: Fonts | None = None,
        tailwind: Tailwind | None = None,
    ) -> None:
        self._root = root
        self._minify_js = minify_js
        self._minify_css = minify_css
        self._fingerprint = fingerprint
        self._browsers = targets
        self.kept = kept
        self._files: dict[str, str] = {}
        self._urls: dict[str, str] = {}
        self._names: list[str] | None = None
        self._bundler = bundler
        self._mentioned = mentioned
        self._fonts = fonts
        self._tailwind = tailwind
        # The texts of what is made and not read.
        self._generated: dict[str, str] = {}
        self._plan = Plan()
        self._by_url: dict[str, str] | None = None
        self._integrity: dict[str, str] = {}

    def update(self, files: Mapping[str, str]) -> list[SiteError]:
        """Takes the files of the site (path → hash). Returns what is wrong with its assets."""
        self._files = {
            path.removeprefix(FOLDER): found
            for path, found in files.items()
            if path.startswith(FOLDER) and not path.endswith(".d.ts")
        }
        errors: list[SiteError] = []
        self._generate(files, errors)
        for name, text in {**built_in(), **self._generated}.items():
            self._files[name] = hashlib.sha256(text.encode()).hexdigest()
        self._urls = {}
        self._names = None
        self._by_url = None
        self._integrity = {}
        for name in [name for name in self.kept if name not in self._files]:
            del self.kept[name]
        for name, found in self._files.items():
            if name.endswith(SCRIPTS + STYLES) and (name not in self.kept or self.kept[name].hash != found):
                self.kept.pop(name, None)
                try:
                    self.kept[name] = Imports(found, self._imports(name))
                except SiteError as error:
                    errors.append(error)
        if self._bundler is not None:
            self._plan = plan_of(self.kept, self._files, self._bundler, self._mentioned, self._text)
            if not errors:
                errors += self._bundle(self._bundler)
        return errors

    def _generate(self, files: Mapping[str, str], errors: list[SiteError]) -> None:
        """Makes the stylesheets that are in no file, or not as they are."""
        self._generated = {}
        try:
            if self._tailwind is not None:
                for name in self._tailwind.sheets:
                    if name not in self._files:
                        raise missing(name, self._files)
                    self._generated[name] = self._tailwind.make(name, files)
            if self._fonts is not None:
                self._fonts.update(files)
                found = {name: self._files[name] for name in self._files if name.endswith(FONTS)}
                self._generated[SHEET] = self._fonts.sheet(found)
        except SiteError as error:
            errors.append(error)

    def _bundle(self, bundler: Bundler) -> list[SiteError]:
        plan = self._plan
        if not plan.entries and not plan.sheets:
            return bundler.update([], [], self._files, {}, {})
        urls = {}
        for name in self._files:
            if not name.endswith(SCRIPTS) and name not in plan.sheets:
                try:
                    urls[name] = self.url(name)
                except SiteError:
                    # It is told of where the stylesheet itself is made.
                    continue
        texts = {**built_in(), **self._generated}
        found = bundler.update(plan.entries, plan.sheets, self._files, urls, texts)
        self._urls = {}
        return found

    def names(self) -> list[str]:
        """Returns the names of all assets that are written.

        Those that do not begin with an underscore, and what these refer to; a stylesheet that another one imports is
        put into that one.
        """
        if self._names is None:
            found = {name: None for name in self._files if not name.rpartition("/")[2].startswith("_")}
            found = {name: None for name in found if name not in self._plan.parts}
            if self._bundler is not None:
                found |= dict.fromkeys(self._bundler.kept.led)
                found |= {name: None for name, one in self._bundler.outputs.items() if one.entry is None}
                found |= dict.fromkeys(self._bundler.files)
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

    def output(self, name: str) -> Output | None:
        """Returns what bundling made of an asset, or an output of it that is no asset's own; None for all others."""
        if self._bundler is None:
            return None
        return self._bundler.entries.get(name) or self._bundler.outputs.get(name)

    def css_names(self, name: str) -> dict[str, str]:
        """Returns the names of a CSS module: what they are in its file, and what on a page.

        Raises:
            SiteError: There is no such file, or it is not valid, or what it is composed of is not there.
        """
        if name not in self._files:
            raise missing(name, {one: "" for one in self._files if one.endswith(".module.css")})
        try:
            found = _core.css_names(self._text(name), filename=name)
        except _core.SourceError as error:
            raise site_error(error, self._root) from None
        names = {}
        for local, classes, composed in found:
            others = []
            for url, other in composed:
                target = self._target(name, url)
                if target is None or target == name:
                    raise missing(url, self._files)
                others.append(self.css_names(target).get(other, other))
            names[local] = " ".join([*classes, *others])
        return names

    def name_of(self, url: str) -> str | None:
        """Returns the asset that is served from a URL path, or None."""
        if self._by_url is None:
            self._by_url = {self.url(name): name for name in self.names()}
        return self._by_url.get(url)

    def integrity(self, url: str) -> str | None:
        """Returns what a browser compares an asset with, by its URL; None where there is no such asset."""
        name = self.name_of(url)
        if name is None:
            return None
        if url not in self._integrity:
            output = self.output(name)
            self._integrity[url] = output.integrity if output is not None else integrity_of(self.make(name)[0])
        return self._integrity[url]

    def modules(self, name: str) -> list[str]:
        """Returns the files an asset was bundled of, relative to the site; empty for one that was not bundled."""
        output = self.output(name)
        return [] if output is None else [file for file, _ in output.modules]

    def sources(self, name: str) -> list[str]:
        """Returns the names of all assets that `name` is made of, itself first."""
        output = self.output(name)
        if output is not None:
            inside = [file.removeprefix(FOLDER) for file, _ in output.modules if file.startswith(FOLDER)]
            return list(dict.fromkeys([name, *inside]))
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
        output = self.output(name)
        if output is not None and self._bundler is not None:
            return self._bundler.body(output), _OUTPUT_TYPES.get(output.kind, "text/javascript; charset=utf-8")
        if self._bundler is not None and name in self._bundler.files:
            return self._foreign(self._bundler.files[name][1]), media_type(name)
        if name.endswith(STYLES):
            return self._style(name), "text/css; charset=utf-8"
        if name.endswith(SCRIPTS):
            return self._script(name), "text/javascript; charset=utf-8"
        if self._fonts is not None and name.endswith(FONTS):
            return self._fonts.subset(self._read(name), name), media_type(name)
        return self._read(name), media_type(name)

    def size(self, name: str) -> int:
        """Returns how many bytes the sources have that a script or a stylesheet is made of."""
        output = self.output(name)
        if output is not None:
            found = [stat_of(str(self._root / file)).size for file, _ in output.modules]
            return sum(size for size in found if size > 0) or output.size
        sources = [one for one in self.sources(name) if one.endswith(STYLES)] if name.endswith(STYLES) else [name]
        return sum(len(self._text(one).encode()) for one in sources)

    def _url(self, name: str) -> str:
        output = self.output(name)
        if output is not None:
            return output.url
        if self._bundler is not None and name in self._bundler.files:
            return self._bundler.files[name][0]
        if name not in self._files:
            raise missing(name, self._files)
        if name in self._plan.parts:
            raise SiteError(
                f"the script `{name}` is put into those that import it, and has no address of its own",
                hint="name it in `build.entries`, where a page loads it too",
            )
        if name in self._plan.entries or name in self._plan.sheets:
            # It could not be bundled, which is told of elsewhere.
            return encoded(f"/{FOLDER}{name}")
        stem, dot, ending = name.rpartition(".")
        if not dot:
            stem, ending = name, ""
        if dot + ending in SCRIPTS:
            ending = "js"
        if not self._fingerprint:
            return encoded(f"/{FOLDER}{stem}{dot}{ending}")
        digest = hashlib.sha256(f"{__version__}{self._minify_js}{self._minify_css}".encode())
        if self._fonts is not None and any(one.endswith(FONTS) for one in self.sources(name)):
            digest.update(self._fonts.hash.encode())
        for source in sorted(self.sources(name)):
            digest.update(f"{source}\0{self._files[source]}\0".encode())
        return encoded(f"/{FOLDER}{stem}.{digest.hexdigest()[:10]}{dot}{ending}")

    def _reached(self, name: str) -> list[str]:
        """Returns the assets that a browser is led to from the built form of `name`."""
        if self.output(name) is not None or name in self._plan.entries or name in self._plan.sheets:
            return []
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
            text = _core.transform_css(name, sources, urls, minify=self._minify_css, targets=self._browsers)
        except _core.SourceError as error:
            raise site_error(error, self._root) from None
        return text.encode()

    def _script(self, name: str) -> bytes:
        urls = {url: self.url(target) for url, target in self._targets(name).items()}
        try:
            text = _core.transform_js(self._text(name), urls, filename=FOLDER + name, minify=self._minify_js)
        except _core.SourceError as error:
            raise site_error(error, self._root) from None
        return text.encode()

    def _text(self, name: str) -> str:
        text = self._generated.get(name) or built_in().get(name)
        if text is not None:
            return text
        try:
            return self._read(name).decode()
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            file = f"{self._root.name}/{FOLDER}{name}"
            raise SiteError("this is not UTF-8 text", file=file, line=line, hint="save the file as UTF-8") from None

    def _foreign(self, file: str) -> bytes:
        try:
            return Path(file).read_bytes()
        except OSError as error:
            raise SiteError(f"cannot be read: {error.strerror}", file=file, hint="install the package anew") from None

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
_OUTPUT_TYPES = {
    "style": "text/css; charset=utf-8",
    "map": "application/json",
    "licenses": "text/plain; charset=utf-8",
}


def missing(name: str, there: Mapping[str, str]) -> SiteError:
    """Returns the error for an asset that is not there, with the nearest name."""
    import difflib

    near = difflib.get_close_matches(name, there, n=1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`?" if near else "put the file into assets/"
    return SiteError(f"there is no asset `{name}`", hint=hint)


def media_type(name: str) -> str:
    """Returns the media type for a file's ending, with its charset where it is text."""
    return _core.media_type(name) or mimetypes.guess_type(name)[0] or "application/octet-stream"
