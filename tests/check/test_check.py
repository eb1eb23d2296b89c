"""`hyperweb check`: each fault is found once, in the source it comes from, and a good site has none."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, get_args

import msgspec
import pytest

from hyperweb.build import BuildErrors
from hyperweb.check import RULES, CheckReport, Finding, check_site
from hyperweb.config import load_site
from hyperweb.config._build_settings import CheckRule
from hyperweb.site._renderer import Rendered, Renderer

if TYPE_CHECKING:
    from pathlib import Path

    from hyperweb.site._node import Node

BASE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{ page.title }}</title>
<link rel="stylesheet" href="{{ asset('app.css') }}">
</head>
<body>
<nav><ul><li><a href="/">Home</a></li>{% for one in site.pages %}
<li><a href="{{ one.url }}">{{ one.title }}</a></li>{% endfor %}
</ul></nav>
{% block content %}
<main>{{ page.content }}</main>
{% endblock %}
</body>
</html>
"""
FILES = {
    "site.toml": 'title = "T"\nbase_url = "https://example.org"\n[aliases]\n"/old/" = "/a/"\n',
    "templates/base.html": BASE,
    "templates/page.html": '{% extends "base.html" %}\n',
    "pages/index.html": '+++\ntitle = "Home"\n+++\n{% extends "base.html" %}\n',
    "pages/404.html": '+++\ntitle = "Not here"\n+++\n{% extends "base.html" %}\n',
    "content/a.md": "+++\ntitle = 'A'\n+++\n\n## One\n\nText.\n",
    "content/b.md": "+++\ntitle = 'B'\n+++\n\nSee [one](/a/#one) and [one](a.md#one).\n",
    "assets/app.css": "body { color: red }\n",
}


@dataclasses.dataclass
class Made:
    """A site in a folder, and how it is checked."""

    root: Path

    def write(self, **files: str) -> Made:
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text, encoding="utf-8")
        return self

    def report(self, *disable: str, external: bool = False) -> CheckReport:
        return check_site(load_site(self.root), disable=disable, external=external)

    def found(self, *disable: str) -> list[tuple[str, str, int | None]]:
        return [(one.rule, one.file.removeprefix("site/"), one.line) for one in self.report(*disable).findings]


@pytest.fixture
def site(tmp_path: Path) -> Made:
    return Made(tmp_path / "site").write(**FILES)


def test_a_good_site_has_no_faults(site: Made) -> None:
    report = site.report()
    assert report.findings == []
    assert (report.pages, report.errors, report.warnings) == (4, 0, 0)
    assert report.links > 10
    assert not report.failed(strict=True)


def test_the_settings_know_all_rules() -> None:
    assert set(RULES) == set(get_args(CheckRule))


@pytest.mark.parametrize(
    ("text", "rule", "line"),
    [
        ("[x](/nowhere/)", "dead-link", 7),
        ("![x](/nowhere.png)", "dead-link", 7),
        ("[x](/a/#two)", "dead-anchor", 7),
        ("[x](a.md#two)", "dead-anchor", 7),
        ("[x](#two)", "dead-anchor", 7),
        ("[x](https://example.org/nowhere/)", "dead-link", 7),
        ("[x](/old/)", "moved-link", 7),
        ("[x](/a)", "moved-link", 7),
        ("<img src='/x.png'>", "alt", 7),
        ("a\n\n<div>\n<p>x</div></div>", "html", 10),
        ("<center>x</center>", "obsolete", 7),
        ("<sectoin>x</sectoin>", "unknown-element", 7),
        ("<div><span><div>x</div></span></div>", "nesting", 7),
        ("<i id='x'>1</i>\n\n<i id='x'>2</i>", "duplicate-id", 9),
        ("<label for='x'>1</label>", "dead-id", 7),
        ("<a href='/'></a>", "empty-link", 7),
        ("![x](http://example.com/x.png)", "insecure", 7),
    ],
)
def test_a_fault_is_found_at_its_line_of_the_markdown(site: Made, text: str, rule: str, line: int) -> None:
    site.write(**{"content/b.md": f"+++\ntitle = 'B'\n+++\n\nFine.\n\n{text}\n", "static/x.png": "x"})
    assert (rule, "content/b.md", line) in site.found()
    assert rule not in [one[0] for one in site.found(rule)]


@pytest.mark.parametrize(
    ("old", "new", "rule", "line"),
    [
        ('<html lang="en">', "<html>", "lang", 2),
        ('<meta charset="utf-8">\n', "", "charset", 2),
        ("<title>{{ page.title }}</title>\n", "", "title", 2),
        ("<!doctype html>\n", "", "doctype", 1),
        ('<a href="/">Home</a>', '<a href="/home/">Home</a>', "dead-link", 9),
        ("</nav>\n", "</nav>\n<b><i>x</b></i>\n", "html", 12),
    ],
)
def test_a_fault_of_a_template_is_one_finding_there(site: Made, old: str, new: str, rule: str, line: int) -> None:
    site.write(**{"templates/base.html": BASE.replace(old, new)})
    found = [one for one in site.report().findings if one.rule == rule]
    assert [(one.file, one.line) for one in found] == [("site/templates/base.html", line)]
    assert found[0].pages == ["/", "/404.html", "/a/", "/b/"]
    assert "and 1 more page" in found[0].text()


def test_a_fault_of_an_included_template_and_of_a_static_page_are_found_there(site: Made) -> None:
    site.write(
        **{
            "templates/base.html": BASE.replace("</nav>", "</nav>\n{% include 'part.html' %}\n"),
            "templates/part.html": "\n{% set x = 1 %}\n<p>\n<img src='/favicon.png'>\n",
            "static/favicon.png": "x",
            "static/old/page.html": "<!doctype html>\n<title>x</title>\n<a href='/gone/'>y</a>",
        }
    )
    found = site.found("orphan", "lang", "charset")
    assert found == [("dead-link", "static/old/page.html", 3), ("alt", "templates/part.html", 4)]


