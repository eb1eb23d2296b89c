from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperweb import App, Created, Redirect, Response, Template, redirect, render
from hyperweb.testing import TestClient
from hyperweb.web.cookies import format_cookie, parse_cookies
from hyperweb.web.redirect import is_local_path

if TYPE_CHECKING:
    from collections.abc import Mapping


class Point(msgspec.Struct):
    x: int


def sent(result: Any, **options: Any) -> Any:
    app = App(templates=Pages())

    @app.get("/", **options)
    async def handler() -> Any:
        return result

    client = TestClient(app)
    response = client.get("/")
    client.close()
    return response


class Pages:
    def render(self, name: str, context: Mapping[str, Any]) -> str:
        return f"<h1>{name} {context['who']}</h1>"


@pytest.mark.parametrize(
    ("result", "status", "kind", "content"),
    [
        ("<p>é", 200, "text/html; charset=utf-8", "<p>é".encode()),
        (b"\0", 200, "application/octet-stream", b"\0"),
        (bytearray(b"x"), 200, "application/octet-stream", b"x"),
        (None, 204, "", b""),
        ({"a": 1}, 200, "application/json", b'{"a":1}'),
        ([1, None], 200, "application/json", b"[1,null]"),
        (Point(1), 200, "application/json", b'{"x":1}'),
        (3, 200, "application/json", b"3"),
        (datetime.date(2026, 1, 2), 200, "application/json", b'"2026-01-02"'),
        (Created(Point(2)), 201, "application/json", b'{"x":2}'),
        (Response("x", 418, {"X-A": "1"}), 418, "text/html; charset=utf-8", b"x"),
        (Response("x", content_type="text/plain"), 200, "text/plain", b"x"),
        (Response(b"x", headers=[("Content-Type", "image/png")]), 200, "image/png", b"x"),
        (Response(memoryview(b"x")), 200, "application/octet-stream", b"x"),
        (Response(None, 304), 304, "", b""),
        (render("a.html", who="me"), 200, "text/html; charset=utf-8", b"<h1>a.html me</h1>"),
        (Template("a.html", {"who": 1}, 404, {"x-a": "1"}), 404, "text/html; charset=utf-8", b"<h1>a.html 1</h1>"),
    ],
)
def test_a_result_is_encoded_by_its_type(result: Any, status: int, kind: str, content: bytes) -> None:
    response = sent(result)
    assert (response.status, response.header("content-type"), response.content) == (status, kind, content)


@pytest.mark.parametrize("result", [("a", 200), object(), {1, 2}.__iter__()])
def test_what_cannot_be_sent_is_an_error_of_the_server(result: Any) -> None:
    assert sent(result).status == 500


def test_a_template_without_templates_says_so() -> None:
    with pytest.raises(Exception, match="no templates"):
        App().render("a.html", {})


def test_a_route_may_set_the_status_of_a_plain_result_and_of_nothing_else() -> None:
    assert sent({"a": 1}, status=202).status == 202
    assert sent("text", status=202).status == 202
    assert sent(Response("text"), status=202).status == 200


@pytest.mark.parametrize(
    "header", [("a\nb", "1"), ("a", "1\r\nx: 2"), ("a", "\0"), ("a b", "1"), ("", "1"), ("é", "1"), ("a", "\x7f")]
)
def test_a_header_that_could_begin_another_is_refused(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="header"):
        Response("x", headers=[header])
    with pytest.raises(ValueError, match="header"):
        Response("x").set_header(*header)


def test_a_content_type_cannot_begin_another_header() -> None:
    with pytest.raises(ValueError, match="header"):
        Response("x", content_type="a/b\r\nx: 1")


@pytest.mark.parametrize("status", [100, 199, 600, 0, -1])
def test_a_status_that_is_none_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match="status"):
        Response("x", status)


def test_a_body_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="int"):
        Response(3)  # type: ignore[arg-type]


def test_one_response_may_be_returned_again_and_again() -> None:
    app = App()
    shared = Response("x")

    @app.get("/{n}", cache="1m", tags=["n:{n}"], vary=["accept"])
    async def handler(n: str) -> Response:
        return shared

    with TestClient(app) as client:
        assert [client.get(f"/{n}").header("cache-tag") for n in (1, 2)] == ["n:1", "n:2"]
    assert shared.headers == [("content-type", "text/html; charset=utf-8")]


