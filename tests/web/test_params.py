from __future__ import annotations

import datetime
import enum
import uuid
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperweb import App, Cookie, Header, Path, Query, Request, RouteError
from hyperweb.testing import TestClient


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


def answer(annotation: Any, url: str, default: Any = ..., **options: Any) -> Any:
    """Returns what a handler with one query parameter `v` of a type was given, or the problem."""
    app = App()

    async def handler(v: Any) -> dict[str, Any]:
        return {"v": v}

    handler.__annotations__["v"] = annotation
    if default is not ...:
        handler.__defaults__ = (default,)
    app.get("/")(handler)
    client = TestClient(app)
    try:
        response = client.get(url, **options)
    finally:
        client.close()
    body = response.json()
    return body["v"] if response.ok else (response.status, body["errors"])


@pytest.mark.parametrize(
    ("annotation", "url", "value"),
    [
        (str, "/?v=a%20b", "a b"),
        (str, "/?v=", ""),
        (int, "/?v=-3", -3),
        (float, "/?v=1.5", 1.5),
        (bool, "/?v=true", True),
        (bool, "/?v=0", False),
        (int | None, "/", None),
        (int | None, "/?v=", None),
        (str | None, "/?v=null", "null"),
        (list[int], "/?v=1&v=2", [1, 2]),
        (list[str], "/?v=a", ["a"]),
        (Literal["a", "b"], "/?v=b", "b"),
        (Colour, "/?v=red", "red"),
        (uuid.UUID, "/?v=12345678123456781234567812345678", "12345678-1234-5678-1234-567812345678"),
        (datetime.date, "/?v=2026-01-02", "2026-01-02"),
        (Annotated[int, msgspec.Meta(ge=1)], "/?v=1", 1),
        (Annotated[str, Query("w")], "/?w=x&v=y", "x"),
        (Annotated[Annotated[int, msgspec.Meta(ge=1)], Query("w")], "/?w=4", 4),
        (Annotated[str, Query], "/?v=x", "x"),
    ],
)
def test_a_query_parameter_has_the_type_that_was_asked_for(annotation: Any, url: str, value: Any) -> None:
    assert answer(annotation, url) == value


