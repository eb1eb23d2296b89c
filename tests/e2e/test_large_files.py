"""Files too large for the pack: sent as they are, in whole and in part, and given up when they are cut short."""

from __future__ import annotations

import os
import random
import socket
from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import Running, hyperweb, make_site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

SIZE = 24_000_001
BYTES = random.Random(7).randbytes(SIZE)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_site(tmp_path_factory.mktemp("large") / "site")
    (root / "static").mkdir(exist_ok=True)
    (root / "static/big.bin").write_bytes(BYTES)
    hyperweb("build", root, check=True)
    return root


@pytest.fixture(scope="module")
def front(site: Path) -> Iterator[Running]:
    with serving(site, "--prod", "--no-build") as running:
        yield running


def begun(
    front: Running, *fields: str, version: str = "1.1", method: str = "GET"
) -> tuple[socket.socket, bytes, bytes]:
    """Returns a connection, the head that came over it, and what of the body came with that."""
    stream = socket.create_connection(("127.0.0.1", front.port), timeout=20)
    lines = [f"{method} /big.bin HTTP/{version}", "Host: localhost", *fields, "", ""]
    stream.sendall("\r\n".join(lines).encode())
    came = b""
    while b"\r\n\r\n" not in came:
        came += stream.recv(65536)
    head, _, rest = came.partition(b"\r\n\r\n")
    return stream, head, rest


def rest_of(stream: socket.socket, length: int) -> bytes:
    """Reads so many bytes, or to the end."""
    came = bytearray()
    while len(came) < length and (part := stream.recv(min(1 << 20, length - len(came)))):
        came += part
    return bytes(came)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_the_whole_arrives_and_the_connection_goes_on(front: Running, version: str) -> None:
    stream, head, first = begun(front, "Connection: keep-alive", version=version)
    with stream:
        assert b"\r\ncontent-length: %d\r\n" % SIZE in head.lower() + b"\r\n"
        assert first + rest_of(stream, SIZE - len(first)) == BYTES
        stream.sendall(b"HEAD /big.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        again = rest_of(stream, 65536)
        assert again.startswith(b"HTTP/1.1 200 OK\r\n")
        assert again.endswith(b"\r\n\r\n"), "a head has no body"


@pytest.mark.parametrize(("start", "end"), [(0, 0), (1, SIZE - 1), (SIZE - 5, SIZE - 1), (1 << 20, (1 << 20) + 70_000)])
def test_a_part_is_the_part(front: Running, start: int, end: int) -> None:
    stream, head, first = begun(front, f"Range: bytes={start}-{end}", "Connection: close")
    with stream:
        assert head.startswith(b"HTTP/1.1 206 ")
        assert first + rest_of(stream, SIZE) == BYTES[start : end + 1]


def test_a_file_that_is_cut_short_while_it_is_sent_is_not_made_up(site: Path) -> None:
    (file,) = (one for one in site.glob("dist/**/large/*") if one.is_file())
    with serving(site, "--prod", "--no-build") as running:
        stream, head, first = begun(running)
        with stream:
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            try:
                os.truncate(file, SIZE // 2)
                came = first + rest_of(stream, SIZE)
            finally:
                file.write_bytes(BYTES)
        assert len(came) < SIZE
        assert came == BYTES[: len(came)]
        stream, _, first = begun(running)
        with stream:
            assert first + rest_of(stream, SIZE - len(first)) == BYTES, "others are served"
