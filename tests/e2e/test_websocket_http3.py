"""WebSockets through the edge that come over a stream of HTTP/3 (RFC 9220)."""

from __future__ import annotations

import asyncio
import json
import socketserver
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.certificates import Pair
from tests.e2e.origin import edge, wait_listening
from tests.e2e.quic import Client, connected
from tests.e2e.site import Running, hyperweb
from tests.e2e.test_http2 import EXTENDED, Echo

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

FIELDS = EXTENDED[1:]


class Server(socketserver.ThreadingTCPServer):
    """The origin."""

    daemon_threads = True


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sockets3")


@pytest.fixture(scope="module")
def front(state: Path) -> Iterator[Running]:
    pair = Pair(state / "pair", "localhost")
    with Server(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        log = ("--metrics", "--access-log", str(state / "access.log"), "--log-format", "json")
        with edge(state, "--http3", *pair.options(), *log, origins=(url,), ready="") as running:
            wait_listening(running)
            yield running
        server.shutdown()


def run(front: Running, work: Callable[[Client], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with connected(front.port) as client:
            await work(client)

    asyncio.run(whole())


def tunnels(state: Path) -> int:
    return int(json.loads(hyperweb("stats", state, "--json", check=True).stdout)["websockets"])


def test_it_goes_both_ways_until_it_is_over(front: Running, state: Path) -> None:
    async def work(client: Client) -> None:
        stream, tunnel = client.open("/chat", "websocket", *FIELDS)
        await tunnel.until(lambda one: one.body == b"hello")
        assert tunnel.fields[":status"] == "200"
        assert tunnel.fields["sec-websocket-protocol"] == "chat"
        assert not {"sec-websocket-accept", "upgrade", "connection"} & tunnel.fields.keys()
        assert tunnels(state) == 1
        client.send(stream, b"one")
        await tunnel.until(lambda one: one.body == b"helloone")
        client.send(stream, b"x" * 3_000_000)
        await tunnel.until(lambda one: len(one.body) >= 3_000_008)
        assert tunnel.body == b"helloone" + b"x" * 3_000_000
        # Others are answered meanwhile.
        assert (await client.ask("/no")).status == 403
        client.send(stream, b"bye")
        await tunnel.until(lambda one: one.is_over)

    run(front, work)
    found: list[dict[str, object]] = []
    for _ in range(100):
        lines = [json.loads(line) for line in (state / "access.log").read_text().splitlines()]
        found = [line for line in lines if line["target"] == "/chat"]
        if found:
            break
        time.sleep(0.05)
    assert (found[0]["version"], found[0]["status"], found[0]["bytes"]) == ("HTTP/3.0", 200, 3_000_008)
    assert tunnels(state) == 0


def test_a_client_that_ends_it_ends_it_at_the_origin(front: Running, state: Path) -> None:
    async def work(client: Client) -> None:
        stream, tunnel = client.open("/chat", "websocket", *FIELDS)
        await tunnel.until(lambda one: one.body == b"hello")
        client.send(stream, b"last", ends=True)
        await tunnel.until(lambda one: one.is_over)
        assert tunnel.body == b"hellolast"
        other, tunnel = client.open("/chat", "websocket", *FIELDS)
        await tunnel.until(lambda one: one.body == b"hello")
        client.reset(other)
        for _ in range(100):
            if tunnels(state) == 0:
                return
            await asyncio.sleep(0.05)
        raise AssertionError

    run(front, work)


@pytest.mark.parametrize(
    ("path", "protocol", "fields", "status"),
    [
        ("/no", "websocket", FIELDS, "403"),
        ("/chat", "other", FIELDS, "501"),
        ("/chat", "connect-udp", FIELDS, "501"),
        ("/chat", "webtransport", FIELDS, "501"),
        ("/chat", "websocket", (), "501"),
        ("/chat", "websocket", (("sec-websocket-version", "8"),), "501"),
    ],
)
def test_what_is_no_handshake_is_answered(
    front: Running, path: str, protocol: str, fields: tuple[tuple[str, str], ...], status: str
) -> None:
    async def work(client: Client) -> None:
        _, tunnel = client.open(path, protocol, *fields)
        await tunnel.until(lambda one: one.is_over)
        assert tunnel.fields[":status"] == status
        assert (await client.ask("/no")).status == 403, "the connection goes on"

    run(front, work)


def test_it_ends_when_the_edge_does(tmp_path: Path) -> None:
    async def work(client: Client, running: Running) -> None:
        _, tunnel = client.open("/chat", "websocket", *FIELDS)
        await tunnel.until(lambda one: one.body == b"hello")
        running.process.terminate()
        await tunnel.until(lambda one: one.is_over)

    pair = Pair(tmp_path / "pair", "localhost")
    with Server(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        with edge(tmp_path, "--http3", *pair.options(), origins=(url,), ready="") as running:
            wait_listening(running)
            run(running, lambda client: work(client, running))
            assert running.process.wait(20) == 0
        server.shutdown()
