from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import AsyncIterator  # noqa: TC003 - read at run time
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest

from hyperweb import App, BadRequest, HTTPError, Request, Response, ServerSentEvent, event_stream
from hyperweb.testing import TestServer, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

LOG: list[str] = []


class Post(msgspec.Struct):
    title: str


def application() -> App:  # noqa: C901 - many small handlers
    app = App(max_body=100_000)
    app.on_startup(lambda: LOG.append("begin"))
    app.on_shutdown(lambda: LOG.append("end"))

    @app.get("/json")
    async def literal() -> Post:
        return Post("é")

    @app.get("/posts/{slug}", cache="1m", tags=["post:{slug}"])
    async def path(slug: str, page: int = 1) -> dict[str, Any]:
        return {"slug": slug, "page": page}

    @app.post("/posts")
    async def create(data: Post) -> Post:
        return data

    @app.get("/files/{rest:path}")
    async def files(rest: str) -> str:
        return rest

    @app.get("/thread")
    def thread(request: Request) -> str:
        time.sleep(0.05)
        return request.client

    @app.get("/fail")
    async def fail() -> None:
        raise HTTPError(409, "taken")

    @app.get("/cookies")
    async def cookies(request: Request) -> Response:
        return Response(str(request.cookies)).set_cookie("a", "1").set_cookie("b", "2")

    @app.get("/stream")
    async def stream() -> AsyncIterator[str]:
        for n in range(3):
            yield f"{n}\n"
            await asyncio.sleep(0)

    @app.get("/endless")
    async def endless() -> Response:
        async def ticks() -> AsyncIterator[ServerSentEvent]:
            try:
                while True:
                    yield ServerSentEvent("tick")
                    await asyncio.sleep(0.01)
            finally:
                LOG.append("closed")

        return event_stream(ticks())

    @app.get("/failing")
    async def failing() -> AsyncIterator[str]:
        yield "begun"
        raise RuntimeError("half way")

    @app.post("/upload")
    async def upload(request: Request) -> str:
        try:
            if request.headers.get("x-stream"):
                return str(len(b"".join([chunk async for chunk in request.stream()])))
            return str(len(await request.body()))
        except BadRequest:
            LOG.append("cut off")
            raise

    async def other(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        size = len(message["body"])
        while message["more_body"]:
            message = await receive()
            size += len(message["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": f"{scope['path']} {size}".encode()})

    app.mount("/mounted", other)
    return app


@pytest.fixture(scope="module", params=["rsgi", "asgi"])
def server(request: pytest.FixtureRequest) -> Iterator[TestServer]:
    with serve(application(), asgi=request.param == "asgi") as running:
        yield running


@pytest.fixture
def client(server: TestServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url) as made:
        yield made


def raw(server: TestServer, request: bytes) -> tuple[bytes, bytes]:
    """Sends bytes as they are and returns the head and the body of the answer, told to close after it."""
    with server.connect() as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


def eventually(happened: Callable[[], bool]) -> bool:
    """Waits for what the server does after the client has its answer, or without one."""
    deadline = time.monotonic() + 20
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.01)
    return happened()


def get(path: bytes) -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


def test_handlers_answer_over_a_real_connection(client: httpx.Client) -> None:
    response = client.get("/json")
    assert (response.status_code, response.headers["content-type"], response.json()) == (
        200,
        "application/json",
        {"title": "é"},
    )
    response = client.get("/posts/a%20b?page=2")
    assert response.json() == {"slug": "a b", "page": 2}
    assert response.headers["cache-tag"] == "post:a%20b"
    assert client.post("/posts", json={"title": "x"}).json() == {"title": "x"}
    assert client.post("/posts", json={"title": 1}).json()["detail"] == "data.title: expected str, got int"
    assert client.get("/fail").status_code == 409
    assert client.get("/none").status_code == 404
    assert client.put("/json").headers["allow"] == "GET, HEAD, OPTIONS"
    assert client.options("/json").status_code == 204


