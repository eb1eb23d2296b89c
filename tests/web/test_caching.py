from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperweb import App, Cache, HTTPError, Purge, Response, RouteError, set_purge_hook
from hyperweb.testing import TestClient
from hyperweb.web._duration import seconds
from hyperweb.web.tags import clean_tag, join_tags

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("90", 90),
        ("30s", 30),
        ("10m", 600),
        ("2h", 7200),
        ("1d", 86400),
        ("1h30m", 5400),
        (1.9, 1),
        (0, 0),
        (" 5M ", 300),
    ],
)
def test_a_length_of_time_is_read(value: str | float, expected: int) -> None:
    assert seconds(value) == expected


@pytest.mark.parametrize("value", ["", "m", "10 m", "-1", "1x", "1m30", "1.5h", -1, "٣s"])
def test_what_is_not_a_length_of_time_is_refused(value: str | float) -> None:
    with pytest.raises(ValueError, match="length of time"):
        seconds(value)


@pytest.mark.parametrize(
    ("cache", "browsers", "edge"),
    [
        (Cache(ttl="10m"), "public, max-age=0, s-maxage=600", "public, max-age=600, stale-while-revalidate=60"),
        (Cache(ttl=5), "public, max-age=0, s-maxage=5", None),
        (Cache(ttl="1h", swr=0), "public, max-age=0, s-maxage=3600", None),
        (Cache(ttl=5, sie=9), "public, max-age=0, s-maxage=5", "public, max-age=5, stale-if-error=9"),
        (
            Cache(ttl="1m", swr="1h", sie="1d", browser=10),
            "public, max-age=10, s-maxage=60",
            "public, max-age=60, stale-while-revalidate=3600, stale-if-error=86400",
        ),
    ],
)
def test_a_policy_is_said_to_all_and_what_is_for_the_edge_to_the_edge(
    cache: Cache, browsers: str, edge: str | None
) -> None:
    # A browser would serve what is stale after a purge, which does not reach it (RFC 5861, section 3).
    assert cache.header() == browsers
    assert cache.edge_header() == edge


@given(st.text(max_size=20))
def test_no_text_in_a_tag_becomes_a_second_tag(text: str) -> None:
    tag = clean_tag("post:" + text.encode("utf-8", "ignore").decode())
    assert tag.isascii()
    assert join_tags([tag, "b"]).replace(",", " ").split() == [tag, "b"]
    assert clean_tag(tag) == tag


def application() -> App:
    app = App()

    @app.get("/posts/{slug}", cache="10m", tags=["posts", "post:{slug}"], vary=["Accept-Language"])
    async def post(slug: str) -> Any:
        if slug == "missing":
            raise HTTPError(404)
        if slug == "own":
            return Response("x", headers={"cache-control": "no-cache", "vary": "cookie"})
        if slug == "personal":
            return Response("x").set_cookie("a", "b")
        if slug == "broken":
            return Response("x", 503)
        return {"slug": slug}

    @app.get("/all", cache=30, tags=["posts"])
    async def everything() -> list[int]:
        return [1]

    @app.get("/pages", cache="1m")
    async def pages() -> str:
        return "<p>"

    @app.post("/posts/{slug}", purge=["posts", "post:{slug}"])
    async def change(slug: str, fail: bool = False) -> dict[str, bool]:  # noqa: FBT001, FBT002
        if fail:
            raise HTTPError(409)
        return {"ok": True}

    return app


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(application()) as made:
        yield made


def lines(client: TestClient, path: str) -> tuple[str, str, str]:
    response = client.get(path)
    return response.header("cache-control"), response.header("cache-tag"), response.header("vary")


def edge_line(client: TestClient, path: str) -> str:
    return client.get(path).header("cdn-cache-control")


KEPT = "public, max-age=0, s-maxage=600"


def test_a_kept_response_says_for_how_long_and_under_which_tags(client: TestClient) -> None:
    assert lines(client, "/posts/hello") == (KEPT, "posts, post:hello", "accept-language")
    assert edge_line(client, "/posts/hello") == "public, max-age=600, stale-while-revalidate=60"
    assert lines(client, "/all") == ("public, max-age=0, s-maxage=30", "posts", "")
    assert edge_line(client, "/all") == "public, max-age=30, stale-while-revalidate=3"
    assert lines(client, "/pages")[0].endswith("s-maxage=60")
    assert edge_line(client, "/pages").endswith("stale-while-revalidate=6")


def test_a_path_cannot_add_a_tag_of_its_own(client: TestClient) -> None:
    assert lines(client, "/posts/a,%20b")[1] == "posts, post:a%2C%20b"


def test_what_the_handler_says_of_itself_is_stronger(client: TestClient) -> None:
    assert lines(client, "/posts/own") == ("no-cache", "posts, post:own", "cookie, accept-language")
    assert edge_line(client, "/posts/own") == ""


def test_a_response_that_sets_a_cookie_is_never_public(client: TestClient) -> None:
    assert lines(client, "/posts/personal")[0] == "private, no-store"
    assert edge_line(client, "/posts/personal") == ""


def test_an_error_is_not_kept(client: TestClient) -> None:
    assert lines(client, "/posts/missing")[:2] == ("no-store", "")
    assert lines(client, "/posts/broken")[:2] == ("", "")


@pytest.mark.parametrize(
    ("method", "options", "why"),
    [
        ("POST", {"cache": "1m"}, "cache= is for GET"),
        ("GET", {"cache": "soon"}, "length of time"),
        ("GET", {"tags": ["post:{id}"]}, "names 'id'"),
        ("GET", {"tags": ["post:{slug!r}"]}, "braces hold"),
        ("GET", {"tags": ["post:{slug.x}"]}, "braces hold"),
        ("GET", {"tags": "posts"}, "list of texts"),
        ("GET", {"tags": ["{"]}, "'{'"),
        ("get it", {}, "list of methods"),
    ],
)
def test_a_route_that_cannot_be_kept_as_it_says_is_refused(method: str, options: Any, why: str) -> None:
    async def handler(slug: str) -> None:
        pass

    with pytest.raises(RouteError, match=why) as raised:
        App().route("/x/{slug}", methods=[method], **options)(handler)
    assert raised.value.file == __file__


def test_a_change_that_succeeded_drops_its_tags_and_one_that_failed_does_not(client: TestClient) -> None:
    seen: list[Purge] = []

    def hook(order: Purge) -> int:
        seen.append(order)
        return 1

    set_purge_hook(hook)
    try:
        assert client.post("/posts/a b").ok
        assert client.post("/posts/c?fail=1").status == 409
    finally:
        set_purge_hook(None)
    assert seen == [Purge(tags=("posts", "post:a%20b"))]


def test_a_purge_that_fails_is_logged_and_the_change_stands(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Purge) -> int:
        raise OSError("gone")

    set_purge_hook(broken)
    try:
        assert client.post("/posts/a").ok
    finally:
        set_purge_hook(None)
    assert "purging posts, post:{slug} failed" in caplog.text
