"""What a build says of itself: sizes by kind and coding, the extremes, budgets, and the page with the map."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperweb import _core
from hyperweb.build import BuildReport, build_site
from hyperweb.build._bundle_sizes import package_of
from hyperweb.build._sizes import Sizes, bytes_in_words
from hyperweb.build._treemap import Box, treemap
from hyperweb.config import load_site
from tests.e2e.site import FILES, hyperweb, make_site

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return make_site(tmp_path / "site")


def weigh(site: Path) -> Sizes:
    report = build_site(load_site(site), sizes=True)
    assert report.sizes is not None
    return report.sizes


def test_sizes_are_those_of_the_pack(site: Path) -> None:
    sizes = weigh(site)
    kinds = {one.kind: one for one in sizes.kinds}
    assert set(kinds) == {"pages", "styles", "scripts", "other"}
    assert (kinds["scripts"].count, kinds["styles"].count) == (1, 2)
    pack = _core.open_pack(str(site / "dist/site.pack"))
    for one in kinds.values():
        assert 0 < min(one.br, one.gzip, one.zstd) <= one.identity <= one.source, one
    page = pack.answer("/posts/a/", accept_encoding="br")
    assert page is not None
    found = next(one for one in sizes.largest if one.path == "/posts/a/")
    assert found.best <= len(page[2]) < found.identity < found.source
    # Of the other script a number is left.
    written = len((site / "assets/app.ts").read_bytes())
    assert kinds["scripts"].source == written


def test_what_was_made_before_is_remembered(site: Path) -> None:
    first = weigh(site)
    assert max(one.milliseconds for one in first.slowest) > 0
    (site / "content/posts/b.md").write_text("+++\ntitle = 'B'\n+++\n\nNew.\n", encoding="utf-8")
    second = {one.path: one for one in weigh(site).slowest}
    before = {one.path: one for one in first.slowest}
    assert second["/posts/a/"] == before["/posts/a/"]
    # Nothing is made, and all is known.
    report = build_site(load_site(site), sizes=True)
    assert report.unchanged
    assert report.sizes is not None
    assert {one.path: one for one in report.sizes.slowest} == second


def test_a_budget_says_how_many_are_over_it(site: Path) -> None:
    settings = FILES["site.toml"] + "[check.budgets]\nhtml = 100\nfile = 100000\njs = 5\n"
    (site / "site.toml").write_text(settings, encoding="utf-8")
    html, file = weigh(site).budgets
    assert (html.budget, html.limit, html.over > 0, html.bytes > 100) == ("html", 100, True, True)
    assert (file.budget, file.over) == ("file", 0)


def test_the_text_names_what_is_large_and_what_is_slow(site: Path) -> None:
    text = weigh(site).text()
    assert text.splitlines()[0].split() == ["count", "source", "identity", "br", "gzip", "zstd"]
    assert "slowest to make\n" in text
    assert "largest to send\n" in text


def test_the_page_is_good_html_and_names_everything(site: Path) -> None:
    report = build_site(load_site(site), page=True)
    page = (site / ".hyperweb/report.html").read_text(encoding="utf-8")
    assert report.page == str(site / ".hyperweb/report.html")
    assert _core.check_pages([page])[0].problems == []
    pack = _core.open_pack(str(site / "dist/site.pack"))
    for path in pack.paths():
        assert f'<div title="{path} ' in page
    assert "What T weighs" in page


def test_bundles_are_shown_with_the_modules_in_them(site: Path) -> None:
    for path, text in {
        "assets/app.ts": "import { shout } from './lib';\nimport { VERSION } from '@a/pack';\n"
        "console.log(shout('a') + VERSION);\n",
        "assets/lib.ts": "export const shout = (text: string): string => text.toUpperCase();\n"
        "export const unused = () => 'never wanted';\n",
        "node_modules/@a/pack/package.json": '{"name": "@a/pack", "version": "1.0.0", "main": "index.js"}',
        "node_modules/@a/pack/index.js": "export const VERSION = '1.2.3';\n",
    }.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text, encoding="utf-8")
    report = build_site(load_site(site), sizes=True, page=True)
    assert report.sizes is not None
    (bundle,) = (one for one in report.sizes.bundles if one.path.startswith("/assets/app."))
    found = {one.file: one for one in bundle.modules}
    assert {name: one.package for name, one in found.items()} == {
        "assets/app.ts": "",
        "assets/lib.ts": "",
        "node_modules/@a/pack/index.js": "@a/pack",
    }
    # Of the module a function is dropped, and its types.
    assert 0 < found["assets/lib.ts"].bytes < (site / "assets/lib.ts").stat().st_size - 20
    assert [one.bytes for one in bundle.modules] == sorted((one.bytes for one in bundle.modules), reverse=True)
    assert 0 < bundle.best <= bundle.identity
    page = (site / ".hyperweb/report.html").read_text(encoding="utf-8")
    assert f'<div title="{bundle.path}: node_modules/@a/pack/index.js ' in page
    assert "<td>@a/pack</td><td>1</td><td>1</td>" in page
    assert _core.check_pages([page])[0].problems == []
    asked = json.loads(hyperweb("build", str(site), "--json").stdout)["sites"][0]["sizes"]["bundles"]
    assert bundle.path in {one["path"] for one in asked}


@pytest.mark.parametrize(
    ("file", "package"),
    [
        ("assets/app.ts", ""),
        ("node_modules/a/b/c.js", "a"),
        ("/x/node_modules/@a/b/c.js", "@a/b"),
        ("node_modules/a/node_modules/b/c.js", "b"),
        ("assets/my_node_modules/a.js", ""),
    ],
)
def test_a_file_is_of_the_package_it_lies_in(file: str, package: str) -> None:
    assert package_of(file) == package


def test_the_command_prints_it_when_that_is_wanted(site: Path) -> None:
    plain = hyperweb("build", str(site))
    assert len(plain.stdout.splitlines()) == 1
    asked = hyperweb("build", str(site), "--report")
    assert "largest to send" in asked.stdout
    assert asked.stdout.rstrip().endswith(".hyperweb/report.html")
    report = json.loads(hyperweb("build", str(site), "--json").stdout)["sites"][0]
    assert {one["kind"] for one in report["sizes"]["kinds"]} == {"pages", "styles", "scripts", "other"}


def test_a_report_that_was_not_asked_for_is_not_made(site: Path) -> None:
    report: BuildReport = build_site(load_site(site))
    assert (report.sizes, report.page) == (None, None)
    assert not (site / ".hyperweb/report.html").exists()


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=40), st.floats(1, 100), st.floats(1, 100))
def test_a_map_fills_its_box_and_each_part_has_its_share(sizes: list[float], width: float, height: float) -> None:
    sizes.sort(reverse=True)
    box = Box(3.0, 5.0, width, height)
    made = list(treemap(sizes, box))
    assert len(made) == len(sizes)
    for size, one in zip(sizes, made, strict=True):
        assert one.width * one.height == pytest.approx(size / sum(sizes) * width * height, rel=1e-6)
        assert one.x >= box.x - 1e-6
        assert one.y >= box.y - 1e-6
        assert one.x + one.width <= box.x + width + 1e-6
        assert one.y + one.height <= box.y + height + 1e-6


@pytest.mark.parametrize(("count", "said"), [(0, "0 B"), (999, "999 B"), (12_345, "12.3 kB"), (4e9, "4 GB")])
def test_bytes_are_said_in_words(count: float, said: str) -> None:
    assert bytes_in_words(count) == said
