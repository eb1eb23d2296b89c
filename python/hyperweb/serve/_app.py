"""The app a worker runs: the site's handlers, and the pages that are rendered at run time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hyperweb import _core
from hyperweb.build._graph import load_graph
from hyperweb.config._headers import security_headers
from hyperweb.serve._handlers import load_handlers
from hyperweb.serve._image import add_images
from hyperweb.site._renderer import Renderer
from hyperweb.web.app import App
from hyperweb.web.response import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hyperweb.config import SiteConfig
    from hyperweb.site._node import Node
    from hyperweb.web.request import Request


def make_app(config: SiteConfig, *, direct: bool = False) -> App:
    """Returns the app of a built site.

    Args:
        config: The site.
        direct: Whether the app answers what is in the pack itself, because no edge stands in front.

    Raises:
        SiteError: The handlers cannot be loaded.
    """
    app = load_handlers(config.root) or App()
    templates = Templates(config)
    app.templates = templates
    app.behind_edge = not direct
    app.max_body = config.settings.serve.max_body
    if direct:
        # The edge adds them where there is one.
        app.headers = security_headers(config.settings, "text/html")
    add_images(app, config)
    for node in templates.runtime_pages():
        add_page(app, lambda: templates.renderer, node)
    return app


class Templates:
    """Renders the site's templates for handlers. The sources are read when the first template is asked for."""

    def __init__(self, config: SiteConfig) -> None:
        self._config = config
        self._renderer: Renderer | None = None

    def render(self, name: str, context: Mapping[str, Any]) -> str:
        """Returns the template `name` rendered."""
        return self.renderer.template(name, **{"page": None, **context})

    @property
    def renderer(self) -> Renderer:
        """The site's renderer."""
        if self._renderer is None:
            self._renderer = _renderer(self._config)
        return self._renderer

    def runtime_pages(self) -> list[Node]:
        """Returns the pages that are not rendered at build."""
        graph = load_graph(self._config.state)
        rendered = {one.meta.path for one in graph.memory.documents.values() if one.meta.render != "static"}
        # Without a graph nothing is known of content/: then the sources are read.
        is_known = bool(graph.memory.documents) or not (self._config.root / "content").is_dir()
        if is_known and not rendered and not _has_runtime_page(self._config):
            return []
        return [node for node in self.renderer.nodes.values() if node.render != "static" and node.kind == "page"]


def _has_runtime_page(config: SiteConfig) -> bool:
    pages = config.root / "pages"
    return pages.is_dir() and any(b"render" in file.read_bytes()[:2000] for file in pages.rglob("*") if file.is_file())


def _renderer(config: SiteConfig) -> Renderer:
    sources = _core.Sources(
        str(config.root),
        str(config.state / "sources"),
        max_file=config.settings.build.max_file,
    )
    renderer = Renderer(
        config,
        fingerprint=True,
        minify=config.settings.build.minify,
        drafts=config.settings.build.drafts,
        memory=load_graph(config.state).memory,
        threads=1,
    )
    renderer.update(sources.scan(fresh=False))
    renderer.images.is_there = _variants_of(config)
    return renderer


def _variants_of(config: SiteConfig) -> Callable[[str], bool]:
    """Returns what says whether the built site has a response: here no variants of pictures can be made."""
    try:
        pack = _core.open_pack(str(config.pack))
    except _core.PackError:
        return lambda _: False
    return lambda url: url in pack


def add_page(app: App, renderer: Callable[[], Renderer], node: Node) -> None:
    """Adds a route that renders a page on request, kept by its policy where the page is `cached`."""

    async def render_page(request: Request) -> Response:
        variables = {**request.path_params, "request": request}
        engine = renderer()
        text = engine.render(node, **variables).text
        kind = "text/html; charset=utf-8"
        return Response(engine.plugins.transform(node.url, kind, text.encode()), content_type=kind)

    if node.render == "cached":
        app.add_page(
            node.url, render_page, cache=node.ttl if node.ttl is not None else "5m", tags=[f"page:{node.source}"]
        )
    else:
        app.add_page(node.url, render_page)
