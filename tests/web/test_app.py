from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from hyperweb import App, CallNext, HTTPError, Request, Response, RouteError
from hyperweb.testing import TestClient

if TYPE_CHECKING:
    from hyperweb.web.asgi import AsgiScope, Receive, Send


def test_startup_runs_before_the_first_request_and_shutdown_after_the_last() -> None:
    app = App()
    log: list[str] = []

    @app.on_startup
    async def begin() -> None:
        log.append("begin")

    @app.on_startup
    def then() -> None:
        log.append("then")

    @app.on_shutdown
    def end() -> None:
        log.append("end")

    @app.on_shutdown
    async def before_the_end() -> None:
        log.append("before the end")

    @app.get("/")
    async def handler() -> None:
        log.append("handle")

    for _ in range(2):
        with TestClient(app) as client:
            client.get("/")
            client.get("/")
        assert log == ["begin", "then", "handle", "handle", "before the end", "end"]
        log.clear()


def test_without_a_lifespan_the_first_request_starts_the_application() -> None:
    app = App()
    log: list[str] = []
    app.on_startup(lambda: log.append("begin"))
    app.get("/")(never_mind)
    client = TestClient(app)
    client.get("/")
    client.get("/")
    client.close()
    assert log == ["begin"]


async def never_mind() -> None:
    pass


def test_a_startup_that_fails_stops_the_server_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    app = App()

    @app.on_startup
    async def begin() -> None:
        raise RuntimeError("no database")

    with pytest.raises(RuntimeError, match="no database"), TestClient(app):
        pass
    client = TestClient(app)
    response = client.get("/")
    client.close()
    assert (response.status, response.header("retry-after")) == (503, "5")
    assert "did not start" in caplog.text


def test_a_shutdown_hook_that_fails_does_not_keep_the_others_from_running(caplog: pytest.LogCaptureFixture) -> None:
    app = App()
    log: list[str] = []
    app.on_shutdown(lambda: log.append("last"))

    @app.on_shutdown
    def broken() -> None:
        raise RuntimeError

    with TestClient(app):
        pass
    assert log == ["last"]
    assert "broken failed" in caplog.text


def test_a_route_added_later_is_served() -> None:
    app = App()
    app.get("/a")(never_mind)
    with TestClient(app) as client:
        assert client.get("/b").status == 404
        app.get("/b")(never_mind)
        assert client.get("/b").status == 204


def test_a_plain_handler_runs_in_a_thread_and_an_inline_one_on_the_loop() -> None:
    app = App()

    def where() -> str:
        return threading.current_thread().name

    app.get("/thread")(where)
    app.get("/inline", inline=True)(where)
    with TestClient(app) as client:
        assert client.get("/thread").text.startswith("hyperweb-handler")
        assert client.get("/inline").text == threading.current_thread().name


def test_a_page_is_rendered_for_each_request_and_kept_as_it_says() -> None:
    app = App()

    async def render(request: Request) -> str:
        return f"<p>{request.path} {request.path_params}"

    app.add_page("/tags/{tag}/", render, cache="5m", tags=["page:tags"])
    app.add_page("/now/", render)
    with TestClient(app) as client:
        response = client.get("/tags/a/")
        assert response.text == "<p>/tags/a/ {'tag': 'a'}"
        assert response.header("cache-tag") == "page:tags"
        assert client.get("/now/").header("cache-control") == ""
    app.get("/now/")(never_mind)
    with pytest.raises(RouteError, match="page /now/, never_mind"):
        app.compile()


def test_any_callable_is_a_handler() -> None:
    app = App()

    class Handler:
        async def __call__(self, n: int = 1) -> list[int]:
            return [n]

    class Many:
        def read(self, slug: str) -> list[str]:
            return [slug]

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return never_mind(*args, **kwargs)

    wrapped.__signature__ = None  # type: ignore[attr-defined]
    del wrapped.__signature__  # type: ignore[attr-defined]
    wrapped.__wrapped__ = never_mind  # type: ignore[attr-defined]
    app.get("/object")(Handler())
    app.get("/method/{slug}")(Many().read)
    app.get("/wrapped")(wrapped)
    with TestClient(app) as client:
        assert client.get("/object?n=3").json() == [3]
        assert client.get("/method/x").json() == ["x"]
        assert client.get("/wrapped").status == 204


