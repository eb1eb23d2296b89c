"""Early hints (RFC 8297) that an origin sends, and those that the edge knows, over each version of HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socketserver
import struct
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.e2e.certificates import Pair, connected, context
from tests.e2e.hostile.http2 import CANCEL, HEADERS, RST_STREAM, Client, frame
from tests.e2e.origin import edge, wait_listening
from tests.e2e.quic import connected as by_quic
from tests.e2e.site import Running, hyperweb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

STYLE = "</s.css>; rel=preload; as=style"
FONT = "</f.woff2>; rel=preload; as=font; crossorigin"
NAVIGATES = (("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"))
HINT = b"HTTP/1.1 103 Early Hints\r\nLink: %s\r\nX-Other: not for here\r\n\r\n"

Told = list[tuple[str, str]]


class Hinting(socketserver.StreamRequestHandler):
    """Says what a page needs before it has made it."""

    asked: list[bytes] = []  # noqa: RUF012 - shared by all on purpose

    def handle(self) -> None:
        while line := self.rfile.readline():
            length = 0
            while (field := self.rfile.readline()) not in {b"\r\n", b""}:
                if field.lower().startswith(b"content-length:"):
                    length = int(field.split(b":")[1])
            self.rfile.read(length)
            path = line.split()[1]
            self.asked.append(path)
            with contextlib.suppress(OSError):
                self.answer(path)

    def answer(self, path: bytes) -> None:
        if path.startswith(b"/hints"):
            self.wfile.write(b"HTTP/1.1 102 Processing\r\n\r\n" + HINT % STYLE.encode())
            time.sleep(0.2)
            self.wfile.write(HINT % f"{STYLE}, {FONT}, </next>; rel=next".encode())
            time.sleep(0.2)
        elif path.startswith(b"/many"):
            links = ", ".join(f"</{number}.js>; rel=modulepreload" for number in range(500))
            long = f"</{'x' * 600}.js>; rel=modulepreload, "
            for _ in range(3):
                self.wfile.write(HINT % (long + links).encode())
                time.sleep(0.1)
        elif path.startswith(b"/endless"):
            while True:
                self.wfile.write(HINT % STYLE.encode())
        elif path.startswith(b"/wait"):
            self.wfile.write(HINT % STYLE.encode())
            time.sleep(1)
        elif path.startswith(b"/learned"):
            time.sleep(0.2)
        kept = b"Cache-Control: max-age=60\r\n" if path.startswith(b"/hints/kept") else b""
        body = b"<!doctype html><link rel=stylesheet href=/s.css>page"
        self.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n%sContent-Length: %d\r\n\r\n%s" % (kept, len(body), body)
        )


class Server(socketserver.ThreadingTCPServer):
    """The origin."""

    daemon_threads = True
    allow_reuse_address = True


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hints")


@pytest.fixture(scope="module")
def front(state: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    pair = Pair(tmp_path_factory.mktemp("pair"), "localhost")
    with Server(("127.0.0.1", 0), Hinting) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        with edge(state, "--http3", "--metrics", *pair.options(), origins=(url,), ready="") as running:
            wait_listening(running)
            yield running
        server.shutdown()


def by_http1(front: Running, path: str, *fields: tuple[str, str], version: str = "1.1") -> tuple[list[Told], int]:
    """Returns the fields of each head before the answer, and the answer's status."""
    with connected(front, context(alpn=("http/1.1",))) as stream:
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        stream.sendall(f"GET {path} HTTP/{version}\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n".encode())
        whole = b""
        while part := stream.recv(65536):
            whole += part
    *before, last, _ = whole.split(b"\r\n\r\n")
    told = []
    for head in before:
        first, *rest = head.decode().split("\r\n")
        pairs = [line.partition(": ") for line in rest]
        told.append([(":status", first.split()[1]), *((name, value) for name, _, value in pairs)])
    return told, int(last.split()[1])


