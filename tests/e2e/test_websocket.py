"""WebSockets through the edge (RFC 6455)."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import socket
import socketserver
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.hostile.raw import send, statuses
from tests.e2e.origin import edge, wait_listening
from tests.e2e.site import Running, hyperweb, make_site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Echo(socketserver.BaseRequestHandler):
    """Shakes hands, says a word, and gives back all that comes; it refuses what is asked at `/no`."""

    heads: list[bytes] = []  # noqa: RUF012 - shared by all on purpose
    ended = threading.Event()

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            part = self.request.recv(65536)
            if not part:
                return
            head += part
        head, _, rest = head.partition(b"\r\n\r\n")
        self.heads.append(head)
        if head.startswith((b"GET /no", b"POST")) or b"\r\nupgrade: websocket" not in head.lower():
            body = b"no upgrade here"
            self.request.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            self.request.recv(65536)
            return
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        key = next(
            line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")
        )
        assert b"upgrade" in fields[b"connection"]
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        self.request.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\nSec-WebSocket-Protocol: chat\r\n\r\nhello"
        )
        with contextlib.suppress(OSError):
            while rest or (rest := self.request.recv(65536)):
                if rest == b"bye":
                    break
                self.request.sendall(rest)
                rest = b""
        self.ended.set()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def front(port: int, tmp_path: Path) -> Iterator[Running]:
    options = ("--limit", "tunnel_time=1", "--threads", "2", "--access-log", str(tmp_path / "log"))
    with edge(tmp_path, *options, origins=(f"http://127.0.0.1:{port}",), ready="") as running:
        wait_listening(running)
        yield running


def shake(path: str = "/chat", *more: str) -> tuple[bytes, bytes]:
    """Returns a handshake, and what must accept it."""
    key = base64.b64encode(os.urandom(16))
    fields = [
        f"GET {path} HTTP/1.1",
        "Host: x",
        "Connection: keep-alive, Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key.decode()}",
        *more,
    ]
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
    return "\r\n".join([*fields, "", ""]).encode(), accept


def read(stream: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count and (part := stream.recv(65536)):
        found += part
    return found


def opened(front: Running, early: bytes = b"") -> socket.socket:
    request, accept = shake("/chat", "X-Forwarded-For: 6.6.6.6")
    stream = socket.create_connection(("127.0.0.1", front.port), timeout=5)
    stream.sendall(request + early)
    head = b""
    while b"\r\n\r\nhello" not in head:
        head += stream.recv(1)
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"sec-websocket-accept: " + accept in head
    assert b"upgrade: websocket" in head.lower()
    assert b"sec-websocket-protocol: chat" in head
    return stream


def test_bytes_pass_in_both_directions(front: Running) -> None:
    with opened(front, early=b"\x81\x85early") as stream:
        assert read(stream, 7) == b"\x81\x85early", "what came with the handshake is passed on too"
        large = os.urandom(3 << 20)
        threading.Thread(target=stream.sendall, args=(large,)).start()
        assert read(stream, len(large)) == large
        for number in range(100):
            stream.sendall(b"%03d" % number)
            assert read(stream, 3) == b"%03d" % number
    head = Echo.heads[-1].lower()
    assert b"\r\nx-forwarded-for: 127.0.0.1" in head
    assert b"6.6.6.6" not in head
    assert b"\r\nx-request-id: " in head


def test_what_one_side_ends_the_other_sees(front: Running) -> None:
    with opened(front) as stream:
        stream.sendall(b"bye")
        assert stream.recv(10) == b""
    Echo.ended.clear()
    opened(front).close()
    assert Echo.ended.wait(5)


def test_a_quiet_one_is_closed_in_time_and_a_busy_one_is_not(front: Running) -> None:
    with opened(front) as quiet, opened(front) as busy:
        for _ in range(8):
            time.sleep(0.3)
            busy.sendall(b"x")
            assert busy.recv(1) == b"x"
        quiet.settimeout(0.5)
        assert quiet.recv(1) == b""


def test_it_is_counted_while_it_is_open_and_logged_when_it_ends(front: Running, tmp_path: Path) -> None:
    def count() -> int:
        found: int = json.loads(hyperweb("stats", tmp_path, "--json", check=True).stdout)["websockets"]
        return found

    with opened(front) as stream:
        assert count() == 1
        stream.sendall(b"12345")
        assert read(stream, 5) == b"12345"
    for _ in range(50):
        time.sleep(0.05)
        if '"GET /chat HTTP/1.1" 101 10 ' in (tmp_path / "log").read_text():
            break
    else:
        pytest.fail((tmp_path / "log").read_text())
    assert count() == 0


def test_an_open_one_does_not_keep_the_edge_from_stopping(port: int, tmp_path: Path) -> None:
    with edge(tmp_path, origins=(f"http://127.0.0.1:{port}",), ready="") as running:
        wait_listening(running)
        stream = opened(running)
    stream.settimeout(5)
    with contextlib.suppress(ConnectionResetError):
        assert stream.recv(1) == b""
    stream.close()


def test_what_follows_a_refusal_is_no_request(front: Running) -> None:
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    request, _ = shake("/no")
    reply = send(front.port, request + smuggled)
    assert reply.statuses == [403]
    assert b"no upgrade here" in reply.bytes
    assert reply.closed
    assert not any(b"/smuggled" in head for head in Echo.heads)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Version: 13", b"Version: 8"),
        (b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Key: short"),
        (b"Upgrade: websocket", b"Upgrade: h2c"),
        (b"keep-alive, Upgrade", b"keep-alive"),
        (b"GET", b"POST"),
        (b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
def test_what_is_no_handshake_is_not_passed_on_as_one(front: Running, old: bytes, new: bytes) -> None:
    request, _ = shake()
    reply = send(front.port, request.replace(old, new))
    assert reply.statuses == [403], reply.bytes
    assert reply.closed
    assert b"upgrade: websocket" not in Echo.heads[-1].lower()


def test_nobody_there_is_said_as_for_other_requests(tmp_path: Path) -> None:
    with edge(tmp_path, origins=("http://127.0.0.1:1",), ready="") as running:
        wait_listening(running)
        request, _ = shake()
        assert send(running.port, request).statuses == [503]


def test_a_site_answers_its_pages_all_the_same(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    with serving(site, "--prod", "--workers", "1", wait_for="/api/pid") as running:
        request, _ = shake("/posts/a/")
        assert send(running.port, request).statuses == [200]
        request, _ = shake("/api/pid")
        answer = send(running.port, request, wait=3)
        assert len(statuses(answer.bytes)) == 1
        assert answer.closed
