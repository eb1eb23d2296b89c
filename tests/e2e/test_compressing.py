"""Compression of what Python and origins make: by what the client likes, once, and never beside a secret."""

from __future__ import annotations

import gzip
import hashlib
import socket
import time
from typing import TYPE_CHECKING

import brotli
import pytest

from tests.e2e.origin import Answer, Asked, Origin, edge, origin
from tests.e2e.site import Running, make_site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

TEXT = b"<p>the quick brown fox jumps over the lazy dog, again and again</p>\n" * 100
LARGE = b"".join(b"<p>%d: the quick brown fox jumps over the lazy dog</p>\n" % number for number in range(20_000))
NOISE = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(200))
HTML = {"Content-Type": "text/html"}
KEPT = {**HTML, "Cache-Control": "max-age=60", "ETag": '"v1"'}
ALL = "gzip, deflate, br, zstd"


def answer(asked: Asked) -> Answer:
    path = asked.target.split("?")[0]
    if path == "/kept" and asked.headers.get("if-none-match") == '"v1"':
        return Answer(304, KEPT)
    return {
        "/kept": Answer(200, KEPT, TEXT),
        "/passed": Answer(200, {**HTML, "ETag": '"v1"'}, TEXT),
        "/large": Answer(200, KEPT, LARGE),
        "/small": Answer(200, KEPT, TEXT[:1000]),
        "/noise": Answer(200, KEPT, NOISE),
        "/image": Answer(200, {**KEPT, "Content-Type": "image/png"}, TEXT),
        "/as-it-is": Answer(200, {**KEPT, "Cache-Control": "max-age=60, no-transform"}, TEXT),
        "/coded": Answer(200, {**KEPT, "Content-Encoding": "gzip"}, gzip.compress(TEXT)),
        "/by-cookie": Answer(200, {**KEPT, "Vary": "Cookie"}, TEXT),
        "/sets": Answer(200, {**HTML, "Set-Cookie": "a=b"}, TEXT),
        "/missing": Answer(404, KEPT, TEXT),
    }.get(path, Answer(200, HTML, b"ok"))


@pytest.fixture(scope="module")
def behind() -> Iterator[Origin]:
    with origin(answer) as made:
        yield made


@pytest.fixture(scope="module")
def front(behind: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with edge(tmp_path_factory.mktemp("compressing"), origins=(behind.url,)) as running:
        yield running


def get(front: Running, path: str, accept: str | None = ALL, **fields: str) -> tuple[dict[str, str], bytes]:
    sent = {name.replace("_", "-"): value for name, value in fields.items()}
    status, headers, body = front.get(path, {**sent, **({} if accept is None else {"accept-encoding": accept})})
    assert status in {200, 404}
    assert int(headers.get("content-length", len(body))) == len(body)
    return headers, body


def plain(headers: dict[str, str], body: bytes) -> bytes:
    coding = headers.get("content-encoding")
    if coding == "zstd":
        # Python 3.11 has no Zstandard; its magic number and its size have to do (RFC 8878, section 3.1.1).
        assert body.startswith(b"\x28\xb5\x2f\xfd")
        return TEXT
    decoded: bytes = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[coding](body)
    return decoded


@pytest.mark.parametrize("path", ["/kept", "/passed"])
@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (ALL, "br"),
        ("gzip", "gzip"),
        ("zstd", "zstd"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("br;q=0, gzip;q=0.1", "gzip"),
        ("identity", None),
        ("", None),
        ("deflate", None),
        ("*", "br"),
        (None, None),
    ],
)
def test_the_coding_is_what_the_client_likes_best(
    front: Running, path: str, accept: str | None, coding: str | None
) -> None:
    for _ in range(2):
        headers, body = get(front, path, accept)
        assert headers.get("content-encoding") == coding
        assert plain(headers, body) == TEXT
        assert headers["etag"] == ('"v1"' if coding is None else 'W/"v1"')
        assert coding is None or len(body) < len(TEXT) / 10
        if path == "/kept":
            assert "accept-encoding" in headers["vary"], "of the plain one too: another cache must know"


@pytest.mark.parametrize("path", ["/small", "/noise", "/image", "/as-it-is", "/sets", "/missing"])
def test_what_gains_nothing_or_may_not_be_is_sent_as_it_is(front: Running, path: str) -> None:
    for _ in range(2):
        headers, _ = get(front, path)
        assert "content-encoding" not in headers


def test_what_the_origin_compressed_is_left_alone(front: Running) -> None:
    for _ in range(2):
        headers, body = get(front, "/coded")
        assert headers["content-encoding"] == "gzip"
        assert gzip.decompress(body) == TEXT


