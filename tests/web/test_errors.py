from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperweb import App, BadRequest, HTTPError, HTTPException, NotFound, RequestInfo, Response
from hyperweb.testing import TestClient
from hyperweb.web.problem import prefers_html

if TYPE_CHECKING:
    from collections.abc import Iterator

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def application() -> App:
    app = App()

    @app.get("/boom")
    async def boom() -> None:
        raise RuntimeError("the secret")

    @app.get("/boom/{x}")
    def boom_in_thread(x: str, request_: str = "") -> None:
        raise RuntimeError(x)

    @app.get("/gone")
    async def gone() -> None:
        raise HTTPException(410, "It was <here>.", {"x-why": "moved"})

    @app.get("/missing")
    async def missing() -> None:
        raise NotFound

    @app.get("/fields")
    async def fields() -> None:
        raise BadRequest(errors=[("<a>", "bad"), ("b", "worse")])

    return app


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(application()) as made:
        yield made


def test_a_problem_is_json_for_a_script_and_a_page_for_a_person(client: TestClient) -> None:
    script = client.get("/gone")
    assert (script.status, script.header("content-type")) == (410, "application/problem+json")
    assert script.json()["title"] == "Gone"
    assert script.json()["detail"] == "It was <here>."
    assert script.header("x-why") == "moved"
    page = client.get("/gone", headers=HTML)
    assert page.header("content-type") == "text/html; charset=utf-8"
    assert "It was &lt;here&gt;." in page.text
    assert "<script" not in page.text
    for response in (script, page):
        assert (response.header("cache-control"), response.header("vary")) == ("no-store", "accept")


def test_every_field_at_fault_is_named_and_none_is_markup(client: TestClient) -> None:
    assert client.get("/fields").json()["detail"] == "<a>: bad; b: worse"
    assert "<code>&lt;a&gt;</code>: bad" in client.get("/fields", headers=HTML).text


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "BREW"])
def test_a_path_without_a_route_is_404(client: TestClient, method: str) -> None:
    response = client.request(method, "/nothing")
    assert response.status == 404
    assert bool(response.content) == (method != "HEAD")


def test_a_method_a_path_does_not_take_is_405_with_those_it_does(client: TestClient) -> None:
    response = client.post("/gone", content=b"x")
    assert (response.status, response.header("allow")) == (405, "GET, HEAD, OPTIONS")


def test_options_names_the_methods(client: TestClient) -> None:
    response = client.options("/gone")
    assert (response.status, response.header("allow"), response.content) == (204, "GET, HEAD, OPTIONS", b"")


def test_head_is_get_without_the_body() -> None:
    app = App()

    @app.get("/")
    async def page() -> str:
        return "12345"

    with TestClient(app) as client:
        response = client.head("/")
        assert (response.status, response.header("content-length"), response.content) == (200, "5", b"")


@pytest.mark.parametrize("path", ["/boom", "/boom/x"])
def test_an_unhandled_error_is_logged_with_the_id_the_client_is_given(
    client: TestClient, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    response = client.get(path)
    assert response.status == 500
    assert "secret" not in response.text
    identity = response.json()["request_id"]
    assert response.header("x-request-id") == identity
    [record] = [each for each in caplog.records if each.name == "hyperweb.web"]
    assert record.levelno == logging.ERROR
    assert identity in record.getMessage()
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], RuntimeError)


def test_the_id_of_the_edge_is_kept_and_one_that_is_not_safe_to_log_is_not(client: TestClient) -> None:
    assert client.get("/missing", headers={"x-request-id": "edge-1.2_3"}).json()["request_id"] == "edge-1.2_3"
    for bad in ("a b", "a" * 129, "", "a\x1b[0m", "é"):
        assert client.get("/missing", headers={"x-request-id": bad}).json()["request_id"] != bad


def test_an_error_that_is_an_answer_is_not_logged(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    client.get("/gone")
    client.get("/nothing")
    assert not caplog.records


def test_a_path_cannot_write_a_line_into_the_log(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    client.get("/boom/a%0AERROR%20forged")
    [record] = [each for each in caplog.records if each.name == "hyperweb.web"]
    assert "\n" not in record.getMessage()


def test_the_hook_may_answer_for_an_unhandled_error(caplog: pytest.LogCaptureFixture) -> None:
    app = application()
    seen: list[tuple[RequestInfo, Exception]] = []

    @app.on_error
    def page(info: RequestInfo, error: Exception) -> Response | None:
        seen.append((info, error))
        return Response(f"overlay {info.id}", 500) if info.path == "/boom" else None

    with TestClient(app) as client:
        response = client.get("/boom?a=1", headers={"x-request-id": "r1"})
        assert (response.status, response.text) == (500, "overlay r1")
        assert client.get("/boom/y").json()["status"] == 500
        assert client.get("/missing").status == 404
    assert len(seen) == 2
    info, error = seen[0]
    assert (info.method, info.query_string, info.route, str(error)) == ("GET", "a=1", "/boom", "the secret")
    assert info.handler is not None
    assert info.handler.endswith("boom")
    assert seen[1][0].path_params == {"x": "y"}


def test_a_hook_that_fails_leaves_the_usual_answer(caplog: pytest.LogCaptureFixture) -> None:
    app = application()

    @app.on_error
    async def page(info: RequestInfo, error: Exception) -> Response | None:
        raise ValueError("the hook")

    with TestClient(app) as client:
        assert client.get("/boom").json()["title"] == "Internal Server Error"
    assert "the error hook failed" in caplog.text


def test_a_site_may_bring_its_own_error_page(caplog: pytest.LogCaptureFixture) -> None:
    app = application()
    app.error_page = lambda problem: f"<h1>Sorry, {problem.status}</h1>" if problem.status == 404 else None
    with TestClient(app) as client:
        assert client.get("/nothing", headers=HTML).text == "<h1>Sorry, 404</h1>"
        assert "410 Gone" in client.get("/gone", headers=HTML).text
        assert client.get("/nothing").json()["status"] == 404

    def broken(_: Any) -> str:
        raise ValueError

    app.error_page = broken
    with TestClient(app) as client:
        assert "404 Not Found" in client.get("/nothing", headers=HTML).text


def test_an_error_cannot_carry_a_header_that_begins_another() -> None:
    with pytest.raises(ValueError, match="header"):
        HTTPError(401, headers={"www-authenticate": "Basic\r\nx: y"})


@pytest.mark.parametrize("status", [200, 399, 600])
def test_an_error_has_a_status_of_error(status: int) -> None:
    with pytest.raises(ValueError, match="400 to 599"):
        HTTPError(status)


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("text/html", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("*/*", False),
        ("", False),
        ("application/json, text/html;q=0.9", False),
        ("application/json;q=0.5, TEXT/HTML", True),
        ("text/html;q=0", False),
        ("text/html;q=x", False),
    ],
)
def test_who_wants_a_page(accept: str, *, html: bool) -> None:
    assert prefers_html(accept) is html


@given(st.text(max_size=40))
def test_any_accept_header_is_read(accept: str) -> None:
    assert prefers_html(accept) in {True, False}