def by_http2(front: Running, path: str, *fields: tuple[str, str]) -> tuple[list[Told], int]:
    """As :func:`by_http1`."""
    with connected(front, context(alpn=("h2",))) as stream:
        client = Client(stream)
        number = client.ask(path, "GET", *fields)
        client.body(number)
        heads = [client.fields(head) for head in client.of(number, HEADERS)]
        return heads[:-1], int(dict(heads[-1])[":status"])


def by_http3(front: Running, path: str, *fields: tuple[str, str]) -> tuple[list[Told], int]:
    """As :func:`by_http1`."""

    async def whole() -> tuple[list[Told], int]:
        async with by_quic(front.port) as client:
            number, future = client.begin(path, headers=fields)
            reply = await asyncio.wait_for(future, 20)
            return client.interim.get(number, []), reply.status

    return asyncio.run(whole())


Ask = Callable[..., tuple[list[Told], int]]
versions = pytest.mark.parametrize("ask", [by_http1, by_http2, by_http3])


@versions
def test_what_an_origin_says_early_is_passed_on(front: Running, ask: Ask) -> None:
    told, status = ask(front, f"/hints/{ask.__name__}")
    assert status == 200
    # Each link is told once; what is of no use early, and other fields, are not.
    assert told == [[(":status", "103"), ("link", STYLE)], [(":status", "103"), ("link", FONT)]]


@versions
def test_what_is_kept_comes_without(front: Running, ask: Ask) -> None:
    path = f"/hints/kept/{ask.__name__}"
    assert len(ask(front, path)[0]) == 2
    assert ask(front, path) == ([], 200)


@versions
def test_no_more_is_passed_on_than_so_much(front: Running, ask: Ask) -> None:
    told, status = ask(front, f"/many/{ask.__name__}")
    links = [value for head in told for name, value in head if name == "link"]
    assert (status, len(links), len(set(links))) == (200, 16, 16)
    assert all(len(link) <= 512 for link in links)


@versions
def test_an_origin_that_never_comes_to_an_end_is_left(front: Running, ask: Ask) -> None:
    told, status = ask(front, f"/endless/{ask.__name__}")
    # Where all of them came at once, there was no time to tell.
    assert (len(told) <= 1, status) == (True, 502)


@versions
def test_what_was_learned_is_told(front: Running, state: Path, ask: Ask) -> None:
    def count() -> int:
        found = json.loads(hyperweb("stats", state, "--json", check=True).stdout)
        return int(found["learning"]["early"])

    path = f"/learned/{ask.__name__}"
    assert ask(front, path, *NAVIGATES) == ([], 200)
    before = count()
    assert ask(front, path, *NAVIGATES) == ([[(":status", "103"), ("link", STYLE)]], 200)
    assert count() == before + 1
    assert ask(front, path) == ([], 200), "only navigations are told"


def test_requests_with_a_body_are_told_too(front: Running) -> None:
    with connected(front, context(alpn=("http/1.1",))) as stream:
        stream.sendall(b"POST /hints HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab")
        whole = b""
        while b"200 OK" not in whole:
            whole += stream.recv(65536)
        assert whole.count(b"HTTP/1.1 103 Early Hints\r\n") == 2


def test_clients_of_http_1_0_are_told_nothing(front: Running) -> None:
    assert by_http1(front, "/hints/old", version="1.0") == ([], 200)


def test_a_client_that_gives_up_after_the_hint_leaves_the_connection_whole(front: Running) -> None:
    with connected(front, context(alpn=("h2",))) as stream:
        client = Client(stream)
        number = client.ask("/wait")
        assert client.status(number) == 103
        client.send(frame(RST_STREAM, 0, number, struct.pack(">I", CANCEL)))
        other = client.ask("/")
        assert client.status(other) == 200
        client.read(wait=1.2)
        assert len(client.of(number, HEADERS)) == 1