def test_middleware_is_around_every_answer_the_first_outermost() -> None:
    app = App()

    @app.middleware
    async def outer(request: Request, call_next: CallNext) -> Response:
        request.state["log"] = ["outer"]
        response = await call_next(request)
        return response.set_header("x-log", " ".join(request.state["log"])).set_header("x-status", str(response.status))

    @app.middleware
    async def inner(request: Request, call_next: CallNext) -> Response:
        request.state["log"].append("inner")
        if request.path == "/closed":
            return Response("closed", 403)
        return await call_next(request)

    @app.get("/posts/{n:int}", cache="1m")
    async def handler(n: int, request: Request) -> dict[str, int]:
        request.state["log"].append(request.path_params["n"])
        return {"n": n}

    @app.get("/boom")
    async def boom() -> None:
        raise HTTPError(409)

    with TestClient(app) as client:
        response = client.get("/posts/3")
        assert (response.json(), response.header("x-log")) == ({"n": 3}, "outer inner 3")
        assert response.header("cache-control").startswith("public")
        assert client.get("/closed").header("x-status") == "403"
        assert client.get("/boom").header("x-status") == "409"
        assert client.get("/nothing").header("x-status") == "404"
        assert client.options("/boom").header("x-status") == "204"
        assert client.head("/posts/3").content == b""


def test_middleware_that_fails_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    app = App()

    @app.middleware
    async def broken(request: Request, call_next: CallNext) -> Response:
        raise RuntimeError

    with TestClient(app) as client:
        assert client.get("/").status == 500


async def other(scope: AsgiScope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        return
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message.get("more_body"):
            break
    text = f"{scope['root_path']} {scope['path']} {scope['method']} {len(body)}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"X-Mounted", b"1")]})
    if scope["path"].endswith("stream"):
        for chunk in (b"a", b"b"):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.body", "body": text})


@pytest.mark.parametrize("around", [False, True])
def test_an_asgi_application_is_served_below_its_prefix(*, around: bool) -> None:
    app = App()
    app.mount("/admin", other)
    app.mount("/admin/deep", App())
    app.get("/admin/own")(never_mind)
    if around:

        @app.middleware
        async def passing(request: Request, call_next: CallNext) -> Response:
            return await call_next(request)

    with TestClient(app) as client:
        response = client.post("/admin/x", content=b"12345")
        assert (response.text, response.header("x-mounted")) == ("/admin /admin/x POST 5", "1")
        assert client.get("/admin").text == "/admin /admin GET 0"
        assert client.get("/admin/stream").text == "ab"
        assert client.head("/admin/x").content == b""
        assert client.get("/admin/own").status == 204
        assert client.get("/administrator").status == 404
        assert client.get("/admin/deep/x").header("content-type") == "application/problem+json"


@pytest.mark.parametrize("prefix", ["admin", "/admin/", "/", "/{x}"])
def test_a_prefix_that_is_none_is_refused(prefix: str) -> None:
    with pytest.raises(RouteError, match="prefix"):
        App().mount(prefix, other)


def talk(app: App, path: str) -> list[Any]:
    sent: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(app({"type": "websocket", "path": path, "headers": []}, receive, send))
    return sent


def test_a_websocket_goes_to_the_mounted_application_and_is_refused_elsewhere() -> None:
    app = App()
    app.mount("/admin", other)
    assert talk(app, "/admin/live") == ["websocket.accept"]
    assert talk(app, "/live") == ["websocket.close"]


def test_the_client_is_believed_about_its_address_only_through_the_edge() -> None:
    headers = {
        "x-forwarded-for": "203.0.113.9",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "site.example",
    }

    async def who(request: Request) -> list[str]:
        return [request.client, request.scheme, request.host, request.url]

    direct, behind = App(), App(behind_edge=True)
    for app in (direct, behind):
        app.get("/w")(who)
    with TestClient(direct) as client:
        assert client.get("/w?a=1", headers=headers).json() == [
            "127.0.0.1",
            "http",
            "testserver",
            "http://testserver/w?a=1",
        ]
    with TestClient(behind) as client:
        assert client.get("/w", headers=headers).json() == [
            "203.0.113.9",
            "https",
            "site.example",
            "https://site.example/w",
        ]


def test_an_application_mounted_elsewhere_sees_its_own_paths() -> None:
    inner, outer = App(), App()

    @inner.get("/x")
    async def handler(request: Request) -> str:
        return request.path

    outer.mount("/api", inner)
    with TestClient(outer) as client:
        assert client.get("/api/x").text == "/x"
        assert client.get("/api/y").status == 404


def test_an_unknown_kind_of_scope_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="kind"):
        asyncio.run(App()({"type": "smoke"}, None, None))  # type: ignore[arg-type]
