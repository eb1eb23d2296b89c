"""The development server: pages from source on each request, reload on change, errors that show where they are."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec
import rich_click as click

from hyperweb import _core
from hyperweb.errors import HyperwebError
from hyperweb.images._encode import encode, folder_of
from hyperweb.serve._address import free_port
from hyperweb.serve._app import Templates, add_page
from hyperweb.serve._error_page import error_page
from hyperweb.serve._handlers import handlers_error, load_handlers
from hyperweb.serve._image import add_images
from hyperweb.serve._path import is_hostile, refuse_path
from hyperweb.serve._tls import local_names, self_signed
from hyperweb.site import SiteError
from hyperweb.site._engine import Engine
from hyperweb.site._renderer import Renderer
from hyperweb.web.app import App
from hyperweb.web.response import Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping
    from pathlib import Path

    from hyperweb.config import SiteConfig
    from hyperweb.plugins._load import Plugins
    from hyperweb.site._node import Node
    from hyperweb.web.failure import RequestInfo
    from hyperweb.web.rsgi import Proto, Scope

_log = logging.getLogger("hyperweb.dev")
logging.getLogger("watchfiles").setLevel(logging.WARNING)
_SCRIPT = '<script type="module" src="/_hyperweb/reload.js"></script>'
_NEVER = [("cache-control", "no-store"), ("x-content-type-options", "nosniff")]
_HTML = [("content-type", "text/html; charset=utf-8"), *_NEVER]


def _make_renderer(config: SiteConfig, plugins: Plugins) -> Renderer:
    return Renderer(config, fingerprint=False, minify=False, drafts=True, development=True, plugins=plugins)


class _SharedTemplates(Templates):
    """Renders handlers' templates with the development server's own renderer."""

    def __init__(self, config: SiteConfig, renderer: Renderer) -> None:
        super().__init__(config)
        self._renderer = renderer


class DevServer:
    """An RSGI application that serves a site from its sources. Each request sees the files as they are."""

    def __init__(self, config: SiteConfig, overrides: Mapping[str, Any] | None = None) -> None:
        self._engine = Engine(config, "dev-sources", _make_renderer, overrides)
        self.session = secrets.token_hex(8)
        self._watchers: set[asyncio.Queue[str]] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._app = App()
        self._app_error: HyperwebError | None = None
        # The site's Python and its pages of run time: when they change, the application is made anew.
        self._app_made_of: object = None

    @property
    def config(self) -> SiteConfig:
        """The site, with the settings that site.toml has now."""
        return self._engine.config

    @property
    def _renderer(self) -> Renderer:
        return self._engine.renderer

    def __rsgi__(self, scope: Scope, proto: Proto) -> Awaitable[None]:
        """Answers a request."""
        return self._serve(scope, proto)

    def changed(self, kind: str) -> None:
        """Tells the browsers that something changed; an empty kind ends their streams."""
        for watcher in self._watchers:
            watcher.put_nowait(kind)

    def refresh(self) -> None:
        """Reads what changed since the last request."""
        if not self._engine.refresh():
            return
        files = self._engine.files
        python = [(path, value) for path, value in files.items() if path.endswith(".py") or path == "site.toml"]
        pages = [(node.url, node.source, node.render, node.ttl) for node in self._runtime_pages()]
        if self._app_made_of != (python, pages):
            self._app_made_of = (python, pages)
            self._load_app()

    def _runtime_pages(self) -> list[Node]:
        return [node for node in self._renderer.nodes.values() if node.kind == "page" and node.render != "static"]

    def _load_app(self) -> None:
        self._app_error = None
        self._end(self._app)
        try:
            self._app = load_handlers(self.config.root) or App()
            add_images(self._app, self.config)
            self._app.compile()
        except SiteError as error:
            self._app, self._app_error = App(), error
        except HyperwebError as error:
            self._app, self._app_error = App(), handlers_error(error, self.config.root)
        self._app.templates = _SharedTemplates(self.config, self._renderer)
        self._app.max_body = self.config.settings.serve.max_body
        for node in self._runtime_pages():
            add_page(self._app, lambda: self._renderer, node)
        self._app.on_error(self._on_error)

    def _end(self, app: App) -> None:
        """Runs the shutdown hooks of an application that another one takes the place of."""
        with contextlib.suppress(RuntimeError):  # Nothing runs yet, so nothing has to be ended.
            task = asyncio.get_running_loop().create_task(app.shutdown())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def _on_error(self, request: RequestInfo, error: Exception) -> Response | None:
        if "text/html" not in request.accept:
            return None
        return Response(error_page([error], self.config.root, request=request) + _SCRIPT, 500, dict(_HTML))

    async def _serve(self, scope: Scope, proto: Any) -> None:
        if is_hostile(scope.path):
            refuse_path(proto)
            return
        if scope.path == "/_hyperweb/reload":
            await self._stream(proto)
            return
        if scope.path == "/_hyperweb/reload.js":
            proto.response_bytes(200, [("content-type", "text/javascript; charset=utf-8"), *_NEVER], _reload_script())
            return
        try:
            self.refresh()
            errors = self._engine.errors
            if self._app_error is not None:
                errors.append(self._app_error)
            if errors:
                self._show(proto, errors)
                return
            if scope.method in {"GET", "HEAD"} and (self._page(scope, proto) or await self._variant(scope.path, proto)):
                return
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the site is shown
            self._show(proto, [error])
            return
        await self._handler(scope, proto)

    async def _handler(self, scope: Scope, proto: Any) -> None:
        router = _core.Router(list(self._app.patterns))
        if router.find(scope.path) is None and "/404.html" in self._renderer.nodes:
            text = self._render(self._renderer.nodes["/404.html"], "text/html; charset=utf-8")
            proto.response_bytes(404, _HTML, text)
            return
        await self._app.startup()
        await self._app.__rsgi__(scope, proto)

    def _page(self, scope: Scope, proto: Any) -> bool:
        nodes = self._renderer.nodes
        node = nodes.get(scope.path)
        if node is None and f"{scope.path}/" in nodes and not scope.path.startswith("//"):
            query = f"?{scope.query_string}" if scope.query_string else ""
            proto.response_empty(308, [("location", f"{scope.path}/{query}"), *_NEVER])
            return True
        if node is None and scope.path.startswith("/api/content/"):
            return self._content(scope.path.removeprefix("/api/content"), proto)
        if node is None:
            return self._emitted(scope.path, proto)
        if node.render != "static":
            return False
        if node.kind == "alias":
            proto.response_empty(308, [("location", node.target), *_NEVER])
        elif node.kind == "asset":
            body, kind = self._renderer.assets.make(node.target)
            body = self._renderer.plugins.transform(node.url, kind, body)
            proto.response_bytes(200, [("content-type", kind), *_NEVER], body)
        elif node.kind == "file":
            kind = _core.media_type(node.url) or "application/octet-stream"
            body = (self.config.root / node.source).read_bytes()
            proto.response_bytes(200, [("content-type", kind), *_NEVER], body)
        else:
            kind = "text/html; charset=utf-8" if node.url.endswith("/") else _core.media_type(node.url) or "text/plain"
            status = 404 if node.url == "/404.html" else 200
            proto.response_bytes(status, [("content-type", kind), *_NEVER], self._render(node, kind))
        return True

    def _emitted(self, path: str, proto: Any) -> bool:
        """Answers with what a plugin brings."""
        plugins = self._renderer.plugins
        found = plugins.emit(self._renderer.site).get(path) if plugins else None
        if found is None:
            return False
        kind = _core.media_type(path) or "text/html; charset=utf-8"
        proto.response_bytes(200, [("content-type", kind), *_NEVER], found[1])
        return True

    async def _variant(self, path: str, proto: Any) -> bool:
        """Answers with a variant of a picture, made when it is first asked for and kept for builds as well."""
        variant = self._renderer.images.made.get(path)
        if variant is None:
            return False
        file = folder_of(self.config.state) / variant.file
        if not file.exists():
            # Elsewhere, for it takes a second, in which pages are still answered.
            await asyncio.to_thread(encode, self.config.root / variant.source, [variant], file.parent)
        proto.response_bytes(200, [("content-type", variant.media_type), *_NEVER], file.read_bytes())
        return True

    def _content(self, path: str, proto: Any) -> bool:
        from hyperweb.build._make import page_content

        node = self._renderer.nodes.get(path)
        if node is None or node.kind != "page" or node.render != "static":
            return False
        text = self._renderer.render(node).text.encode()
        text = self._renderer.plugins.transform(node.url, "text/html; charset=utf-8", text)
        body = page_content(text.decode(), self._renderer.build_id())
        proto.response_bytes(200, [("content-type", "application/json"), *_NEVER], body)
        return True

    def _render(self, node: Node, kind: str) -> bytes:
        text = self._renderer.render(node).text
        if self._renderer.plugins:
            text = self._renderer.plugins.transform(node.url, kind, text.encode()).decode()
        return with_reload(text).encode() if node.url.endswith(("/", ".html")) else text.encode()

    def _show(self, proto: Any, errors: list[Any]) -> None:
        for error in errors:
            _log.error("%s", error)
        proto.response_bytes(500, _HTML, (error_page(errors, self.config.root) + _SCRIPT).encode())

    async def _stream(self, proto: Any) -> None:
        """Tells one browser of changes, until it goes (HTML Standard, section 9.2, server-sent events)."""
        mine: asyncio.Queue[str] = asyncio.Queue()
        self._watchers.add(mine)
        gone = asyncio.ensure_future(proto.client_disconnect())
        try:
            transport = proto.response_stream(200, [("content-type", "text/event-stream"), *_NEVER])
            await transport.send_str(_message("hello", build=self.session))
            while not gone.done():
                waiting = asyncio.ensure_future(mine.get())
                await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED, timeout=15)
                kind = waiting.result() if waiting.done() else None
                if kind == "":
                    return
                waiting.cancel()
                await transport.send_str(_message(kind) if kind else ":\n\n")
        finally:
            gone.cancel()
            self._watchers.discard(mine)


def _message(kind: str, **more: str) -> str:
    """Returns an event, as reload.ts reads it."""
    return f"data: {msgspec.json.encode({'type': kind, **more}).decode()}\n\n"


def with_reload(text: str) -> str:
    """Returns a page with the script that reloads it on a change."""
    head, close, rest = text.rpartition("</body>")
    return f"{head}{_SCRIPT}{close}{rest}" if close else text + _SCRIPT


def _reload_script() -> bytes:
    source = files("hyperweb.client").joinpath("reload.ts").read_text(encoding="utf-8")
    return _core.transform_js(source, {}, filename="reload.ts", minify=False).encode()


def serve_dev(config: SiteConfig, overrides: Mapping[str, Any] | None = None) -> int:
    """Serves a site for development until interrupted. Returns the exit code.

    Args:
        config: The site.
        overrides: Settings that stood on the command line, by dotted name; they outlast a change of site.toml.
    """
    settings = config.settings.serve
    port = free_port(settings.host, settings.port)
    config.state.mkdir(parents=True, exist_ok=True)
    server = DevServer(config, overrides)
    with contextlib.suppress(HyperwebError):
        server.refresh()
    tls = None
    if settings.tls_self_signed:
        tls = self_signed(config.state / "tls", local_names(settings.host))
    return asyncio.run(_run(server, settings.host, port, tls))


async def _run(server: DevServer, host: str, port: int, tls: tuple[Path, Path] | None) -> int:
    from granian.constants import HTTPModes
    from granian.server.embed import Server

    cert, key = tls or (None, None)
    granian = Server(
        server, address=host, port=port, http=HTTPModes.http1, log_enabled=False, ssl_cert=cert, ssl_key=key
    )
    scheme = "https" if tls else "http"
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    watching = asyncio.create_task(_watch(server, stop))
    serving = asyncio.create_task(granian.serve())
    click.echo(f"serving {server.config.name} for development at {scheme}://{host}:{port}")
    await stop.wait()
    # An open event stream would be waited for.
    server.changed("")
    granian.stop()  # type: ignore[no-untyped-call]
    watching.cancel()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(serving, 3)
    return 0


async def _watch(server: DevServer, stop: asyncio.Event) -> None:
    from watchfiles import awatch

    skipped = (str(server.config.out), str(server.config.state))

    def wanted(_: object, path: str) -> bool:
        return not path.startswith(skipped) and "__pycache__" not in path

    async for changes in awatch(server.config.root, watch_filter=wanted, debounce=50, step=10, stop_event=stop):
        # The names of a CSS module are in scripts and pages as well.
        only_css = all(path.endswith(".css") and not path.endswith(".module.css") for _, path in changes)
        server.changed("css" if only_css else "reload")
