from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING

import pytest

from hyperweb import App, RouteError
from hyperweb.testing import TestClient
from hyperweb.web.registry import registry_of

if TYPE_CHECKING:
    from collections.abc import Iterator

HANDLERS = """
from __future__ import annotations
from collections.abc import AsyncIterator
from hyperweb import Request, delete, get, on_shutdown, on_startup, patch, post, provide, put, route

LOG = []

class Database:
    pass

@provide
async def database() -> AsyncIterator[Database]:
    LOG.append("open")
    yield Database()
    LOG.append("close")

@on_startup
def begin() -> None:
    LOG.append("begin")

@on_shutdown
def end() -> None:
    LOG.append("end")

@get("/a")
async def handler(db: Database) -> str:
    return type(db).__name__

@post("/a")
async def handler() -> str:  # the same name again: both are routes
    return "posted"

@put("/a")
@patch("/a")
@delete("/a")
async def change(request: Request) -> str:
    return request.method

@route("/b", methods=["GET", "REPORT"])
async def both(request: Request) -> str:
    return request.method
"""


def load(name: str, source: str) -> types.ModuleType:
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(source, f"{name}.py", "exec"), module.__dict__)
    return module


@pytest.fixture
def names() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("site_under_test"):
            del sys.modules[name]


def test_a_module_is_an_application(names: None) -> None:
    module = load("site_under_test", HANDLERS)
    app = App.from_module(module, max_body=5)
    assert app.max_body == 5
    with TestClient(app) as client:
        assert client.get("/a").text == "Database"
        assert client.post("/a").text == "posted"
        assert [client.request(method, "/a").text for method in ("PUT", "PATCH", "DELETE")] == [
            "PUT",
            "PATCH",
            "DELETE",
        ]
        assert client.request("REPORT", "/b").text == "REPORT"
        assert client.head("/b").status == 200
        assert client.post("/b").header("allow") == "GET, HEAD, OPTIONS, REPORT"
    assert module.LOG == ["begin", "open", "close", "end"]
    assert [route.path for route in app.routes] == ["/a", "/a", "/a", "/a", "/a", "/b"]


def test_submodules_belong_to_a_package_and_other_modules_do_not(names: None) -> None:
    package = load("site_under_test", "")
    load("site_under_test.posts", "from hyperweb import get\n@get('/posts')\nasync def posts() -> str: return 'p'\n")
    load("site_under_test_other", "from hyperweb import get\n@get('/other')\nasync def other() -> str: return 'o'\n")
    assert [route.path for route in App.from_module(package).routes] == ["/posts"]


def test_a_module_that_is_imported_by_name_brings_its_routes(names: None) -> None:
    load("site_under_test_shop", "from hyperweb import get\n@get('/shop')\nasync def shop() -> str: return 's'\n")
    handlers = load("site_under_test", "import site_under_test_shop as shop\nalso = shop\n")
    assert [route.path for route in App.from_module(handlers).routes] == ["/shop"]


def test_a_module_loaded_afresh_leaves_nothing_of_the_old_one(names: None) -> None:
    load("site_under_test", HANDLERS)
    again = load("site_under_test", "from hyperweb import get\n@get('/new')\nasync def new() -> str: return ''\n")
    assert [route.path for route in App.from_module(again).routes] == ["/new"]


def test_a_module_may_bring_its_application_and_use_decorators_beside_it(names: None) -> None:
    source = (
        "from hyperweb import App, get\napp = App(max_body=7)\n"
        "@app.get('/a')\nasync def a() -> str: return 'a'\n@get('/b')\nasync def b() -> str: return 'b'\n"
    )
    module = load("site_under_test", source)
    app = App.from_module(module)
    assert app is module.app
    assert sorted(route.path for route in app.routes) == ["/a", "/b"]
    with pytest.raises(RouteError, match="two modules"):
        App.from_module(module, load("site_under_test_2", source))


def test_only_a_function_can_be_decorated_at_module_level() -> None:
    with pytest.raises(RouteError, match="not a function"):
        registry_of(print)


def test_a_provider_says_what_it_provides(names: None) -> None:
    module = load("site_under_test", "from hyperweb import provide\n@provide\ndef thing(): return 1\n")
    with pytest.raises(RouteError, match="return type") as raised:
        App.from_module(module)
    assert (raised.value.file, raised.value.line) == ("site_under_test.py", 2)
