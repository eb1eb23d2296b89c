"""One check of a site."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from hyperweb import _core
from hyperweb.build import BuildErrors, build_site
from hyperweb.build._graph import load_graph
from hyperweb.build._pictures import shown
from hyperweb.build._routes import site_routes
from hyperweb.check._budgets import Budgets
from hyperweb.check._fault import Fault
from hyperweb.check._kept import KeptPages
from hyperweb.check._links import Links
from hyperweb.check._orphans import orphans, twins
from hyperweb.check._pages import CheckedPage, check_pages, is_page
from hyperweb.check._places import findings
from hyperweb.check._report import CheckReport
from hyperweb.images._images import variant_node
from hyperweb.plugins._load import site_hash
from hyperweb.site._renderer import Renderer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from hyperweb.build._graph import Graph
    from hyperweb.config import SiteConfig
    from hyperweb.errors import HyperwebError


def check_site(
    config: SiteConfig,
    *,
    external: bool = False,
    disable: Collection[str] = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> CheckReport:
    """Builds a site, if anything of it changed, and checks what was built.

    Args:
        config: The site.
        external: Whether links to other sites are asked for too.
        disable: Rules that are left out, beside those of `check.disable`.
        progress: Called with what is being done, how much of it is done, and how much there is.

    Raises:
        BuildErrors: The site cannot be built.
    """
    started = time.perf_counter()
    build_site(config, progress=progress)
    graph = load_graph(config.state)
    renderer = _renderer(config, graph)
    errors: list[HyperwebError] = list(renderer.errors)
    routes = site_routes(config, renderer, errors)
    if errors:
        raise BuildErrors(errors)
    settings = config.settings.check
    threads = config.settings.build.concurrency or len(os.sched_getaffinity(0))
    nodes = [renderer.nodes[url] for url in sorted(renderer.nodes) if is_page(renderer.nodes[url])]
    kept = KeptPages(config.state, site_hash(config), graph)
    found = {node.url: kept.find(node) for node in nodes}
    unknown = [node for node in nodes if found[node.url] is None]
    for page in check_pages(renderer, unknown, threads=threads, progress=progress):
        found[page.node.url] = page
        kept.keep(page)
    kept.save()
    pages = {url: page for url, page in found.items() if page is not None}
    variants = renderer.images.needed(shown(renderer, dict.fromkeys(graph.nodes), graph))
    there = renderer.nodes | {url: variant_node(one) for url, one in variants.items()}
    links = Links(there, routes.patterns, pages, base_url=config.settings.base_url, ignore=settings.ignore)
    faults = [*_own(pages), *links.faults()]
    faults += orphans(pages, links.leads)
    faults += twins(pages, config.root)
    if settings.budgets:
        sizes = {str(kind): most for kind, most in settings.budgets.items()}
        pack = _core.open_pack(str(config.pack))
        faults += Budgets(sizes, pack, there, renderer.assets).faults(pages)
    report = CheckReport(site=config.name, pages=len(pages), links=links.followed)
    if external:
        from hyperweb.check._external import External

        other = External(settings, progress)
        faults += other.faults(links.external)
        report.external, report.unasked = other.asked, other.unasked
    left_out = {*settings.disable, *disable}
    report.findings = findings([one for one in faults if one.rule not in left_out], pages, renderer)
    report.errors = sum(one.severity == "error" for one in report.findings)
    report.warnings = len(report.findings) - report.errors
    report.milliseconds = round((time.perf_counter() - started) * 1000)
    return report


def _renderer(config: SiteConfig, graph: Graph) -> Renderer:
    """Returns the site as the build that has just been done had it."""
    sources = _core.Sources(str(config.root), str(config.state / "sources"), max_file=config.settings.build.max_file)
    renderer = Renderer(
        config,
        fingerprint=True,
        minify=config.settings.build.minify,
        drafts=config.settings.build.drafts,
        memory=graph.memory,
        threads=config.settings.build.concurrency,
    )
    renderer.update(sources.scan())
    return renderer


def _own(pages: dict[str, CheckedPage]) -> Iterator[Fault]:
    """Yields what is wrong with each page in itself."""
    for url, page in pages.items():
        for index, (rule, message, hint, _) in enumerate(page.problems):
            yield Fault(rule, message, hint, url, "problems", index)
