"""What a page says of itself, in content/ and in pages/."""

from __future__ import annotations

import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hyperweb.site import SiteError
from hyperweb.site._fence import fenced
from tests.site.rendering import fault, read, render

if TYPE_CHECKING:
    from hyperweb.site._page import Page

TOML = '+++\ntitle = "A title"\ndate = 2026-01-02\ntags = ["x", "y"]\nmood = "calm"\norder = 3\n+++\n'
YAML = "---\ntitle: A title\ndate: 2026-01-02\ntags: [x, y]\nmood: calm\norder: 3\n---\n"


def only_page(root: Path, files: dict[str, str], *, drafts: bool = False) -> Page:
    renderer = read(root, files, drafts=drafts)
    assert renderer.errors == []
    page = next(node.page for node in renderer.nodes.values() if node.kind == "page")
    assert page is not None
    return page


@pytest.mark.parametrize("path", ["content/a.md", "pages/a.html"])
@pytest.mark.parametrize(
    "front", [TOML, YAML, TOML.replace("\n", "\r\n"), "\ufeff" + YAML], ids=["toml", "yaml", "crlf", "bom"]
)
def test_toml_and_yaml_say_the_same(tmp_path: Path, path: str, front: str) -> None:
    page = only_page(tmp_path, {path: front + "Text.\n"})
    assert (page.title, page.date, page.tags) == ("A title", datetime.date(2026, 1, 2), ("x", "y"))
    assert page.extra == {"mood": "calm"}
    rendered = render(tmp_path, {}, "/a/").text
    assert "Text." in rendered
    assert "title" not in rendered
    assert "\ufeff" not in rendered


@pytest.mark.parametrize("path", ["content/a.md", "pages/a.html"])
@pytest.mark.parametrize("text", ["+++\n+++\nText.\n", "---\n---\nText.\n", "Text.\n", "+++\n+++ \nText.\n"])
def test_front_matter_may_be_empty_or_left_out(tmp_path: Path, path: str, text: str) -> None:
    assert only_page(tmp_path, {path: text}).extra == {}
    assert "Text." in render(tmp_path, {}, "/a/").text
    assert "++" not in render(tmp_path, {}, "/a/").text


def test_a_title_comes_from_the_first_heading_or_the_file(tmp_path: Path) -> None:
    assert only_page(tmp_path / "a", {"content/a-b.md": "# Heading *one*\n\n## Two\n"}).title == "Heading one"
    assert only_page(tmp_path / "b", {"content/a-b.md": "text\n"}).title == "A b"


def test_dates_may_have_a_time_and_tags_may_be_one_text(tmp_path: Path) -> None:
    front = '+++\ndate = 2026-01-02T10:00:00Z\nupdated = "2026-02-03T00:00"\ntags = "a, b,,c "\n+++\n'
    page = only_page(tmp_path, {"content/a.md": front})
    assert (page.date, page.updated, page.tags) == (
        datetime.date(2026, 1, 2),
        datetime.date(2026, 2, 3),
        ("a", "b", "c"),
    )


def test_drafts_are_pages_only_when_they_are_wanted(tmp_path: Path) -> None:
    files = {"content/a.md": "+++\ndraft = true\n+++\n"}
    assert "/a/" not in read(tmp_path, files).nodes
    assert "/a/" in read(tmp_path, files, drafts=True).nodes


