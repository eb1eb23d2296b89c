"""Plain requests, to see that a server is up and answers with the right bytes before it is measured."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benches.compare.errors import CompareError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benches.compare.process import Server

HOST = "127.0.0.1"
TIMEOUT = 10.0
# Requests sent before the first of their answers is read.
PIPELINED = 64


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


def _unchecked() -> ssl.SSLContext:
    """A client that believes any certificate: it is the one that was made for this run."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def fetch(port: int, path: str, *, is_secure: bool = False) -> Answer:
    """Requests a path as the load generator does: no Accept-Encoding, HTTP/1.1."""
    connection = (
        http.client.HTTPSConnection(HOST, port, timeout=TIMEOUT, context=_unchecked())
        if is_secure
        else http.client.HTTPConnection(HOST, port, timeout=TIMEOUT)
    )
    try:
        connection.putrequest("GET", path, skip_accept_encoding=True)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *(f"{k}: {v}" for k, v in answer.getheaders()), ""]
        return Answer(answer.status, sum(len(line) + 2 for line in lines), body)
    finally:
        connection.close()


def fill(port: int, paths: Iterable[str]) -> None:
    """Requests many paths over one connection, so that what keeps responses has them.

    Raises:
        CompareError: One is not answered with 200 and a length.
    """
    batch: list[str] = []
    with socket.create_connection((HOST, port), TIMEOUT) as connection, connection.makefile("rb") as reader:

        def ask() -> None:
            connection.sendall(
                b"".join(f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\n\r\n".encode() for path in batch)
            )
            for path in batch:
                status, length = reader.readline(), -1
                while line := reader.readline().strip():
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                if not status.startswith(b"HTTP/1.1 200") or length < 0 or len(reader.read(length)) != length:
                    message = f"{path} was answered with {status!r} and a length of {length}"
                    raise CompareError(message)
            batch.clear()

        for path in paths:
            batch.append(path)
            if len(batch) == PIPELINED:
                ask()
        ask()


def wait_until_up(server: Server, port: int, path: str, timeout: float, *, is_secure: bool = False) -> float:
    """Waits for the first 200 and returns how many seconds that took from now.

    Raises:
        CompareError: The server ended, or did not answer in time.
    """
    start = time.perf_counter()
    while time.perf_counter() - start < timeout:
        try:
            if fetch(port, path, is_secure=is_secure).status == http.client.OK:
                return time.perf_counter() - start
        except (OSError, http.client.HTTPException):
            server.check()
        time.sleep(0.001)
    message = f"{server.name} did not answer 200 on {path} within {timeout:.0f} s; its output is in {server.log}"
    raise CompareError(message)


def verify(server: Server, port: int, path: str, expected: bytes, *, is_secure: bool = False) -> Answer:
    """Requests a path and compares the whole body.

    Raises:
        CompareError: The status is not 200 or a byte differs.
    """
    answer = fetch(port, path, is_secure=is_secure)
    if answer.status != http.client.OK or answer.body != expected:
        message = (
            f"{server.name} answered {path} with {answer.status} and {len(answer.body)} bytes; "
            f"expected 200 and the {len(expected)} bytes given"
        )
        raise CompareError(message)
    return answer
