"""The development server, and that it renders what production does."""

from __future__ import annotations

import re
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import html5lib
import pytest

from hyperweb._core import open_pack
from tests.e2e.site import Running, hyperweb, make_site, serving
from tests.images.pictures import photo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

pytestmark = pytest.mark.e2e
BLOG = Path(__file__).resolve().parents[2] / "sites" / "blog"


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


def test_a_variant_of_a_picture_is_made_when_it_is_asked_for(site: Path, server: Running) -> None:
    photo(site / "content/posts/cup.jpg", 60, 40)
    text = "+++\ntitle = 'A'\n+++\n\n![cup](cup.jpg)\n"
    (site / "content/posts/a.md").write_text(text, encoding="utf-8")
    page = server.get("/posts/a/")[2].decode()
    urls = set(re.findall(r"/assets/posts/cup[^ \"]+", page))
    assert {url.rpartition(".")[2] for url in urls} == {"avif", "webp", "jpg"}
    for url in sorted(urls):
        status, headers, body = server.get(url)
        assert (status, headers["content-type"]) == (200, f"image/{url.rpartition('.')[2].replace('jpg', 'jpeg')}")
        assert body
    made = {file.name for file in (site / ".hyperweb/images").iterdir()}
    assert server.get("/assets/posts/cup.60.0000000000000000.avif")[0] == 404
    found = hyperweb("build", str(site))
    assert found.returncode == 0, found.stderr
    # The build found them made, and has them in its pages.
    assert {file.name for file in (site / ".hyperweb/images").iterdir()} == made
    built = (site / "dist/public/posts/a/index.html").read_text(encoding="utf-8")
    assert urls == set(re.findall(r"/assets/posts/cup[^ \",>]+", built))


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


def shape(page: bytes) -> list[object]:
    """Returns the elements and the text of a page, white space and what differs by design left out."""
    found: list[object] = []
    _walk(html5lib.parse(page.decode(), namespaceHTMLElements=False), found)
    return [text for text in (_without_space(one) for one in found) if text]


def _walk(element: Element, found: list[object]) -> None:
    # The texts around what stands in development alone are one text in production.
    if "/_hyperweb/" not in element.get("src", ""):
        values = {name: _value(name, value) for name, value in element.attrib.items()}
        found.append((str(element.tag), sorted(values.items())))
        if element.tag not in {"script", "style"}:
            _add_text(element.text, found)
            for child in element:
                _walk(child, found)
        found.append(("end", str(element.tag)))
    _add_text(element.tail, found)


def _value(name: str, value: str) -> str:
    """Returns what a value means: how the data of paths is written, and the hash in an address, differ by design."""
    if name == "d":
        return value[:1].upper()
    value = re.sub(r"\s*([,:;])\s*", r"\1", " ".join(value.split()))
    return re.sub(r"\.[0-9a-f]{10}(\.\w+)", r"\1", value)


def _add_text(text: str | None, found: list[object]) -> None:
    if found and isinstance(found[-1], str):
        found[-1] += text or ""
    else:
        found.append(text or "")


def _without_space(one: object) -> object:
    return "".join(one.split()) if isinstance(one, str) else one


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
