"""Variants: upright, in sRGB, without metadata, the same bytes each time, and made once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageCms

from hyperweb.config._build_settings import ImageSettings
from hyperweb.images._encode import encode, missing, sweep
from hyperweb.images._facts import read_facts
from hyperweb.images._pool import Pool
from hyperweb.images._variant import variants
from hyperweb.images._worker import Job
from tests.images.pictures import colours, photo

if TYPE_CHECKING:
    from pathlib import Path

    from hyperweb.images import Variant

SETTINGS = ImageSettings(effort=0)


def of(file: Path, *widths: int, settings: ImageSettings = SETTINGS) -> list[Variant]:
    """Returns the variants of a picture."""
    found = variants(f"assets/{file.name}", read_facts(file, "h", 10**9), widths, settings)
    return [one for form in found.values() for one in form]


def opened(folder: Path, variant: Variant) -> Image.Image:
    with Image.open(folder / variant.file) as image:
        image.load()
        return image


def test_widths_are_those_wanted_and_none_is_wider_than_the_picture(tmp_path: Path) -> None:
    file = photo(tmp_path / "a.jpg", 120, 80)
    by_format = variants("assets/a.jpg", read_facts(file, "h", 10**9), (40, 80, 115, 400), SETTINGS)
    assert {form: [one.width for one in found] for form, found in by_format.items()} == {
        "avif": [40, 80, 120],
        "webp": [40, 80, 120],
        "jpeg": [120],
    }
    assert by_format["avif"][0].height == 27
    assert by_format["jpeg"][0].url.startswith("/assets/a.120.")


def test_a_variant_is_upright_and_says_nothing_of_its_maker(tmp_path: Path) -> None:
    file = photo(tmp_path / "a.jpg", 120, 80, orientation=6)
    made = of(file, 60)
    encode(file, made, tmp_path / "out")
    assert {one.format for one in made} == {"avif", "webp", "jpeg"}
    for variant in made:
        image = opened(tmp_path / "out", variant)
        assert image.size == (60, 90)
        # What was left is above now.
        red, _, blue = image.convert("RGB").getpixel((30, 10))  # type: ignore[misc]
        assert red > blue
        assert not image.getexif()
        assert b"Secret" not in (tmp_path / "out" / variant.file).read_bytes()


def test_transparency_is_kept_and_black_is_not_made_of_it(tmp_path: Path) -> None:
    made = colours(80, 60).convert("RGBA")
    made.putalpha(0)
    made.save(tmp_path / "a.png")
    found = of(tmp_path / "a.png", 40)
    encode(tmp_path / "a.png", found, tmp_path / "out")
    assert {one.format for one in found} == {"avif", "webp", "png"}
    for variant in found:
        assert opened(tmp_path / "out", variant).convert("RGBA").getpixel((5, 5))[3] == 0  # type: ignore[index]


@pytest.mark.parametrize("mode", ["CMYK", "L", "P", "I;16", "1"])
def test_pictures_of_all_modes_have_variants(tmp_path: Path, mode: str) -> None:
    file = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    if mode == "I;16":
        Image.new("I;16", (40, 40), 256 * 200).save(file)
    else:
        Image.new("RGB", (40, 40), (200, 200, 200)).convert(mode).save(file)
    found = of(file, 20)
    encode(file, found, tmp_path / "out")
    for variant in found:
        value = opened(tmp_path / "out", variant).convert("RGB").getpixel((10, 10))
        assert isinstance(value, tuple)
        assert all(abs(one - 200) < 60 for one in value), (variant.format, value)


def test_colours_of_another_profile_become_those_of_srgb(tmp_path: Path) -> None:
    lab_like = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    Image.new("RGB", (20, 20), (120, 130, 140)).save(tmp_path / "a.png", icc_profile=lab_like)
    found = of(tmp_path / "a.png", 20)
    encode(tmp_path / "a.png", found, tmp_path / "out")
    for variant in found:
        assert "icc_profile" not in opened(tmp_path / "out", variant).info


def test_the_bytes_are_the_same_whatever_is_made_with_them(tmp_path: Path) -> None:
    file = photo(tmp_path / "a.jpg", 240, 160)
    together = of(file, 30, 60, 120)
    encode(file, together, tmp_path / "one")
    for variant in together:
        encode(file, [variant], tmp_path / "other")
        assert (tmp_path / "one" / variant.file).read_bytes() == (tmp_path / "other" / variant.file).read_bytes()
    assert not [file for file in (tmp_path / "one").iterdir() if file.name.count(".") > 1]


def test_a_digest_is_of_all_that_the_bytes_are_made_of(tmp_path: Path) -> None:
    file = photo(tmp_path / "a.jpg")
    found = {one.digest for one in of(file, 40, 60)}
    better = {one.digest for one in of(file, 40, 60, settings=ImageSettings(effort=0, quality={"avif": 61}))}
    harder = {one.digest for one in of(file, 40, 60, settings=ImageSettings(effort=1))}
    assert (len(found & better), len(found & harder)) == (3, 0)


def test_what_is_kept_is_not_missing_and_what_is_unused_goes_in_time(tmp_path: Path) -> None:
    file = photo(tmp_path / "a.jpg")
    made = of(file, 40)
    folder = tmp_path / "out"
    assert missing(made, folder) == {"assets/a.jpg": made}
    encode(file, made, folder)
    assert missing(made, folder) == {}
    for file in folder.iterdir():
        os.utime(file, (0, 0))
    assert sweep(made[:1], folder, 0) == 0
    assert sweep(made[:1], folder, 30) == len(made) - 1
    assert [one.name for one in folder.iterdir()] == [made[0].file]
    # It was used today.
    assert sweep([], folder, 30) == 0


def test_a_pool_does_jobs_in_order_and_one_that_fails_stops_no_other(tmp_path: Path) -> None:
    good = [photo(tmp_path / f"{number}.jpg", 40 + number, 30) for number in range(3)]
    (tmp_path / "bad.jpg").write_bytes(good[0].read_bytes()[:300])
    made = of(good[0], 20)
    jobs = [Job(str(file), "h", 10**9) for file in good]
    jobs.insert(1, Job(str(tmp_path / "bad.jpg"), variants=made, folder=str(tmp_path / "out")))
    with Pool(2) as pool:
        found = list(pool.work(jobs))
    assert [one.facts.width if one.facts else None for one in found] == [40, None, 41, 42]
    assert found[1].trouble
    assert not list((tmp_path / "out").glob("*"))


def test_a_process_that_dies_is_told_and_another_takes_its_place(tmp_path: Path) -> None:
    file = photo(tmp_path / "a.jpg")
    with Pool(1) as pool:
        assert next(iter(pool.work([Job(str(file), "h", 10**9)]))).facts is not None
        pool._all[0].kill()
        pool._all[0].wait()
        died, *rest = pool.work([Job(str(file), "h", 10**9), Job(str(file), "h", 10**9)])
    assert died.trouble == "its decoder or encoder broke down"
    assert rest[0].facts is not None
