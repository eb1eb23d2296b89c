"""HTTP/2 over TLS and without (RFC 9113): its limits in time and number, and how it ends."""

from __future__ import annotations

import base64
import hashlib
import json
import signal
import socketserver
import struct
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.certificates import Pair, connected, context
from tests.e2e.hostile.http2 import (
    CANCEL,
    DATA,
    ENABLE_CONNECT,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW,
    MAX_STREAMS,
    NO_ERROR,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Client,
    connect,
    frame,
    settings,
)
from tests.e2e.origin import Answer, Asked, Origin, edge, origin, wait_listening
from tests.e2e.site import Running, hyperweb, make_site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

LARGE = b"0123456789abcdef" * 40_000
LIMITS = {"idle_time": 1.5, "body_time": 0.7, "head_time": 0.7, "write_time": 1.5, "requests": 6, "fields": 20}


def answer(asked: Asked) -> Answer:
    if asked.target == "/large":
        return Answer(body=LARGE)
    if asked.target == "/slow":
        time.sleep(0.8)
    return Answer(body=json.dumps({**asked.headers, "body": len(asked.body)}).encode())


@pytest.fixture(scope="module")
def behind() -> Iterator[Origin]:
    with origin(answer) as made:
        yield made


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("http2")


@pytest.fixture(scope="module")
def front(state: Path, behind: Origin) -> Iterator[Running]:
    with edge(state, "--metrics", "--access-log", "-", origins=(behind.url,), ready="") as running:
        wait_listening(running)
        yield running


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, behind: Origin) -> Iterator[Running]:
    limits = [word for name, value in LIMITS.items() for word in ("--limit", f"{name}={value}")]
    state = tmp_path_factory.mktemp("strict")
    with edge(state, *limits, "--max-body", "100000", origins=(behind.url,), ready="") as running:
        wait_listening(running)
        yield running


def test_it_is_chosen_by_tls(behind: Origin, tmp_path: Path) -> None:
    pair = Pair(tmp_path / "pair", "localhost")
    with (
        edge(tmp_path, *pair.options(), "--hsts", "9", origins=(behind.url,), ready="") as running,
    ):
        wait_listening(running)
        with connected(running, context(pair, alpn=("h2", "http/1.1"))) as stream:
            assert stream.selected_alpn_protocol() == "h2"
            client = Client(stream)
            one, large, posted = client.ask("/"), client.ask("/large"), client.ask("/", "POST", end=False)
            client.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", len(LARGE) * 2)))
            client.send(frame(WINDOW_UPDATE, 0, large, struct.pack(">I", len(LARGE))))
            client.send(frame(DATA, 0, posted, b"ab") + frame(DATA, END_STREAM, posted, b"cd"))
            assert json.loads(client.body(one))["x-forwarded-proto"] == "https"
            assert client.body(large) == LARGE
            assert json.loads(client.body(posted))["body"] == 4
            assert dict(client.fields(client.of(one, HEADERS)[0]))["strict-transport-security"] == "max-age=9"
        with connected(running, context(pair, alpn=("http/1.1",))) as stream:
            assert stream.selected_alpn_protocol() == "http/1.1"


def test_what_is_offered_is_what_the_settings_say(front: Running) -> None:
    with connect(front) as client:
        client.read(lambda: any(one.kind == SETTINGS for one in client.frames))
        payload = next(one.payload for one in client.frames if one.kind == SETTINGS)
        told = dict(struct.iter_unpack(">HI", payload))
        assert told[MAX_STREAMS] == 1000
        assert told[INITIAL_WINDOW] == 2 << 20
        assert told[ENABLE_CONNECT] == 1
        # The window of the connection is as large: what the client may send before it is read.
        client.read(lambda: any(one.kind == WINDOW_UPDATE for one in client.frames))
        update = next(one for one in client.frames if one.kind == WINDOW_UPDATE and one.stream == 0)
        assert int.from_bytes(update.payload, "big") == (2 << 20) - 65_535


def test_requests_go_side_by_side_and_are_logged(front: Running, state: Path) -> None:
    with connect(front) as client:
        slow, fast = client.ask("/slow"), client.ask("/fast")
        assert client.status(fast) == 200
        assert not client.of(slow, HEADERS)
        assert client.status(slow) == 200
    assert '"GET /fast HTTP/2.0" 200' in (state / "edge.log").read_text()


