"""One build of a site, from its sources to `dist/`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hyperweb import _core
from hyperweb.build._errors import BuildError, BuildErrors
from hyperweb.build._head import Head, load_head
from hyperweb.build._lock import only_build
from hyperweb.build._report import BuildReport
from hyperweb.plugins._generated import write_generated
from hyperweb.plugins._load import Plugins, hash_with
from hyperweb.site._packages import packages_changed

if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperweb.config import SiteConfig


def build_site(
    config: SiteConfig,
    *,
    clean: bool = False,
    strict: bool = False,
    explain: str | None = None,
    sizes: bool = False,
    page: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> BuildReport:
    """Builds a site into its `dist/`, doing only what changed since the last time.

    Args:
        config: The site.
        clean: Forget what earlier builds know and make everything anew.
        strict: Fail on what is otherwise a warning.
        explain: A URL path or a source of which the report says why it was made anew, or what it reaches.
        sizes: Whether the report says how large what was built is, and what took longest to make.
        page: Whether that is written as a page too, `.hyperweb/report.html`.
        progress: Called with what is being done, how much of it is done, and how much there is.

    Raises:
        BuildErrors: Something is wrong with the site; the last good `dist/` is as it was.
    """
    started = time.perf_counter()
    report = BuildReport(site=config.name)
    _make_folders(config)
    with only_build(config.state, config.out):
        _build(config, report, clean=clean, strict=strict, explain=explain, progress=progress or _silent)
        if sizes or page:
            _weigh(config, report, page=page)
    report.milliseconds = round((time.perf_counter() - started) * 1000)
    return report


def _build(
    config: SiteConfig,
    report: BuildReport,
    *,
    clean: bool,
    strict: bool,
    explain: str | None,
    progress: Callable[[str, int, int], None],
) -> None:
    plugins = Plugins(config.root, config.settings.build.plugins)
    settings = hash_with(config, plugins)
    write_generated(config.root, config.state, plugins)
    head = Head() if clean else load_head(config.state)
    sources = _core.Sources(str(config.root), str(config.state / "sources"), max_file=config.settings.build.max_file)
    try:
        files = sources.scan(fresh=clean)
    except _core.SourceErrors as found:
        from hyperweb.site._documents import site_error

        raise BuildErrors([site_error(error, config.root) for error in found.errors]) from None
    previous = None if clean else open_last(config)
    if previous is not None and (head.pack != previous.id or head.settings != settings):
        # Another version of hyperweb, other settings, or a dist from elsewhere: nothing of it is taken over.
        previous = None
    # Where a build was killed while it put files in place, they may be those of other sources.
    whole = config.public.is_dir() and not (config.out / ".publishing").exists()
    is_same = not (sources.changed or sources.redated or strict or packages_changed(config.state))
    if previous is not None and is_same and whole:
        # Files that were touched within a second, but not changed, need not be read again the next time.
        sources.save()
        report.unchanged = True
        report.pages, report.assets = head.pages, head.assets
        report.reused = head.pages + head.assets
        report.pack_bytes = config.pack.stat().st_size
        if explain is not None:
            _explain_unchanged(config, report, explain)
        return
    # What a build with nothing to do does not need is not even loaded.
    from hyperweb.build._make import Task, make_site

    make_site(
        Task(
            config=config,
            settings_hash=settings,
            sources=sources,
            files=files,
            redated=frozenset(sources.redated),
            previous=previous,
            remembers=not clean and head.settings == settings,
            strict=strict,
            explain=explain,
            progress=progress,
            report=report,
            plugins=plugins,
        )
    )


def _weigh(config: SiteConfig, report: BuildReport, *, page: bool) -> None:
    from hyperweb.build._graph import load_graph
    from hyperweb.build._report_page import report_page
    from hyperweb.build._sizes import file_sizes, sizes_of

    pack = _core.open_pack(str(config.pack))
    graph = load_graph(config.state)
    made = graph.made
    budgets = {str(name): most for name, most in config.settings.check.budgets.items()}
    report.sizes = sizes_of(pack, made, budgets, graph.memory.bundled.outputs)
    if not page:
        return
    file = config.state / "report.html"
    try:
        file.write_text(report_page(config.settings.title, report.sizes, file_sizes(pack, made)), encoding="utf-8")
    except OSError as error:
        raise BuildError(f"cannot be written: {error.strerror}", file=file, hint="check its permissions") from None
    report.page = str(file)


def _explain_unchanged(config: SiteConfig, report: BuildReport, path: str) -> None:
    from hyperweb.build._explain import explain
    from hyperweb.build._graph import load_graph

    graph = load_graph(config.state)
    report.explained = explain(path, config.root, graph, made=(), changed=(), last=graph)


def _make_folders(config: SiteConfig) -> None:
    for folder in (config.state, config.out):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BuildError(
                f"the folder cannot be made: {error.strerror}", file=folder, hint="check its permissions"
            ) from None


def open_last(config: SiteConfig) -> _core.Pack | None:
    """Opens the last pack; one that is damaged or not there only means that everything is made."""
    try:
        return _core.open_pack(str(config.pack))
    except _core.PackError:
        return None


def _silent(what: str, done: int, total: int) -> None:
    del what, done, total
