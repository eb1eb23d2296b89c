from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperweb import App, Body, Created, Form, Request, UploadFile
from hyperweb.testing import TestClient

if TYPE_CHECKING:
    from collections.abc import Iterator


class Post(msgspec.Struct):
    title: str
    words: int = 0
    public: bool = False
    tags: list[str] = []
    note: str | None = None
    rating: float | None = None


class Strict(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    first_name: str


class Nested(msgspec.Struct):
    posts: list[Post]
    by_name: dict[str, Post] = {}


class Picture(msgspec.Struct):
    caption: str
    file: UploadFile | None = None


def application() -> App:  # noqa: C901 - many small handlers
    app = App(max_body=1000)

    @app.post("/posts")
    async def create(data: Post) -> Created[Post]:
        return Created(data, f"/posts/{data.title}")

    @app.post("/strict")
    async def strict(data: Strict) -> Strict:
        return data

    @app.post("/nested")
    async def nested(data: Nested) -> Nested:
        return data

    @app.post("/picture")
    async def picture(data: Picture) -> list[Any]:
        file = data.file
        return [data.caption, None if file is None else [file.filename, file.content_type, len(file.data)]]

    @app.post("/raw")
    async def raw(data: bytes) -> str:
        return data.decode()

    @app.post("/any")
    async def anything(data) -> Any:  # type: ignore[no-untyped-def]  # noqa: ANN001
        return {"got": data}

    @app.post("/named")
    async def named(post: Annotated[Post, Body()]) -> Post:
        return post

    @app.post("/form")
    async def form(data: Annotated[Post, Form]) -> Post:
        return data

    @app.post("/optional")
    async def optional(data: Post | None = None) -> dict[str, Any]:
        return {"got": data}

    @app.post("/lists")
    async def lists(data: dict[str, list[str]]) -> dict[str, list[str]]:
        return data

    @app.post("/stream")
    async def stream(request: Request) -> str:
        total = 0
        async for chunk in request.stream():
            total += len(chunk)
        return str(total)

    @app.post("/request")
    async def by_hand(request: Request) -> list[Any]:
        return [await request.json(Post), (await request.text())[:3], await request.body() is await request.body()]

    return app


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(application()) as made:
        yield made


def test_a_json_body_becomes_the_struct_and_the_answer_is_made_from_it(client: TestClient) -> None:
    response = client.post("/posts", json={"title": "a", "tags": ["x"]})
    assert (response.status, response.header("location")) == (201, "/posts/a")
    assert response.json()["tags"] == ["x"]


JSON_TYPE = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("url", "body", "field", "message"),
    [
        ("/posts", b'{"title":1}', "data.title", "expected str, got int"),
        ("/posts", b"{}", "data.title", "required"),
        ("/posts", b'{"title":"a","tags":["x",2]}', "data.tags[1]", "expected str, got int"),
        ("/posts", b"[]", "data", "expected object, got array"),
        ("/posts", b"{", "data", "not valid JSON: Input data was truncated"),
        ("/posts", b"", "data", "not valid JSON: Input data was truncated"),
        ("/nested", b'{"posts":[{"title":null}]}', "data.posts[0].title", "expected str, got null"),
        ("/nested", b'{"posts":[{}]}', "data.posts[0].title", "required"),
        ("/strict", b'{"firstName":"a","x":1}', "data.x", "unknown field"),
        ("/strict", b"{}", "data.firstName", "required"),
        ("/named", b"{}", "post.title", "required"),
        ("/request", b"{}", "body.title", "required"),
        ("/request", b"x", "body", "not valid JSON: JSON is malformed: invalid character (byte 0)"),
    ],
)
def test_what_is_wrong_with_a_body_is_named_by_field(
    client: TestClient, url: str, body: bytes, field: str, message: str
) -> None:
    response = client.post(url, content=body, headers=JSON_TYPE)
    assert (response.status, response.header("content-type")) == (400, "application/problem+json")
    problem = response.json()
    assert problem["errors"] == [{"field": field, "message": message}]
    assert problem["detail"] == f"{field}: {message}"


@pytest.mark.parametrize("url", ["/any", "/request"])
def test_json_nested_without_end_is_a_bad_request(url: str) -> None:
    client = TestClient(deep())
    assert client.post(url, content=b"[" * 200_000, headers=JSON_TYPE).status == 400
    client.close()


def deep() -> App:
    app = App()

    @app.post("/any")
    async def anything(data: Any) -> str:
        return str(data)

    @app.post("/request")
    async def by_hand(request: Request) -> str:
        return str(await request.json())

    return app


def test_a_field_inside_a_dictionary_is_named_as_far_as_it_can_be(client: TestClient) -> None:
    body = b'{"posts":[],"by_name":{"k":{"title":3}}}'
    [error] = client.post("/nested", content=body, headers=JSON_TYPE).json()["errors"]
    assert error == {"field": "data.by_name.title", "message": "expected str, got int"}


