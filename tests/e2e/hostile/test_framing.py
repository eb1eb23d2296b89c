"""Heads and bodies that servers in a row could read in different ways (RFC 9112, section 11.2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.hostile.raw import send

if TYPE_CHECKING:
    from tests.e2e.site import Running

pytestmark = pytest.mark.e2e

POST = b"POST /api/take HTTP/1.1\r\nHost: x\r\n"
SMUGGLED = b"GET /api/secret HTTP/1.1\r\nHost: x\r\n\r\n"
GET = b"GET /api/up HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /api/up HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

FRAMING = [
    ("length and coding", b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("coding and length", b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n", 400),
    ("lengths that differ", b"Content-Length: 0\r\nContent-Length: 6\r\n\r\n", 400),
    ("lengths in one line", b"Content-Length: 0, 6\r\n\r\n", 400),
    ("a signed length", b"Content-Length: +0\r\n\r\n", 400),
    ("a negative length", b"Content-Length: -1\r\n\r\n", 400),
    ("a length in hex", b"Content-Length: 0x0\r\n\r\n", 400),
    ("a length with an underscore", b"Content-Length: 1_0\r\n\r\n0123456789", 400),
    ("a name with an underscore", b"Content_Length: 6\r\n\r\n", 400),
    ("no length", b"Content-Length: \r\n\r\n", 400),
    ("a length that overflows", b"Content-Length: 18446744073709551616\r\n\r\n", 400),
    ("codings in two lines", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("codings in one line", b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    ("chunked is not last", b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    ("an unknown coding", b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    ("a coding before chunked", b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    ("a coding in quotes", b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n', 501),
    ("a vertical tab", b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    ("a chunk of no size", b"Transfer-Encoding: chunked\r\n\r\n\r\n", 400),
    ("a chunk of a signed size", b"Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n", 400),
    ("a chunk in 0x", b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n", 400),
    ("a chunk of no number", b"Transfer-Encoding: chunked\r\n\r\ng\r\n", 400),
    ("a chunk that overflows", b"Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\n", 400),
    ("a chunk longer than it says", b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 400),
    ("a chunk's line of a line feed", b"Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", 400),
    ("an extension with a line feed", b"Transfer-Encoding: chunked\r\n\r\n1;x\ny\r\na\r\n0\r\n\r\n", 400),
    ("a chunk's end of a line feed", b"Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n", 400),
    ("a size after a space", b"Transfer-Encoding: chunked\r\n\r\n 0\r\n\r\n", 400),
    ("a trailer of no name", b"Transfer-Encoding: chunked\r\n\r\n0\r\n: x\r\n\r\n", 400),
]

HEADS = [
    ("line feeds alone", b"GET /api/up HTTP/1.1\nHost: x\n\n", 400),
    ("one line feed alone", b"GET /api/up HTTP/1.1\r\nHost: x\nX: y\r\n\r\n", 400),
    ("a return alone", b"GET /api/up HTTP/1.1\r\nHost: x\r\nX: y\rz: 1\r\n\r\n", 400),
    ("NUL in the target", b"GET /api/\0up HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("NUL in a value", b"GET /api/up HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n", 400),
    ("NUL in a name", b"GET /api/up HTTP/1.1\r\nHost: x\r\nX\0: a\r\n\r\n", 400),
    ("a space before the colon", b"GET /api/up HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n", 400),
    ("a space before the request", b" GET /api/up HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("a space before the first field", b"GET /api/up HTTP/1.1\r\n Host: x\r\n\r\n", 400),
    ("a folded value", b"GET /api/up HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", 400),
    ("an empty name", b"GET /api/up HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n", 400),
    ("a name that is no token", b"GET /api/up HTTP/1.1\r\nHost: x\r\nX(Y): y\r\n\r\n", 400),
    ("a field without a colon", b"GET /api/up HTTP/1.1\r\nHost: x\r\nX\r\n\r\n", 400),
    ("no Host", b"GET /api/up HTTP/1.1\r\n\r\n", 400),
    ("no Host for a packed page", b"GET /robots.txt HTTP/1.1\r\n\r\n", 400),
    ("two Hosts", b"GET /api/up HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
    ("a list of Hosts", b"GET /api/up HTTP/1.1\r\nHost: x, y\r\n\r\n", 400),
    ("an empty Host", b"GET /api/up HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ("a Host with a path", b"GET /api/up HTTP/1.1\r\nHost: x/y\r\n\r\n", 400),
    ("a Host with a user", b"GET /api/up HTTP/1.1\r\nHost: u@x\r\n\r\n", 400),
    ("no Host beside an absolute target", b"GET http://x/api/up HTTP/1.1\r\n\r\n", 400),
    ("another version", b"GET /api/up HTTP/3.0\r\nHost: x\r\n\r\n", 505),
    ("a minor version", b"GET /api/up HTTP/1.2\r\nHost: x\r\n\r\n", 505),
    ("no version", b"GET /api/up\r\nHost: x\r\n\r\n", 400),
    ("a version in small letters", b"GET /api/up http/1.1\r\nHost: x\r\n\r\n", 400),
    ("two spaces", b"GET  /api/up HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("a tab for a space", b"GET\t/api/up HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("a method that is no token", b"G@T /api/up HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("CONNECT", b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    ("TRACE", b"TRACE /api/up HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    ("another scheme", b"GET ftp://x/api/up HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("a fragment", b"GET /api/up#x HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("an unknown expectation", POST + b"Content-Length: 1\r\nExpect: miracles\r\n\r\n", 417),
    ("a coding in HTTP/1.0", b"POST /api/take HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
]


@pytest.mark.parametrize(("fields", "status"), [one[1:] for one in FRAMING], ids=[one[0] for one in FRAMING])
def test_a_body_whose_end_is_in_doubt_closes_the_connection(server: Running, fields: bytes, status: int) -> None:
    reply = send(server.port, POST + fields + SMUGGLED)
    assert reply.statuses == [status], reply.bytes
    assert reply.closed


@pytest.mark.parametrize(("head", "status"), [one[1:] for one in HEADS], ids=[one[0] for one in HEADS])
def test_a_head_that_is_none_closes_the_connection(server: Running, head: bytes, status: int) -> None:
    reply = send(server.port, head + SMUGGLED)
    assert reply.statuses == [status], reply.bytes
    assert reply.closed


@pytest.mark.parametrize(("head", "status"), [one[1:] for one in HEADS], ids=[one[0] for one in HEADS])
def test_what_is_right_is_answered_before_what_follows_is_refused(server: Running, head: bytes, status: int) -> None:
    # After a request with a body, and after a plain one: whoever reads the first reads the second too.
    for first in (POST + b"Content-Length: 2\r\n\r\nab", GET, b"GET /robots.txt HTTP/1.1\r\nHost: x\r\n\r\n"):
        reply = send(server.port, first + head + SMUGGLED)
        assert reply.statuses == [200, status], reply.bytes
        assert reply.closed


def test_nothing_was_smuggled(server: Running) -> None:
    for _, fields, _ in FRAMING:
        send(server.port, POST + fields + SMUGGLED)
    assert "secret" not in json.loads(server.get("/api/seen")[2])["seen"]


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c", b"nonsense"])
@pytest.mark.parametrize("path", [b"/api/up", b"/robots.txt", b"/nope"])
def test_what_follows_a_refused_upgrade_is_no_request(server: Running, path: bytes, upgrade: bytes) -> None:
    asked = b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: %s\r\nSec-WebSocket-Version: 7\r\n\r\n"
    reply = send(server.port, asked % (path, upgrade) + SMUGGLED)
    assert len(reply.statuses) == 1
    assert reply.closed
    assert "secret" not in json.loads(server.get("/api/seen")[2])["seen"]


def test_well_formed_requests_of_every_kind_go_on(server: Running) -> None:
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n"
    expecting = POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    reply = send(server.port, chunked + GET + chunked + b"\r\n" + GET + expecting, b"ab" + LAST)
    assert reply.statuses == [200, 200, 200, 200, 100, 200, 200]
    assert reply.bytes.count(b'{"length":5}') == 2
    assert reply.bytes.count(b'{"length":2}') == 1
    assert reply.closed
    bytewise = send(server.port, *(bytes([byte]) for byte in chunked + LAST), pause=0.002)
    assert bytewise.statuses == [200, 200]


def test_the_absolute_form_names_the_host(server: Running) -> None:
    reply = send(server.port, b"GET http://y/api/up HTTP/1.1\r\nHost: x\r\n\r\n" + LAST)
    assert reply.statuses == [200, 200]


def test_old_clients_are_served_as_they_know_it(server: Running) -> None:
    reply = send(server.port, b"GET /api/up HTTP/1.0\r\n\r\n" + SMUGGLED)
    assert reply.statuses == [200]
    assert reply.closed
    old = b"GET /api/up HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    reply = send(server.port, old + old + LAST)
    assert reply.statuses == [200, 200, 200]
    assert reply.bytes.count(b"connection: keep-alive") == 2


def test_a_body_that_nobody_read_is_not_the_next_request(server: Running) -> None:
    # The page takes no POST; its body looks like a request.
    body = b"Content-Length: %d\r\n\r\n%s" % (len(SMUGGLED), SMUGGLED)
    reply = send(server.port, b"POST /robots.txt HTTP/1.1\r\nHost: x\r\n" + body + LAST)
    assert reply.statuses == [405, 200]
    assert "secret" not in json.loads(server.get("/api/seen")[2])["seen"]
