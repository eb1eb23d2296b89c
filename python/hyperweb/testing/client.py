"""A client that calls an application in this process, through ASGI, with no socket between."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote_to_bytes, urlencode

from hyperweb.testing._encode import Fields, Files, encode_body
from hyperweb.testing.response import TestResponse
from hyperweb.web.cookies import parse_cookies

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from hyperweb.web.asgi import AsgiApp, Message

TIMEOUT = 30.0
"""How long a test waits for an answer, in seconds, before it fails."""

_DONE: Any = object()


class TestClient:
    """Calls an application as a browser would: it keeps cookies, and follows redirects when asked.

    Used as a context manager it runs the application's start-up and shutdown. The event loop is one for the client's
    life and runs only while the client waits.

    Attributes:
        cookies: The cookies it sends, by name.
        headers: Headers it sends with every request.
    """

    __test__ = False

    def __init__(self, app: AsgiApp, *, headers: Mapping[str, str] | None = None) -> None:
        self.cookies: dict[str, str] = {}
        self.headers = dict(headers or {})
        self._app = app
        self._runner = asyncio.Runner()
        self._lifespan: _Lifespan | None = None

    def __enter__(self) -> Self:
        self._lifespan = _Lifespan(self._app)
        try:
            self._runner.run(self._lifespan.startup())
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Runs the shutdown, if there was a start-up, and ends the event loop."""
        try:
            if self._lifespan is not None:
                self._runner.run(self._lifespan.shutdown())
                self._lifespan = None
        finally:
            self._runner.close()

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Fields | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | str | None = None,
        json: Any = None,
        form: Fields | None = None,
        files: Files | None = None,
        follow: bool = False,
    ) -> TestResponse:
        """Sends a request and returns the whole response.

        Args:
            method: The method.
            url: The path, percent-encoded, with a query or without.
            params: More query parameters.
            headers: More headers; they are stronger than the client's own.
            content: The body as it is.
            json: The body, to be encoded as JSON.
            form: The fields of a form.
            files: Files of a form by field: name, bytes, and content type if it matters.
            follow: Follow redirects within the application.

        Raises:
            TimeoutError: No answer came in `TIMEOUT` seconds.
        """
        body, kind = encode_body(content, json, form, files)
        sent = dict(headers or {})
        if kind is not None:
            sent.setdefault("content-type", kind)
        call = self._call(method, url, params, sent, body)
        response = self._runner.run(call.whole())
        self._keep(response)
        if follow and response.status in {301, 302, 303, 307, 308}:
            again = method if response.status in {307, 308} else "GET"
            content = body if response.status in {307, 308} else None
            return self.request(again, response.header("location"), headers=headers, content=content, follow=True)
        return response

    def get(self, url: str, **options: Any) -> TestResponse:
        """Sends a GET; see `request`."""
        return self.request("GET", url, **options)

    def head(self, url: str, **options: Any) -> TestResponse:
        """Sends a HEAD; see `request`."""
        return self.request("HEAD", url, **options)

    def options(self, url: str, **options: Any) -> TestResponse:
        """Sends an OPTIONS; see `request`."""
        return self.request("OPTIONS", url, **options)

    def post(self, url: str, **options: Any) -> TestResponse:
        """Sends a POST; see `request`."""
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Any) -> TestResponse:
        """Sends a PUT; see `request`."""
        return self.request("PUT", url, **options)

    def patch(self, url: str, **options: Any) -> TestResponse:
        """Sends a PATCH; see `request`."""
        return self.request("PATCH", url, **options)

    def delete(self, url: str, **options: Any) -> TestResponse:
        """Sends a DELETE; see `request`."""
        return self.request("DELETE", url, **options)

    @contextlib.contextmanager
    def stream(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> Iterator[TestStream]:
        """Sends a request and gives its response chunk by chunk; leaving the block is the client going away."""
        call = self._call(method, url, None, dict(headers or {}), content)
        stream = TestStream(self._runner, call)
        try:
            stream.begin()
            yield stream
        finally:
            self._runner.run(call.leave())

    def _call(self, method: str, url: str, params: Fields | None, headers: dict[str, str], body: bytes) -> _Call:
        path, _, query = url.partition("#")[0].partition("?")
        if params:
            query = "&".join(filter(None, [query, urlencode(params, doseq=True)]))
        lines = {"host": "testserver", **_lower(self.headers), **_lower(headers)}
        if self.cookies and "cookie" not in lines:
            lines["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body:
            lines.setdefault("content-length", str(len(body)))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method.upper(),
            "scheme": "http",
            "path": unquote_to_bytes(path).decode("utf-8", "replace"),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in lines.items()],
            "client": ("127.0.0.1", 50000),
            "server": ("testserver", 80),
            "state": {},
        }
        return _Call(self._app, scope, body)

    def _keep(self, response: TestResponse) -> None:
        for line in response.all("set-cookie"):
            pair, *attributes = line.split(";")
            if any(each.strip().lower() == "max-age=0" for each in attributes):
                self.cookies.pop(pair.partition("=")[0].strip(), None)
            else:
                self.cookies.update(parse_cookies([pair]))


