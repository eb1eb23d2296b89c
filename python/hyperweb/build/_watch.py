"""Builds a site again and again, as its files change."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from hyperweb.build._build import open_last
from hyperweb.build._errors import BuildErrors
from hyperweb.build._graph import load_graph
from hyperweb.build._head import load_head
from hyperweb.build._lock import only_build
from hyperweb.build._make import Task, make_site
from hyperweb.build._report import BuildReport
from hyperweb.plugins._load import hash_with
from hyperweb.site._engine import Engine
from hyperweb.site._renderer import Renderer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hyperweb.config import SiteConfig
    from hyperweb.plugins._load import Plugins

# Files that change within so many seconds of each other are one change.
_QUIET = 0.05


class Watched:
    """A site that is built whenever its files changed: what was read and known for a build is at hand for the next.

    Args:
        config: The site.
        strict: Fail on what is otherwise a warning.
        overrides: Settings that stood on the command line, by dotted name.
    """

    def __init__(self, config: SiteConfig, *, strict: bool = False, overrides: Mapping[str, Any] | None = None) -> None:
        self._strict = strict
        self._is_first = True
        self._graph = load_graph(config.state)
        # The pack that the graph is of.
        self._built = load_head(config.state).pack
        self._engine = Engine(config, "sources", self._renderer, overrides)

    @property
    def name(self) -> str:
        """The name of the site's folder."""
        return self._engine.config.name

    def wait(self, seconds: float) -> bool:
        """Waits until a file changed, at most so long. Returns whether one did."""
        return self._engine.sources.wait(seconds)

    def build(self) -> BuildReport | None:
        """Builds the site, if what it is built from changed. Returns None if it did not.

        Raises:
            BuildErrors: Something is wrong with the site; the last good `dist/` is as it was.
        """
        started = time.perf_counter()
        engine = self._engine
        changed = engine.refresh(quiet=_QUIET)
        if self._is_first:
            # What was saved since the build before this one began to look.
            self._is_first = False
            changed = engine.sources.changed
        if not changed and not engine.redated:
            return None
        if engine.errors:
            raise BuildErrors(engine.errors)
        config = engine.config
        settings = hash_with(config, engine.renderer.plugins)
        report = BuildReport(site=config.name)
        config.out.mkdir(parents=True, exist_ok=True)
        config.state.mkdir(parents=True, exist_ok=True)
        with only_build(config.state, config.out):
            head = load_head(config.state)
            previous = open_last(config)
            if previous is not None and (head.pack != previous.id or head.settings != settings):
                previous = None
            elif head.pack != self._built:
                # Another process built it meanwhile.
                self._graph = load_graph(config.state)
            task = Task(
                config=config,
                settings_hash=settings,
                sources=engine.sources,
                files=engine.files,
                redated=frozenset(engine.redated),
                previous=previous,
                remembers=previous is not None,
                strict=self._strict,
                explain=None,
                progress=_silent,
                report=report,
                plugins=engine.renderer.plugins,
                renderer=engine.renderer,
                graph=self._graph,
            )
            self._graph = make_site(task)
            self._built = load_head(config.state).pack
        engine.redated.clear()
        report.milliseconds = round((time.perf_counter() - started) * 1000)
        return report

    def _renderer(self, config: SiteConfig, plugins: Plugins) -> Renderer:
        knows = load_head(config.state).settings == hash_with(config, plugins)
        return Renderer(
            config,
            fingerprint=True,
            minify=config.settings.build.minify,
            drafts=config.settings.build.drafts,
            memory=self._graph.memory if knows else None,
            threads=config.settings.build.concurrency,
            state=config.state,
            plugins=plugins,
        )


def _silent(what: str, done: int, total: int) -> None:
    del what, done, total
