from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator  # noqa: TC003 - read at run time

import pytest

from hyperweb import App, HTTPError, NotFound, Redirect, Request, Response, RouteError
from hyperweb.testing import TestClient


class Database:
    def __init__(self) -> None:
        self.log: list[str] = []


class User:
    def __init__(self, name: str) -> None:
        self.name = name


class Session:
    pass


LOG: list[str] = []


async def user(request: Request, token: str = "") -> User:
    if not token:
        raise Redirect("/login")
    return User(token + request.method)


async def database() -> AsyncIterator[Database]:
    LOG.append("open")
    try:
        yield Database()
    except Exception as error:
        LOG.append(f"roll back {error}")
        raise
    else:
        LOG.append("commit")


@pytest.fixture
def app() -> App:
    LOG.clear()
    made = App()
    made.provide(Database, database)
    made.provide(User, user)
    return made


def test_a_handler_is_given_what_it_asks_for_by_type(app: App) -> None:
    @app.get("/")
    async def handler(db: Database, who: User) -> list[str]:
        LOG.append("handle")
        return [type(db).__name__, who.name]

    with TestClient(app) as client:
        assert client.get("/?token=me").json() == ["Database", "meGET"]
    assert LOG == ["open", "handle", "commit"]


def test_a_provider_may_raise_the_answer(app: App) -> None:
    @app.get("/")
    async def handler(db: Database, who: User) -> str:
        raise AssertionError

    with TestClient(app) as client:
        assert client.get("/").header("location") == "/login"
    assert LOG == ["open", "roll back /login"]


def test_one_thing_is_made_once_a_request_and_anew_for_the_next(app: App) -> None:
    seen: list[int] = []

    def session(db: Database) -> Session:
        seen.append(id(db))
        return Session()

    app.provide(Session, session)

    @app.get("/")
    async def handler(db: Database, session: Session, again: Database) -> bool:
        return db is again and seen[-1] == id(db)

    with TestClient(app) as client:
        assert client.get("/").json() is True
        assert client.get("/").json() is True
    assert LOG == ["open", "commit"] * 2


def test_what_was_opened_learns_of_the_failure(app: App) -> None:
    @app.get("/")
    async def handler(db: Database) -> str:
        raise HTTPError(409, "taken")

    with TestClient(app) as client:
        assert client.get("/").status == 409
    assert LOG == ["open", "roll back 409 taken"]


def test_a_commit_that_fails_is_an_error_and_not_a_success(app: App, caplog: pytest.LogCaptureFixture) -> None:
    async def failing() -> AsyncIterator[Session]:
        yield Session()
        raise RuntimeError("the disk is full")

    app.provide(Session, failing)

    @app.get("/")
    async def handler(session: Session) -> str:
        return "done"

    with TestClient(app) as client:
        assert client.get("/").status == 500
    assert "disk is full" in caplog.text


def test_a_provider_that_swallows_the_error_does_not_make_it_a_success(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    async def swallowing() -> AsyncIterator[Session]:
        with contextlib.suppress(RuntimeError):
            yield Session()

    app.provide(Session, swallowing)

    @app.get("/")
    async def handler(session: Session) -> str:
        raise RuntimeError("no")

    with TestClient(app) as client:
        assert client.get("/").status == 500


def test_a_stream_keeps_what_was_opened_until_its_last_chunk(app: App) -> None:
    @app.get("/")
    async def handler(db: Database) -> AsyncIterator[str]:
        LOG.append("chunk")
        yield "a"
        LOG.append("chunk")
        yield "b"

    with TestClient(app) as client:
        assert client.get("/").text == "ab"
    assert LOG == ["open", "chunk", "chunk", "commit"]


def test_plain_functions_plain_generators_and_classes_provide_too(app: App) -> None:
    def opened() -> Iterator[Session]:
        LOG.append("enter")
        yield Session()
        LOG.append("leave")

    app.provide(Session, opened)
    app.provide(Response, lambda: Response("made"))

    class Settings:
        def __init__(self, request: Request) -> None:
            self.path = request.path

    app.provide(Settings, Settings)

    async def handler(session: Session, settings: Settings, made: Response) -> Response:
        made.set_header("x-path", settings.path)
        return made

    handler.__annotations__.update(settings=Settings)
    app.get("/here")(handler)

    with TestClient(app) as client:
        response = client.get("/here")
        assert (response.text, response.header("x-path")) == ("made", "/here")
    assert LOG == ["enter", "leave"]


def test_providers_that_need_each_other_are_refused(app: App) -> None:
    def first(session: Session) -> User:
        raise AssertionError

    def second(user: User) -> Session:
        raise AssertionError

    app.provide(User, first)
    app.provide(Session, second)

    @app.get("/")
    async def handler(user: User) -> str:
        return ""

    with pytest.raises(RouteError, match="User → Session → User"):
        app.compile()


def test_a_provider_given_later_takes_the_place_of_the_first(app: App) -> None:
    @app.get("/")
    async def handler(who: User) -> str:
        return who.name

    with TestClient(app) as client:
        assert client.get("/?token=a").text == "aGET"
        app.provide(User, lambda: User("double"))
        assert client.get("/").text == "double"


def test_the_application_itself_may_be_asked_for(app: App) -> None:
    app.state["n"] = 3

    @app.get("/")
    async def handler(app: App) -> str:
        if "n" not in app.state:
            raise NotFound
        return str(app.state["n"])

    with TestClient(app) as client:
        assert client.get("/").text == "3"