def test_bytes_that_are_not_utf8_are_a_bad_request(client: TestClient) -> None:
    assert client.post("/posts", content=b'{"title":"\xff"}', headers=JSON_TYPE).status == 400
    assert client.post("/request", content=b"\xff", headers=JSON_TYPE).status == 400


@given(st.binary(max_size=60))
def test_no_body_breaks_a_handler(body: bytes) -> None:
    client = TestClient(application())
    for kind in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"):
        assert client.post("/posts", content=body, headers={"content-type": kind}).status in {201, 400}
    client.close()


@pytest.mark.parametrize("kind", ["text/plain", "", "application/jsonp", "text/json", "application/xml"])
def test_a_body_of_a_type_that_another_site_could_send_is_not_json(client: TestClient, kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    assert client.post("/posts", content=b'{"title":"a"}', headers=headers).status == 415


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/vnd.api+json"])
def test_json_goes_by_several_names(client: TestClient, kind: str) -> None:
    assert client.post("/posts", content=b'{"title":"a"}', headers={"content-type": kind}).status == 201


def test_a_form_becomes_the_same_struct(client: TestClient) -> None:
    fields = {"title": "a b", "words": "3", "public": "on", "tags": ["x", "y"], "rating": "", "note": ""}
    expected = {"title": "a b", "words": 3, "public": True, "tags": ["x", "y"], "note": "", "rating": None}
    assert client.post("/posts", form=fields).json() == expected
    assert client.post("/form", form=fields).json() == expected
    assert client.post("/posts", form={"title": "a", "tags": "one", "words": ""}).json()["tags"] == ["one"]


def test_a_form_field_that_cannot_be_used_is_named(client: TestClient) -> None:
    response = client.post("/posts", form={"title": "a", "words": "many"})
    assert response.json()["errors"] == [{"field": "data.words", "message": "expected int"}]
    assert client.post("/posts", form={}, content=None).status == 400


def test_a_handler_that_takes_forms_takes_nothing_else(client: TestClient) -> None:
    assert client.post("/form", json={"title": "a"}).status == 415


def test_a_form_may_carry_a_file(client: TestClient) -> None:
    response = client.post("/picture", form={"caption": "c"}, files={"file": ("a.png", b"123", "image/png")})
    assert response.json() == ["c", ["a.png", "image/png", 3]]
    assert client.post("/picture", form={"caption": "c"}, files={"file": ("", b"")}).json() == ["c", None]
    assert client.post("/picture", form={"caption": "c"}).json() == ["c", None]
    refused = client.post("/picture", form={"caption": "c", "file": "text"})
    assert refused.json()["errors"][0]["field"] == "data.file"


def test_bytes_are_the_body_as_it_is(client: TestClient) -> None:
    assert client.post("/raw", content="hello").text == "hello"


def test_a_body_without_a_type_asked_for_is_whatever_it_is(client: TestClient) -> None:
    assert client.post("/any", json=[1, {"a": None}]).json() == {"got": [1, {"a": None}]}
    assert client.post("/any", form={"a": "1"}).json() == {"got": {"a": "1"}}
    assert client.post("/lists", form={"a": ["1", "2"], "b": "3"}).json() == {"a": ["1", "2"], "b": ["3"]}


def test_a_body_with_a_default_may_be_left_out(client: TestClient) -> None:
    assert client.post("/optional").json() == {"got": None}
    assert client.post("/optional", json={"title": "a"}).json()["got"]["title"] == "a"
    assert client.post("/optional", content=b"", headers=JSON_TYPE).json() == {"got": None}
    assert client.post("/optional", content=b"x").status == 415


def test_a_body_over_the_limit_is_refused_with_or_without_a_length(client: TestClient) -> None:
    assert client.post("/raw", content=b"x" * 1000).ok
    assert client.post("/raw", content=b"x" * 1001).status == 413
    assert client.post("/stream", content=b"x" * 1001).status == 413
    assert client.post("/stream", content=b"x" * 7).text == "7"
    for length in ("99999999999999999999999999", "1001"):
        assert client.post("/raw", content=b"x", headers={"content-length": length}).status == 413
    for length in ("-1", "1e3", "٣".encode().decode("latin-1"), " "):
        assert client.post("/raw", content=b"x", headers={"content-length": length}).status == 400


def test_the_request_reads_its_body_once_and_keeps_it(client: TestClient) -> None:
    assert client.post("/request", content=b'{"title":"a"}').json() == [
        {"title": "a", "words": 0, "public": False, "tags": [], "note": None, "rating": None},
        '{"t',
        True,
    ]
