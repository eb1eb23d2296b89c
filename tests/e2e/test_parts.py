"""Parts of responses: kept, put together, and answered from (RFC 9111, sections 3.3 and 3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.origin import Answer, Asked, Origin, edge, origin
from tests.e2e.site import Running, hyperweb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

WHOLE = bytes(range(256)) * 40
TYPE = {"content-type": "application/octet-stream"}


class Film:
    """What the origin has, which may change."""

    def __init__(self) -> None:
        self.body = WHOLE
        self.fields = {"cache-control": "max-age=60", "etag": '"one"', **TYPE}
        self.says = ""

    def answer(self, asked: Asked) -> Answer:
        """A part where one is asked for and the condition holds."""
        range_, condition = asked.headers.get("range"), asked.headers.get("if-range")
        if range_ is None or condition not in {None, self.fields.get("etag")}:
            return Answer(headers=self.fields, body=self.body)
        first, _, last = range_.removeprefix("bytes=").partition("-")
        if first:
            start, end = int(first), min(int(last or len(self.body)), len(self.body) - 1)
        else:
            start, end = len(self.body) - int(last), len(self.body) - 1
        told = self.says or f"bytes {start}-{end}/{len(self.body)}"
        return Answer(206, {**self.fields, "content-range": told}, self.body[start : end + 1])


@pytest.fixture
def film() -> Film:
    return Film()


@pytest.fixture
def behind(film: Film) -> Iterator[Origin]:
    with origin(film.answer) as running:
        yield running


@pytest.fixture
def front(behind: Origin, tmp_path: Path) -> Iterator[Running]:
    with edge(tmp_path, origins=(behind.url,), ready="/ready") as running:
        behind.asked.clear()
        yield running


def part(front: Running, range_: str, path: str = "/film", **fields: str) -> tuple[int, str, str, bytes]:
    status, found, body = front.get(path, {"Range": f"bytes={range_}", **fields})
    return status, found.get("content-range", ""), found["cache-status"].split(";")[1].strip(), body


def test_a_part_answers_for_what_is_in_it(front: Running, behind: Origin) -> None:
    size = len(WHOLE)
    assert part(front, "100-199") == (206, f"bytes 100-199/{size}", "fwd=miss", WHOLE[100:200])
    assert part(front, "100-199") == (206, f"bytes 100-199/{size}", "hit", WHOLE[100:200])
    assert part(front, "150-159") == (206, f"bytes 150-159/{size}", "hit", WHOLE[150:160])
    assert len(behind.asked) == 1
    assert part(front, "150-200")[2] == "fwd=miss"
    assert part(front, "0-9", **{"If-None-Match": '"two"'})[2] == "fwd=miss"
    assert part(front, "-50") == (206, f"bytes {size - 50}-{size - 1}/{size}", "fwd=miss", WHOLE[-50:])
    assert part(front, "-20") == (206, f"bytes {size - 20}-{size - 1}/{size}", "hit", WHOLE[-20:])
    fields = front.get("/film", {"Range": "bytes=120-130", "Cache-Control": "only-if-cached"})
    assert (fields[0], fields[2], fields[1]["etag"]) == (206, WHOLE[120:131], '"one"')
    assert "age" in fields[1]


def test_parts_that_meet_are_one_and_all_of_them_the_whole(front: Running, behind: Origin) -> None:
    half = len(WHOLE) // 2
    part(front, f"0-{half + 10}")
    part(front, f"{half}-")
    assert part(front, f"{half - 5}-{half + 20}")[2:] == ("hit", WHOLE[half - 5 : half + 21])
    asked = len(behind.asked)
    status, fields, body = front.get("/film")
    assert (status, body, fields["cache-status"].split(";")[1].strip()) == (200, WHOLE, "hit")
    assert "content-range" not in fields
    assert len(behind.asked) == asked


def test_only_what_is_missing_is_asked_for(front: Running, behind: Origin) -> None:
    part(front, "0-4999")
    status, fields, body = front.get("/film")
    assert (status, body) == (200, WHOLE)
    assert "fwd=partial" in fields["cache-status"]
    last = behind.asked[-1].headers
    assert (last["range"], last["if-range"]) == ("bytes=5000-", '"one"')
    assert "hit" in front.get("/film")[1]["cache-status"]


def test_a_response_that_changed_is_never_mixed_with_what_it_was(front: Running, film: Film) -> None:
    part(front, "0-4999")
    film.body, film.fields["etag"] = WHOLE[::-1], '"two"'
    assert part(front, "5000-5999")[3] == film.body[5000:6000]
    assert part(front, "4000-5500")[2:] == ("fwd=miss", film.body[4000:5501])
    film.body, film.fields["etag"] = WHOLE, '"three"'
    assert front.get("/film")[2] == WHOLE


@pytest.mark.parametrize(
    "fields",
    [
        {"cache-control": "no-store"},
        {"cache-control": "private, max-age=60"},
        {"vary": "accept-language"},
        {"content-encoding": "gzip"},
        {"set-cookie": "a=b"},
        {"cache-control": "max-age=0"},
    ],
)
def test_what_may_not_be_kept_is_passed_on(front: Running, film: Film, fields: dict[str, str]) -> None:
    film.fields |= fields
    for _ in range(2):
        assert part(front, "10-19")[2:] == ("fwd=miss", WHOLE[10:20])


@pytest.mark.parametrize(
    "says", ["bytes 10-29/10240", "bytes 10-19/*", "bytes 30-19/10240", "bytes 10-19/5", "nonsense"]
)
def test_a_part_that_is_not_as_it_says_is_not_kept(front: Running, film: Film, says: str) -> None:
    film.says = says
    for _ in range(2):
        assert part(front, "10-19") == (206, says, "fwd=miss", WHOLE[10:20])


def test_parts_without_a_strong_tag_are_not_put_together(front: Running, film: Film) -> None:
    film.fields["etag"] = 'W/"one"'
    part(front, "0-9")
    part(front, "10-19")
    assert part(front, "5-15")[2] == "fwd=miss"
    assert part(front, "6-14")[2] == "hit"


def test_a_purge_and_a_post_forget_parts(front: Running, tmp_path: Path) -> None:
    for forget in (
        lambda: hyperweb("purge", "--path", "/film", tmp_path, check=True),
        lambda: hyperweb("purge", "--all", tmp_path, check=True),
        lambda: front.get("/film", method="POST", body=b"x"),
    ):
        part(front, "0-9")
        assert part(front, "0-9")[2] == "hit"
        forget()
        assert part(front, "0-9")[2] == "fwd=miss"
