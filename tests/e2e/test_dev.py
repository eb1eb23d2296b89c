"""The development server, and that it renders what production does."""

from __future__ import annotations

import re
import shutil
import socket
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hyperweb._core import open_pack
from tests.e2e.site import Running, hyperweb, make_site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e
BLOG = Path(__file__).resolve().parents[2] / "sites" / "blog"
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return make_site(tmp_path / "site")


@pytest.fixture
def server(site: Path) -> Iterator[Running]:
    with serving(site) as running:
        yield running


def test_an_edit_saved_is_an_edit_seen(site: Path, server: Running) -> None:
    assert b"Text of A" in server.get("/posts/a/")[2]
    for number in range(20):
        (site / "content/posts/a.md").write_text(f'+++\ntitle = "A{number}"\n+++\n\nEdit {number}.\n', encoding="utf-8")
        assert f"Edit {number}." in server.get("/posts/a/")[2].decode()
        assert f"A{number}" in server.get("/")[2].decode()
    (site / "templates/page.html").write_text('{% extends "base.html" %}{% block content %}New{% endblock %}', "utf-8")
    assert b">New<" in server.get("/posts/a/")[2]
    (site / "assets/parts/_p.css").write_text("p { margin: 7px }", encoding="utf-8")
    assert b"7px" in server.get("/assets/app.css")[2]
    handlers = site / "handlers.py"
    handlers.write_text(handlers.read_text(encoding="utf-8").replace('"pid": os', '"fresh": os'), encoding="utf-8")
    assert b"fresh" in server.get("/api/pid")[2]
    (site / "content/posts/new.md").write_text("# New\n", encoding="utf-8")
    assert server.get("/posts/new/")[0] == 200
    (site / "content/posts/new.md").unlink()
    assert server.get("/posts/new/")[0] == 404


def test_errors_show_where_they_are_and_go_when_mended(site: Path, server: Running) -> None:
    template = site / "templates/base.html"
    good = template.read_text(encoding="utf-8")
    template.write_text(good.replace("{{ page.title }}", "{{ page.title }}\n{{ nothing }}"), encoding="utf-8")
    status, _, body = server.get("/posts/a/")
    text = body.decode()
    assert status == 500
    assert "nothing" in text
    assert "templates/base.html:2" in text
    assert "<mark>" in text
    template.write_text(good, encoding="utf-8")
    assert server.get("/posts/a/")[0] == 200
    (site / "handlers.py").write_text("def broken(:\n", encoding="utf-8")
    assert "handlers.py:1" in server.get("/")[2].decode()
    crash = 'from hyperweb import get\n\n\n@get("/crash")\nasync def crash() -> None:\n    raise ValueError("boom")\n'
    (site / "handlers.py").write_text(crash, encoding="utf-8")
    status, _, body = server.get("/crash", {"accept": "text/html"})
    assert status == 500
    assert b"boom" in body
    assert b"GET /crash" in body


def test_browsers_are_told_of_a_change(site: Path, server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as stream:
        stream.sendall(b"GET /_hyperweb/reload HTTP/1.1\r\nHost: x\r\n\r\n")
        found = b""
        while b'"hello"' not in found:
            found += stream.recv(4096)
        (site / "content/posts/a.md").write_text("# Changed\n", encoding="utf-8")
        while b'"reload"' not in found:
            part = stream.recv(4096)
            assert part, found
            found += part
    assert b"EventSource" in server.get("/_hyperweb/reload.js")[2]


class _Shape(HTMLParser):
    """The elements and the text of a page, white space and what differs by design left out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[object] = []
        self._text = ""
        self._skips = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._flush()
        names = dict(attrs)
        if tag in {"script", "style"}:
            self._skips += 1
            if "/_hyperweb/" in (names.get("src") or ""):
                return
        values = {
            name: re.sub(r"\.[0-9a-f]{10}(\.\w+)", r"\1", " ".join((value or "").split())) for name, value in attrs
        }
        self.found.append((tag, sorted(values.items())))

    def handle_endtag(self, tag: str) -> None:
        self._flush()
        if tag in {"script", "style"}:
            self._skips -= 1
        elif tag not in VOID:
            self.found.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if not self._skips:
            self._text += data

    def _flush(self) -> None:
        text = "".join(self._text.split())
        if text:
            self.found.append(text)
        self._text = ""


def shape(page: bytes) -> list[object]:
    parser = _Shape()
    parser.feed(page.decode())
    parser.close()
    return parser.found


def test_development_and_production_render_the_same_pages_of_the_blog(tmp_path: Path) -> None:
    site = tmp_path / "blog"
    shutil.copytree(BLOG, site, ignore=shutil.ignore_patterns("dist", ".hyperweb", "__pycache__"))
    hyperweb("build", site, "--drafts", check=True)
    pack = open_pack(str(site / "dist" / "site.pack"))
    pages = [path for path in pack.paths() if path.endswith("/")]
    assert len(pages) > 15
    with serving(site) as server:
        for path in pages:
            found = pack.answer(path)
            assert found is not None
            if found[0] == 200:
                assert shape(server.get(path)[2]) == shape(found[2]), path


def test_a_mistake_in_the_settings_is_shown_until_it_is_mended(site: Path, server: Running) -> None:
    good = (site / "site.toml").read_text(encoding="utf-8")
    (site / "site.toml").write_text('titel = "x"\n' + good, encoding="utf-8")
    for _ in range(3):
        status, _, body = server.get("/posts/a/")
        assert status == 500
        assert b"site.toml" in body
    (site / "site.toml").write_text(good, encoding="utf-8")
    assert server.get("/posts/a/")[0] == 200
