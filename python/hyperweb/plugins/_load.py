"""The plugins of one site: found, loaded and called, with errors that say which of them failed where."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hyperweb.config import settings_hash
from hyperweb.errors import HyperwebError, source_frame
from hyperweb.plugins._plugin import Document, Plugin
from hyperweb.site._errors import SiteError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from hyperweb.config import SiteConfig
    from hyperweb.site._page import Page
    from hyperweb.site._site import Site

_FOLDER = "plugins"


class PluginError(SiteError):
    """A plugin cannot be loaded, or failed."""


class Plugins:
    """The plugins of a site, in the order they are named in.

    Args:
        root: The site's folder.
        names: Their names: `plugins/NAME.py` of the site, or a module that is installed.

    Raises:
        PluginError: One is missing, or cannot be loaded.

    Attributes:
        hash: Names what they do: it changes with a plugin's version, and with its file.
    """

    def __init__(self, root: Path, names: tuple[str, ...]) -> None:
        self._root = root
        self.hash = ""
        self._all: list[tuple[str, Plugin]] = []
        if not names:
            return
        # It brings OpenSSL with it, which a server of a site without plugins has no use for.
        import hashlib

        digest = hashlib.blake2b(digest_size=16)
        for name in names:
            module = _module(root, name)
            plugin = _plugin(root, name, module)
            self._all.append((name, plugin))
            digest.update(f"{name}\0{plugin.version}\0".encode())
            if module.__file__ is not None:
                digest.update(hashlib.blake2b(Path(module.__file__).read_bytes()).digest())
        self.hash = digest.hexdigest()

    def __bool__(self) -> bool:
        return bool(self._all)

    def of(self, stage: str) -> list[tuple[str, Plugin]]:
        """Returns those that take part in a stage."""
        return [(name, one) for name, one in self._all if getattr(type(one), stage) is not getattr(Plugin, stage)]

    def source(self) -> dict[str, tuple[str, bytes]]:
        """Returns the files that are to be in the site: by path, the plugin and the bytes."""
        found: dict[str, tuple[str, bytes]] = {}
        for name, plugin in self.of("source"):
            made = self._call(name, "source", plugin.source, self._root)
            for path, data in self._mapping(name, "source", made).items():
                if path in found:
                    self._fail(name, f"`source` gave {path}, which is the plugin `{found[path][0]}`'s")
                found[path] = (name, data)
        return found

    def parse(self, document: Document) -> None:
        """Changes a file of content."""
        for name, plugin in self.of("parse"):
            self._call(name, "parse", plugin.parse, document)

    def render(self, page: Page, variables: dict[str, Any]) -> None:
        """Changes what the template of a page sees."""
        for name, plugin in self.of("render"):
            self._call(name, "render", plugin.render, page, variables)

    def transform(self, url: str, content_type: str, body: bytes) -> bytes:
        """Returns what is served in place of a page or an asset."""
        for name, plugin in self.of("transform"):
            made = self._call(name, "transform", plugin.transform, url, content_type, body)
            if not isinstance(made, bytes):
                self._fail(name, f"`transform` of {url} gave {type(made).__name__} and not bytes")
            body = made
        return body

    def emit(self, site: Site) -> dict[str, tuple[str, bytes]]:
        """Returns further responses: by URL path, the plugin and the bytes."""
        found: dict[str, tuple[str, bytes]] = {}
        for name, plugin in self.of("emit"):
            made = self._call(name, "emit", plugin.emit, site)
            for url, data in self._mapping(name, "emit", made).items():
                if not url.startswith("/") or "//" in url or url in found:
                    self._fail(name, f"`emit` gave the path {url!r}, which is none, or another plugin's")
                found[url] = (name, data)
        return found

    def file(self, name: str) -> str:
        """Returns the file of a plugin, as errors name it."""
        return f"{self._root.name}/{_FOLDER}/{name}.py"

    def _mapping(self, name: str, stage: str, made: Mapping[Any, Any]) -> dict[str, bytes]:
        found = {}
        for key, data in dict(made).items():
            if not isinstance(key, str) or not isinstance(data, (str, bytes)):
                self._fail(name, f"`{stage}` gives a mapping of names to text or bytes, and gave {key!r}: {data!r:.80}")
            found[key] = data.encode() if isinstance(data, str) else data
        return found

    def _call(self, name: str, stage: str, hook: Callable[..., Any], *given: Any) -> Any:
        try:
            return hook(*given)
        except HyperwebError:
            raise
        except Exception as error:
            raise _failed(self._root, name, f"`{stage}` failed: {type(error).__name__}: {error}", error) from error

    def _fail(self, name: str, reason: str) -> None:
        raise PluginError(
            f"the plugin `{name}`: {reason}",
            file=self.file(name),
            hint="the documentation of plugins says what is given",
        )


def site_hash(config: SiteConfig) -> str:
    """Returns a hash of all settings that decide what is built, and of the plugins.

    Raises:
        PluginError: A plugin is missing, or cannot be loaded.
    """
    return hash_with(config, Plugins(config.root, config.settings.build.plugins))


def hash_with(config: SiteConfig, plugins: Plugins) -> str:
    """Returns a hash of all settings that decide what is built, and of these plugins."""
    return settings_hash(config.settings) + plugins.hash


def _module(root: Path, name: str) -> ModuleType:
    file = root / _FOLDER / f"{name}.py"
    try:
        if not file.is_file():
            return importlib.import_module(name)
        spec = importlib.util.spec_from_file_location(f"hyperweb_plugin_{name}", file)
        # A file that ends in .py has both.
        module = importlib.util.module_from_spec(cast("ModuleSpec", spec))
        sys.modules[module.__name__] = module
        cast("Loader", module.__loader__).exec_module(module)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0]:
            raise _failed(root, name, f"cannot be loaded: {error}", error) from error
        raise PluginError(
            f"there is no plugin `{name}`",
            file=f"{root.name}/site.toml",
            hint=f"put it into {_FOLDER}/{name}.py, or install the module of that name",
        ) from None
    except Exception as error:
        raise _failed(root, name, f"cannot be loaded: {type(error).__name__}: {error}", error) from error
    return module


def _plugin(root: Path, name: str, module: ModuleType) -> Plugin:
    own = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Plugin) and one.__module__ == module.__name__
    ]
    if len(own) != 1:
        raise PluginError(
            f"the plugin `{name}` has {len(own)} classes that are plugins, and must have one",
            file=f"{root.name}/{_FOLDER}/{name}.py",
            hint="write `class Mine(Plugin):` with `from hyperweb.plugins import Plugin`",
        )
    try:
        return own[0]()
    except Exception as error:
        raise _failed(root, name, f"cannot be made: {type(error).__name__}: {error}", error) from error


def _failed(root: Path, name: str, reason: str, error: Exception) -> PluginError:
    from hyperweb.site._trouble import place

    if isinstance(error, SyntaxError) and error.filename:
        where: tuple[str, int | None] | None = (error.filename, error.lineno)
    else:
        where = place(error.__traceback__, root)
    path = Path(where[0]) if where else root / _FOLDER / f"{name}.py"
    line = where[1] if where else None
    frame = None
    if line is not None and path.is_file():
        frame = source_frame(path.read_text(encoding="utf-8", errors="replace"), line)
    shown = path.relative_to(root.parent) if path.is_relative_to(root) else path
    hint = "mend the plugin, or take it out of `build.plugins` in site.toml"
    return PluginError(f"the plugin `{name}`: {reason}", file=shown, line=line, frame=frame, hint=hint)