@pytest.mark.parametrize(
    ("annotation", "url", "field", "message"),
    [
        (str, "/", "v", "required"),
        (int, "/", "v", "required"),
        (int, "/?v=", "v", "expected int"),
        (int, "/?v=1_000", "v", "expected int"),
        (int, "/?v=%201", "v", "expected int"),
        (int, "/?v=" + "9" * 5000, "v", "integer value out of range"),
        (float, "/?v=x", "v", "expected float"),
        (bool, "/?v=maybe", "v", "expected bool"),
        (list[int], "/?v=1&v=x", "v[1]", "expected int"),
        (list[int], "/", "v", "required"),
        (Literal["a", "b"], "/?v=c", "v", "invalid enum value 'c'"),
        (Annotated[int, msgspec.Meta(ge=1)], "/?v=0", "v", "expected int >= 1"),
        (Annotated[str, Query("w")], "/?v=y", "w", "required"),
        (Annotated[str, Header("x-token")], "/", "header x-token", "required"),
        (Annotated[str, Cookie("session")], "/", "cookie session", "required"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(annotation: Any, url: str, field: str, message: str) -> None:
    assert answer(annotation, url) == (400, [{"field": field, "message": message}])


@pytest.mark.parametrize(
    ("annotation", "headers", "value"),
    [
        (Annotated[str, Header("X-Token")], {"x-token": "t"}, "t"),
        (Annotated[int, Header("x-count")], {"X-Count": "3"}, 3),
        (Annotated[str, Header], {"v": "by name"}, "by name"),
        (Annotated[str, Cookie("session")], {"cookie": 'a=1; session="s1"; session=s2'}, "s1"),
        (Annotated[int, Cookie], {"cookie": "v=5"}, 5),
    ],
)
def test_headers_and_cookies_are_parameters_when_marked(annotation: Any, headers: dict[str, str], value: Any) -> None:
    assert answer(annotation, "/?v=99", headers=headers) == value


def test_a_default_is_used_when_nothing_was_sent_or_an_input_was_left_empty() -> None:
    assert answer(int, "/", 7) == 7
    assert answer(int, "/?v=", 7) == 7
    assert answer(str, "/?v=", "d") == ""
    assert answer(list[int], "/", [1]) == [1]


@given(st.text(max_size=20).map(lambda text: text.encode("utf-8", "ignore").decode()))
def test_any_text_is_a_number_or_a_400(text: str) -> None:
    found = answer(int, "/", params={"v": text})
    assert isinstance(found, int) or found[0] == 400


@given(st.integers(min_value=-(2**70), max_value=2**70))
def test_every_integer_comes_back(number: int) -> None:
    app = App()

    @app.get("/{n:int}", inline=True)
    def handler(n: int) -> str:
        return str(n)

    client = TestClient(app)
    assert client.get(f"/{number}").text == str(number)
    client.close()


def test_path_parameters_are_converted_by_annotation_or_by_their_kind() -> None:
    app = App()
    day = datetime.date(2026, 5, 4)

    @app.get("/a/{n:int}/{f:float}/{u:uuid}/{rest:path}")
    async def kinds(n, f, u, rest) -> list[str]:  # type: ignore[no-untyped-def]  # noqa: ANN001
        return [type(each).__name__ for each in (n, f, u, rest)]

    @app.get("/d/{day}")
    async def dated(day: datetime.date, request: Request) -> list[Any]:
        return [day, request.path_params]

    @app.get("/s/{n:int}")
    async def as_text(n: str) -> list[str]:
        return [n]

    @app.get("/r/{slug}")
    async def renamed(name: Annotated[str, Path("slug")]) -> list[str]:
        return [name]

    with TestClient(app) as client:
        url = "/a/1/2.5/12345678-1234-5678-1234-567812345678/x/y"
        assert client.get(url).json() == ["int", "float", "UUID", "str"]
        assert client.get("/a/x/2.5/12345678-1234-5678-1234-567812345678/x/y").status == 404
        assert client.get(f"/d/{day}").json() == [str(day), {"day": str(day)}]
        assert client.get("/d/soon").json()["errors"] == [{"field": "day", "message": "invalid RFC3339 encoded date"}]
        assert client.get("/s/007").json() == ["007"]
        assert client.get("/r/x").json() == ["x"]


class Unknown:
    pass


@pytest.mark.parametrize(
    ("annotation", "why"),
    [
        (Unknown, "nothing provides Unknown"),
        (dict[str, int], "nothing provides"),
        (list[Unknown], "nothing provides"),
        (Annotated[str, Path("nope")], "there is no 'nope' in the path"),
    ],
)
def test_a_parameter_that_no_request_has_is_found_before_the_first_request(annotation: Any, why: str) -> None:
    app = App()

    async def handler(v: Any) -> None:
        pass

    handler.__annotations__["v"] = annotation
    app.get("/")(handler)
    with pytest.raises(RouteError, match=why) as raised:
        app.compile()
    assert raised.value.file == __file__
    assert raised.value.line == handler.__code__.co_firstlineno


def test_a_name_that_is_not_the_paths_is_found_before_the_first_request() -> None:
    async def mistyped(slog: str) -> None:
        pass

    async def told_apart(page: Annotated[int, Query()]) -> None:
        pass

    async def reads_it_itself(request: Request, page: int = 1) -> None:
        pass

    async def has_no_use_for_it() -> None:
        pass

    async def has_it(slug: str, page: int = 1) -> None:
        pass

    for handler in (told_apart, reads_it_itself, has_no_use_for_it, has_it):
        app = App()
        app.get("/posts/{slug}")(handler)
        app.compile()
    app = App()
    app.get("/posts/{slug}")(mistyped)
    with pytest.raises(RouteError, match=r"does not ask for 'slug' of /posts/\{slug\}, but for 'slog'"):
        app.compile()


def test_parameters_that_have_no_name_to_be_passed_by_are_refused() -> None:
    async def positional(v: str, /) -> None:
        pass

    async def many(*v: str) -> None:
        pass

    for handler in (positional, many):
        app = App()
        app.get("/")(handler)
        with pytest.raises(RouteError, match="passed by name"):
            app.compile()


def test_an_annotation_that_is_not_there_at_run_time_is_explained() -> None:
    app = App()

    async def handler(v: Any) -> None:
        pass

    handler.__annotations__["v"] = "NotImportedAnywhere"
    app.get("/")(handler)
    with pytest.raises(RouteError, match="NotImportedAnywhere") as raised:
        app.compile()
    assert "TYPE_CHECKING" in str(raised.value)


def test_the_type_of_the_result_may_be_missing_at_run_time() -> None:
    app = App()

    async def handler(v: Any) -> Any:
        return {"v": v}

    handler.__annotations__.update({"v": "list[int]", "return": "NotImportedAnywhere"})
    app.get("/")(handler)
    with TestClient(app) as client:
        assert client.get("/?v=1&v=2").json() == {"v": [1, 2]}