@pytest.mark.parametrize(
    ("front", "line", "wanted"),
    [
        ("+++\ntitle = 3\n+++\n", 2, ["`title`", "expected `str"]),
        ('+++\n\ndate = "soon"\n+++\n', 3, ["`date`", "The day it is dated."]),
        ("---\ntitle: T\ndraft: maybe\n---\n", 3, ["`draft`", "expected `bool`"]),
        ("+++\ntags = [1]\n+++\n", 2, ["`tags`"]),
        ('+++\nrender = "later"\n+++\n', 2, ["`render`"]),
        ('+++\nttl = "soon"\n+++\n', 2, ["`ttl`", "10m"]),
        ("+++\nttl = -1\n+++\n", 2, ["`ttl`"]),
        ('+++\nslug = "../../up"\n+++\n', 2, ["`slug`", "../../up"]),
        ('+++\nslug = ""\n+++\n', 2, ["`slug`"]),
        ('+++\nslug = "a?b"\n+++\n', 2, ["`slug`", "a?b"]),
        ('+++\naliases = ["old"]\n+++\n', 2, ["`aliases`", "/old/"]),
        ('+++\naliases = ["/a/../b/"]\n+++\n', 2, ["`aliases`"]),
        ("+++\na = 1\nb = \n+++\n", 3, ["not valid TOML"]),
        ("---\na: 1\nb: [\n---\n", 4, ["not valid YAML"]),
        ("---\n- a\n---\n", 2, ["no list of `name: value`"]),
        ("+++\na = 1\n", 1, ["not closed", "+++"]),
        ("---\na: 1\n", 1, ["not closed", "---"]),
    ],
)
@pytest.mark.parametrize("path", ["content/a.md", "pages/a.html"])
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, path: str, front: str, line: int, wanted: list[str]
) -> None:
    site = tmp_path / "site"
    found = fault(site, {path: front})
    assert found.file == f"site/{path}"
    assert found.line == line, found
    for part in wanted:
        assert part in str(found)


def test_a_tag_without_an_address_is_refused(tmp_path: Path) -> None:
    assert "the tag `!?`" in str(fault(tmp_path, {"content/a.md": '+++\ntags = ["a", "!?"]\n+++\n'}))


def test_what_is_shown_of_an_error_fits_a_screen(tmp_path: Path) -> None:
    found = str(fault(tmp_path, {"content/a.md": "+++\na = " + "[" * 50_000 + "\n+++\n"}))
    assert len(found) < 1000


# What front matter is made of, so that some of it is valid.
WORDS = """+++ --- title slug tags ttl date each "x" [ ] 1 2026-01-01 { } é &a *a !! " true # null"""
PIECES = st.sampled_from(
    [*WORDS.split(), "+++\n", "---\n", " = ", ": ", "- ", "\n", "\r\n", "\ufeff", "|\n  ", "\t", "\0"]
)
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=10).map("".join)).flatmap(
    lambda inner: st.sampled_from([inner, f"+++\n{inner}\n+++\n", f"---\n{inner}\n---\nText.\n"])
)


@settings(deadline=None)
@given(TEXTS)
@example("---\na: " + "[" * 5000 + "\n---\n")
@example("+++\n" + "a." * 3000 + "a = 1\n+++\n")
@example("+++\na = 99999999999999999999\n+++\n")
@example("---\na: .nan\nb: 99999999999999999999\n1: 2\n---\n")
@example("+++\ndate = 07:32:00\nordr = inf\n+++\n")
def test_any_text_is_a_page_or_an_error(text: str) -> None:
    for path in ("content/a.md", "pages/a.txt"):
        with TemporaryDirectory() as folder:
            file = Path(folder) / path
            file.parent.mkdir()
            file.write_text(text, "utf-8", errors="surrogatepass", newline="")
            renderer = read(Path(folder), {})
            if renderer is not None:
                assert all(isinstance(error, SiteError) for error in renderer.errors)
            for node in [node for node in renderer.nodes.values() if node.source == "content/a.md"]:
                assert renderer.values[f"file:{node.source}"]
                assert renderer.values["pages"]
                try:
                    renderer.render(node)
                except SiteError as error:
                    assert str(error)  # noqa: PT017 - either way is right


@given(st.text())
def test_front_matter_is_cut_off_where_it_ends(text: str) -> None:
    found = fenced(f"+++\n{text}\n+++\nrest")
    assert found is not None
    assert found.inner in f"{text}\n"
    assert fenced("text" + text) is None
