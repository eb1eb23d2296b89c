"""Last-Modified: a file that is saved again without a change dates what it is in, in every kind of build alike."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from hyperweb._core import open_pack
from hyperweb.build import build_site
from hyperweb.config import load_site
from tests.e2e.site import make_site

if TYPE_CHECKING:
    from pathlib import Path

    from hyperweb.build import BuildReport

LATER = 2_000_000_000


@pytest.fixture
def site(tmp_path: Path) -> Path:
    made = make_site(
        tmp_path / "site",
        **{
            "site.toml": '[client]\nspa = true\n[build]\nlarge_file = 4096\n[aliases]\n"/old/" = "/posts/a/"\n',
            "static/big.bin": "x" * 9000,
            "pages/feed.xml": "<rss>{% for post in site.section('posts') %}{{ post.content }}{% endfor %}</rss>",
        },
    )
    for file in made.rglob("*.*"):
        os.utime(file, (1_000_000_000, 1_000_000_000))
    build(made)
    return made


def build(site: Path, *, clean: bool = False) -> BuildReport:
    return build_site(load_site(site), clean=clean)


def dates(site: Path) -> dict[str, str]:
    pack = open_pack(str(site / "dist/site.pack"))
    found = {path: pack.answer(path) for path in pack.paths()}
    return {path: dict(answer[1]).get("last-modified", "") for path, answer in found.items() if answer is not None}


@pytest.mark.parametrize(
    ("path", "dated"),
    [
        ("content/posts/a.md", {"/posts/a/", "/api/content/posts/a/", "/feed.xml"}),
        ("static/robots.txt", {"/robots.txt"}),
        ("static/big.bin", {"/big.bin"}),
        ("site.toml", {"/old/"}),
        ("pages/404.html", {"/404.html"}),
    ],
)
def test_what_is_saved_again_without_a_change_is_dated_and_not_made_again(
    site: Path, path: str, dated: set[str]
) -> None:
    before = dates(site)
    os.utime(site / path, (LATER, LATER))
    report = build(site)
    assert (report.rendered, report.unchanged, report.files_written) == (0, False, 0)
    after = dates(site)
    assert {path for path in after if after[path] != before[path]} == dated
    assert {after[path] for path in dated} == {"Wed, 18 May 2033 03:33:20 GMT"}
    pack = (site / "dist/site.pack").read_bytes()
    assert build(site).unchanged
    build(site, clean=True)
    assert (site / "dist/site.pack").read_bytes() == pack


def test_a_change_of_what_a_page_shows_elsewhere_dates_it_too(site: Path) -> None:
    post = site / "content/posts/a.md"
    # The title is not in the feed, the text is, and it stands in the same file.
    post.write_text(post.read_text("utf-8").replace('"A"', '"New"'), "utf-8")
    os.utime(post, (LATER, LATER))
    assert build(site).rendered == 2
    assert dates(site)["/feed.xml"] == dates(site)["/posts/a/"]
    pack = (site / "dist/site.pack").read_bytes()
    build(site, clean=True)
    assert (site / "dist/site.pack").read_bytes() == pack