class TestStream:
    """A response that is still coming.

    Attributes:
        status: The status code.
        headers: The header lines in order, names in lower case.
    """

    __test__ = False

    def __init__(self, runner: asyncio.Runner, call: _Call) -> None:
        self._runner = runner
        self._call = call
        self.status = 0
        self.headers: list[tuple[str, str]] = []

    def begin(self) -> None:
        """Waits for the head of the response."""
        self.status, self.headers = self._runner.run(self._call.head())

    def header(self, name: str) -> str:
        """Returns the values of a header, joined by commas."""
        return ", ".join(value for have, value in self.headers if have == name.lower())

    def __iter__(self) -> Iterator[bytes]:
        """Yields the chunks as the application sends them."""
        while (chunk := self._runner.run(self._call.chunk())) is not _DONE:
            yield chunk


class _Call:
    """One request in flight."""

    def __init__(self, app: AsgiApp, scope: dict[str, Any], body: bytes) -> None:
        self._app = app
        self._scope = scope
        self._body: bytes | None = body
        self._task: asyncio.Task[None] | None = None
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._ended = False

    async def whole(self) -> TestResponse:
        status, headers = await self.head()
        content = b""
        while (chunk := await self.chunk()) is not _DONE:
            content += chunk
        # What the application does after its answer, such as closing a database, is part of the request.
        if self._task is not None:
            async with asyncio.timeout(TIMEOUT):
                await self._task
        return TestResponse(status, headers, content)

    async def head(self) -> tuple[int, list[tuple[str, str]]]:
        self._task = asyncio.ensure_future(self._app(self._scope, self._receive, self._messages.put))
        message = await self._next()
        if message["type"] != "http.response.start":
            raise RuntimeError(f"a response begins with its head, not with {message['type']}")
        pairs = message.get("headers", ())
        return message["status"], [(name.decode("latin-1").lower(), value.decode()) for name, value in pairs]

    async def chunk(self) -> Any:
        while not self._ended:
            message = await self._next()
            self._ended = not message.get("more_body", False)
            if body := message.get("body", b""):
                return body
        return _DONE

    async def leave(self) -> None:
        self._gone.set()
        if self._task is not None:
            async with asyncio.timeout(TIMEOUT):
                await self._task

    async def _next(self) -> Message:
        getting = asyncio.ensure_future(self._messages.get())
        waiting: set[asyncio.Future[Any]] = {getting, self._task} if self._task is not None else {getting}
        await asyncio.wait(waiting, timeout=TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        if getting.done():
            return getting.result()
        if self._task is not None and self._task.done() and not self._messages.empty():
            return await getting
        getting.cancel()
        if self._task is not None and self._task.done():
            self._task.result()
            raise RuntimeError("the application returned before its response had ended")
        raise TimeoutError(f"no answer in {TIMEOUT} s")

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}


class _Lifespan:
    """An application's lifespan, kept open between start-up and shutdown."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._in: asyncio.Queue[Message] = asyncio.Queue()
        self._out: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        scope: dict[str, Any] = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        self._task = asyncio.ensure_future(self._app(scope, self._in.get, self._out.put))
        await self._phase("startup")

    async def shutdown(self) -> None:
        await self._phase("shutdown")
        if self._task is not None:
            await self._task

    async def _phase(self, phase: str) -> None:
        await self._in.put({"type": f"lifespan.{phase}"})
        async with asyncio.timeout(TIMEOUT):
            message = await self._out.get()
        if message["type"] != f"lifespan.{phase}.complete":
            raise RuntimeError(f"{phase} failed: {message.get('message', '')}")


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
