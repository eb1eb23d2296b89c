from __future__ import annotations

import shutil
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from benches.compare.client import free_port
from benches.compare.errors import CompareError
from benches.compare.steady import Latencies, drive, parse
from benches.compare.wrk import Load

if TYPE_CHECKING:
    from collections.abc import Iterator

STALL = 0.4

needs_rustc = pytest.mark.skipif(shutil.which("rustc") is None, reason="rustc compiles the client")


def test_the_line_is_read() -> None:
    line = "requests 1500 seconds 1.500 p50 40.0 p90 60.5 p99 100.0 p99.9 900.0\n"
    assert parse(line) == Latencies(1000.0, 40.0, 60.5, 100.0, 900.0)
    with pytest.raises(CompareError, match="no result"):
        parse("")


class Stalling:
    """Answers each connection's requests, but nothing at all for a while, a little after the first."""

    def __init__(self, answer: bytes, stall: float) -> None:
        self.port = free_port()
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._stall = stall
        self._begin: float | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while connection.recv(4096):
                now = time.monotonic()
                if self._begin is None:
                    self._begin = now + 0.2
                if self._begin < now < self._begin + self._stall:
                    time.sleep(self._begin + self._stall - now)
                connection.sendall(self._answer)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def stalling() -> Iterator[Stalling]:
    server = Stalling(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", STALL)
    yield server
    server.close()


@needs_rustc
def test_a_stall_counts_for_all_who_would_have_come_meanwhile(stalling: Stalling) -> None:
    # Two connections and 200 requests a second for a second: 80 are due while nothing is answered. Were they counted
    # from when they could be sent, only two would have waited.
    took = drive(stalling.port, "/", Load(2, 1, 1.0), 200)
    assert took.p90 > STALL * 1e6 / 4


@needs_rustc
@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b""],
    ids=["an error", "no length", "nothing"],
)
def test_a_request_that_fails_ends_the_run(answer: bytes) -> None:
    server = Stalling(answer, 0)
    try:
        if not answer:
            server.close()
        with pytest.raises(CompareError, match="open loop ended"):
            drive(server.port, "/", Load(1, 1, 0.2), 100)
    finally:
        server.close()
