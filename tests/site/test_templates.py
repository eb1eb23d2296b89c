"""Templates: what they are given, and what is said of one that is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hyperweb.site import SiteError
from tests.site.rendering import fault, read, render

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{{ '<b>&' }}", "&lt;b&gt;&amp;"),
        ("{{ '<b>' | safe }}", "<b>"),
        ("{{ page.content }}", ""),
        ("{% if nothing %}yes{% else %}no{% endif %}", "no"),
        ("{% if nothing is defined %}yes{% else %}no{% endif %}", "no"),
        ("{{ nothing or 'else' }}", "else"),
        ("{{ nothing | default('else') }}", "else"),
        ("{{ url('/a/') }}", "https://example.org/a/"),
        ("{{ url('https://other.org/') }}", "https://other.org/"),
        ("{{ 'a/' | absurl }}", "https://example.org/a/"),
        ("{{ 'Hello, World!' | slugify }}", "hello-world"),
        ("{{ '*a* <b>' | markdown }}", "<p><em>a</em> <b></p>\n"),
        ("{{ site.title }}{{ site.language }}{{ site.base_url }}", "Tenhttps://example.org"),
        ("{{ page_url('a.md') }}", "/a/"),
        ("{{ site.page('a.md').title }}", "A &lt; B"),
        ("{{ site.page('no.md') is none }}", "True"),
        ("{{ (site.pages | first).date | date('%d.%m.%Y') }}", "02.01.2026"),
        ("{{ (site.pages | first).date | isodate }}", "2026-01-02"),
        ("{{ (site.pages | first).date | rfc822 }}", "Fri, 02 Jan 2026 00:00:00 GMT"),
        ("{{ none | date }}|{{ none | isodate }}|{{ none | rfc822 }}", "||"),
        ("{{ _('Hello %(name)s', name='you') }}", "Hello you"),
        ("{% set n = namespace(x=1) %}{% set n.x = 2 %}{{ n.x }}", "2"),
        ("{% for i in range(5) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "01"),
        ("{{ now().year > 2000 }}", "True"),
        ("{% import 'macros.html' as m %}{{ m.hi('<x>') }}", "hi &lt;x&gt;"),
        ("{{ page.url }} {{ page.title }}", "/x/ "),
    ],
)
def test_a_template_is_given_what_it_needs(tmp_path: Path, text: str, wanted: str) -> None:
    files = {
        "pages/x.html": text,
        "templates/macros.html": "{% macro hi(name) %}hi {{ name }}{% endmacro %}",
        "content/a.md": '+++\ntitle = "A < B"\ndate = 2026-01-02\n+++\n',
    }
    assert render(tmp_path, files, "/x/").text == wanted


DEV = """a
<!-- dev -->{% include "no.html" %}
b{# never #}<!-- /dev -->
{% dev %}{% include "no.html" %}c{% enddev %}
d{{ 1 / x }}"""


def test_what_is_for_development_is_not_in_production(tmp_path: Path) -> None:
    files = {"pages/x.html": DEV.replace('{% include "no.html" %}', "i").replace("{{ 1 / x }}", "")}
    assert render(tmp_path, files, "/x/").text.split() == ["a", "d"]
    renderer = read(tmp_path, files, development=True)
    assert renderer.render(renderer.nodes["/x/"]).text.split() == ["a", "i", "bicd"]


def test_what_is_left_out_of_production_is_not_even_looked_for_and_lines_stay(tmp_path: Path) -> None:
    found = fault(tmp_path, {"pages/x.html": DEV}, "/x/")
    assert (found.line, "'x' is undefined" in str(found)) == (5, True)


@pytest.mark.parametrize(
    ("text", "line", "wanted"),
    [
        ("a\n<!-- dev -->", 2, "is not closed"),
        ("a\n\n<!--/dev-->", 3, "closes nothing"),
        ("<!-- dev -->\n<!-- dev --><!-- /dev -->", 2, "stands in a block of its own kind"),
        ("a\n{% dev %}", 2, "enddev"),
    ],
)
def test_a_block_for_development_is_closed(tmp_path: Path, text: str, line: int, wanted: str) -> None:
    found = fault(tmp_path, {"pages/x.html": text}, "/x/")
    assert (found.line, wanted in str(found)) == (line, True), found
    assert found.hint


def test_text_files_are_not_escaped_and_xml_is(tmp_path: Path) -> None:
    files = {"pages/a.txt": "{{ '<&' }}", "pages/b.xml": "{{ '<&' }}", "pages/c.json": "{{ {'a': '<'} | tojson }}"}
    assert render(tmp_path, files, "/a.txt").text == "<&"
    assert render(tmp_path, files, "/b.xml").text == "&lt;&amp;"
    assert "\\u003c" in render(tmp_path, files, "/c.json").text


def test_a_mark_at_the_beginning_of_a_file_is_not_printed(tmp_path: Path) -> None:
    files = {
        "templates/base.html": "\ufeff<b>{% block b %}{% endblock %}</b>",
        "pages/x.html": "{% extends 'base.html' %}",
    }
    assert render(tmp_path, files, "/x/").text == "<b></b>"


SELF = "{% include 'page.html' %}"
BAD = {
    "syntax": ({"templates/page.html": "a\n{% if %}"}, "page.html", 2, "template syntax error"),
    "not closed": ({"templates/page.html": "a\n{% for x in [] %}\n"}, "page.html", 2, "template syntax error"),
    "undefined": ({"templates/page.html": "a\n\n{{ nope }}"}, "page.html", 3, "'nope' is undefined"),
    "undefined loop": ({"templates/page.html": "{% for x in nope %}{% endfor %}"}, "page.html", 1, "nope"),
    "undefined below": ({"templates/page.html": "{{ page.nope.more }}"}, "page.html", 1, "nope"),
    "undefined sum": ({"templates/page.html": "{{ nope + 1 }}"}, "page.html", 1, "nope"),
    "in an include": (
        {"templates/page.html": "a\n{% include 'part.html' %}", "templates/part.html": "b\nb\n{{ nope }}"},
        "part.html",
        3,
        "nope",
    ),
    "in a macro": (
        {
            "templates/page.html": "{% import 'm.html' as m %}{{ m.x() }}",
            "templates/m.html": "\n{% macro x() %}\n{{ no }}{% endmacro %}",
        },
        "m.html",
        3,
        "'no' is undefined",
    ),
    "include missing": ({"templates/page.html": "a\n{% include 'no.html' %}"}, "page.html", 2, "`no.html`"),
    "extends missing": ({"templates/page.html": "{% extends 'no.html' %}"}, "page.html", 1, "`no.html`"),
    "out of the site": ({"templates/page.html": "{% include '../site.toml' %}"}, "page.html", 1, "../site.toml"),
    "includes itself": ({"templates/page.html": SELF}, "page.html", 1, "without end"),
    "extends itself": ({"templates/page.html": "{% extends 'page.html' %}"}, "page.html", 1, "without end"),
    "asset missing": (
        {"templates/page.html": "\n{{ asset('ap.css') }}", "assets/app.css": ""},
        "page.html",
        2,
        "app.css",
    ),
    "page missing": ({"templates/page.html": "\n{{ page_url('no.md') }}"}, "page.html", 2, "`no.md`"),
    "data missing": ({"templates/page.html": "\n{{ site.data.no.x }}"}, "page.html", 2, "no"),
    "division": ({"templates/page.html": "\n{{ 1 / 0 }}"}, "page.html", 2, "ZeroDivisionError"),
    "filter": ({"templates/page.html": "\n{{ 'a' | nofilter }}"}, "page.html", 2, "nofilter"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_named_with_template_and_line(tmp_path: Path, name: str) -> None:
    files, template, line, wanted = BAD[name]
    site = tmp_path / "site"
    found = fault(site, {"content/a.md": "x", **files}, "/a/")
    assert found.file is not None
    assert found.file.endswith(f"site/templates/{template}")
    assert found.line == line, found
    assert wanted in str(found)
    assert "Traceback" not in str(found)


def test_a_template_that_is_no_text_is_named(tmp_path: Path) -> None:
    renderer = read(tmp_path, {"content/a.md": "x"})
    (tmp_path / "templates/page.html").write_bytes(b"ok\n\xff")
    with pytest.raises(SiteError, match="UTF-8") as found:
        renderer.render(renderer.nodes["/a/"])
    assert found.value.line == 2


def test_a_page_whose_template_is_not_there_is_named_itself(tmp_path: Path) -> None:
    site = tmp_path / "site"
    found = fault(site, {"content/a.md": '+++\ntemplate = "no.html"\n+++\n'}, "/a/")
    assert found.file == "site/content/a.md"
    assert "no.html" in str(found)


def test_an_edited_template_is_read_anew(tmp_path: Path) -> None:
    renderer = read(
        tmp_path,
        {"content/a.md": "x", "templates/page.html": "{% include 'part.html' %}", "templates/part.html": "one"},
    )
    assert renderer.render(renderer.nodes["/a/"]).text == "one"
    (tmp_path / "templates/part.html").write_text("two", "utf-8")
    renderer.update({**renderer.files, "templates/part.html": "other"})
    assert renderer.render(renderer.nodes["/a/"]).text == "two"
