"""The application: routes, what they need, and the two protocols it is served by."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from hyperweb.web._bind import Binder, provider_key
from hyperweb.web._table import Table
from hyperweb.web.asgi import AsgiProto, AsgiRequestScope, refuse_websocket, run_lifespan
from hyperweb.web.body import DEFAULT_LIMIT
from hyperweb.web.endpoint import compile_endpoint, deliver
from hyperweb.web.errors import HTTPError, NotFound, RouteError
from hyperweb.web.failure import ErrorHook, ErrorPage, failure_response
from hyperweb.web.log import logger
from hyperweb.web.middleware import Middleware, chain
from hyperweb.web.mount import Mount
from hyperweb.web.problem import problem_response
from hyperweb.web.registry import Hook, Registry, collect
from hyperweb.web.request import Request, request_id
from hyperweb.web.response import Response
from hyperweb.web.route import Options, Route, make_route

if TYPE_CHECKING:
    from types import ModuleType
    from typing import Unpack

    from hyperweb.web.asgi import AsgiApp, AsgiScope, Receive, Send
    from hyperweb.web.rsgi import HeaderList, Proto, Scope
    from hyperweb.web.template import Templates

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
Entry = Callable[["Scope", "Proto"], Awaitable[None]]


class App:
    """An application. It speaks RSGI, which Granian serves fastest, and ASGI, which every Python server serves.

    Attributes:
        state: Whatever start-up code wants to hand to handlers.
        templates: Renders the site's templates, or None.
        error_page: Makes the page a person sees for an error response, in place of the plain one, or None.
        behind_edge: Whether the peer is the edge, so that X-Forwarded-* and X-Request-Id are its word.
        max_body: The largest request body that is taken, in bytes.
        headers: Header lines of every response that does not set them itself, names in lower case; set before start-up.
    """

    def __init__(
        self,
        *,
        templates: Templates | None = None,
        behind_edge: bool = False,
        max_body: int = DEFAULT_LIMIT,
        max_threads: int = 40,
    ) -> None:
        """Makes an application without routes.

        Args:
            templates: Renders the site's templates.
            behind_edge: Whether the peer is the edge. Never say so to clients that reach the server themselves.
            max_body: The largest request body that is taken, in bytes.
            max_threads: How many plain `def` handlers run at a time.
        """
        self.state: dict[str, Any] = {}
        self.templates = templates
        self.error_page: ErrorPage | None = None
        self.behind_edge = behind_edge
        self.max_body = max_body
        self.headers: HeaderList = []
        self._max_threads = max_threads
        self._threads: ThreadPoolExecutor | None = None
        self._registry = Registry()
        self._providers: dict[Any, Callable[..., Any]] = {}
        self._middleware: list[Middleware] = []
        self._mounts: list[Mount] = []
        self._error_hook: ErrorHook | None = None
        self._starting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._ready: Entry | None = None
        self._entry: Entry = self._first

    # ---- defining --------------------------------------------------------------------------------------------------

    @classmethod
    def from_module(cls, *modules: ModuleType, **options: Any) -> App:
        """Returns the application of a site's handlers: all that the modules and their submodules define.

        A module with an application of its own, named `app`, has its module-level routes added to that one.

        Args:
            *modules: The modules, loaded.
            **options: Those of `App`, when no module brings an application.

        Raises:
            RouteError: Two modules bring an application each.
        """
        own = [found for module in modules if isinstance(found := getattr(module, "app", None), App)]
        if len({id(each) for each in own}) > 1:
            raise RouteError("two modules have an application each", hint="mount one in the other")
        app = own[0] if own else cls(**options)
        for module in modules:
            app.include(module)
        return app

    def include(self, module: ModuleType) -> None:
        """Adds what a module and its loaded submodules have defined with decorators."""
        for registry in collect(module):
            self._registry.extend(registry)
            for wanted, factory in registry.providers:
                self._providers[provider_key(factory) if wanted is None else wanted] = factory
        self._changed()

    def add_route(self, route: Route) -> None:
        """Adds a route that was made elsewhere."""
        self._registry.routes.append(route)
        self._changed()

    def route(self, path: str, *, methods: list[str] | tuple[str, ...], **options: Unpack[Options]) -> Callable[[F], F]:
        """Answers several methods of a path; see `hyperweb.web.route.Options`.

        Raises:
            RouteError: The route cannot work.
        """

        def add(handler: F) -> F:
            self.add_route(make_route(methods, path, handler, options))
            return handler

        return add

    def get(self, path: str, **options: Unpack[Options]) -> Callable[[F], F]:
        """Answers GET, and HEAD with it; see `route`."""
        return self.route(path, methods=("GET",), **options)

    def post(self, path: str, **options: Unpack[Options]) -> Callable[[F], F]:
        """Answers POST; see `route`."""
        return self.route(path, methods=("POST",), **options)

    def put(self, path: str, **options: Unpack[Options]) -> Callable[[F], F]:
        """Answers PUT; see `route`."""
        return self.route(path, methods=("PUT",), **options)

    def patch(self, path: str, **options: Unpack[Options]) -> Callable[[F], F]:
        """Answers PATCH; see `route`."""
        return self.route(path, methods=("PATCH",), **options)

    def delete(self, path: str, **options: Unpack[Options]) -> Callable[[F], F]:
        """Answers DELETE; see `route`."""
        return self.route(path, methods=("DELETE",), **options)

    def add_page(self, path: str, render: Callable[[Request], Awaitable[Any]], **options: Unpack[Options]) -> None:
        """Answers GET at the path of a page that is rendered at run time; the function is given the request.

        Raises:
            RouteError: The route cannot work. That a handler has the same path is found when the routes are compiled.
        """

        async def page(request: Request) -> Any:
            return await render(request)

        page.__name__ = page.__qualname__ = f"page {path}"
        self.get(path, **options)(page)

    def provide(self, wanted: type[T], factory: Callable[..., Any]) -> None:
        """Provides a type to the handlers that ask for it by annotation, made once a request.

        Args:
            wanted: The type.
            factory: Makes it: a function or an async one, or a generator of either kind, whose code after the `yield`
                runs when the request is done. Its own parameters are found as a handler's are. It runs on the event
                loop, so a plain one must not wait.
        """
        self._providers[wanted] = factory
        self._changed()

    def middleware(self, function: Middleware) -> Middleware:
        """Puts a function around every request to a route; the first one added is the outermost.

        It sees the response an error has become. Mounted applications are not covered.
        """
        self._middleware.append(function)
        self._changed()
        return function

    def mount(self, prefix: str, app: AsgiApp) -> None:
        """Hands everything below a prefix to an ASGI application. Routes are looked at first.

        Its lifespan is its own: start it in a start-up hook if it has one.

        Raises:
            RouteError: The prefix is not one.
        """
        self._mounts.append(Mount(prefix, app))
        self._mounts.sort(key=lambda mount: -len(mount.prefix))
        self._changed()

    def on_startup(self, hook: F) -> F:
        """Runs a function, async or not, before the first request."""
        self._registry.startup.append(hook)
        return hook

    def on_shutdown(self, hook: F) -> F:
        """Runs a function, async or not, after the last request."""
        self._registry.shutdown.append(hook)
        return hook

    def on_error(self, hook: ErrorHook) -> ErrorHook:
        """Asks a function for the response to an exception that no one handled; None from it is the usual 500."""
        self._error_hook = hook
        return hook

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes, in the order they were defined."""
        return tuple(self._registry.routes)

    @property
    def patterns(self) -> tuple[str, ...]:
        """The path patterns of all that is answered: those of the routes, each once, and then what is mounted."""
        routes = [route.path for route in self._registry.routes]
        mounted = [pattern for mount in self._mounts for pattern in (mount.prefix, mount.prefix + "/{path:path}")]
        return tuple(dict.fromkeys([*routes, *mounted]))

    @property
    def threads(self) -> ThreadPoolExecutor:
        """Where plain `def` handlers run."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._max_threads, thread_name_prefix="hyperweb-handler")
        return self._threads

    def render(self, name: str, context: Mapping[str, Any]) -> str:
        """Returns the HTML of a template of the site.

        Raises:
            RouteError: The application was given no templates.
        """
        if self.templates is None:
            raise RouteError(f"template {name!r}: the application has no templates", hint="give App(templates=...)")
        return self.templates.render(name, context)

    # ---- running ---------------------------------------------------------------------------------------------------

    def compile(self) -> None:
        """Prepares every route now, so that a mistake in one is found before the first request.

        Raises:
            RouteError: A route, a parameter or a provider cannot work; the file and line are named.
        """
        table = Table()
        binder = Binder(App, self._providers)
        for route in self._registry.routes:
            table.add(compile_endpoint(self, route, binder, self._fail))
        table.finish()
        self._ready = _wrapped(self, table) if self._middleware else _direct(self, table)

    async def startup(self) -> None:
        """Prepares the routes and runs the start-up hooks; a second call waits for the first.

        Raises:
            RouteError: See `compile`.
        """
        if self._starting is None:
            self._starting = asyncio.ensure_future(self._start())
        await asyncio.shield(self._starting)

    async def shutdown(self) -> None:
        """Runs the shutdown hooks, the last defined first, and ends the threads; a second call waits for the first."""
        if self._stopping is None:
            self._stopping = asyncio.ensure_future(self._stop())
        await asyncio.shield(self._stopping)

    async def _start(self) -> None:
        if self._ready is None:
            self.compile()
        for hook in self._registry.startup:
            await _run_hook(hook)
        self._stopping = None
        if self._ready is not None:
            self._entry = self._ready

    async def _stop(self) -> None:
        self._starting, self._entry = None, self._first
        for hook in reversed(self._registry.shutdown):
            try:
                await _run_hook(hook)
            except Exception:  # noqa: BLE001 - the other hooks run all the same
                logger.exception("shutdown hook %s failed", getattr(hook, "__qualname__", hook))
        if self._threads is not None:
            threads, self._threads = self._threads, None
            await asyncio.to_thread(threads.shutdown)

    def _changed(self) -> None:
        self._ready = None
        if self._entry != self._first:
            # The hooks have run; only the routes are made again, by the next request.
            self._entry = self._again

    async def _first(self, scope: Scope, proto: Proto) -> None:
        """Answers requests that come before start-up has ended."""
        try:
            await self.startup()
        except Exception:  # noqa: BLE001 - the client is told, and the log knows why
            logger.exception("the application did not start")
            error = HTTPError(HTTPStatus.SERVICE_UNAVAILABLE, "The application did not start.", {"retry-after": "5"})
            accept, identity = scope.headers.get("accept", ""), request_id(scope)
            response = problem_response(error, accept=accept, request_id=identity)
            await deliver(Request(self, scope, proto, None, ()), response)
            return
        await self._entry(scope, proto)

    async def _again(self, scope: Scope, proto: Proto) -> None:
        """Answers the first request after a route was added to a running application."""
        self.compile()
        if self._ready is not None:
            self._entry = self._ready
        await self._entry(scope, proto)

    async def _fail(self, request: Request, error: Exception) -> Response:
        return await failure_response(request, error, self._error_hook, self.error_page)

    def find_mount(self, path: str) -> Mount | None:
        """Returns the mounted application a path is below, the longest prefix first."""
        return next((mount for mount in self._mounts if mount.takes(path)), None)

    # ---- RSGI ------------------------------------------------------------------------------------------------------

    def __rsgi__(self, scope: Scope, proto: Proto) -> Awaitable[None]:
        """Answers a request of an RSGI server."""
        return self._entry(scope, proto)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins start-up; requests that come meanwhile wait for it.

        Raises:
            RouteError: See `compile`.
        """
        if not loop.is_running():
            loop.run_until_complete(self.startup())
        elif self._starting is None:
            self.compile()
            self._starting = loop.create_task(self._start())

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins shutdown. Whoever runs the loop awaits `shutdown` before ending it, to see it through."""
        if not loop.is_running():
            loop.run_until_complete(self.shutdown())
        elif self._stopping is None:
            self._stopping = loop.create_task(self._stop())

    # ---- ASGI ------------------------------------------------------------------------------------------------------

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answers a request of an ASGI server, or runs the lifespan."""
        kind = scope["type"]
        if kind == "lifespan":
            await run_lifespan(receive, send, self.startup, self.shutdown)
        elif kind == "websocket":
            mount = self.find_mount(scope["path"])
            if mount is None:
                await refuse_websocket(receive, send)
            else:
                inner = {**scope, "root_path": scope.get("root_path", "") + mount.prefix}
                await mount.app(inner, receive, send)
        elif kind == "http":
            proto = AsgiProto(scope["method"], receive, send)
            await self._entry(AsgiRequestScope(scope), proto)
            await proto.flush()
        else:
            raise RuntimeError(f"{kind!r} is not a kind of ASGI scope this application knows")


