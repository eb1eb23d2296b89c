"""HTTP/3 (RFC 9114): the same answers as by the other protocols, under the same limits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from aioquic.h3.connection import ErrorCode

from tests.e2e.certificates import Pair, ask, context, wait_for_tls
from tests.e2e.certificates import connected as over_tcp
from tests.e2e.origin import Answer, Asked, Origin, edge, origin, wait_listening
from tests.e2e.quic import Client, Reset, configuration, connected
from tests.e2e.site import Running, free_port, hyperweb, make_site, serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

LARGE = b"0123456789abcdef" * 40_000


def answer(asked: Asked) -> Answer:
    if asked.target.startswith("/kept"):
        return Answer(headers={"Cache-Control": "max-age=60"}, body=b"kept")
    if asked.target == "/large":
        return Answer(body=LARGE)
    if asked.target == "/slow":
        time.sleep(1)
    return Answer(body=json.dumps({**asked.headers, "body": len(asked.body), "method": asked.method}).encode())


@pytest.fixture(scope="module")
def behind() -> Iterator[Origin]:
    with origin(answer) as made:
        yield made


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Pair(tmp_path_factory.mktemp("pair"), "localhost")


@contextlib.contextmanager
def front_of(state: Path, behind: Origin, pair: Pair, *options: str) -> Iterator[Running]:
    state.mkdir(exist_ok=True)
    with edge(state, "--http3", *pair.options(), *options, origins=(behind.url,), ready="") as running:
        wait_listening(running)
        yield running


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("http3")


@pytest.fixture(scope="module")
def front(state: Path, behind: Origin, pair: Pair) -> Iterator[Running]:
    limits = ("head=4096", "target=1000", "fields=40", "body_time=1", "write_time=1", "head_time=1")
    options = [word for limit in limits for word in ("--limit", limit)]
    log = ("--access-log", str(state / "access.log"), "--log-format", "json")
    with front_of(state, behind, pair, "--metrics", "--max-body", "1000000", *log, *options) as running:
        yield running


def run(work: Callable[[Client], Awaitable[None]], running: Running, pair: Pair | None = None) -> None:
    async def whole() -> None:
        async with connected(running.port, configuration(str(pair.cert) if pair else None)) as client:
            await work(client)

    asyncio.run(whole())


def stats(state: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(hyperweb("stats", state, "--json", check=True).stdout)
    return found


def test_requests_are_answered_as_by_any_other_protocol(front: Running, pair: Pair, state: Path) -> None:
    async def work(client: Client) -> None:
        told = json.loads((await client.ask("/")).body)
        assert (told["x-forwarded-proto"], told["x-forwarded-for"]) == ("https", "127.0.0.1")
        assert told["host"] == "localhost"
        assert (await client.ask("/kept")).headers["cache-status"].startswith("hyperweb; fwd=miss")
        hit = await client.ask("/kept")
        assert hit.headers["cache-status"].startswith("hyperweb; hit")
        assert (hit.body, hit.headers["content-length"]) == (b"kept", "4")
        head = await client.ask("/kept", method="HEAD")
        assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "4")
        part = await client.ask("/kept", headers=[("range", "bytes=1-2")])
        assert (part.status, part.body) == (206, b"ep")
        assert (await client.ask("/large")).body == LARGE
        posted = json.loads((await client.ask("/", method="POST", body=LARGE)).body)
        assert (posted["body"], posted["method"]) == (len(LARGE), "POST")
        assert stats(state)["http3"] == 1

    run(work, front, pair)
    versions: set[str] = set()
    for _ in range(100):
        lines = [json.loads(line) for line in (state / "access.log").read_text().splitlines()]
        versions = {line["version"] for line in lines if line["target"] == "/kept"}
        if versions:
            break
        time.sleep(0.05)
    assert versions == {"HTTP/3.0"}


def test_many_requests_at_a_time(front: Running) -> None:
    async def work(client: Client) -> None:
        replies = await asyncio.gather(*(client.ask(f"/{number}") for number in range(200)))
        assert {reply.status for reply in replies} == {200}

    run(work, front)


def test_connections_come_to_every_thread(front: Running) -> None:
    async def one(number: int) -> int:
        async with connected(front.port) as client:
            return (await client.ask(f"/{number}")).status

    async def whole() -> list[int]:
        return await asyncio.gather(*(one(number) for number in range(24)))

    assert asyncio.run(whole()) == [200] * 24


def test_clients_that_move_are_known_again(front: Running) -> None:
    async def work(client: Client) -> None:
        first = client._transport
        for number in range(4):
            # From another port, as behind a router that forgot: the id of the connection leads to its thread.
            moved, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: client, local_addr=("::", 0))
            try:
                client._transport = moved
                assert (await client.ask(f"/{number}")).status == 200
            finally:
                moved.close()
        client._transport = first
        assert (await client.ask("/")).status == 200

    run(work, front)


def test_what_is_too_much_is_refused(front: Running, state: Path) -> None:
    async def work(client: Client) -> None:
        before = stats(state)["refused"]
        assert (await client.ask("/" + "a" * 1500)).status == 414
        assert (await client.ask("/", headers=[("x", "y" * 5000)])).status == 431
        many = [(f"x{number}", "y") for number in range(60)]
        assert (await client.ask("/", headers=many)).status == 431
        too_long = await client.ask("/", method="POST", headers=[("content-length", "2000000")], body=b"")
        assert too_long.status == 413
        assert (await client.ask("/", method="POST", body=b"x" * 1_500_000)).status == 413
        stopped = client.begin("/", method="POST", body=b"some", ends=False)[1]
        assert (await asyncio.wait_for(stopped, 10)).status in {408, 502, 400}
        assert (await client.ask("/")).status == 200, "the connection goes on"
        after = stats(state)["refused"]
        for name in ("long_target", "large_head", "many_fields", "large_body", "slow_body"):
            assert after[name] > before[name], name

    run(work, front)


@pytest.mark.parametrize(
    ("method", "headers", "body"),
    [
        ("GET", [("connection", "close")], None),
        ("GET", [("transfer-encoding", "chunked")], None),
        ("GET", [("te", "gzip")], None),
        ("GET", [("host", "other.example")], None),
        ("GET", [("content-length", "5")], None),
        ("POST", [("content-length", "+4")], b"some"),
        ("POST", [("content-length", "3")], b"some"),
        ("POST", [("content-length", "9")], b"some"),
    ],
)
def test_what_is_no_request_is_refused(
    front: Running, behind: Origin, method: str, headers: list[tuple[str, str]], body: bytes | None
) -> None:
    async def work(client: Client) -> None:
        with contextlib.suppress(Reset):
            reply = await client.ask("/bad", method=method, headers=headers, body=body)
            assert reply.status == 400
        assert (await client.ask("/")).status == 200, "the connection goes on"

    run(work, front)
    assert not [asked for asked in behind.asked if asked.target == "/bad" and len(asked.body) > 4]


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
def test_methods_that_are_not_served(front: Running, method: str) -> None:
    async def work(client: Client) -> None:
        with contextlib.suppress(Reset):
            assert (await client.ask("/", method=method)).status == 501

    run(work, front)


def test_who_gives_up_all_it_asks_for_is_left(behind: Origin, pair: Pair, tmp_path: Path) -> None:
    state = tmp_path / "state"

    async def work(client: Client) -> None:
        for _ in range(400):
            streams = [client.begin("/large")[0] for _ in range(10)]
            for stream in streams:
                client.reset(stream)
            await asyncio.sleep(0.05)
            if client.ended:
                break
        assert client.ended is not None
        assert client.ended.error_code == ErrorCode.H3_EXCESSIVE_LOAD

    with front_of(state, behind, pair, "--limit", "resets=50") as running:
        run(work, running)
        assert stats(state)["refused"]["resets"] == 1


def test_connections_of_one_address_are_bounded(behind: Origin, pair: Pair, tmp_path: Path) -> None:
    async def whole(port: int) -> None:
        async with connected(port) as one, connected(port) as other:
            assert (await one.ask("/")).status == 200
            assert (await other.ask("/")).status == 200
            with pytest.raises(ConnectionError):
                async with connected(port) as third:
                    await third.ask("/")

    with front_of(tmp_path / "state", behind, pair, "--limit", "address_connections=2") as running:
        asyncio.run(whole(running.port))


def test_under_load_clients_show_that_they_are_there(behind: Origin, pair: Pair, tmp_path: Path) -> None:
    # With one place for a handshake, each client is asked to come again with a token (RFC 9000, section 8.1.2).
    async def whole(port: int) -> None:
        async def one() -> int:
            async with connected(port) as client:
                return (await client.ask("/")).status

        assert await asyncio.gather(*(one() for _ in range(20))) == [200] * 20

    with front_of(tmp_path / "state", behind, pair, "--limit", "handshakes=2") as running:
        asyncio.run(whole(running.port))


def test_when_it_stops_what_was_begun_is_answered(behind: Origin, pair: Pair, tmp_path: Path) -> None:
    async def whole(running: Running) -> None:
        async with connected(running.port) as client:
            assert (await client.ask("/")).status == 200
            future = client.begin("/slow")[1]
            await asyncio.sleep(0.3)
            running.process.send_signal(signal.SIGTERM)
            assert (await asyncio.wait_for(future, 10)).status == 200
            for _ in range(100):
                if client.ended:
                    break
                await asyncio.sleep(0.05)
            assert client.ended is not None
            assert client.ended.error_code == ErrorCode.H3_NO_ERROR
        assert running.process.wait(20) == 0

    with front_of(tmp_path / "state", behind, pair) as running:
        asyncio.run(whole(running))


def test_clients_over_tcp_are_told_of_it(front: Running) -> None:
    told = f'h3=":{front.port}"; ma=86400'
    for path in ("/", "/kept?told", "/kept?told"):
        assert ask(front, path)[1]["alt-svc"] == told


def test_certificates_change_under_it(behind: Origin, tmp_path: Path) -> None:
    pair = Pair(tmp_path / "pair", "localhost")

    async def works(running: Running) -> bool:
        try:
            async with connected(running.port, configuration(str(pair.cert))) as client:
                return (await client.ask("/")).status == 200
        except (ConnectionError, TimeoutError):
            return False

    with front_of(tmp_path / "state", behind, pair) as running:
        assert asyncio.run(works(running))
        pair.renew()
        running.process.send_signal(signal.SIGHUP)
        assert any(asyncio.run(works(running)) for _ in range(20))


def test_a_site_is_served_by_it(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    port = free_port()
    with serving(site, "--prod", "--tls", "--http3", "--port", str(port), wait_for="") as started:
        running = Running(started.process, port)
        wait_for_tls(running)

        async def work(client: Client) -> None:
            page = await client.ask("/")
            assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
            again = await client.ask("/", headers=[("if-none-match", page.headers["etag"])])
            assert (again.status, again.body) == (304, b"")
            assert (await client.ask("/nothing")).status == 404
            assert "count" in json.loads((await client.ask("/api/count")).body)
            echoed = await client.ask(
                "/api/echo", method="POST", headers=[("content-type", "application/json")], body=b'{"a":1}'
            )
            assert json.loads(echoed.body) == {"a": 1}

        run(work, running)
        with over_tcp(running, context()) as stream:
            stream.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert b'alt-svc: h3=":' in stream.recv(65536)


def test_it_needs_tls(tmp_path: Path) -> None:
    found = hyperweb("edge", "--origin", "http://127.0.0.1:1", "--port", "0", "--state", tmp_path, "--http3")
    assert found.returncode in {1, 2}
    assert "`serve.http3` is over TLS" in " ".join(found.stderr.split())
