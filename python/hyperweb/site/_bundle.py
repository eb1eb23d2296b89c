"""Scripts put together with what they import, and what is kept of that between builds.

Every file that was read is an input: those of the site by their hashes, those of packages by size and time. While all
of them are as they were, nothing is bundled again; and as names carry a hash of the bytes, what comes out the same
leaves the pages that load it alone.
"""

from __future__ import annotations

import base64
import hashlib
import os
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from hyperweb import __version__, _core
from hyperweb.site._documents import site_error
from hyperweb.site._errors import SiteError
from hyperweb.site._packages import FOLDER, FOREIGN, Stat, environment, stat_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from hyperweb.config import Settings

Naming = Literal["plain", "mapped", "hashed"]
# What package managers write when they install something, and what says where names lead.
_RESOLVING = (
    "package.json",
    "tsconfig.json",
    "node_modules/.package-lock.json",
    "node_modules/.modules.yaml",
    "node_modules/.yarn-state.yml",
    "node_modules/.yarn-integrity",
)


class Output(msgspec.Struct, frozen=True):
    """A file that came of bundling; see `_core.BundleOutput`.

    Attributes:
        digest: The name of the file that its bytes are kept in.
        integrity: Subresource Integrity.
    """

    name: str
    url: str
    kind: str
    digest: str
    size: int
    integrity: str
    entry: str | None
    imports: tuple[str, ...]
    dynamic: tuple[str, ...]
    styles: tuple[str, ...]
    modules: tuple[tuple[str, int], ...]


class Warned(msgspec.Struct, frozen=True):
    """Something odd that the bundler found."""

    message: str
    file: str | None
    line: int | None
    hint: str | None
    frame: str | None


class Bundled(msgspec.Struct):
    """What came of the last run, and all it depended on.

    Attributes:
        key: The hash of what was asked for: entries, settings, environment, names that could be resolved.
        site: The hashes of the site's files that were read.
        foreign: Other files that were read or looked for.
        led: Where the assets are served from that are referred to.
        files: Files of packages that are served as they are: URL and file.
    """

    key: str = ""
    site: dict[str, str] = {}
    foreign: dict[str, Stat] = {}
    led: dict[str, str] = {}
    outputs: list[Output] = []
    files: list[tuple[str, str]] = []
    warnings: list[Warned] = []