def _direct(app: App, table: Table) -> Entry:
    """Returns the way in without middleware; a path without parameters costs two look-ups."""
    literal, quick = table.literal, table.quick

    def enter(scope: Scope, proto: Proto) -> Awaitable[None]:
        if scope.proto == "http":
            path, method = scope.path, scope.method
            methods = literal.get(path)
            if methods is not None and (endpoint := methods.get(method)) is not None:
                return endpoint.answer(scope, proto, ())
            if (found := quick(path, method)) is not None:
                return found[0].answer(scope, proto, (found[1],))
        return _search(app, table, scope, proto)

    return enter


async def _search(app: App, table: Table, scope: Scope, proto: Proto) -> None:
    if scope.proto != "http":
        _refuse(proto)
        return
    try:
        found = table.find(scope.path, scope.method)
    except HTTPError as error:
        if isinstance(error, NotFound) and (mount := app.find_mount(scope.path)) is not None:
            await mount.answer(scope, proto)
            return
        request = Request(app, scope, proto, None, ())
        await deliver(request, await app._fail(request, error))  # noqa: SLF001 - this module's own class
        return
    if isinstance(found, list):
        await deliver(Request(app, scope, proto, None, ()), _options(found))
        return
    endpoint, values = found
    await endpoint.answer(scope, proto, values)