def test_headers_are_found_and_replaced_by_name_whatever_the_case() -> None:
    response = Response("x", headers=[("X-A", "1"), ("x-a", "2")])
    assert response.header("X-a") == "1"
    assert response.set_header("X-A", "3").header("x-a") == "3"
    assert [name for name, _ in response.headers].count("x-a") == 1


def test_cookies_are_careful_unless_told_otherwise() -> None:
    assert format_cookie("a", "b") == "a=b; Path=/; Secure; HttpOnly; SameSite=Lax"
    loose = format_cookie("a", "b", secure=False, http_only=False, path=None, same_site="strict", max_age=5)
    assert loose == "a=b; Max-Age=5; SameSite=Strict"
    assert "Secure" in format_cookie("a", "b", secure=False, same_site="none")
    expires = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    assert "Expires=Fri, 02 Jan 2026 03:04:05 GMT" in format_cookie("a", "b", expires=expires, domain="x.example")


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [("a b", "c", "/"), ("", "c", "/"), ("a", "b;c", "/"), ("a", "b\r\n", "/"), ("a", "b", "/;x")],
)
def test_a_cookie_cannot_hold_what_would_end_it(name: str, value: str, path: str) -> None:
    with pytest.raises(ValueError, match=r"cookie|not a"):
        format_cookie(name, value, path=path)


@given(st.text(max_size=40))
def test_any_cookie_header_is_read(line: str) -> None:
    assert all(name for name in parse_cookies([line]))


@given(st.text(alphabet="abc123!#$%&'()*+-./:<=>?@[]^_`{|}~", max_size=20))
def test_a_cookie_comes_back_as_it_was_set(value: str) -> None:
    pair = format_cookie("name", value).split("; ")[0]
    assert parse_cookies(["other=1; " + pair, "name=later"])["name"] == value


def test_cookies_go_to_the_client_and_come_back() -> None:
    app = App()

    @app.get("/in")
    async def enter() -> Response:
        return Response("ok").set_cookie("session", "s1", max_age=60).set_cookie("theme", "dark")

    @app.get("/out")
    async def leave() -> Response:
        return Response("ok").delete_cookie("session")

    with TestClient(app) as client:
        assert len(client.get("/in").all("set-cookie")) == 2
        assert client.cookies == {"session": "s1", "theme": "dark"}
        client.get("/out")
        assert client.cookies == {"theme": "dark"}


@pytest.mark.parametrize("target", ["/", "/a/b?c=d#e", "/a//b", "/é", "/a%0Ab", "/?next=//x"])
def test_a_path_of_this_site_is_a_target(target: str) -> None:
    assert redirect(target).status == 303
    assert (redirect(target).header("location") or "").isascii()


LEAVING = ["//evil.example", "/\\evil.example", "\\\\evil", "https://evil.example", "javascript:alert(1)", "evil", ""]
LEAVING += ["/\t/evil.example", "\t//evil", "/\n/evil", " /a", "/a\r\nset-cookie: x", "/a b", "/\0"]


@pytest.mark.parametrize("target", LEAVING)
def test_a_target_that_leaves_the_site_is_refused_unless_it_is_meant_to(target: str) -> None:
    app = App()

    @app.get("/")
    async def handler(next_: str) -> Response:
        return redirect(next_)

    with TestClient(app) as client:
        assert client.get("/", params={"next_": target}).status == 400


def test_a_target_that_is_meant_to_leave_is_a_web_address_all_the_same() -> None:
    assert redirect("https://example.org/é", external=True).header("location") == "https://example.org/%C3%A9"
    for target in ("javascript:alert(1)", "//x", "https:///x", "https://a b", "http://[", "https://x\n"):
        with pytest.raises(Exception, match="not a path"):
            redirect(target, external=True)


@given(st.text(alphabet="/\\abc.:@ \t\n%?#é", max_size=12))
def test_no_local_path_reads_as_another_site(target: str) -> None:
    # What a browser does first: white space and control characters go, and a backslash is a slash.
    seen = "".join(char for char in target if char not in "\t\n\r").strip().replace("\\", "/")
    if is_local_path(target):
        assert seen.startswith("/")
        assert not seen.startswith("//")


def test_a_redirect_may_be_raised_and_may_be_permanent() -> None:
    app = App()

    @app.get("/a")
    async def raising() -> str:
        raise Redirect("/b", permanent=True)

    @app.get("/b")
    async def landing() -> str:
        return "here"

    with TestClient(app) as client:
        response = client.get("/a")
        assert (response.status, response.header("location")) == (308, "/b")
        assert client.get("/a", follow=True).text == "here"
