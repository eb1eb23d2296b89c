"""A site that follows its files: what the development server and `build --watch` share."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from hyperweb import _core
from hyperweb.errors import HyperwebError
from hyperweb.plugins._generated import write_generated
from hyperweb.plugins._load import Plugins
from hyperweb.site._documents import site_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hyperweb.config import SiteConfig
    from hyperweb.site._renderer import Renderer

# However long files go on changing, what changed is taken after so many seconds.
_LONGEST = 5.0


class Engine:
    """A site that is read anew, as far as it changed, whenever that is asked for.

    What was saved before a question is in its answer, and what is saved after it in the next one: nothing is lost, and
    nobody has to wait until files are quiet.

    Args:
        config: The site.
        state: Where the last scan is kept, by name, in the site's folder of state.
        make: Makes the renderer for settings.
        overrides: Settings that stood on the command line, by dotted name; they outlast a change of site.toml.

    Attributes:
        config: The site, with the settings that site.toml has now.
        sources: The scan of its files.
        files: The hash of each file, by path.
        renderer: The site that can be rendered.
        redated: The files that were saved again at another time, since whoever builds emptied this.
    """

    def __init__(
        self,
        config: SiteConfig,
        state: str,
        make: Callable[[SiteConfig, Plugins], Renderer],
        overrides: Mapping[str, Any] | None = None,
    ) -> None:
        self.config = config
        self._make = make
        self._overrides = overrides
        self.files: dict[str, str] = {}
        self.redated: set[str] = set()
        self._is_read = False
        self._plugin_files: dict[str, bytes] = {}
        self._scan_errors: list[HyperwebError] = []
        self._config_error: HyperwebError | None = None
        self._plugin_error: HyperwebError | None = None
        self.renderer = self._renderer()
        self.sources = _core.Sources(
            str(config.root), str(config.state / state), max_file=config.settings.build.max_file
        )
        self._skipped = [str(config.out), str(config.state)]
        self.sources.watch(self._skipped)

    @property
    def errors(self) -> list[HyperwebError]:
        """What is wrong with the site now."""
        found = [error for error in (self._config_error, self._plugin_error) if error is not None]
        return [*found, *self._scan_errors, *self.renderer.errors]

    def refresh(self, *, quiet: float = 0.0) -> bool:
        """Reads what changed since the last time. Returns whether anything did.

        Args:
            quiet: How long, in seconds, no file may have changed before what changed is taken: a switch of branches is
                one change and not a thousand.
        """
        plugins = self._read_plugins()
        try:
            changed = self._look()
            until = time.monotonic() + _LONGEST
            while quiet and changed and time.monotonic() < until and self.sources.wait(quiet):
                changed |= self._look()
        except _core.SourceErrors as error:
            self._scan_errors = [site_error(one, self.config.root) for one in error.errors]
            return True
        mended = bool(self._scan_errors)
        self._scan_errors = []
        stale = self._is_read and self.renderer.bundler.is_stale()
        if self._is_read and not changed and not plugins and not stale:
            return mended
        if self._is_read and ("site.toml" in changed or plugins):
            self._settings_changed()
            self.renderer.update(dict(sorted(self.files.items())))
        elif not self._is_read or stale or not self.renderer.update_some(changed):
            self.renderer.update(dict(sorted(self.files.items())))
        self._is_read = True
        return True

    def _look(self) -> dict[str, str | None]:
        """Takes the hashes of what changed; what cannot be taken in now is taken in the next time."""
        is_all, found = self.sources.look()
        self.redated.update(self.sources.redated)
        if is_all:
            found |= dict.fromkeys(self.files.keys() - found.keys())
            found = {path: digest for path, digest in found.items() if self.files.get(path) != digest}
        for path, digest in found.items():
            if digest is None:
                self.files.pop(path, None)
            else:
                self.files[path] = digest
        return found

    def _settings_changed(self) -> None:
        from hyperweb.config import load_site

        # A mistake in the settings is shown until it is mended; meanwhile the old ones are used.
        self._config_error = None
        try:
            self.config = load_site(self.config.root, self._overrides)
        except HyperwebError as error:
            self._config_error = error
            return
        self.renderer.close()
        self.renderer = self._renderer()

    def _renderer(self) -> Renderer:
        self._plugin_error = None
        try:
            plugins = Plugins(self.config.root, self.config.settings.build.plugins)
            write_generated(self.config.root, self.config.state, plugins)
        except HyperwebError as error:
            self._plugin_error = error
            plugins = Plugins(self.config.root, ())
        return self._make(self.config, plugins)

    def _read_plugins(self) -> bool:
        """Returns whether the files of plugins are other than the last time."""
        if not self.config.settings.build.plugins:
            return False
        folder = self.config.root / "plugins"
        found = {file.name: file.read_bytes() for file in sorted(folder.glob("*.py"))} if folder.is_dir() else {}
        changed = self._is_read and found != self._plugin_files
        self._plugin_files = found
        return changed