def _wrapped(app: App, table: Table) -> Entry:
    """Returns the way in with middleware around it."""

    async def dispatch(request: Request) -> Response:
        try:
            found = table.find(request.path, request.method)
        except HTTPError as error:
            return await app._fail(request, error)  # noqa: SLF001 - this module's own class
        if isinstance(found, list):
            return _options(found)
        endpoint, values = found
        request.bind(endpoint.route, values)
        return await endpoint.respond(request)

    run = chain(app._middleware, dispatch)  # noqa: SLF001 - this module's own class

    async def enter(scope: Scope, proto: Proto) -> None:
        if scope.proto != "http":
            _refuse(proto)
            return
        mount = app.find_mount(scope.path)
        if mount is not None and not _has(table, scope):
            await mount.answer(scope, proto)
            return
        request = Request(app, scope, proto, None, ())
        try:
            response = await run(request)
        except Exception as error:  # noqa: BLE001 - whatever middleware raises is answered
            response = await app._fail(request, error)  # noqa: SLF001 - this module's own class
        await deliver(request, response)

    return enter


def _has(table: Table, scope: Scope) -> bool:
    try:
        table.find(scope.path, scope.method)
    except HTTPError as error:
        return not isinstance(error, NotFound)
    return True


def _options(allowed: list[str]) -> Response:
    return Response(None, HTTPStatus.NO_CONTENT, [("allow", ", ".join(allowed))])


def _refuse(proto: Any) -> None:
    """Refuses a WebSocket over RSGI before it opens."""
    proto.close(HTTPStatus.FORBIDDEN)


async def _run_hook(hook: Hook) -> None:
    made = hook()
    if inspect.isawaitable(made):
        await made
