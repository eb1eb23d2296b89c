from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator  # noqa: TC003 - read at run time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperweb import App, Request, Response, RouteError, ServerSentEvent, event_stream
from hyperweb.testing import TestClient

LOG: list[str] = []


def application() -> App:
    LOG.clear()
    app = App()

    @app.get("/text")
    async def text() -> AsyncIterator[str]:
        yield "<p>"
        yield "é"

    @app.get("/bytes")
    async def chunks() -> AsyncIterator[bytes]:
        yield b"\0"
        yield b""
        yield b"\1"

    @app.get("/response")
    async def response() -> Response:
        async def lines() -> AsyncIterator[str]:
            yield "a\n"
            yield "b\n"

        return Response(lines(), 202, content_type="text/plain")

    @app.get("/events")
    async def events() -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent({"n": 1}, event="tick", id="7")
        yield ServerSentEvent("two\nlines")

    @app.get("/endless")
    async def endless() -> Response:
        async def ticks() -> AsyncIterator[str]:
            LOG.append("open")
            try:
                for n in range(1000):
                    yield str(n)
                    await asyncio.sleep(0 if n == 0 else 3600)
            finally:
                LOG.append("closed")

        return event_stream(ticks(), keep_alive=0.01)

    @app.get("/failing")
    async def failing() -> AsyncIterator[str]:
        yield "begun"
        raise RuntimeError("half way")

    return app


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(application()) as made:
        yield made


@pytest.mark.parametrize(
    ("path", "status", "kind", "content"),
    [
        ("/text", 200, "text/html; charset=utf-8", "<p>é".encode()),
        ("/bytes", 200, "application/octet-stream", b"\0\1"),
        ("/response", 202, "text/plain", b"a\nb\n"),
        ("/events", 200, "text/event-stream", b'event: tick\nid: 7\ndata: {"n":1}\n\ndata: two\ndata: lines\n\n'),
    ],
)
def test_chunks_arrive_in_order_as_what_they_are(
    client: TestClient, path: str, status: int, kind: str, content: bytes
) -> None:
    response = client.get(path)
    assert (response.status, response.header("content-type"), response.content) == (status, kind, content)
    assert response.header("content-length") == ""


def test_head_of_a_stream_does_not_run_it(client: TestClient) -> None:
    assert (client.head("/endless").status, client.head("/endless").content) == (200, b"")
    assert LOG == []


def test_a_silent_stream_is_kept_alive_and_closed_when_the_client_goes(client: TestClient) -> None:
    with client.stream("GET", "/endless") as stream:
        assert (stream.status, stream.header("cache-control")) == (200, "no-store")
        chunks = iter(stream)
        assert [next(chunks) for _ in range(4)] == [
            b"data: 0\n\n",
            b"data: 1\n\n",
            b": keep-alive\n\n",
            b": keep-alive\n\n",
        ]
        assert LOG == ["open"]
    assert LOG == ["open", "closed"]


def test_a_stream_that_fails_half_way_is_not_ended_as_if_it_were_whole(client: TestClient) -> None:
    with pytest.raises(RuntimeError, match="half way"):
        client.get("/failing")


def test_a_stream_that_is_to_be_kept_is_sent_whole_or_not_at_all(caplog: pytest.LogCaptureFixture) -> None:
    app = App()

    @app.get("/{fails:int}", cache="1m")
    async def handler(fails: int, request: Request) -> AsyncIterator[str]:
        yield "é"
        if fails:
            raise RuntimeError("half way")
        yield request.method

    @app.get("/short", cache="1m")
    async def short() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    with TestClient(app) as client:
        response = client.get("/0")
        assert (response.text, response.header("content-length")) == ("éGET", "5")
        assert client.get("/short").content == b"ab"
        failed = client.get("/1")
        assert (failed.status, failed.header("cache-control")) == (500, "no-store")


@pytest.mark.parametrize("field", ["event", "id"])
@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0"])
def test_a_field_of_an_event_cannot_begin_another(field: str, value: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        msgspec.structs.replace(ServerSentEvent("x"), **{field: value}).encode()


@given(st.text(max_size=50))
def test_the_data_of_an_event_comes_back(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    encoded = ServerSentEvent(text, retry=5).encode().decode()
    assert encoded.endswith("\n\n")
    retry, *lines = encoded[:-2].split("\n")
    assert retry == "retry: 5"
    assert all(line.startswith("data: ") for line in lines)
    assert "\n".join(line[6:] for line in lines) == text.replace("\r\n", "\n").replace("\r", "\n")


def test_a_generator_that_would_block_the_loop_is_refused() -> None:
    app = App()

    @app.get("/")
    def handler() -> Iterator[str]:
        yield "a"

    with pytest.raises(RouteError, match="async"):
        app.compile()
