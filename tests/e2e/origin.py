"""A small origin that says what it is told to say, and an edge in front of it."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.e2e.site import Running, environment, free_port, wait_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


class Asked(NamedTuple):
    """A request that reached the origin."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """What it is answered."""

    status: int = 200
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes = b""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # An answer goes in one piece: one that is killed has answered, or has not.
    wbufsize = 1 << 20
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has there
        del format, args

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._do
        raise AttributeError(name)

    def _do(self) -> None:
        body = self._body()
        asked = Asked(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        answer = self.server.answer(asked)
        with contextlib.suppress(OSError):
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else answer.body)
            self.wfile.flush()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, port: int, answer: Callable[[Asked], Answer]) -> None:
        self.answer = answer
        self.open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, *_: object) -> None:
        """A connection that was cut is what some tests are about."""


class Origin:
    """An HTTP/1.1 server in threads of this process, which can be killed and brought back.

    Args:
        answer: Makes the answer to each request; it may sleep.
    """

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.port = free_port()
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listens, on the same port as before."""

        def answer(asked: Asked) -> Answer:
            self.asked.append(asked)
            return self.answer(asked)

        self._server = _Server(self.port, answer)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def kill(self) -> None:
        """Ends as a process that is killed does: all connections are cut."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._server.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server = None


@contextlib.contextmanager
def origin(answer: Callable[[Asked], Answer]) -> Iterator[Origin]:
    """Runs an origin until the block ends."""
    made = Origin(answer)
    made.start()
    try:
        yield made
    finally:
        made.kill()


@contextlib.contextmanager
def edge(state: Path, *options: str, origins: tuple[str, ...], ready: str = "/") -> Iterator[Running]:
    """Runs `hyperweb edge` until the block ends; what it says is in `edge.log` of the folder `state`.

    It is waited for until it answers the path `ready`, unless that is empty.
    """
    port = free_port()
    given = [word for one in origins for word in ("--origin", one)]
    command = [sys.executable, "-m", "hyperweb", "edge", *given, "--port", str(port), "--state", str(state), *options]
    with (state / "edge.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, text=True, env=environment())
    running = Running(process, port)
    try:
        if ready:
            wait_up(running, ready)
        yield running
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, (state / "edge.log").read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def wait_listening(running: Running) -> None:
    """Waits until a server takes connections."""
    for _ in range(400):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", running.port), timeout=1).close()
            return
        time.sleep(0.02)
    message = "it never listened"
    raise AssertionError(message)
