"""Which URL a file has, and that no two have one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperweb.site._renderer import plain_file
from hyperweb.site._urls import content_url, fill, page_url, parameters, pattern, slugify
from tests.site.rendering import fault, read

if TYPE_CHECKING:
    from pathlib import Path

# Names of files and folders, but for `index`, whose page is its folder's, and `404`.
NAMES = st.text("abAB01-_. é", min_size=1, max_size=6).filter(lambda name: name.strip(" .") == name)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("a.md", "/a/"),
        ("posts/a.md", "/posts/a/"),
        ("posts/index.md", "/posts/"),
        ("index.md", "/"),
        ("a/b/c.d.md", "/a/b/c.d/"),
        ("Posts/About.md", "/Posts/About/"),
        ("posts/reindex.md", "/posts/reindex/"),
    ],
)
def test_a_content_file_has_its_path_as_url(path: str, url: str) -> None:
    assert content_url(path) == url


def test_a_slug_stands_in_place_of_the_name() -> None:
    assert content_url("posts/a.md", "b") == "/posts/b/"
    assert content_url("a.md", "b") == "/b/"
    assert content_url("posts/index.md", "b") == "/posts/b/"


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("index.html", "/"),
        ("about.html", "/about/"),
        ("a/index.html", "/a/"),
        ("404.html", "/404.html"),
        ("a/404.html", "/a/404/"),
        ("feed.xml", "/feed.xml"),
        ("a/robots.txt", "/a/robots.txt"),
    ],
)
def test_a_page_file_has_its_path_as_url(path: str, url: str) -> None:
    assert page_url(path) == url


@given(st.lists(PATHS, unique=True, max_size=8))
def test_distinct_files_have_distinct_urls(paths: list[str]) -> None:
    for make, ending in ((content_url, ".md"), (page_url, ".html")):
        urls = [make(path + ending) for path in paths]
        assert len(set(urls)) == len(paths)
        assert len({plain_file(url) for url in urls}) == len(paths)
        assert all(url.startswith("/") and "//" not in url for url in urls)


def test_parameters_are_found_and_filled() -> None:
    assert parameters("tags/[tag].html") == ["tag"]
    assert parameters("[a]/[b].html") == ["a", "b"]
    assert parameters("plain.html") == []
    assert fill("tags/[tag].html", {"tag": "x"}) == "tags/x.html"
    assert pattern("tags/[tag].html") == "/tags/{tag}/"


@given(st.text())
def test_a_slug_is_one_segment_and_its_own_slug(text: str) -> None:
    slug = slugify(text)
    assert not set(slug) & set("/?#%\\ \n\0")
    assert slug not in {".", ".."}
    assert not slug.startswith("-")
    assert not slug.endswith("-")
    assert slugify(slug) == slug


@pytest.mark.parametrize(("text", "slug"), [("Hello, World!", "hello-world"), ("a_b  c", "a-b-c"), ("Über", "über")])
def test_a_slug_reads_like_its_text(text: str, slug: str) -> None:
    assert slugify(text) == slug


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"content/a.md": "x", "content/a/index.md": "y"}, ["/a/", "content/a.md", "content/a/index.md"]),
        ({"content/a.md": "x", "pages/a.html": "y"}, ["/a/", "content/a.md", "pages/a.html"]),
        ({"content/a.md": "x", "content/b.md": '+++\nslug = "a"\n+++\n'}, ["/a/", "content/b.md"]),
        ({"content/a.md": "x", "content/b.md": '+++\naliases = ["/a/"]\n+++\n'}, ["/a/", "content/b.md"]),
        ({"content/a.md": "x", "static/a/index.html": "y"}, ["/a/index.html", "static/a/index.html"]),
        ({"content/a.md": "x", "static/a": "y"}, ["/a", "a file and a folder", "static/a"]),
        ({"pages/robots.txt": "x", "static/robots.txt": "y"}, ["/robots.txt", "static/robots.txt"]),
    ],
)
def test_two_of_one_place_are_both_named(tmp_path: Path, files: dict[str, str], wanted: list[str]) -> None:
    found = str(fault(tmp_path, files))
    for part in wanted:
        assert part in found


def test_each_tag_and_each_section_has_its_page(tmp_path: Path) -> None:
    renderer = read(
        tmp_path,
        {
            "content/posts/a.md": '+++\ntags = ["One Two", "x"]\n+++\n',
            "content/notes/b.md": '+++\ntags = ["X"]\n+++\n',
            "pages/tags/[tag].html": '+++\neach = "tags"\n+++\n{{ tag.name }} {{ tag.pages | length }}',
            "pages/in/[part].html": '+++\neach = "sections"\n+++\n{{ part.name }} {{ part.pages | length }}',
        },
    )
    assert renderer.errors == []
    made = {url: renderer.render(node).text for url, node in renderer.nodes.items() if url.startswith(("/tags", "/in"))}
    # Names that differ in their letters' case alone are one tag.
    assert made["/tags/one-two/"] == "One Two 1"
    assert made["/tags/x/"].endswith(" 2")
    assert made["/in/notes/"] == "notes 1"
    assert made["/in/posts/"] == "posts 1"
    assert len(made) == 4
