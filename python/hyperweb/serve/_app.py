"""The app a worker runs: the site's handlers, and the pages that are rendered at run time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hyperweb import _core
from hyperweb.build._graph import load_graph
from hyperweb.serve._handlers import load_handlers
from hyperweb.site._renderer import Renderer
from hyperweb.web.app import App

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hyperweb.config import SiteConfig
    from hyperweb.site._node import Node


def make_app(config: SiteConfig, *, direct: bool = False) -> App:
    """Returns the app of a built site.

    Args:
        config: The site.
        direct: Whether the app answers what is in the pack itself, because no edge stands in front.

    Raises:
        SiteError: The handlers cannot be loaded.
    """
    app = load_handlers(config.root) or App()
    app.templates = Templates(config)
    for node in app.templates.runtime_pages():
        _add_page(app, app.templates, node)
    if direct:
        from hyperweb.serve._direct import answer_directly

        answer_directly(app, config)
    return app


class Templates:
    """Renders the site's templates for handlers. The sources are read when the first template is asked for."""

    def __init__(self, config: SiteConfig) -> None:
        self._config = config
        self._renderer: Renderer | None = None

    def render(self, name: str, /, **variables: Any) -> str:
        """Returns the template `name` rendered."""
        return self.renderer.template(name, page=None, **variables)

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
        if not rendered and not _has_runtime_page(self._config):
            return []
        return [node for node in self.renderer.nodes.values() if node.render != "static" and node.kind == "page"]


def _has_runtime_page(config: SiteConfig) -> bool:
    pages = config.root / "pages"
    return pages.is_dir() and any(b"render" in file.read_bytes()[:2000] for file in pages.rglob("*") if file.is_file())


def _renderer(config: SiteConfig) -> Renderer:
    sources = _core.Sources(
        str(config.root),
        str(config.state / "sources"),
        out=config.settings.build.out,
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
    return renderer


def _add_page(app: App, templates: Templates, node: Node) -> None:
    """Adds a route that renders a page on request, kept by its policy where the page is `cached`."""
    app.add_page(
        node.url,
        _render_page(templates, node),
        cache=(node.ttl if node.ttl is not None else "5m") if node.render == "cached" else None,
        tags=[f"page:{node.source}"] if node.render == "cached" else [],
    )


def _render_page(templates: Templates, node: Node) -> Callable[..., Awaitable[str]]:
    async def render_page(request: Any) -> str:
        return templates.renderer.render(node, request=request, **request.path_params).text

    return render_page
