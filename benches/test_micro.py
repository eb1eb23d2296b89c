"""Single functions on the path of a request or a build: `pytest --codspeed benches`.

Each checks what it measures once, so that a function that got fast by doing nothing fails.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from benches.compare.peers.hyperweb import build
from benches.site_maker import make_site
from hyperweb import App
from hyperweb.web._match import Matcher
from hyperweb.web.pattern import parse_pattern

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_codspeed import BenchmarkFixture

_core: Any = pytest.importorskip("hyperweb._core", reason="the Rust module is not built: make build")

SECTIONS = ("posts", "users", "tags", "files", "orders", "items", "teams", "plans")


class Post(msgspec.Struct):
    """What the handlers answer."""

    slug: str
    title: str
    words: int


class Sink:
    """The protocol of one request, which keeps the answer."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Takes the answer."""
        assert headers
        self.status, self.body = status, body


def application() -> App:
    """Returns an application with a few dozen routes."""
    app = App()
    for section in SECTIONS:

        @app.get(f"/api/{section}")
        async def everything() -> list[Post]:
            return [Post("a", "A", 1), Post("b", "B", 2)]

        @app.get(f"/api/{section}/{{slug}}")
        async def one(slug: str) -> Post:
            return Post(slug, slug.title(), 100)

        @app.get(f"/api/{section}/{{slug}}/notes/{{number:int}}")
        async def note(slug: str, number: int) -> Post:
            return Post(slug, slug.title(), number)

    return app


def scope_of(path: str, query: str = "") -> Any:
    """Returns the scope of a GET as Granian gives it."""
    return SimpleNamespace(
        proto="http",
        http_version="1.1",
        rsgi_version="1.6",
        server="127.0.0.1:8000",
        client="127.0.0.1:50000",
        scheme="http",
        method="GET",
        path=path,
        query_string=query,
        authority=None,
        headers={},
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/tags", [{"slug": "a", "title": "A", "words": 1}, {"slug": "b", "title": "B", "words": 2}]),
        ("/api/orders/late", {"slug": "late", "title": "Late", "words": 100}),
        ("/api/plans/spring/notes/7", {"slug": "spring", "title": "Spring", "words": 7}),
    ],
    ids=["literal", "one parameter", "two parameters"],
)
def test_web_dispatch(benchmark: BenchmarkFixture, path: str, expected: Any) -> None:
    app, scope, sink = application(), scope_of(path), Sink()

    async def first() -> None:
        await app.__rsgi__(scope, sink)  # type: ignore[arg-type]

    asyncio.run(first())
    assert (sink.status, msgspec.json.decode(sink.body)) == (200, expected)

    def answer() -> None:
        try:
            app.__rsgi__(scope, sink).send(None)  # type: ignore[arg-type, attr-defined]
        except StopIteration:
            return
        raise AssertionError("the handler waited for something")

    benchmark(answer)


def test_router_match(benchmark: BenchmarkFixture) -> None:
    matcher: Matcher[int] = Matcher()
    for number, section in enumerate(SECTIONS):
        matcher.add(parse_pattern(f"/api/{section}/{{slug}}/notes/{{id:int}}"), number)
    assert benchmark(matcher.find, "/api/plans/spring/notes/7") == [(7, ["spring", "7"])]


def test_markdown(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    text = make_site(tmp_path, 10).example.read_text().split("---\n", 2)[2]
    html = benchmark(_core.render_markdown, text)
    assert "<h2" in html
    assert "<li>" in html


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a built site of a thousand pages."""
    made = make_site(tmp_path_factory.mktemp("micro") / "site", 1000)
    build(made.root)
    return made.root


def test_minify_html(benchmark: BenchmarkFixture, site: Path) -> None:
    if not hasattr(_core, "minify_html"):
        pytest.skip("hyperweb._core has no minify_html")
    spaced = (site / "dist/public/index.html").read_text().replace("><", ">\n    <")
    assert 0 < len(benchmark(_core.minify_html, spaced)) < len(spaced)


def test_pack_open(benchmark: BenchmarkFixture, site: Path) -> None:
    assert benchmark(_core.open_pack, str(site / "dist/site.pack")) is not None
