"""Plugins take part in each stage of a build, and what they do is made anew when they change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hyperweb.build import BuildErrors, build_site
from hyperweb.config import load_site
from hyperweb.errors import HyperwebError
from tests.build.edits import build
from tests.e2e.site import FILES, make_site, serving

if TYPE_CHECKING:
    from pathlib import Path

PLUGIN = """from hyperweb.plugins import Document, Plugin


class All(Plugin):
    version = "1"

    def source(self, root):
        lines = (root / "names.txt").read_text().split()
        return {f"content/people/{name}.md": f"# {name}\\n\\nSays hello.\\n" for name in lines}

    def parse(self, document):
        document.front.setdefault("mood", "calm")
        document.html = document.html.replace("hello", "good day")

    def render(self, page, variables):
        variables["marker"] = f"marked {page.title}"

    def transform(self, url, content_type, body):
        return body.replace(b"</body>", b"<p>made by a plugin</p></body>") if "html" in content_type else body

    def emit(self, site):
        return {"/index.json": __import__("json").dumps([page.title for page in site.pages])}
"""
PAGE = '{% extends "base.html" %}{% block content %}{{ marker }} {{ page.extra.mood }} {{ page.content }}{% endblock %}'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    made = make_site(
        tmp_path / "site",
        **{
            "site.toml": 'title = "T"\n[build]\nplugins = ["all"]\n',
            "plugins/all.py": PLUGIN,
            "names.txt": "ann ben",
            "templates/page.html": PAGE,
        },
    )
    (made / "assets/app.ts").write_text("console.log(1);\n", "utf-8")
    return made


def public(site: Path, path: str) -> str:
    return (site / "dist/public" / path).read_text("utf-8")


def test_each_stage_has_its_part(site: Path) -> None:
    build_site(load_site(site))
    page = public(site, "people/ann/index.html")
    for part in ("marked ann", "calm", "good day", "made by a plugin"):
        assert part in page
    assert "made by a plugin" in public(site, "index.html")
    assert set(json.loads(public(site, "index.json"))) == {"A", "B", "ann", "ben"}


def test_an_edit_and_a_change_of_the_plugin_give_what_a_clean_build_gives(site: Path, tmp_path: Path) -> None:
    build(site)
    (site / "names.txt").write_text("ben cleo", "utf-8")
    (site / "content/posts/a.md").write_text("# A\n\nhello again\n", "utf-8")
    edited = build(site)
    assert edited.report is not None
    assert edited.report.reused > 0
    assert "public/people/ann/index.html" not in edited.files
    assert b"cleo" in edited.files["public/index.json"]
    assert edited.files == build(site, clean=True).files
    (site / "plugins/all.py").write_text(PLUGIN.replace("good day", "good night"), "utf-8")
    changed = build(site)
    assert b"good night" in changed.files["public/people/ben/index.html"]
    assert changed.files == build(site, clean=True).files
    again = build(site)
    assert again.report is not None
    assert again.report.unchanged
    # Without the plugin, what it brought is gone.
    (site / "site.toml").write_text(FILES["site.toml"], "utf-8")
    (site / "templates/page.html").write_text(FILES["templates/page.html"], "utf-8")
    assert not any("people" in name for name in build(site).files)
    assert not (site / "content/people/ben.md").exists()


def test_a_file_that_is_not_the_plugins_is_not_overwritten(site: Path) -> None:
    own = site / "content/people/ann.md"
    own.parent.mkdir(parents=True)
    own.write_text("# Mine\n", "utf-8")
    with pytest.raises(HyperwebError, match="stands there already"):
        build_site(load_site(site))
    assert own.read_text("utf-8") == "# Mine\n"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (None, "there is no plugin `all`"),
        ("def\n", "cannot be loaded"),
        ("x = 1\n", "has 0 classes"),
        (PLUGIN.replace("return body.replace", "return 5 # "), "gave int and not bytes"),
        (PLUGIN.replace('"/index.json"', '"index.json"'), "`emit` gave the path 'index.json'"),
        (PLUGIN.replace('"/index.json"', '"/posts/a/"'), "which content/posts/a.md has"),
        (PLUGIN.replace('document.front.setdefault("mood", "calm")', "1 / 0"), "`parse` failed: ZeroDivisionError"),
        (PLUGIN.replace('variables["marker"] = ', "page.nothing = "), "`render` failed"),
        (PLUGIN.replace("content/people/", "../people/"), "no path in a folder"),
    ],
)
def test_what_is_wrong_with_a_plugin_is_said_with_its_file(site: Path, code: str | None, said: str) -> None:
    file = site / "plugins/all.py"
    if code is None:
        file.unlink()
    else:
        file.write_text(code, "utf-8")
    with pytest.raises(HyperwebError) as found:
        build_site(load_site(site))
    errors = found.value.errors if isinstance(found.value, BuildErrors) else [found.value]
    assert any(said in str(error) for error in errors), str(found.value)
    assert all(error.file and error.hint for error in errors)


@pytest.mark.e2e
def test_the_development_server_has_them_too(site: Path) -> None:
    with serving(site) as server:
        page = server.get("/people/ann/")[2].decode()
        for part in ("marked ann", "calm", "good day", "made by a plugin"):
            assert part in page
        assert "ann" in server.get("/index.json")[2].decode()
        (site / "plugins/all.py").write_text(PLUGIN.replace("good day", "good night"), "utf-8")
        assert "good night" in server.get("/people/ann/")[2].decode()