def test_a_secret_is_not_compressed_beside_what_an_attacker_chose(
    front: Running, behind: Origin, tmp_path: Path
) -> None:
    for fields in ({"cookie": "session=1"}, {"authorization": "Bearer x"}):
        headers, _ = get(front, "/passed?guess", **fields)
        assert "content-encoding" not in headers
    assert "content-encoding" not in get(front, "/by-cookie", cookie="session=1")[0]
    assert "content-encoding" not in get(front, "/by-cookie", cookie="session=1")[0]
    # What all are given has no secret of one client.
    assert get(front, "/kept", cookie="session=1")[0]["content-encoding"] == "br"
    with edge(tmp_path, "--compress-private", origins=(behind.url,)) as open_to_it:
        assert get(open_to_it, "/passed", cookie="session=1")[0]["content-encoding"] == "br"
        assert get(open_to_it, "/sets")[0]["content-encoding"] == "br"
        assert get(open_to_it, "/by-cookie", cookie="session=1")[0]["content-encoding"] == "br"


def test_it_can_be_left_out(behind: Origin, tmp_path: Path) -> None:
    with edge(tmp_path, "--no-compression", origins=(behind.url,)) as without:
        for path in ("/kept", "/passed"):
            assert "content-encoding" not in get(without, path)[0]


def test_a_large_body_is_sent_as_it_is_until_it_is_compressed(front: Running) -> None:
    for _ in range(100):
        headers, body = get(front, "/large")
        if "content-encoding" in headers:
            assert brotli.decompress(body) == LARGE
            return
        assert body == LARGE
        time.sleep(0.05)
    pytest.fail("it is never compressed")


def test_conditions_heads_and_ranges_agree_with_it(front: Running) -> None:
    get(front, "/kept")
    headers, body = get(front, "/kept")
    status, short, nothing = front.get("/kept", {"accept-encoding": ALL, "if-none-match": headers["etag"]})
    assert (status, nothing, short["etag"]) == (304, b"", 'W/"v1"')
    assert front.get("/kept", {"accept-encoding": ALL, "if-none-match": '"v1"'})[0] == 304
    status, head, nothing = front.get("/kept", {"accept-encoding": ALL}, method="HEAD")
    assert (status, head["content-encoding"], head["content-length"]) == (200, "br", str(len(body)))
    # A part is of the plain body, which its strong validator names.
    status, part, some = front.get("/kept", {"accept-encoding": ALL, "range": "bytes=0-9"})
    assert (status, some, part.get("content-encoding")) == (206, TEXT[:10], None)
    assert front.get("/kept", {"range": "bytes=0-9", "if-range": 'W/"v1"'})[0] == 200


def test_what_is_validated_keeps_its_codings(front: Running, behind: Origin) -> None:
    status, headers, body = front.get("/kept", {"accept-encoding": "br", "cache-control": "no-cache"})
    assert (status, plain(headers, body)) == (200, TEXT)
    assert headers["content-encoding"] == "br"
    assert behind.asked


STREAM = '''"""A handler that takes its time."""

import asyncio
from collections.abc import AsyncIterator

from hyperweb import Response, get


@get("/stream")
async def stream() -> Response:
    """Sends lines with pauses."""

    async def lines() -> AsyncIterator[bytes]:
        for number in range(4):
            yield b"line %d\\n" % number
            await asyncio.sleep(0.3)

    return Response(lines(), content_type="text/plain")


@get("/data")
async def data() -> dict[str, list[int]]:
    """Returns JSON."""
    return {"numbers": list(range(2000))}
'''


def test_a_stream_is_compressed_as_it_comes(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", **{"handlers.py": STREAM})
    with serving(site, "--prod", "--workers", "1", wait_for="/data") as running:
        headers, body = get(running, "/data", "gzip")
        assert headers["content-encoding"] == "gzip"
        assert gzip.decompress(body).startswith(b'{"numbers":[0,1,2')
        with socket.create_connection(("127.0.0.1", running.port), timeout=5) as stream:
            stream.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\nAccept-Encoding: br\r\nConnection: close\r\n\r\n")
            parts = []
            while part := stream.recv(65536):
                parts.append(part)
        head, _, first = parts[0].partition(b"\r\n\r\n")
        assert b"content-encoding: br" in head
        assert len(parts) >= 4, "each line comes when it is made"
        chunks, rest = b"", first + b"".join(parts[1:])
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            chunks, rest = chunks + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
        assert brotli.decompress(chunks) == b"line 0\nline 1\nline 2\nline 3\n"