def test_head_has_the_length_of_get_and_no_body(server: TestServer, client: httpx.Client) -> None:
    head, body = raw(server, b"HEAD /json HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert body == b""
    length = client.get("/json").headers["content-length"]
    assert f"content-length: {length}".encode() in head.lower()


def test_a_slash_that_was_encoded_never_gets_into_a_parameter(server: TestServer) -> None:
    assert raw(server, get(b"/posts/a%2Fb"))[0].startswith(b"HTTP/1.1 404")
    assert raw(server, get(b"/files/a%2Fb"))[1] == b"a/b"


@pytest.mark.parametrize(
    "path",
    [
        b"/files/../x",
        b"/files/%2e%2e/x",
        b"/files/a%2f..%2fb",
        b"/files/a%00",
        b"/files/a%5cb",
        b"/files/%c0%ae",
        b"/posts/..",
    ],
)
def test_a_path_that_could_climb_never_reaches_a_handler(server: TestServer, path: bytes) -> None:
    assert raw(server, get(path))[0].split(b" ")[1] in {b"400", b"404"}


def test_a_stream_comes_in_chunks(client: httpx.Client) -> None:
    response = client.get("/stream")
    assert response.text == "0\n1\n2\n"
    assert response.headers["transfer-encoding"] == "chunked"


def test_a_stream_that_fails_ends_and_is_logged(server: TestServer, caplog: pytest.LogCaptureFixture) -> None:
    head, body = raw(server, get(b"/failing"))
    assert head.startswith(b"HTTP/1.1 200")
    assert b"begun" in body
    assert eventually(lambda: "failed after its answer had begun" in caplog.text)


@pytest.mark.parametrize("how", [b"content-length: 100", b"content-length: 100\r\nx-stream: 1"])
def test_a_body_that_was_cut_off_is_never_taken_for_a_whole_one(server: TestServer, how: bytes) -> None:
    LOG.clear()
    with server.connect() as connection:
        connection.sendall(b"POST /upload HTTP/1.1\r\nhost: x\r\n" + how + b"\r\n\r\nabcde")
    assert eventually(lambda: bool(LOG))
    assert LOG == ["cut off"]


def test_an_endless_stream_is_closed_when_the_client_goes(server: TestServer) -> None:
    LOG.clear()
    with server.connect() as connection:
        connection.sendall(get(b"/endless"))
        seen = b""
        while seen.count(b"data: tick") < 3:
            seen += connection.recv(4096)
    assert eventually(lambda: bool(LOG))
    assert LOG == ["closed"]


def test_plain_handlers_wait_side_by_side(client: httpx.Client) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.get("/thread").text, range(8)))
    assert answers == ["127.0.0.1"] * 8


def test_both_cookies_of_a_response_arrive(client: httpx.Client) -> None:
    response = client.get("/cookies", headers={"cookie": "x=1"})
    assert response.text == "{'x': '1'}"
    assert [line.split("=")[0] for line in response.headers.get_list("set-cookie")] == ["a", "b"]


def test_bodies_are_limited_however_they_are_sent(client: httpx.Client) -> None:
    def chunks(count: int) -> Any:
        return (b"x" * 10_000 for _ in range(count))

    assert client.post("/upload", content=b"x" * 100_000).text == "100000"
    assert client.post("/upload", content=chunks(10)).text == "100000"
    for body in (b"x" * 100_001, chunks(11)):
        try:
            assert client.post("/upload", content=body).status_code == 413
        except httpx.TransportError:
            # The server may close the connection while the client is still sending.
            assert client.post("/upload", content=b"x").text == "1"


def test_a_mounted_application_is_served_too(client: httpx.Client) -> None:
    assert client.post("/mounted/x", content=b"12345").text == "/mounted/x 5"
    assert client.get("/mounted").text == "/mounted 0"


def test_a_websocket_that_no_one_takes_is_refused(server: TestServer) -> None:
    head = connect_upgrade(server)
    assert head.startswith(b"HTTP/1.1 403")


def connect_upgrade(server: TestServer) -> bytes:
    with server.connect() as connection:
        connection.sendall(
            b"GET /json HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        return connection.recv(4096)


def test_start_up_and_shutdown_run_once_around_the_server(tmp_path: Path) -> None:
    LOG.clear()
    with serve(application(), uds=tmp_path / "app.sock") as running:
        assert raw(running, get(b"/json"))[1] == '{"title":"é"}'.encode()
        assert LOG == ["begin"]
    assert LOG == ["begin", "end"]
    assert not (tmp_path / "app.sock").exists()


def test_the_server_alone_runs_start_up_through_rsgi(tmp_path: Path) -> None:
    app = application()

    class Bare:
        """Hides `startup` and `shutdown`, so that only the protocol's own hooks are called."""

        __rsgi__ = app.__rsgi__
        __rsgi_init__ = app.__rsgi_init__
        __rsgi_del__ = app.__rsgi_del__

    LOG.clear()
    with serve(Bare(), uds=tmp_path / "app.sock") as running:
        assert raw(running, get(b"/json"))[1] == '{"title":"é"}'.encode()
        assert LOG == ["begin"]
