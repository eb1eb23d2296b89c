"""What is known of a picture, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hyperweb.images._facts import ImageFacts, read_facts
from tests.images.pictures import animation, bomb, colours, photo

if TYPE_CHECKING:
    from pathlib import Path

MOST = 1_000_000


def facts(file: Path) -> ImageFacts:
    return read_facts(file, "h", MOST)


def test_a_photo_is_known_as_it_is_shown(tmp_path: Path) -> None:
    found = facts(photo(tmp_path / "a.jpg", 120, 80))
    assert (found.kind, found.width, found.height, found.format, found.alpha) == ("photo", 120, 80, "JPEG", False)
    assert found.color.startswith("#")
    assert found.blur.startswith("data:image/webp;base64,")
    assert len(found.blur) < 400
    sideways = facts(photo(tmp_path / "b.jpg", 120, 80, orientation=6))
    assert (sideways.width, sideways.height) == (80, 120)


def test_the_colour_is_the_mean_of_all(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), (16, 32, 200)).save(tmp_path / "a.png")
    assert facts(tmp_path / "a.png").color == "#1020c8"


def test_a_transparent_picture_has_no_colour_behind_it(tmp_path: Path) -> None:
    made = colours(30, 20).convert("RGBA")
    made.putalpha(100)
    made.save(tmp_path / "a.png")
    found = facts(tmp_path / "a.png")
    assert (found.alpha, found.color, found.blur) == (True, "", "")


@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
def test_an_animation_is_left_as_it_is(tmp_path: Path, name: str) -> None:
    found = facts(animation(tmp_path / name))
    assert (found.kind, found.width, found.height) == ("animated", 20, 10)


@pytest.mark.parametrize(
    ("root", "size"),
    [
        ('<svg width="40" height="30px" viewBox="0 0 1 1">', (40, 30)),
        ('<svg viewBox="0 0 40.4 30">', (40, 30)),
        ('<svg width="100%" viewBox="-5,-5,7,8">', (7, 8)),
        ("<svg>", (0, 0)),
        ('<svg width="1.2.3" height="4">', (0, 0)),
        ("", (0, 0)),
    ],
)
def test_an_svg_says_its_size_in_its_root(tmp_path: Path, root: str, size: tuple[int, int]) -> None:
    (tmp_path / "a.svg").write_text(f'<?xml version="1.0"?><!-- x -->{root}<path width="1" height="2"/></svg>')
    found = facts(tmp_path / "a.svg")
    assert (found.kind, found.width, found.height) == ("vector", *size)


def test_what_cannot_be_used_says_why(tmp_path: Path) -> None:
    whole = photo(tmp_path / "a.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.webp").write_bytes(b"")
    limit = Image.MAX_IMAGE_PIXELS
    found = {
        name: facts(tmp_path / name)
        for name in ("cut.jpg", "text.png", "empty.webp", "gone.gif", bomb(tmp_path / "b.png").name)
    }
    assert {one.kind for one in found.values()} == {"broken"}
    assert "truncated" in found["cut.jpg"].trouble
    assert found["text.png"].trouble == "it is no picture, or of an unknown format"
    assert "100,000 by 100,000 pixels, and at most 1,000,000" in found["b.png"].trouble
    assert limit == Image.MAX_IMAGE_PIXELS


@given(st.binary(max_size=300), st.integers(0, 400), st.sampled_from(["jpg", "png", "gif", "webp", "avif"]))
def test_no_bytes_are_too_odd(tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int, kind: str) -> None:
    file = tmp_path_factory.mktemp("odd") / f"a.{kind}"
    colours(16, 16).save(file)
    whole = file.read_bytes()
    file.write_bytes(whole[:at] + junk + whole[at + len(junk) :])
    found = facts(file)
    assert found.kind in {"photo", "animated", "broken"}
    assert (found.kind == "broken") == bool(found.trouble)