@pytest.mark.parametrize(
    ("path", "method", "fields", "status"),
    [
        ("/" + "x" * 9000, "GET", [], 414),
        ("/", "GET", [(f"x-{number}", "y") for number in range(19)], 431),
        ("/", "GET", [("host", "other.example")], 400),
        ("/", "GET", [("host", "localhost"), ("host", "localhost")], 400),
        ("/", "TRACE", [], 501),
        ("/", "POST", [("content-length", "100001")], 413),
    ],
)
def test_what_is_too_much_or_two_things_at_once_is_refused(
    strict: Running, path: str, method: str, fields: list[tuple[str, str]], status: int
) -> None:
    with connect(strict) as client:
        more = fields if status != 431 else [*fields, *(("y", "z") for _ in range(3))]
        assert client.status(client.ask(path, method, *more, end=method != "POST")) == status
        assert client.status(client.ask("/")) == 200, "the connection goes on"


def test_a_body_that_grows_too_large_is_refused(strict: Running) -> None:
    with connect(strict) as client:
        # The windows are larger once the settings have been exchanged.
        assert client.ping()
        number = client.ask("/", "POST", end=False)
        for _ in range(7):
            client.send(frame(DATA, 0, number, bytes(16_000)))
        assert client.status(number) == 413


def test_a_body_that_stops_coming_is_not_waited_for(strict: Running) -> None:
    with connect(strict) as client:
        number = client.ask("/", "POST", end=False)
        client.send(frame(DATA, 0, number, b"some"))
        assert client.status(number) == 408
        assert client.status(client.ask("/")) == 200, "the connection goes on"


def test_fields_that_stop_coming_are_not_waited_for(strict: Running) -> None:
    with connect(strict) as client:
        client.send(frame(HEADERS, END_STREAM, 1, client.block()))
        client.goaway()
        assert client.closed
    with connect(strict) as client:
        whole = frame(HEADERS, END_STREAM | END_HEADERS, 1, client.block())
        client.send(whole[:-2])
        client.goaway()
        assert client.closed


def test_an_idle_connection_is_ended_and_pings_do_not_keep_it(strict: Running) -> None:
    with connect(strict) as client:
        assert client.status(client.ask("/")) == 200
        for _ in range(20):
            if not client.ping(1):
                break
            time.sleep(0.2)
        assert client.goaway() == NO_ERROR
        assert client.closed


def test_so_many_requests_are_answered_on_one_connection(strict: Running) -> None:
    with connect(strict) as client:
        for _ in range(6):
            assert client.status(client.ask("/")) == 200
        assert client.goaway() == NO_ERROR
        assert client.closed


def test_a_client_that_takes_nothing_is_left(strict: Running) -> None:
    with connect(strict, settings(s4=0)) as client:
        numbers = [client.ask("/large") for _ in range(3)]
        assert client.goaway() == NO_ERROR
        assert client.closed
        assert all(len(client.of(number, HEADERS)) == 1 and not client.of(number, DATA) for number in numbers)


def test_a_client_that_takes_little_is_served(strict: Running) -> None:
    with connect(strict, settings(s4=1000)) as client:
        number = client.ask("/large")
        for _ in range(12):
            client.read(wait=0.3)
            assert not client.closed
            client.send(frame(WINDOW_UPDATE, 0, number, struct.pack(">I", 1000)))
        assert sum(len(one.payload) for one in client.of(number, DATA)) >= 10_000


def test_a_stream_that_is_reset_ends_alone(front: Running) -> None:
    with connect(front) as client:
        slow = client.ask("/slow")
        client.send(frame(RST_STREAM, 0, slow, struct.pack(">I", CANCEL)))
        assert client.status(client.ask("/")) == 200
        client.read(wait=1.2)
        assert not client.of(slow, HEADERS)


def test_the_end_is_said_and_what_was_begun_is_sent(behind: Origin, tmp_path: Path) -> None:
    with edge(tmp_path, origins=(behind.url,), ready="") as running:
        wait_listening(running)
        with connect(running) as busy, connect(running) as idle:
            assert busy.status(busy.ask("/")) == 200
            assert idle.status(idle.ask("/")) == 200
            slow = busy.ask("/slow")
            assert busy.ping()
            running.process.send_signal(signal.SIGTERM)
            assert busy.status(slow) == 200
            assert json.loads(busy.body(slow))["body"] == 0
            assert (busy.goaway(), idle.goaway()) == (NO_ERROR, NO_ERROR)
            assert busy.closed
            assert idle.closed
            # GOAWAY came before the response ended: no request is begun that would be lost.
            kinds = [one.kind for one in busy.frames]
            ends = max(at for at, one in enumerate(busy.frames) if one.stream == slow)
            assert kinds.index(GOAWAY) < ends
        assert running.process.wait(20) == 0


