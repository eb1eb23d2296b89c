"""Ranges that are none, that cannot be had, and that are too many (RFC 9110, section 14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.origin import Answer, Asked, edge, origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.site import Running

pytestmark = pytest.mark.e2e

BODY = b"0123456789" * 100
MALFORMED = [
    "bytes",
    "bytes=",
    "bytes=-",
    "bytes=a-b",
    "bytes=5-2",
    "bytes=1-2-3",
    "bytes= - ",
    "bytes=+1-2",
    "bytes=0x1-2",
    "lines=1-2",
    "=1-2",
    "bytes=99999999999999999999999999-",
]
UNSATISFIABLE = ["bytes=1000-", "bytes=1000-2000", "bytes=-0"]
SATISFIABLE = {
    "bytes=0-0": b"0",
    "bytes=0-": BODY,
    "bytes=-1": b"9",
    "bytes=-5000": BODY,
    "bytes=998-99999": b"89",
    "bytes=995-": b"56789",
}


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    def answer(_: Asked) -> Answer:
        fields = {"Cache-Control": "max-age=60", "ETag": '"a"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
        return Answer(headers=fields, body=BODY)

    with origin(answer) as behind, edge(tmp_path_factory.mktemp("ranges"), origins=(behind.url,)) as front:
        assert front.get("/plain.txt")[0] == 200
        yield front


@pytest.fixture(params=["packed", "cached"])
def running(request: pytest.FixtureRequest, server: Running, cached: Running) -> Running:
    return {"packed": server, "cached": cached}[request.param]


@pytest.mark.parametrize("field", MALFORMED)
def test_a_range_that_is_none_is_passed_over(running: Running, field: str) -> None:
    status, _, body = running.get("/plain.txt", {"range": field})
    # A number that no file reaches is a range beyond the end.
    assert status in ({200, 416} if "9999999999" in field else {200})
    assert body == BODY or status == 416


@pytest.mark.parametrize("field", UNSATISFIABLE)
def test_a_range_beyond_the_end_cannot_be_had(running: Running, field: str) -> None:
    status, headers, _ = running.get("/plain.txt", {"range": field})
    assert (status, headers["content-range"]) == (416, "bytes */1000")


@pytest.mark.parametrize("field", SATISFIABLE)
def test_a_range_is_cut_out(running: Running, field: str) -> None:
    status, headers, body = running.get("/plain.txt", {"range": field})
    assert (status, body) == (206, SATISFIABLE[field])
    assert headers["content-range"].endswith("/1000")


@pytest.mark.parametrize(
    "field", ["bytes=" + ",".join(["0-"] * 1000), "bytes=" + ",".join(f"{n}-{n}" for n in range(999))]
)
def test_a_thousand_ranges_are_not_a_thousand_bodies(running: Running, field: str) -> None:
    status, _, body = running.get("/plain.txt", {"range": field})
    assert status in {200, 416}
    assert body == BODY or status == 416


def test_several_fields_are_no_range(running: Running) -> None:
    raw = b"GET /plain.txt HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1\r\nRange: bytes=4-5\r\nConnection: close\r\n\r\n"
    answer = running.raw(raw)
    assert answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 206 "))
    assert b"multipart" not in answer


def test_a_weak_validator_does_not_make_two_parts_one(running: Running) -> None:
    _, headers, _ = running.get("/plain.txt")
    etag = headers["etag"]
    assert running.get("/plain.txt", {"range": "bytes=0-1", "if-range": etag})[0] == 206
    for other in (f"W/{etag}", '"other"', "Mon, 01 Jan 1990 00:00:00 GMT", "nonsense", ""):
        status, _, body = running.get("/plain.txt", {"range": "bytes=0-1", "if-range": other})
        assert (status, body) == (200, BODY), other
