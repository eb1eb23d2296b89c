"""Links and images of documents are led to where they are served from; what a render reads is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hyperweb import _core
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
        ("{{ page.content }}", {"fact:url:content/posts/b.md", "asset:img/dot.svg"}),
        ("{{ site.title }}", set()),
        ("{% for p in site.pages %}{% endfor %}", {"pages"}),
        ("{{ site.section('posts') | length }}", {"section:posts"}),
        ("{{ page.prev.title }}", {"prev:content/posts/a.md", "fact:title:content/posts/b.md"}),
        ("{{ page.prev.minutes }}", {"prev:content/posts/a.md", "fact:minutes:content/posts/b.md"}),
        ("{{ page_url('posts/b.md') }}", {"fact:url:content/posts/b.md"}),
        ("{{ site.page('no.md') is none }}", {"fact:path:content/no.md"}),
        (
            "{{ site.section('posts') | sort(attribute='title') | length }}",
            {"section:posts", "fact:title:content/posts/b.md"},
        ),
        ("{% for tag in site.tags %}{{ tag.url }}{% endfor %}", {"tags"}),
        ("{% for tag in site.tags %}{{ tag }}{% endfor %}", {"tags", "tag-name:t"}),
        ("{% for tag in site.tags %}{{ tag.pages | length }}{% endfor %}", {"tags", "tag-pages:t"}),
        ("{% import 'macros.html' as m %}", {"template:macros.html", "template:part.html", "data:team", "pages"}),
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
        "content/posts/b.md": '+++\ndate = 2026-01-01\ntags = ["t"]\n+++\n',
        "templates/page.html": template,
        "templates/macros.html": "{% import 'part.html' as part %}{% set pages = site.pages %}",
        "templates/part.html": "{{ site.data.team.name }}",
        "data/team.toml": 'name = "x"',
    }
    always = {"settings", "file:content/posts/a.md", "template:page.html"}
    assert render(tmp_path, files, "/posts/a/").reads == always | reads


def test_a_page_depends_on_where_its_links_lead_and_on_nothing_else_there(tmp_path: Path) -> None:
    renderer = read(tmp_path, {**FILES, "content/posts/a.md": "[b](b.md)"})
    reads = renderer.render(renderer.nodes["/posts/a/"]).reads
    before = renderer.values.all(reads)
    renderer = read(tmp_path, {"content/posts/b.md": "+++\ntitle = 'New'\n+++\nMore.\n"})
    assert renderer.values.all(reads) == before
    renderer = read(tmp_path, {"content/posts/b.md": '+++\nslug = "moved"\n+++\n'})
    assert renderer.values.all(reads) != before
    (tmp_path / "content/posts/b.md").unlink()
    renderer = read(tmp_path, {})
    # One that leads nowhere is a change as well, and not an error of whoever only asks.
    assert renderer.values.all(reads) != before
    with pytest.raises(SiteError, match="the link"):
        renderer.render(renderer.nodes["/posts/a/"])


def test_what_many_imports_share_is_read_by_each_and_made_anew_with_its_sources(tmp_path: Path) -> None:
    files = {
        **FILES,
        "content/posts/a.md": "",
        "templates/page.html": "{% import 'shared.html' as shared %}{{ shared.titles | join(' ') }}",
        "templates/shared.html": "{% set titles = site.section('posts') | map(attribute='title') | list %}",
    }
    renderer = read(tmp_path, files)
    first, second = (renderer.render(renderer.nodes[f"/posts/{name}/"]) for name in "ab")
    shared = {"section:posts", "template:shared.html"}
    assert shared | {"fact:title:content/posts/b.md"} <= first.reads
    assert shared | {"fact:title:content/posts/a.md"} <= second.reads
    (tmp_path / "content/posts/b.md").write_text("# Renamed\n", "utf-8")
    sources = _core.Sources(str(tmp_path), str(tmp_path / "sources"), max_file=1 << 20)
    renderer.update(sources.scan(fresh=True))
    assert "Renamed" in renderer.render(renderer.nodes["/posts/a/"]).text


def test_one_body_shown_twice_is_read_by_both(tmp_path: Path) -> None:
    files = {
        **FILES,
        "content/posts/a.md": "[data](../data.txt)",
        "templates/page.html": "{% for p in site.section('posts') %}{{ p.content }}{% endfor %}",
    }
    renderer = read(tmp_path, files)
    for url in ("/posts/b/", "/posts/", "/posts/a/"):
        assert "exists:content/data.txt" in renderer.render(renderer.nodes[url]).reads


def test_a_list_of_very_many_pages_depends_on_a_field_of_all(tmp_path: Path) -> None:
    posts = {f"content/posts/p{number}.md": "x" for number in range(300)}
    template = "{% for p in site.pages %}{{ p.title }}{% if loop.first %}{{ p.date }}{% endif %}{% endfor %}"
    renderer = read(tmp_path, {**posts, "templates/page.html": template})
    reads = renderer.render(renderer.nodes["/posts/p7/"]).reads
    assert {"pages", "facts:title", "fact:date:content/posts/p0.md"} < reads
    assert len(reads) == 6
    before = renderer.values.all(reads)
    renderer = read(tmp_path, {"content/posts/p9.md": "x y z", "templates/page.html": template})
    assert renderer.values.all(reads) == before
    renderer = read(tmp_path, {"content/posts/p9.md": "# Other", "templates/page.html": template})
    changed = {name for name, value in renderer.values.all(reads).items() if value != before[name]}
    assert changed == {"facts:title"}


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
