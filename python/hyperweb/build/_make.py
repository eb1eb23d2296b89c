"""Makes a site: what changed is rendered, transformed and compressed, and the rest taken over from the last build."""

from __future__ import annotations

import gc
import html
import itertools
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from hyperweb import __version__, _core
from hyperweb.build._caching import ASSET_CACHING, PAGE_CACHING
from hyperweb.build._errors import BuildError, BuildErrors
from hyperweb.build._explain import explain
from hyperweb.build._graph import Graph, load_graph, make_graph, save_graph
from hyperweb.build._head import Head
from hyperweb.build._links import dead_links
from hyperweb.build._pictures import Pictures, shown
from hyperweb.build._report import BuildReport
from hyperweb.build._routes import Routes, site_routes
from hyperweb.build._sizes import Made
from hyperweb.config import SiteConfig
from hyperweb.config._headers import security_headers
from hyperweb.plugins._load import Plugins
from hyperweb.site import SiteError
from hyperweb.site._documents import site_error
from hyperweb.site._node import Node
from hyperweb.site._record import recording
from hyperweb.site._renderer import Renderer, is_transformed
from hyperweb.site._templates import PAGES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hyperweb.errors import HyperwebError
# Bodies parsed ahead of rendering: bounds what a build of a large site holds in memory at a time.
_BATCH = 512
# Objects between two looks for garbage: a page leaves few of them in circles, and each look costs its time.
_GARBAGE = 50_000
# The dependencies, beside templates, whose whole text goes into a response.
_BODIES = frozenset({"page", "summary", "toc"})
_TEXTS = frozenset({"file", "page", "summary"})
# After so many errors the rest are no help.
_MOST_ERRORS = 50


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One build that has something to do.

    Attributes:
        config: The site.
        settings_hash: The hash of its settings.
        sources: The scan of its files.
        files: Their hashes, by path.
        previous: The pack that unchanged responses are taken from, if it is of use.
        remembers: Whether what the last build knew of the sources is of use.
        strict: Whether warnings are errors.
        explain: What the report explains.
        progress: Told how far the build is.
        report: Where what was done is counted.
        plugins: The site's plugins.
        redated: The files that were saved again at another time since the last build.
        renderer: The site that can be rendered, where that has read its files already.
        graph: What the last build knew, where that is at hand.
    """

    config: SiteConfig
    settings_hash: str
    sources: _core.Sources
    files: dict[str, str]
    previous: _core.Pack | None
    remembers: bool
    strict: bool
    explain: str | None
    progress: Callable[[str, int, int], None]
    report: BuildReport
    plugins: Plugins
    redated: frozenset[str]
    renderer: Renderer | None = None
    graph: Graph | None = None


def make_site(task: Task) -> Graph:
    """Does a build. Returns what it knows, for the next.

    Raises:
        BuildErrors: Something is wrong with the site; the last good `dist/` is as it was.
    """
    # What is read at the start lives until the build ends: looking for garbage among it would find nothing.
    gc.disable()
    thresholds = gc.get_threshold()
    try:
        return _Making(task).run()
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
        gc.enable()


class _Making:
    # Held here alone: a frame that an error remembers would keep what was written aside from being cleared away.
    writer: _core.SiteWriter

    def __init__(self, task: Task) -> None:
        self.task = task
        self.config = task.config
        self.settings = task.config.settings
        self.times = task.sources.times
        self.errors: list[HyperwebError] = []
        # None stands for what was taken over, which reads what it read.
        self.reads: dict[str, list[str] | None] = {}
        self.changed: list[str] | None = None
        self.made: dict[str, Made] = {}
        self._names: dict[str, str] = {}
        # When the response that is made was handed to the writer, which may let wait.
        self.handed = 0.0
        # What plugins bring, by URL: which plugin, and the bytes; and what that was made from.
        self.emitted: dict[str, tuple[str, bytes]] = {}
        self.emit_reads: list[str] = []
        # The time of the last change of the file behind each dependency.
        self._dated: dict[str, int] = {}
        self._fields: dict[tuple[str, str], list[tuple[str, str]]] = {}

    def run(self) -> Graph:
        config, task = self.config, self.task
        graph = task.graph if task.graph is not None else load_graph(config.state) if task.remembers else Graph()
        threads = self.settings.build.concurrency or len(os.sched_getaffinity(0))
        if task.renderer is not None:
            return self._run(task.renderer, graph, threads)
        renderer = Renderer(
            config,
            fingerprint=True,
            minify=self.settings.build.minify,
            drafts=self.settings.build.drafts,
            memory=graph.memory,
            threads=threads,
            state=config.state,
            plugins=task.plugins,
        )
        try:
            renderer.update(task.files)
            self.errors += renderer.errors
            return self._run(renderer, graph, threads)
        finally:
            renderer.close()

    def _run(self, renderer: Renderer, graph: Graph, threads: int) -> Graph:
        config, task = self.config, self.task
        for warning in renderer.bundler.warnings():
            self._warn(warning)
        self.times = {**self.times, **renderer.bundler.times()}
        gc.freeze()
        gc.set_threshold(_GARBAGE, 20, 100)
        gc.enable()
        self._ask_plugins(renderer)
        routes = site_routes(config, renderer, self.errors)
        self._check_links(renderer, routes.patterns)
        if self.errors:
            raise BuildErrors(self.errors)
        last = graph if task.previous else Graph()
        try:
            written = self._make_all(renderer, routes, last, threads)
        except _core.SourceError as error:
            raise BuildErrors([site_error(error, config.root)]) from None
        renderer.flush()
        made = make_graph(last, self.reads, renderer.values)
        made.memory = renderer.memory
        made.made = {url: one for url in self.reads if (one := self.made.get(url) or graph.made.get(url)) is not None}
        try:
            report = task.report
            head = Head(pack=written.id, settings=task.settings_hash, pages=report.pages, assets=report.assets)
            save_graph(config.state, head, made)
            task.sources.save()
            renderer.bundler.save(renderer.tailwind.looked_at if renderer.tailwind else ())
        except OSError as error:
            raise BuildError(
                f"what was built cannot be remembered: {error.strerror or error}",
                file=config.state,
                hint="check the space left on the disk and the folder's permissions; the site itself is built",
            ) from None
        if task.explain is not None:
            anew = {url for url, reads in self.reads.items() if reads is not None}
            task.report.explained = explain(task.explain, config.root, made, made=anew, changed=self.changed, last=last)
        task.report.pack_bytes = written.pack_bytes
        task.report.source_bytes = written.source_bytes
        task.report.files_written = written.files_written
        task.report.files_removed = written.files_removed
        return made

    def _make_all(self, renderer: Renderer, routes: Routes, graph: Graph, threads: int) -> _core.Written:
        self.writer = _core.SiteWriter(
            str(self.config.out),
            self.task.previous,
            threads=threads,
            large_file=self.settings.build.large_file,
            targets=renderer.targets,
        )
        try:
            pictures = Pictures(self.config, renderer.images, threads=threads, progress=self.task.progress)
            pictures.read(renderer.pictures())
            self._write(renderer, graph)
            if not self.errors:
                self._variants(renderer, graph, pictures)
            if self.errors:
                raise BuildErrors(self.errors)
            manifest = {
                "version": __version__,
                "assets": {name: renderer.assets.url(name) for name in renderer.assets.names()},
                "routes": routes.described,
            }
            meta = {"title": self.settings.title, "base_url": self.settings.base_url, "hosts": self.settings.hosts}
            self.task.progress("pack", 0, 1)
            return self.writer.finish(routes.compiled(), msgspec.json.encode(manifest), msgspec.json.encode(meta))
        finally:
            del self.writer

    def _ask_plugins(self, renderer: Renderer) -> None:
        """Takes the responses that plugins bring."""
        if self.errors or not self.task.plugins.of("emit"):
            return
        try:
            with recording() as reads:
                self.emitted = self.task.plugins.emit(renderer.site)
        except SiteError as error:
            self.errors.append(error)
            return
        self.emit_reads = ["settings", *reads]
        for url in self.emitted.keys() & renderer.nodes.keys():
            reason = f"the plugin `{self.emitted[url][0]}`: `emit` gave {url}, which {renderer.nodes[url].source} has"
            self.errors.append(SiteError(reason, file=self.task.plugins.file(self.emitted[url][0]), hint="rename one"))

    def _check_links(self, renderer: Renderer, patterns: list[str]) -> None:
        for found in dead_links(renderer, [*patterns, *self.emitted]):
            self._warn(found)

    def _write(self, renderer: Renderer, graph: Graph) -> None:
        nodes = [renderer.nodes[url] for url in sorted(renderer.nodes)]
        nodes = [node for node in nodes if node.render == "static"]
        changed = graph.changed(renderer.values)
        kept = graph.unaffected(changed)
        if graph.nodes:
            self.changed = [graph.names[number] for number in changed]
        # Those whose files were saved again without a change that matters to them: only their date is new.
        same_date = graph.unaffected({n for n, name in enumerate(graph.names) if _file_of(name) in self.task.redated})
        work = [node for node in nodes if not (node.url in kept and self.writer.has(node.url))]
        fresh = {node.url for node in work}
        total = len(work)
        self.task.report.pages = sum(node.kind == "page" for node in nodes)
        self.task.report.assets = len(nodes) - self.task.report.pages
        self.task.report.reused = len(nodes) - total
        done = 0
        batch_end = 0
        pages = [node for node in work if node.kind == "page"]
        ready = 0
        for node in nodes:
            if node.url not in fresh:
                modified = None if node.url in same_date else self._modified(graph.reads(node.url))
                self.writer.reuse(node.url, modified=modified)
                if self._has_content(node):
                    self.writer.reuse(content_url(node.url), public=False, modified=modified)
                self.reads[node.url] = None
                continue
            if node.kind == "page":
                if ready == batch_end:
                    renderer.forget_bodies()
                    batch = pages[batch_end : batch_end + _BATCH]
                    renderer.prepare(dict.fromkeys([node.source for node in batch] + _bodies(batch, graph)))
                    batch_end += _BATCH
                ready += 1
            started = time.perf_counter()
            try:
                size = self._make(renderer, node)
                self.made[node.url] = Made(size, round((self.handed - started) * 1000, 2))
            except SiteError as error:
                self.errors.append(error)
                if len(self.errors) >= _MOST_ERRORS:
                    return
            done += 1
            if done % 50 == 0 or done == total:
                self.task.progress("render", done, total)
        for url in sorted(self.emitted):
            self._emit(url, *self.emitted[url])

    def _emit(self, url: str, plugin: str, body: bytes) -> None:
        """Writes a response that a plugin brings."""
        kind = _core.media_type(url) or "text/html; charset=utf-8"
        node = Node(url=url, kind="file", source=self.task.plugins.file(plugin))
        self.reads[url] = self.emit_reads
        self._add(node, body, kind, finish=finish_of(kind) if self.settings.build.minify else "none")
        self.made[url] = Made(len(body), 0.0)
        self.task.report.assets += 1

    def _variants(self, renderer: Renderer, graph: Graph, pictures: Pictures) -> None:
        """Writes the variants of all pictures that pages show; only now it is known which these are."""
        dependencies = shown(renderer, self.reads, graph)
        for trouble in renderer.images.troubles(dependencies):
            self._warn(trouble)
        wanted = renderer.images.needed(dependencies)
        there = {url for url in wanted if url in graph.nodes and self.writer.has(url)}
        self.errors += pictures.make(one for url, one in wanted.items() if url not in there)
        if self.errors:
            return
        for url in sorted(wanted):
            variant = wanted[url]
            if url in there:
                dated = self._modified(graph.reads(url)) if variant.source in self.task.redated else None
                self.writer.reuse(url, modified=dated)
                self.reads[url] = None
                continue
            self.reads[url] = ["settings", f"file:{variant.source}"]
            self.writer.add_file(
                url,
                str(pictures.folder / variant.file),
                name=variant.source,
                content_type=variant.media_type,
                modified=self._modified(self.reads[url] or ()),
                headers=self._headers(ASSET_CACHING, variant.media_type),
                best=True,
            )
            self.made[url] = Made((pictures.folder / variant.file).stat().st_size, pictures.times.get(url, 0.0))
        pictures.sweep(wanted.values())
        self.task.report.assets += len(wanted)
        self.task.report.reused += len(there)

    def _warn(self, error: SiteError) -> None:
        if self.task.strict:
            self.errors.append(error)
        else:
            self.task.report.warnings.append(str(error))

    def _make(self, renderer: Renderer, node: Node) -> int:
        """Makes a response. Returns how many bytes it was before anything was minified."""
        if node.kind == "page":
            return self._page(renderer, node)
        if node.kind == "alias":
            self.reads[node.url] = ["settings", f"file:{node.source}"]
            body = _moved(node.target, self.settings.base_url.rstrip("/"))
            self._add(node, body, "text/html; charset=utf-8", status=308, headers=[("location", node.target)])
            return len(body)
        if node.kind == "asset":
            body, kind = renderer.assets.make(node.target)
            body = self.task.plugins.transform(node.url, kind, body)
            names = renderer.assets.sources(node.target)
            is_bundled = renderer.assets.output(node.target) is not None
            self.reads[node.url] = [
                "settings",
                *(f"asset:{name}" for name in (names[:1] if is_bundled else names)),
                *(f"file:assets/{name}" for name in names),
                *(f"file:{name}" for name in renderer.assets.modules(node.target) if not name.startswith("assets/")),
            ]
            finish = "none" if is_transformed(node.target) or is_bundled else self._finish(kind)
            self._add(node, body, kind, caching=ASSET_CACHING, best=True, finish=finish)
            return renderer.assets.size(node.target) if is_transformed(node.target) else len(body)
        self.reads[node.url] = ["settings", f"file:{node.source}"]
        kind = _core.media_type(node.url) or "application/octet-stream"
        file = self.config.root / node.source
        self.handed = time.perf_counter()
        self.writer.add_file(
            node.url,
            str(file),
            name=self._shown(node),
            content_type=kind,
            modified=self._modified(self.reads[node.url] or ()),
            headers=self._headers(PAGE_CACHING, kind),
            best=True,
        )
        return file.stat().st_size

    def _page(self, renderer: Renderer, node: Node) -> int:
        rendered = renderer.render(node)
        self.task.report.rendered += 1
        # The same text is held once: most pages read what others read.
        self.reads[node.url] = [self._names.setdefault(name, name) for name in rendered.reads]
        kind = "text/html; charset=utf-8" if node.url.endswith("/") else _core.media_type(node.url) or "text/plain"
        body = self.task.plugins.transform(node.url, kind, rendered.text.encode())
        self._add(
            node,
            body,
            kind,
            status=404 if node.url == "/404.html" else 200,
            finish=self._finish(kind),
            best=self.settings.build.compression == "best",
            tags=[f"page:{node.source}"],
        )
        if self._has_content(node):
            self.writer.add(
                content_url(node.url),
                page_content(body.decode(), renderer.build_id()),
                source=self._shown(node),
                status=200,
                content_type="application/json",
                modified=self._modified(rendered.reads),
                headers=self._headers(PAGE_CACHING, "application/json"),
                tags=[f"page:{node.source}"],
                finish="none",
                best=self.settings.build.compression == "best",
                public=False,
            )
        return len(body)

    def _finish(self, kind: str) -> str:
        """Returns which minifier a media type takes, as the settings have it."""
        finish = finish_of(kind) if self.settings.build.minify else "none"
        return finish if finish == "none" or getattr(self.settings.minify, finish) else "none"

    def _has_content(self, node: Node) -> bool:
        return self.settings.client.spa and node.kind == "page" and node.url.endswith("/")

    def _add(
        self,
        node: Node,
        body: bytes,
        kind: str,
        *,
        status: int = 200,
        caching: str = PAGE_CACHING,
        headers: list[tuple[str, str]] | None = None,
        finish: str = "none",
        best: bool = False,
        tags: list[str] | None = None,
    ) -> None:
        self.handed = time.perf_counter()
        self.writer.add(
            node.url,
            body,
            source=self._shown(node),
            status=status,
            content_type=kind,
            modified=self._modified(self.reads[node.url] or ()),
            headers=self._headers(caching, kind) + (headers or []),
            tags=tags or [],
            finish=finish,
            best=best,
            public=True,
        )

    def _headers(self, caching: str, kind: str) -> list[tuple[str, str]]:
        known = self._fields.get((caching, kind))
        if known is None:
            known = [("cache-control", caching), *security_headers(self.settings, kind)]
            self._fields[caching, kind] = known
        return known

    def _modified(self, reads: Iterable[str]) -> int:
        """Returns when the newest of the files a response is made from was changed, as seconds since 1970."""
        known = self._dated
        newest = 0
        for name in reads:
            found = known.get(name)
            if found is None:
                found = known[name] = self.times.get(_file_of(name), 0)
            newest = max(newest, found)
        return newest

    def _shown(self, node: Node) -> str:
        """Returns the source of a response as errors name it: the assets hyperweb brings are no files of the site."""
        return node.source if node.source in self.times else "site.toml"


def _bodies(nodes: list[Node], graph: Graph) -> list[str]:
    """Returns the documents whose bodies `nodes` showed the last time, a batch of them at most."""
    found = (name.partition(":") for node in nodes for name in graph.reads(node.url))
    return list(itertools.islice((path for kind, _, path in found if kind in _BODIES), _BATCH))


def _file_of(dependency: str) -> str:
    """Returns the file whose text a dependency puts into a response, or an empty string."""
    kind, _, name = dependency.partition(":")
    if kind == "template":
        return name if name.startswith(PAGES) else f"templates/{name}"
    return name if kind in _TEXTS else ""


def _moved(target: str, base: str) -> bytes:
    """Returns a page that leads on, for hosts that serve only plain files."""
    url = html.escape(target, quote=True)
    whole = url if "://" in target else f"{base}{url}"
    return (
        f'<!doctype html><meta charset="utf-8"><title>Moved</title><link rel="canonical" href="{whole}">'
        f'<meta http-equiv="refresh" content="0;url={url}"><p>This page is now at <a href="{url}">{url}</a>.</p>\n'
    ).encode()


def finish_of(kind: str) -> str:
    """Returns which minifier a media type takes."""
    bare = kind.partition(";")[0]
    if bare == "text/html":
        return "html"
    if bare == "image/svg+xml":
        return "svg"
    if bare in {"application/json", "application/manifest+json", "application/ld+json"}:
        return "json"
    if bare.endswith("xml"):
        return "xml"
    return "none"


def content_url(url: str) -> str:
    """Returns where the parts of a page are served from, for the script that swaps pages."""
    return f"/api/content{url}"


def page_content(text: str, build: str) -> bytes:
    """Returns the parts of a page as JSON: title, head, body, assets, language and the set of assets it belongs to."""
    parts: dict[str, Any] = _core.page_parts(text, "content")
    return msgspec.json.encode({**parts, "build": build})