def test_who_does_not_hear_the_end_does_not_keep_the_edge(behind: Origin, tmp_path: Path) -> None:
    with edge(tmp_path, origins=(behind.url,), ready="") as running:
        wait_listening(running)
        with connect(running, polite=False) as deaf:
            assert deaf.status(deaf.ask("/")) == 200
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(20) == 0


def test_connections_are_counted(front: Running, state: Path) -> None:
    def count() -> int:
        found: dict[str, Any] = json.loads(hyperweb("stats", state, "--json", check=True).stdout)
        return int(found["http2"])

    with connect(front) as client:
        assert client.ping()
        before = count()
        assert before >= 1
    until = time.monotonic() + 10
    while count() >= before:
        assert time.monotonic() < until


def test_a_site_is_served(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    with serving(site, "--prod") as running, connect(running) as client:
        page, counted, missing = client.ask("/posts/a/"), client.ask("/api/count"), client.ask("/nothing")
        assert b"Text of A" in client.body(page)
        assert json.loads(client.body(counted))["count"] == 1
        assert client.status(missing) == 404
        head = client.ask("/", "HEAD")
        assert (client.status(head), client.body(head)) == (200, b"")


class Echo(socketserver.BaseRequestHandler):
    """Shakes hands as RFC 6455 says, says a word, and gives back what comes; it refuses what is asked at `/no`."""

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.request.recv(65536)
        lines = head.split(b"\r\n")
        if lines[0].startswith(b"GET /no "):
            self.request.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
            return
        fields = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines[1:])}
        key = fields[b"sec-websocket-key"]
        assert len(base64.b64decode(key, validate=True)) == 16
        assert fields[b"upgrade"] == b"websocket"
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        self.request.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\nSec-WebSocket-Protocol: chat\r\n\r\nhello"
        )
        while data := self.request.recv(65536):
            if data == b"bye":
                return
            self.request.sendall(data)


@pytest.fixture(scope="module")
def sockets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        with edge(tmp_path_factory.mktemp("sockets"), origins=(url,), ready="") as running:
            wait_listening(running)
            yield running
        server.shutdown()


EXTENDED = ((":protocol", "websocket"), ("sec-websocket-version", "13"), ("sec-websocket-protocol", "chat"))


def extended(client: Client, path: str, *fields: tuple[str, str]) -> int:
    pseudo = [(":method", "CONNECT"), (":scheme", "http"), (":authority", "localhost"), (":path", path)]
    number = 1 + 2 * sum(one.kind == HEADERS for one in client.frames)
    client.send(frame(HEADERS, END_HEADERS, number, client.encoder.encode([*pseudo, *fields])))
    return number


def test_a_websocket_goes_over_a_stream(sockets: Running) -> None:
    with connect(sockets) as client:
        number = extended(client, "/chat", *EXTENDED)
        assert client.status(number) == 200
        fields = dict(client.fields(client.of(number, HEADERS)[0]))
        assert fields["sec-websocket-protocol"] == "chat"
        assert "sec-websocket-accept" not in fields
        assert not {"upgrade", "connection"} & fields.keys()

        def heard() -> bytes:
            return b"".join(one.payload for one in client.of(number, DATA))

        client.read(lambda: heard() == b"hello")
        for word in (b"one", b"x" * 100_000):
            before = len(heard())
            for at in range(0, len(word), 16_000):
                client.send(frame(DATA, 0, number, word[at : at + 16_000]))
            client.send(frame(WINDOW_UPDATE, 0, number, struct.pack(">I", 100_000)))
            client.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 100_000)))
            client.read(lambda: len(heard()) >= before + len(word))  # noqa: B023 - it is called at once
            assert heard()[before:] == word
        client.send(frame(DATA, 0, number, b"bye"))
        client.body(number)
        assert any(one.flags & END_STREAM for one in client.of(number, DATA)), "the end is passed on"


def test_a_websocket_that_is_refused_is_answered(sockets: Running) -> None:
    with connect(sockets) as client:
        number = extended(client, "/no", *EXTENDED)
        assert (client.status(number), client.body(number)) == (403, b"no")
    for fields in ((":protocol", "other"), *EXTENDED[1:]), EXTENDED[:1]:
        with connect(sockets) as client:
            assert client.status(extended(client, "/chat", *fields)) == 501
