"""What Python answers at run time: the handlers' routes and the pages that are not rendered at build."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hyperweb import _core
from hyperweb.images._signed import ROUTE
from hyperweb.serve._handlers import handlers_error, load_handlers
from hyperweb.site import SiteError

if TYPE_CHECKING:
    from hyperweb.config import SiteConfig
    from hyperweb.errors import HyperwebError
    from hyperweb.site._renderer import Renderer


class Routes(msgspec.Struct):
    """The routes of a site.

    Attributes:
        patterns: Their patterns, in order; the position is the route's id in the compiled router.
        described: For each its pattern and where it comes from, for the manifest.
    """

    patterns: list[str] = []
    described: list[dict[str, str]] = []

    def add(self, pattern: str, source: str) -> None:
        """Adds a route once; several methods of one pattern are one route to the edge."""
        if pattern not in self.patterns:
            self.patterns.append(pattern)
            self.described.append({"pattern": pattern, "source": source})

    def rival(self, pattern: str) -> dict[str, str] | None:
        """Returns the route that matches what `pattern` matches under other names of its parameters, or None."""
        from hyperweb.web.pattern import pattern_shape

        shape = pattern_shape(pattern)
        for known in self.described:
            if known["pattern"] != pattern and pattern_shape(known["pattern"]) == shape:
                return known
        return None

    def compiled(self) -> bytes:
        """Returns the compiled router for the pack; nothing where there are no routes."""
        return _core.compile_routes(self.patterns) if self.patterns else b""


def site_routes(config: SiteConfig, renderer: Renderer, errors: list[HyperwebError]) -> Routes:
    """Returns the routes of a site; what is wrong with its handlers is added to `errors`."""
    routes = Routes()
    reads: dict[str, str] = {}  # paths that a handler answers to GET, and where that is defined
    try:
        app = load_handlers(config.root)
    except SiteError as error:
        errors.append(error)
        return routes
    if app is not None:
        # A site without handlers has no use for the rest of the framework.
        from hyperweb.web.errors import RouteError
        from hyperweb.web.route import described

        try:
            # What would keep a worker from starting is an error of the build.
            app.compile()
        except RouteError as error:
            errors.append(handlers_error(error, config.root))
            return routes
        for pattern in app.patterns:
            routes.add(pattern, "handlers.py")
        reads = {route.path: described(route) for route in app.routes if "GET" in route.methods}
    _image_route(config, routes, errors)
    for node in renderer.nodes.values():
        if node.render != "static" and node.kind == "page":
            rival = routes.rival(node.url)
            if node.url in reads:
                rival = {"pattern": node.url, "source": reads[node.url]}
            if rival is not None:
                errors.append(
                    SiteError(
                        f"the page's path {node.url} matches the same requests as {rival['pattern']} of "
                        f"{reads.get(rival['pattern'], rival['source'])}",
                        file=f"{config.name}/{node.source}",
                        hint="give one of them another path; what stands in a parameter does not tell them apart",
                    )
                )
                continue
            routes.add(node.url, node.source)
    for pattern in routes.patterns:
        if pattern in renderer.nodes and renderer.nodes[pattern].render == "static":
            node = renderer.nodes[pattern]
            # A page at build and a handler for other methods (a form post to its own page) may share a path.
            if pattern not in reads:
                continue
            errors.append(
                SiteError(
                    f"both {node.source} and a GET handler have the path {pattern}",
                    file=f"{config.name}/{node.source}",
                    hint="remove one of them, or give one another path",
                )
            )
    return routes


def _image_route(config: SiteConfig, routes: Routes, errors: list[HyperwebError]) -> None:
    """Adds the route of pictures that come at run time, where the site has a folder of them."""
    if not config.settings.images.folder:
        return
    if ROUTE in routes.patterns:
        errors.append(
            SiteError(
                f"the path {ROUTE} is that of pictures that come at run time",
                file=f"{config.name}/handlers.py",
                hint="give the handler another path, or take `images.folder` out of site.toml",
            )
        )
    routes.add(ROUTE, "site.toml")
