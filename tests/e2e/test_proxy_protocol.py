"""Connections whose proxy says whom they are from (the PROXY protocol, versions 1 and 2)."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from tests.e2e.hostile.raw import send
from tests.e2e.origin import Answer, Asked, edge, origin, wait_listening
from tests.e2e.site import Running, hyperweb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
GET = b"GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: close\r\n\r\n"


def second(source: str, *, command: int = 1, more: bytes = b"") -> bytes:
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    address = socket.inet_pton(family, source)
    rest = address + address + b"\x04\xd2\x00\x50" + more
    kind = 0x21 if family == socket.AF_INET6 else 0x11
    return SIGNATURE + bytes([0x20 | command, kind]) + len(rest).to_bytes(2, "big") + rest


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    def answer(asked: Asked) -> Answer:
        return Answer(body=json.dumps(asked.headers).encode())

    state = tmp_path_factory.mktemp("proxy")
    options = ("--proxy", "127.0.0.0/30", "--limit", "head_time=0.5", "--limit", "address_connections=2")
    with origin(answer) as behind, edge(state, *options, origins=(behind.url,), ready="") as running:
        wait_listening(running)
        yield running


def client(front: Running, *parts: bytes) -> str | None:
    reply = send(front.port, *parts)
    if reply.statuses != [200]:
        assert reply.closed
        return None
    told: str = json.loads(reply.bytes.split(b"\r\n\r\n", 1)[1])["x-forwarded-for"]
    return told


@pytest.mark.parametrize(
    ("header", "source"),
    [
        (b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 80\r\n", "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 4000 80\r\n", "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (second("192.0.2.8"), "192.0.2.8"),
        (second("2001:db8::8", more=b"\x03\x00\x04abcd"), "2001:db8::8"),
        (second("192.0.2.9", command=0), "127.0.0.1"),
    ],
)
def test_the_client_is_whom_the_proxy_names(front: Running, header: bytes, source: str) -> None:
    assert client(front, header + GET) == source
    assert client(front, header[:9], header[9:] + GET[:20], GET[20:]) == source
    assert client(front, header, GET) == source


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"PROXY TCP4 nonsense\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 99999\r\n",
        b"PROXY TCP5 192.0.2.7 192.0.2.1 4000 80\r\n",
        SIGNATURE + b"\x31\x11\x00\x0c" + bytes(12),
        SIGNATURE + b"\x21\x11\xff\xff" + bytes(12),
        b"PROXY UNKNOWN" + b"x" * 200,
    ],
)
def test_a_proxy_that_says_nothing_of_use_is_not_served(front: Running, header: bytes) -> None:
    assert client(front, header + GET) is None


def test_a_proxy_that_says_nothing_at_all_is_not_waited_for(front: Running) -> None:
    reply = send(front.port, b"PROXY TCP4 192", wait=3)
    assert (reply.bytes, reply.closed) == (b"", True)


def test_who_is_no_proxy_cannot_speak_for_others(front: Running) -> None:
    def ask(request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", front.port), 5, source_address=("127.0.0.99", 0)) as stream:
            stream.sendall(request)
            found = b""
            while part := stream.recv(65536):
                found += part
            return found

    assert ask(b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 80\r\n" + GET).startswith(b"HTTP/1.1 400 ")
    assert b'"x-forwarded-for": "127.0.0.99"' in ask(GET)


def test_connections_are_counted_by_client_and_not_by_proxy(front: Running) -> None:
    held = [socket.create_connection(("127.0.0.1", front.port), 5) for _ in range(2)]
    for stream in held:
        stream.sendall(b"PROXY TCP4 192.0.2.50 192.0.2.1 1 80\r\n" + GET.replace(b"close", b"keep-alive"))
        assert stream.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert client(front, second("192.0.2.50") + GET) is None
    assert client(front, second("192.0.2.51") + GET) == "192.0.2.51"
    for stream in held:
        stream.close()


def test_what_is_no_network_is_named(tmp_path: Path) -> None:
    found = hyperweb("edge", "--origin", "http://127.0.0.1:1", "--proxy", "10.0.0.0/99", "--state", tmp_path)
    assert found.returncode == 1
    assert "10.0.0.0/99 is no network" in found.stderr