class Bundler:
    """Bundles the scripts of a site.

    Args:
        root: The site's folder.
        state: Where outputs are kept between runs.
        naming: How files are named.
        minify_js: Whether scripts are minified.
        minify_css: Whether their stylesheets are minified.
        kept: What came of an earlier run.
    """

    def __init__(
        self,
        root: Path,
        state: Path,
        settings: Settings,
        *,
        naming: Naming,
        minify_js: bool,
        minify_css: bool,
        targets: _core.Targets,
        kept: Bundled,
        threads: int,
    ) -> None:
        self._root = root.resolve()
        self._name = root
        self._state = state / FOLDER
        self._settings = settings
        self.naming: Naming = naming
        self._minify_js = minify_js
        self._minify_css = minify_css
        self._targets = targets
        self._threads = threads or len(os.sched_getaffinity(0))
        self.kept = kept
        self.patterns = settings.build.entries
        self.names = tuple(settings.build.define)
        self.licenses = settings.minify.licenses
        self.maps = settings.build.source_maps
        self._has_failed = False
        self._index()

    def _index(self) -> None:
        self.outputs = {one.name: one for one in self.kept.outputs}
        self.entries = {one.entry: one for one in self.kept.outputs if one.entry is not None}
        self.files = {url.removeprefix("/assets/"): (url, file) for url, file in self.kept.files}

    def update(
        self,
        entries: list[str],
        sheets: list[str],
        files: Mapping[str, str],
        urls: Mapping[str, str],
        texts: Mapping[str, str],
    ) -> list[SiteError]:
        """Bundles anew where anything changed. Returns what is wrong.

        Args:
            entries: The scripts pages load, by name.
            sheets: The stylesheets that import from packages.
            files: The hashes of all files of assets/, by name.
            urls: Where assets that are no scripts are served from.
            texts: The texts of assets that are in no file, or not as they are.
        """
        if not entries and not sheets:
            self._take(Bundled())
            return []
        key = self._key(entries, sheets, files)
        if self._is_current(key, files, urls):
            return []
        place = self._root / "assets"
        try:
            made = _core.bundle(
                str(self._root),
                [(name, str(place / name)) for name in entries],
                [(name, str(place / name)) for name in sheets],
                dict(urls),
                {str(place / name): text for name, text in texts.items()},
                define=list(self.define().items()),
                external=list(self._settings.build.external),
                naming=self.naming,
                minify_js=self._minify_js,
                minify_css=self._minify_css,
                source_maps=self._settings.build.source_maps,
                licenses=self._settings.minify.licenses,
                targets=self._targets,
                threads=self._threads,
            )
        except _core.SourceErrors as found:
            self._take(Bundled())
            self._has_failed = True
            return [site_error(error, self._name) for error in found.errors]
        inside = f"{self._root}/assets/"
        looked_for = [str(self._root / name) for name in _RESOLVING]
        looked_for += [str(file) for file in sorted(self._root.glob("tsconfig.*.json"))]
        foreign = [file for file in made.inputs if not file.startswith(inside)] + looked_for
        names = [file.removeprefix(inside) for file in made.inputs if file.startswith(inside)]
        try:
            outputs = [self._keep(one) for one in made.outputs]
        except OSError as error:
            hint = "check the space left on the disk and the folder's permissions"
            return [SiteError(f"what was bundled cannot be kept: {error.strerror}", file=self._state, hint=hint)]
        self._take(
            Bundled(
                key=key,
                site={name: files.get(name, "") for name in names},
                foreign={file: stat_of(file) for file in foreign},
                led={name: urls[name] for name in made.led},
                outputs=outputs,
                files=made.files,
                warnings=[Warned(one.message, one.file, one.line, one.hint, one.frame) for one in made.warnings],
            )
        )
        return []

    def aliased(self, imports: list[tuple[str, str]]) -> list[str | None]:
        """Returns the asset that each import means by a name of `tsconfig.json`, or None where it means none.

        Args:
            imports: The importing asset and what it says.
        """
        place = self._root / "assets"
        if not imports or not any((folder / "tsconfig.json").is_file() for folder in (place, self._root)):
            return [None] * len(imports)
        found = _core.script_aliases(str(place), [(str(place / name), said) for name, said in imports])
        return [None if file is None else file.removeprefix(f"{place}/") for file in found]

    def is_stale(self) -> bool:
        """Whether files that are not the site's own changed since the last run, or may have that made it fail."""
        return self._has_failed or any(stat_of(file) != stat for file, stat in self.kept.foreign.items())

    def warnings(self) -> list[SiteError]:
        """Returns what is odd about the site's own scripts."""
        return [
            SiteError(
                one.message,
                file=None if one.file is None else f"{self._name.name}/{one.file}",
                line=one.line,
                hint=one.hint,
                frame=one.frame,
            )
            for one in self.kept.warnings
        ]

    def times(self) -> dict[str, int]:
        """Returns when the files of others were changed that were read, in seconds since 1970, by their paths."""
        root = f"{self._root}/"
        return {
            file.removeprefix(root): stat.modified // 1_000_000_000
            for file, stat in self.kept.foreign.items()
            if stat.size >= 0
        }

    def body(self, output: Output) -> bytes:
        """Returns the bytes of an output."""
        try:
            return (self._state / output.digest).read_bytes()
        except OSError:
            raise SiteError(
                f"what was bundled of {output.name} is gone",
                file=self._state,
                hint="`hyperweb build --clean` makes it anew",
            ) from None

    def save(self, also: Iterable[str] = ()) -> None:
        """Removes what earlier runs kept, and notes what a later build looks at first.

        Args:
            also: Other files that the site is made of and that are none of its own.
        """
        foreign = {**self.kept.foreign, **{file: stat_of(file) for file in also}}
        if not foreign and not self._state.is_dir():
            return
        self._state.mkdir(parents=True, exist_ok=True)
        used = {one.digest for one in self.kept.outputs} | {FOREIGN}
        for file in self._state.iterdir():
            if file.name not in used:
                file.unlink(missing_ok=True)
        (self._state / FOREIGN).write_bytes(msgspec.json.encode([foreign, environment()]))

    def define(self) -> dict[str, str]:
        """Returns what names in scripts stand for, as JavaScript."""
        build = self._settings.build
        mode = "development" if self.naming == "plain" else "production"
        env: dict[str, Any] = {
            "MODE": mode,
            "DEV": mode == "development",
            "PROD": mode == "production",
            "SSR": False,
            "BASE_URL": "/",
            **build.env,
            **environment(),
        }
        said = {name: _javascript(value) for name, value in build.define.items()}
        members = {f"import.meta.env.{name}": _javascript(value) for name, value in env.items()}
        return {
            "process.env.NODE_ENV": _javascript(mode),
            "import.meta.hot": "undefined",
            "import.meta.env": _javascript(env),
            **members,
            **said,
        }

    def closure(self, names: Iterable[str], *, later: bool) -> list[Output]:
        """Returns the outputs that scripts load, these first; with `later` those too that they may load later."""
        found = dict.fromkeys(name for name in names if name in self.outputs)
        todo = list(found)
        for name in todo:
            output = self.outputs[name]
            for other in output.imports + (output.dynamic if later else ()):
                if other in self.outputs and other not in found:
                    found[other] = None
                    todo.append(other)
        return [self.outputs[name] for name in found]

    def _take(self, bundled: Bundled) -> None:
        self.kept = bundled
        self._has_failed = False
        self._index()

    def _key(self, entries: list[str], sheets: list[str], files: Mapping[str, str]) -> str:
        # A file that comes can be what a name leads to from now on.
        names = sorted(name for name in files if name.endswith(_LED_TO))
        build = self._settings.build
        asked = [
            __version__,
            self.naming,
            self._minify_js,
            self._minify_css,
            entries,
            sheets,
            names,
            self.define(),
            build.external,
            build.targets,
            build.source_maps,
            self._settings.minify.licenses,
        ]
        return hashlib.blake2b(msgspec.json.encode(asked), digest_size=16).hexdigest()

    def _is_current(self, key: str, files: Mapping[str, str], urls: Mapping[str, str]) -> bool:
        kept = self.kept
        return (
            kept.key == key
            and all(files.get(name) == found for name, found in kept.site.items())
            and all(urls.get(name) == url for name, url in kept.led.items())
            and all(stat_of(file) == stat for file, stat in kept.foreign.items())
            and all((self._state / one.digest).is_file() for one in kept.outputs)
        )

    def _keep(self, made: _core.BundleOutput) -> Output:
        body = made.body
        digest = hashlib.blake2b(body, digest_size=16).hexdigest()
        file = self._state / digest
        if not file.is_file():
            self._state.mkdir(parents=True, exist_ok=True)
            aside = file.with_suffix(f".{os.getpid()}")
            aside.write_bytes(body)
            aside.replace(file)
        return Output(
            name=made.name,
            url=made.url,
            kind=made.kind,
            digest=digest,
            size=len(body),
            integrity=integrity_of(body),
            entry=made.entry,
            imports=tuple(made.imports),
            dynamic=tuple(made.dynamic),
            styles=tuple(made.styles),
            modules=tuple(made.modules),
        )


_LED_TO = (".ts", ".tsx", ".mts", ".cts", ".jsx", ".js", ".mjs", ".cjs", ".json", ".css")


def integrity_of(body: bytes) -> str:
    """Returns what a browser compares a file with (Subresource Integrity, section 3.1)."""
    return f"sha384-{base64.b64encode(hashlib.sha384(body).digest()).decode()}"


def _javascript(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def naming_of(settings: Settings) -> Naming:
    """Returns how the files of a built site are named: an import map is a script, which may be forbidden."""
    for name, value in settings.security.headers.items():
        if name.lower() == "content-security-policy":
            said = [part.split() for part in value.lower().split(";")]
            rules = {part[0]: part[1:] for part in reversed(said) if part}
            allowed = rules.get("script-src-elem", rules.get("script-src", rules.get("default-src")))
            if allowed is not None and "'unsafe-inline'" not in allowed:
                return "hashed"
    return "mapped" if settings.build.import_map else "hashed"
