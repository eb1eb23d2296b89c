"""A site that follows its files: what is made anew after a change, and what is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hyperweb.config import load_site
from hyperweb.serve.dev import _make_renderer
from hyperweb.site import _documents
from hyperweb.site._engine import Engine

if TYPE_CHECKING:
    from pathlib import Path

    from hyperweb.site._page import PageBody

BASE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>T</title></head>
<body><p>x</p><script type="module" src="{{ asset('app.ts') }}"></script></body></html>"""
FILES = {
    "site.toml": 'title = "T"\n',
    "templates/base.html": BASE,
    "pages/index.html": "{% extends 'base.html' %}",
    "assets/app.ts": "import { shout } from './lib';\nimport { VERSION } from 'pack';\n"
    "console.log(shout('a') + VERSION);\n",
    "assets/lib.ts": "export const shout = (text: string): string => text.toUpperCase();\n",
    "node_modules/pack/package.json": '{"name": "pack", "version": "1.0.0", "main": "index.js"}',
    "node_modules/pack/index.js": "export const VERSION = '1.2.3';\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, text in FILES.items():
        file = tmp_path / "site" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return tmp_path / "site"


def follow(root: Path) -> Engine:
    engine = Engine(load_site(root), "dev-sources", _make_renderer)
    assert engine.refresh()
    assert engine.errors == []
    engine.refresh()
    assert not engine.refresh()
    return engine


def page(engine: Engine) -> str:
    return engine.renderer.render(engine.renderer.nodes["/"]).text


def script(engine: Engine) -> str:
    return engine.renderer.assets.make("app.ts")[0].decode()


def test_a_template_is_taken_alone_where_it_names_the_same_scripts(root: Path) -> None:
    engine = follow(root)
    before = engine.renderer.site
    (root / "templates/base.html").write_text(BASE.replace("<p>x", "<p>y"), "utf-8")
    assert engine.refresh()
    assert engine.renderer.site is before
    assert "<p>y" in page(engine)
    # One that names a script that was only a part gives it an address.
    (root / "templates/base.html").write_text(BASE.replace("<p>x", "<p>{{ asset('lib.ts') }}"), "utf-8")
    assert engine.refresh()
    assert engine.renderer.site is not before
    assert engine.errors == []
    assert "<p>/assets/lib.js" in page(engine)
    # And takes it away again.
    (root / "templates/base.html").write_text(BASE, "utf-8")
    assert engine.refresh()
    assert "lib.ts" not in engine.renderer.assets.names()


def test_a_package_that_is_moved_into_place_as_a_whole_is_told(root: Path) -> None:
    engine = follow(root)
    fresh = root / "node_modules/.pack-new"
    fresh.mkdir()
    (fresh / "package.json").write_text(FILES["node_modules/pack/package.json"], "utf-8")
    (fresh / "index.js").write_text("export const VERSION = '2.0.0';\n", "utf-8")
    (root / "node_modules/pack").rename(root / "node_modules/.pack-old")
    fresh.rename(root / "node_modules/pack")
    assert engine.refresh()
    assert "2.0.0" in script(engine)
    # One that is gone is an error, and is mended when it is back.
    (root / "node_modules/pack").rename(root / "node_modules/.pack-gone")
    assert engine.refresh()
    assert engine.errors
    (root / "node_modules/.pack-gone").rename(root / "node_modules/pack")
    assert engine.refresh()
    assert engine.errors == []
    assert "2.0.0" in script(engine)


def test_a_change_that_cannot_be_bundled_yet_is_bundled_when_it_can(root: Path) -> None:
    engine = follow(root)
    (root / "assets/bad.css").write_text("}", "utf-8")
    (root / "node_modules/pack/index.js").write_text("export const VERSION = '1.2.4';\n", "utf-8")
    assert engine.refresh()
    assert engine.errors
    (root / "assets/bad.css").unlink()
    assert engine.refresh()
    assert engine.errors == []
    assert "1.2.4" in script(engine)


def test_bodies_that_are_let_go_of_are_read_anew(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "content").mkdir()
    (root / "content/a.md").write_text("# A\n\nText of A, and [itself](a.md).\n", "utf-8")
    (root / "templates/page.html").write_text("{{ page.content }}{{ page.summary }}", "utf-8")
    renderer = follow(root).renderer
    node = renderer.nodes["/a/"]
    first = renderer.render(node)
    assert "Text of A" in first.text
    made: list[str] = []
    body = _documents.Documents.body

    def counted(self: _documents.Documents, path: str, *rest: Any) -> PageBody:
        made.append(path)
        return body(self, path, *rest)

    monkeypatch.setattr(_documents.Documents, "body", counted)
    # While they are few they are held.
    renderer.forget_bodies()
    assert renderer.render(node) == first
    assert made == []
    monkeypatch.setattr(_documents, "_MOST_HELD", 0)
    renderer.forget_bodies()
    assert renderer.render(node) == first
    assert made == ["content/a.md"]
