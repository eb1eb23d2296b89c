"""Plain requests, to see that a server is up and answers with the right bytes before it is measured."""

from __future__ import annotations

import http.client
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benches.compare.errors import CompareError

if TYPE_CHECKING:
    from benches.compare.process import Server

HOST = "127.0.0.1"
TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One response, whole."""

    status: int
    head_size: int
    body: bytes


def free_port() -> int:
    """Returns a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def fetch(port: int, path: str) -> Answer:
    """Requests a path as the load generator does: no Accept-Encoding, HTTP/1.1."""
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT)
    try:
        connection.putrequest("GET", path, skip_accept_encoding=True)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *(f"{k}: {v}" for k, v in answer.getheaders()), ""]
        return Answer(answer.status, sum(len(line) + 2 for line in lines), body)
    finally:
        connection.close()


def wait_until_up(server: Server, port: int, path: str, timeout: float) -> float:
    """Waits for the first 200 and returns how many seconds that took from now.

    Raises:
        CompareError: The server ended, or did not answer in time.
    """
    start = time.perf_counter()
    while time.perf_counter() - start < timeout:
        try:
            if fetch(port, path).status == http.client.OK:
                return time.perf_counter() - start
        except (OSError, http.client.HTTPException):
            server.check()
        time.sleep(0.001)
    message = f"{server.name} did not answer 200 on {path} within {timeout:.0f} s; its output is in {server.log}"
    raise CompareError(message)


def verify(server: Server, port: int, path: str, expected: bytes) -> Answer:
    """Requests a path and compares the whole body.

    Raises:
        CompareError: The status is not 200 or a byte differs.
    """
    answer = fetch(port, path)
    if answer.status != http.client.OK or answer.body != expected:
        message = (
            f"{server.name} answered {path} with {answer.status} and {len(answer.body)} bytes; "
            f"expected 200 and the {len(expected)} bytes given"
        )
        raise CompareError(message)
    return answer