def test_orphans_and_twins_are_pages(site: Made) -> None:
    site.write(
        **{
            "templates/base.html": BASE.replace("{{ one.url }}", "/a/"),
            "content/c.md": "+++\ntitle = 'A'\n+++\n\n[b](b.md)\n",
        }
    )
    assert site.found() == [
        ("orphan", "content/b.md", None),
        ("orphan", "content/c.md", None),
        ("duplicate-title", "content/c.md", 2),
    ]
    said = {one.file: one.message for one in site.report().findings if one.rule == "orphan"}
    assert said["site/content/b.md"] == "only pages that cannot be reached themselves link here"
    assert said["site/content/c.md"] == "no page links here"


def test_a_page_that_hides_itself_is_no_orphan(site: Made) -> None:
    hidden = '{% extends "base.html" %}{% block content %}<meta name="robots" content="noindex">{% endblock %}'
    site.write(**{"pages/hidden.html": hidden})
    assert "orphan" not in [one[0] for one in site.found()]


def test_what_python_answers_is_no_dead_link(site: Made) -> None:
    site.write(
        **{
            "content/b.md": "+++\ntitle = 'B'\n+++\n\n[x](/api/7)\n\n<form action='/send' method='post'></form>\n",
            "handlers.py": "from hyperweb import get, post\n\n\n"
            "@get('/api/{n:int}')\nasync def api(n: int) -> str:\n    return str(n)\n\n\n"
            "@post('/send')\nasync def send() -> str:\n    return ''\n",
        }
    )
    assert site.found() == []


def test_a_dead_link_says_what_may_be_meant(site: Made) -> None:
    site.write(**{"content/b.md": "+++\ntitle = 'B'\n+++\n\n[x](/A/) [y](/a/#onne) [z](/bb/)\n"})
    hints = [one.hint for one in site.report().findings]
    assert sorted(hints) == ["did you mean `#one`?", "did you mean `/a/`? Capitals count", "did you mean `/b/`?"]


def test_a_rule_is_silenced_by_the_settings_and_a_link_ignored(site: Made) -> None:
    site.write(**{"content/b.md": "+++\ntitle = 'B'\n+++\n\n[x](/nowhere/)\n\n<center>x</center>\n"})
    site.write(**{"site.toml": FILES["site.toml"] + '[check]\ndisable = ["obsolete"]\nignore = ["/now*"]\n'})
    assert site.found() == []


def test_budgets_are_of_what_is_sent(site: Made) -> None:
    words = " ".join(f"word{n}" for n in range(2000))
    site.write(**{"content/b.md": f"+++\ntitle = 'B'\n+++\n\n{words}\n"})
    site.write(**{"site.toml": FILES["site.toml"] + "[check.budgets]\nhtml = 1000\ncss = 10\nfile = 30\n"})
    found = [one for one in site.report().findings if one.rule == "budget"]
    assert {one.file for one in found if "HTML" in one.message} == {"site/content/b.md"}
    assert "bytes of CSS, and the budget is 10" in next(one.message for one in found if "CSS" in one.message)
    assert "site/content/a.md" in {one.file for one in found if "the file" in one.message}
    site.write(**{"site.toml": FILES["site.toml"] + "[check.budgets]\nhtml = 100000\ncss = 1000\nfile = 100000\n"})
    assert site.found() == []


def test_a_site_that_cannot_be_built_is_not_checked(site: Made) -> None:
    site.write(**{"content/b.md": "[x](gone.md)\n"})
    with pytest.raises(BuildErrors, match="leads to no page"):
        site.report()


def test_the_report_is_json(site: Made) -> None:
    site.write(**{"content/b.md": "+++\ntitle = 'B'\n+++\n\n[x](/nowhere/)\n"})
    again = msgspec.json.decode(msgspec.json.encode(site.report()), type=CheckReport)
    assert again.findings == [
        Finding(
            rule="dead-link",
            severity="error",
            message="the link `/nowhere/` leads nowhere",
            hint="no page, file or route has this path",
            file="site/content/b.md",
            line=5,
            pages=["/b/"],
        )
    ]


def test_a_page_that_did_not_change_is_not_rendered_again(site: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write(**{"content/b.md": "+++\ntitle = 'B'\n+++\n\n[x](/a/#two)\n"})
    first = site.report()
    rendered: list[str] = []
    render = Renderer.render

    def counted(self: Renderer, node: Node, **more: object) -> Rendered:
        rendered.append(node.url)
        return render(self, node, **more)

    monkeypatch.setattr(Renderer, "render", counted)
    second = site.report()
    # Once, to find the source of what is wrong with it.
    assert rendered == ["/b/"]
    assert (second.findings, second.pages, second.links) == (first.findings, first.pages, first.links)
    site.write(**{"content/a.md": "+++\ntitle = 'A'\n+++\n\n## Two\n\nText.\n"})
    rendered.clear()
    assert site.found() == []
    assert sorted(rendered) == ["/a/", "/a/"]  # by the build, and by the check
    (site.root / ".hyperweb/check").write_bytes(b"\x81 no such file")
    assert site.found() == []


def test_a_fault_in_another_line_is_found_there_though_its_page_is_known(site: Made) -> None:
    site.write(**{"content/b.md": "+++\ntitle = 'B'\n+++\n\n[x](/gone/)\n"})
    assert site.found() == [("dead-link", "content/b.md", 5)]
    site.write(**{"content/b.md": "+++\ntitle = 'B'\n+++\n\n\n\n[x](/gone/)\n"})
    assert site.found() == [("dead-link", "content/b.md", 7)]
