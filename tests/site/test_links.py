"""Links and images of documents are led to where they are served from; what a render reads is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hyperweb.site import SiteError
from tests.site.rendering import fault, read, render

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "content/posts/b.md": "# B\n",
    "content/posts/index.md": "# Posts\n",
    "content/posts/pic.png": "x",
    "content/other.md": '+++\nslug = "else where"\n+++\n',
    "content/data.txt": "x",
    "assets/img/dot.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[b](b.md)", 'href="/posts/b/"'),
        ("[b](./b.md#part)", 'href="/posts/b/#part"'),
        ("[b](b.md?x=1#part)", 'href="/posts/b/?x=1#part"'),
        ("[up](../other.md)", 'href="/else where/"'),
        ("[folder](index.md)", 'href="/posts/"'),
        ("![p](pic.png)", 'src="/posts/pic.png"'),
        ("[file](../data.txt)", 'href="/data.txt"'),
        ("[here](#part)", 'href="#part"'),
        ("[out](https://example.org/a.md)", 'href="https://example.org/a.md"'),
        ("[mail](mailto:a@example.org)", 'href="mailto:a@example.org"'),
        ("[root](/posts/b/)", 'href="/posts/b/"'),
        ("[query](?page=2)", 'href="?page=2"'),
        ("[b]\n\n[b]: b.md 'Title'", 'href="/posts/b/"'),
    ],
)
def test_a_reference_is_led_to_its_url(tmp_path: Path, text: str, wanted: str) -> None:
    found = render(tmp_path, {**FILES, "content/posts/a.md": text}, "/posts/a/").text
    assert wanted in found.replace("%20", " ")


@pytest.mark.parametrize("reference", ["/assets/img/dot.svg", "../../assets/img/dot.svg"])
def test_an_asset_is_led_to_the_name_it_is_served_under(tmp_path: Path, reference: str) -> None:
    renderer = read(tmp_path, {**FILES, "content/posts/a.md": f"![dot]({reference}#x)"})
    url = renderer.assets.url("img/dot.svg")
    assert f'src="{url}#x"' in renderer.render(renderer.nodes["/posts/a/"]).text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a\n\n[b](no.md)\n", "no.md"),
        ("a\n\n![b](no.png)\n", "no.png"),
        ("a\n\n![b](/assets/img/dott.svg)\n", "did you mean `img/dot.svg`?"),
        ("a\n\n[b](../../../site.toml.md)\n", "site.toml.md"),
    ],
)
def test_a_reference_that_leads_nowhere_is_named_with_its_line(tmp_path: Path, text: str, wanted: str) -> None:
    found = fault(tmp_path / "site", {**FILES, "content/posts/a.md": text}, "/posts/a/")
    assert (found.file, found.line) == ("site/content/posts/a.md", 3)
    assert wanted in str(found)


def test_a_summary_is_led_there_too(tmp_path: Path) -> None:
    files = {
        **FILES,
        "content/posts/a.md": "See [b](b.md).\n\n<!--more-->\n\nMore.\n",
        "templates/page.html": "{{ page.summary }}",
    }
    assert 'href="/posts/b/"' in render(tmp_path, files, "/posts/a/").text


@pytest.mark.parametrize(
    ("template", "reads"),
    [
        ("x", set()),
        ("{{ page.title }}{{ page.words }}", set()),
        ("{{ page.content }}", {"page:content/posts/a.md", "pages", "asset:img/dot.svg"}),
        ("{{ site.title }}", set()),
        ("{% for p in site.pages %}{% endfor %}", {"pages"}),
        ("{{ site.section('posts') | length }}", {"section:posts"}),
        ("{{ page.prev.title }}", {"nav:content/posts/a.md"}),
        ("{{ asset('img/dot.svg') }}", {"asset:img/dot.svg"}),
        ("<img src='/assets/img/dot.svg'>", {"asset:img/dot.svg"}),
        ("{% include 'part.html' %}", {"template:part.html", "data:team"}),
        ("{% include 'no.html' ignore missing %}", {"template:no.html"}),
        ("{{ (site.section('posts') | last).content }}", {"section:posts", "page:content/posts/b.md"}),
    ],
)
def test_what_a_page_reads_is_known(tmp_path: Path, template: str, reads: set[str]) -> None:
    files = {
        **FILES,
        "content/posts/a.md": "+++\ndate = 2026-01-02\n+++\n[b](b.md) ![](../../assets/img/dot.svg)",
        "content/posts/b.md": "+++\ndate = 2026-01-01\n+++\n",
        "templates/page.html": template,
        "templates/part.html": "{{ site.data.team.name }}",
        "data/team.toml": 'name = "x"',
    }
    always = {"settings", "file:content/posts/a.md", "template:page.html"}
    assert render(tmp_path, files, "/posts/a/").reads == always | reads


def test_a_page_is_made_again_when_what_it_links_to_moves(tmp_path: Path) -> None:
    renderer = read(tmp_path, {**FILES, "content/posts/a.md": "[b](b.md)"})
    before = renderer.values["page:content/posts/a.md"]
    renderer = read(tmp_path, {"content/posts/b.md": '+++\nslug = "moved"\n+++\n'})
    assert renderer.values["page:content/posts/a.md"] != before
    (tmp_path / "content/posts/b.md").unlink()
    renderer = read(tmp_path, {})
    # One that leads nowhere is a change as well, and not an error of whoever only asks.
    assert renderer.values["page:content/posts/a.md"] != before
    with pytest.raises(SiteError, match="the link"):
        renderer.render(renderer.nodes["/posts/a/"])


def test_neighbours_and_order_are_by_date_within_a_section(tmp_path: Path) -> None:
    files = {
        "content/posts/a.md": "+++\ndate = 2026-01-01\n+++\n",
        "content/posts/b.md": "+++\ndate = 2026-01-03\n+++\n",
        "content/posts/c.md": "+++\ndate = 2026-01-02\n+++\n",
        "content/posts/first.md": "+++\norder = -1\n+++\n",
        "content/notes/n.md": "+++\ndate = 2026-01-02\n+++\n",
    }
    renderer = read(tmp_path, files)
    posts = renderer.site.section("posts")
    assert [page.path for page in posts] == [f"content/posts/{name}.md" for name in ("first", "b", "c", "a")]
    assert [page.prev.path if page.prev else None for page in posts] == [*(page.path for page in posts[1:]), None]
    assert posts[0].next is None
    assert posts[2].next is posts[1]
