"""Builds: what they make, what they do again, and what they say of bad input."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
from typing import TYPE_CHECKING

import pytest

from hyperweb._core import open_pack
from hyperweb.build._lock import only_build
from hyperweb.config import load_site
from hyperweb.serve._current import is_current
from tests.e2e.site import hyperweb, make_site

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return make_site(tmp_path / "site")


def report(site: Path, *options: str) -> dict[str, object]:
    found = hyperweb("build", site, "--json", *options)
    assert found.returncode == 0, found.stdout + found.stderr
    sites: list[dict[str, object]] = json.loads(found.stdout)["sites"]
    return sites[0]


def public(site: Path) -> dict[str, bytes]:
    root = site / "dist" / "public"
    return {str(file.relative_to(root)): file.read_bytes() for file in sorted(root.rglob("*")) if file.is_file()}


def test_a_build_makes_pages_assets_and_a_pack(site: Path) -> None:
    assert report(site)["rendered"] == 6
    files = public(site)
    names = set(files)
    assert {
        "index.html",
        "404.html",
        "posts/a/index.html",
        "tags/x/index.html",
        "robots.txt",
        "old/index.html",
    } <= names
    css = next(name for name in names if name.startswith("assets/app.") and name.endswith(".css"))
    assert files[css] == b"p{margin:0}body{color:red}"
    assert f"/{css}".encode() in files["posts/a/index.html"]
    script = next(files[name] for name in names if name.startswith("assets/app.") and name.endswith(".js"))
    assert script == b"const e=2;console.log(2);export{e as two};"
    assert not any("_p" in name for name in names)
    assert b"href=/posts/a/" in files["posts/b/index.html"]
    pack = open_pack(str(site / "dist" / "site.pack"))
    assert "/posts/a/" in pack
    assert json.loads(pack.manifest)["routes"]


def test_nothing_changed_is_nothing_done(site: Path) -> None:
    first = report(site)
    before = (site / "dist" / "site.pack").stat().st_ino
    again = report(site)
    assert again["unchanged"] is True
    assert (again["pages"], again["assets"]) == (first["pages"], first["assets"])
    assert (site / "dist" / "site.pack").stat().st_ino == before


def test_one_edit_renders_what_it_reaches(site: Path) -> None:
    report(site)
    post = site / "content/posts/a.md"
    post.write_text(post.read_text("utf-8") + "\nMore.\n", "utf-8")
    # The pages that list it show its title, and the post that links to it has its address: both are as they were.
    assert report(site)["rendered"] == 1
    assert b"More." in public(site)["posts/a/index.html"]
    post.write_text(post.read_text("utf-8").replace('"A"', '"New"'), "utf-8")
    assert report(site)["rendered"] == 2
    assert b"New" in public(site)["index.html"]
    (site / "templates/greet.html").write_text("x", "utf-8")
    assert report(site)["rendered"] == 0
    (site / "templates/base.html").write_text((site / "templates/base.html").read_text("utf-8") + "\n", "utf-8")
    assert report(site)["rendered"] == 6


def test_a_build_explains_itself(site: Path) -> None:
    def explained(path: str) -> str:
        found = hyperweb("build", site, "--explain", path)
        assert found.returncode == 0, found.stderr
        return found.stdout

    assert "nothing could be taken over" in explained("/posts/b/")
    assert "/posts/b/ was taken over" in explained("/posts/b")
    post = site / "content/posts/a.md"
    post.write_text(post.read_text("utf-8").replace('"A"', '"New"'), "utf-8")
    said = explained("/")
    assert re.search(r"/ was made anew:\n  the title of content/posts/a.md\n/ is made from:", said)
    assert "which pages are in the section `posts`" in said
    post.write_text(post.read_text("utf-8") + "More.", "utf-8")
    assert "/posts/b/ was taken over" in explained("/posts/b/")
    listed = "that it is in the list, and where"
    reached = {
        "/": [listed, "title", "url"],
        "/posts/a/": ["all of it"],
        "/posts/b/": ["url"],
        "/tags/x/": [listed],
    }
    for path in ("content/posts/a.md", str(post)):
        report = json.loads(hyperweb("build", site, "--json", "--explain", path).stdout)["sites"][0]
        assert report["explained"]["touches"] == reached
    assert "/posts/a/: all of it" in explained("templates/base.html")
    assert "no response of this site" in explained("/nowhere/")


def test_an_incremental_build_is_what_a_clean_one_is(site: Path) -> None:
    report(site)
    (site / "content/posts/c.md").write_text('+++\ntitle = "C"\ntags = ["z"]\n+++\n\nC.\n', "utf-8")
    report(site)
    (site / "content/posts/b.md").unlink()
    (site / "assets/lib.ts").write_text("export const one = 5;\n", "utf-8")
    report(site)
    incremental = public(site), (site / "dist/site.pack").read_bytes()
    report(site, "--clean")
    assert (public(site), (site / "dist/site.pack").read_bytes()) == incremental
    assert "posts/b/index.html" not in incremental[0]
    shutil.rmtree(site / ".hyperweb")
    report(site, "--concurrency", "1")
    assert (public(site), (site / "dist/site.pack").read_bytes()) == incremental


def test_drafts_are_built_only_when_asked_for(site: Path) -> None:
    (site / "content/posts/d.md").write_text('+++\ntitle = "D"\ndraft = true\n+++\n', "utf-8")
    report(site)
    assert "posts/d/index.html" not in public(site)
    report(site, "--drafts")
    assert "posts/d/index.html" in public(site)


def test_dead_links_are_warnings_and_with_strict_failures(site: Path) -> None:
    (site / "content/posts/d.md").write_text("[gone](/gone/) [api](/api/pid)\n", "utf-8")
    warnings = report(site)["warnings"]
    assert isinstance(warnings, list)
    assert len(warnings) == 1
    assert "posts/d.md:1" in warnings[0]
    found = hyperweb("build", site, "--strict")
    assert found.returncode == 1
    assert "/gone/" in found.stderr


def test_parts_of_pages_are_packed_for_the_script_that_swaps_them(site: Path) -> None:
    report(site, "--spa")
    pack = open_pack(str(site / "dist" / "site.pack"))
    found = pack.answer("/api/content/posts/a/")
    assert found is not None
    parts = json.loads(found[2])
    assert parts["title"] == "A"
    assert "Text of A" in parts["body"]
    assert any(url.endswith(".js") for url in parts["assets"])


def test_pages_have_drafts_old_paths_and_an_order(site: Path) -> None:
    (site / "pages/new.html").write_text('+++\naliases = ["/older/"]\norder = 3\n+++\n{{ page.order }}', "utf-8")
    (site / "pages/draft.html").write_text("---\ndraft: true\n---\n{{ page.draft }}", "utf-8")
    report(site)
    assert public(site)["new/index.html"] == b"3"
    assert b"url=/new/" in public(site)["older/index.html"]
    assert "draft/index.html" not in public(site)
    report(site, "--drafts")
    assert public(site)["draft/index.html"] == b"True"


def test_names_that_no_url_holds_as_they_are_lead_where_they_are(site: Path) -> None:
    files = {
        "content/posts/50% off?.md": "# Off\n",
        "content/posts/ü #2.md": "# Two\n",
        "content/posts/a?b#c.txt": "text",
        "assets/pic %1.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>',
        "assets/more.css": "p { background: url('pic%20%251.svg') }",
        "content/posts/links.md": '+++\naliases = ["/%C3%A4lter/"]\n+++\n'
        "[one](<50%25 off%3F.md>) [two](<ü %232.md#part>) [raw](</posts/50%25 off%3F/>) [file](a%3Fb%23c.txt)"
        " ![pic](<../../assets/pic %251.svg>)\n",
        "pages/list.xml": "<list>{% for p in site.section('posts') %}<u>{{ url(p.url) }}</u>{% endfor %}</list>",
    }
    for path, text in files.items():
        (site / path).write_text(text, "utf-8")
    assert report(site)["warnings"] == []
    page = public(site)["posts/links/index.html"].decode()
    pack = open_pack(str(site / "dist/site.pack"))
    for url in ("/posts/50%25%20off%3F/", "/posts/%C3%BC%20%232/", "/posts/a%3Fb%23c.txt"):
        assert f'"{url}"' in page or f"={url}" in page, page
        found = pack.answer(url)
        assert found is not None, url
        assert found[0] == 200
    assert "/posts/%C3%BC%20%232/#part" in page
    picture = re.search(r"/assets/pic%20%251\.[0-9a-f]+\.svg", page)
    assert picture is not None, page
    assert pack.answer(picture[0]) is not None
    css = next(text for name, text in public(site).items() if name.startswith("assets/more."))
    assert picture[0].encode() in css
    assert b"<u>https://example.org/posts/%C3%BC%20%232/</u>" in public(site)["list.xml"]
    moved = pack.answer("/%C3%A4lter/")
    assert moved is not None
    assert dict(moved[1])["location"] == "/posts/links/"
    assert {"posts/50% off?/index.html", "posts/a?b#c.txt"} <= public(site).keys()


def test_tags_that_differ_by_their_signs_have_pages_of_their_own(site: Path) -> None:
    tags = '["C", "C++", "c#", "Big Data", "big-data"]'
    (site / "content/posts/c.md").write_text(f"+++\ntags = {tags}\n+++\n", "utf-8")
    report(site)
    found = {name for name in public(site) if name.startswith("tags/")}
    pages = {f"tags/{slug}/index.html" for slug in ("c", "c-plus-plus", "c-sharp", "big-data", "x", "y")}
    assert found == pages


def test_two_sites_are_not_built_into_one_folder(site: Path, tmp_path: Path) -> None:
    other = make_site(tmp_path / "other")
    found = hyperweb("build", site, other, "--out", tmp_path / "out")
    assert found.returncode == 2
    assert str(site) in found.stderr
    assert str(other) in found.stderr
    out = tmp_path / "out"
    hyperweb("build", site, "--out", out, check=True)
    with only_build(tmp_path, out):
        found = hyperweb("build", other, "--out", out)
    assert found.returncode == 1
    assert "another site is being built into this folder" in found.stderr
    assert hyperweb("build", other, "--out", out).returncode == 0


BAD = {
    "unknown key": ({"site.toml": 'titel = "x"\n'}, 2, ["site.toml:1", "titel", "did you mean `title`"]),
    "wrong type": ({"site.toml": '[build]\nminify = "yes"\n'}, 2, ["site.toml:2", "build.minify"]),
    "toml syntax": ({"site.toml": 'title = "x\n'}, 2, ["site.toml:1", "not valid TOML"]),
    "broken front matter": ({"content/x.md": "+++\na = \n+++\n"}, 1, ["content/x.md:2", "front matter"]),
    "wrong front matter": ({"content/x.md": "+++\ntitle = 3\n+++\n"}, 1, ["content/x.md:2", "title"]),
    "open front matter": ({"content/x.md": "+++\na = 1\n"}, 1, ["content/x.md:1", "not closed"]),
    "template syntax": ({"templates/page.html": "a\n{% if %}"}, 1, ["templates/page.html:2", "template syntax error"]),
    "undefined variable": ({"templates/page.html": "a\n{{ nope }}"}, 1, ["templates/page.html:2", "nope"]),
    "includes itself": ({"templates/page.html": "{% include 'page.html' %}"}, 1, ["templates/page.html", "itself"]),
    "missing template": ({"templates/page.html": "{% include 'no.html' %}"}, 1, ["templates/page.html:1", "no.html"]),
    "two of one url": ({"content/posts/a/index.md": "x"}, 1, ["/posts/a/", "content/posts/a.md"]),
    "missing asset": ({"templates/page.html": "{{ asset('ap.css') }}"}, 1, ["templates/page.html:1", "app.css"]),
    "missing image": ({"content/x.md": "a\n\n![i](no.png)\n"}, 1, ["content/x.md:3", "no.png"]),
    "missing asset in text": ({"content/x.md": "![i](/assets/no.png)\n"}, 1, ["content/x.md:1", "no.png"]),
    "typescript": ({"assets/app.ts": "let a = 1;\nlet = ;\n"}, 1, ["assets/app.ts:2", "not a valid script"]),
    "missing import": ({"assets/app.ts": "import './no';\n"}, 1, ["assets/app.ts:1", "./no"]),
    "css": ({"assets/app.css": "a { }\n} b {\n"}, 1, ["assets/app.css:2", "not valid CSS"]),
    "tags of one address": (
        {"content/x.md": '+++\ntags = ["a.b"]\n+++\n', "content/y.md": '+++\ntags = ["a b"]\n+++\n'},
        1,
        ["content/y.md:2", "`a b`", "`a.b`", "/tags/a-b/"],
    ),
    "slug in pages": ({"pages/x.html": '+++\ntitle = "x"\nslug = "y"\n+++\n'}, 1, ["pages/x.html:3", "`slug`"]),
    "template in pages": ({"pages/x.html": "---\ntemplate: y.html\n---\n"}, 1, ["pages/x.html:2", "`template`"]),
    "aliases of many pages": (
        {"pages/tags/[tag].html": '+++\neach = "tags"\naliases = ["/x/"]\n+++\n'},
        1,
        ["pages/tags/[tag].html:3", "`aliases`"],
    ),
    "a backslash in a name": ({"static/a\\b.txt": "x"}, 1, ["static/a\\b.txt", "backslash"]),
    "what cannot be packed": (
        {"site.toml": "[client]\nspa = true\n", "content/api/content/posts/a.md": "x"},
        1,
        ["cannot be packed", "site/content/posts/a.md", "/api/content/posts/a/"],
    ),
    "a page and a handler": (
        {
            "pages/greet/[who].html": '+++\nrender = "dynamic"\n+++\n',
            "handlers.py": "from hyperweb import get\n\n\n@get('/greet/{name}/')\nasync def greet() -> str:\n"
            "    return ''\n",
        },
        1,
        ["pages/greet/[who].html", "/greet/{who}/", "/greet/{name}/", "greet (handlers.py:4)"],
    ),
    "a page and a handler of one path": (
        {
            "pages/now.html": '+++\nrender = "dynamic"\n+++\n',
            "handlers.py": "from hyperweb import get\n\n\n@get('/now/')\nasync def now() -> str:\n    return ''\n",
        },
        1,
        ["pages/now.html", "now (handlers.py:4)"],
    ),
    "two pages of one pattern": (
        {
            "pages/[a].html": '+++\nrender = "dynamic"\n+++\n',
            "pages/[b].html": '+++\nrender = "dynamic"\n+++\n',
        },
        1,
        ["pages/[a].html", "pages/[b].html"],
    ),
    "two handlers of one pattern": (
        {
            "handlers.py": "from hyperweb import get, post\n\n\n@get('/x/{a}')\nasync def one() -> str:\n"
            "    return ''\n\n\n@post('/x/{b}')\nasync def two() -> str:\n    return ''\n",
        },
        1,
        ["handlers.py:9", "/x/{b} of two", "/x/{a} of one (handlers.py:4)"],
    ),
    "handlers": ({"handlers.py": "import nothing_like_it\n"}, 1, ["handlers.py:1", "nothing_like_it", "install it"]),
    "handlers that fail": ({"handlers.py": "a = 1\nb = a / 0\n"}, 1, ["handlers.py:2", "ZeroDivisionError"]),
    "handlers' syntax": ({"handlers.py": "def f(:\n"}, 1, ["handlers.py:1", "invalid syntax"]),
    "a route's pattern": (
        {"handlers.py": "from hyperweb import get\n\n\n@get('/x/{a')\nasync def x() -> str:\n    return ''\n"},
        1,
        ["site/handlers.py:4", "'{a' is not a parameter", "> 4 |"],
    ),
    "a parameter of no path": (
        {"handlers.py": "from hyperweb import get\n\n\n@get('/x/{a}')\nasync def x(b: str) -> str:\n    return b\n"},
        1,
        ["site/handlers.py:4", "x does not ask for 'a' of /x/{a}, but for 'b'", "> 4 |"],
    ),
    "yaml front matter": ({"content/x.md": "---\na: [\n---\n"}, 1, ["content/x.md:", "not valid YAML"]),
    "no list of names": ({"content/x.md": "---\n- a\n---\n"}, 1, ["content/x.md:2", "`name: value`"]),
    "yaml in pages": ({"pages/x.html": "---\na: [\n---\n"}, 1, ["pages/x.html:", "not valid YAML"]),
    "no list of names in pages": ({"pages/x.html": "---\n- a\n---\n"}, 1, ["pages/x.html:2", "`name: value`"]),
    "toml in pages": ({"pages/x.html": "+++\na = \n+++\n"}, 1, ["pages/x.html:2", "not valid TOML"]),
    "unknown tag": ({"templates/page.html": "{% iff a %}{% endiff %}"}, 1, ["page.html:1", "unknown tag 'iff'"]),
    "unknown filter": ({"templates/page.html": "{{ 1 | nope }}"}, 1, ["page.html:1", "No filter named 'nope'"]),
    "template that fails": ({"templates/page.html": "{{ 1 + 'a' }}"}, 1, ["page.html:1", "TypeError"]),
    "json data": ({"data/x.json": "{'a': 1}"}, 1, ["data/x.json:1", "not valid JSON"]),
    "yaml data": ({"data/x.yaml": "a: ["}, 1, ["data/x.yaml:", "not valid YAML"]),
    "missing stylesheet": ({"assets/app.css": "@import 'no.css';\n"}, 1, ["assets/app.css", "no.css"]),
    "data": ({"data/x.toml": "a ="}, 1, ["data/x.toml", "not valid TOML"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_and_leaves_the_last_build(site: Path, name: str) -> None:
    report(site)
    before = public(site), (site / "dist/site.pack").read_bytes()
    files, code, wanted = BAD[name]
    for path, text in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text, "utf-8")
    found = hyperweb("build", site)
    assert found.returncode == code, found.stderr
    assert "Traceback" not in found.stderr
    for part in wanted:
        assert part in found.stderr
    assert "hint: " in found.stderr
    assert len(found.stderr.splitlines()) < 40
    assert (public(site), (site / "dist/site.pack").read_bytes()) == before


def test_files_that_cannot_be_used_are_named(site: Path) -> None:
    (site / "content/latin.md").write_bytes(b"ok\n\xff\n")
    found = hyperweb("build", site)
    assert found.returncode == 1
    assert "latin.md:2" in found.stderr
    assert "UTF-8" in found.stderr
    (site / "content/latin.md").unlink()
    (site / "content/out.md").symlink_to("/etc/hostname")
    (site / "content/lost.md").symlink_to("nowhere.md")
    os.mkfifo(site / "static/pipe")
    found = hyperweb("build", site)
    assert found.returncode == 1
    assert "content/out.md" in found.stderr
    assert "static/pipe" in found.stderr
    assert "content/lost.md: this link leads to nothing" in found.stderr


def test_a_missing_site_is_wrong_use(tmp_path: Path) -> None:
    found = hyperweb("build", tmp_path / "nowhere")
    assert found.returncode == 2
    assert "does not exist" in found.stderr
    found = hyperweb("build", tmp_path)
    assert found.returncode == 2
    assert "site.toml" in found.stderr


def test_a_port_in_use_says_so(site: Path) -> None:
    report(site)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for options in (["--prod"], ["--prod", "--direct"], []):
            found = hyperweb("serve", site, "--port", port, *options)
            assert found.returncode == 1, found.stderr
            assert port in found.stderr
            assert "choose another port with --port" in found.stderr


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid", "a..b"])
def test_a_host_that_is_none_of_this_machine_says_so(site: Path, host: str) -> None:
    report(site)
    for options in (["--prod"], ["--prod", "--direct"], []):
        found = hyperweb("serve", site, "--port", "0", "--host", host, *options)
        assert found.returncode == 1, found.stderr
        assert host in found.stderr
        assert "with --host" in found.stderr
        assert "Traceback" not in found.stderr


def test_what_is_built_is_known_without_a_build(site: Path) -> None:
    report(site)
    assert is_current(load_site(site))
    (site / "content/posts/a.md").write_text("new", "utf-8")
    assert not is_current(load_site(site))
    report(site)
    assert is_current(load_site(site))
    assert not is_current(load_site(site, {"build.minify": False}))
    (site / "dist/site.pack").unlink()
    assert not is_current(load_site(site))


def test_what_is_ignored_is_not_built(site: Path) -> None:
    (site / ".buildignore").write_text("content/posts/b.md\n", "utf-8")
    report(site)
    assert "posts/b/index.html" not in public(site)


@pytest.mark.parametrize("name", [".buildignore", "handlers.py", "site.toml"])
def test_a_folder_in_place_of_a_file_is_named(site: Path, name: str) -> None:
    report(site)
    before = public(site)
    (site / name).unlink(missing_ok=True)
    (site / name).mkdir()
    found = hyperweb("build", site)
    assert found.returncode == (2 if name == "site.toml" else 1)
    assert f"{name}: this is no regular file" in found.stderr
    assert "hint:" in found.stderr
    assert public(site) == before


def test_a_large_file_stays_a_file(site: Path) -> None:
    (site / "static/big.bin").write_bytes(bytes(range(256)) * 8192)
    report(site)
    found = open_pack(str(site / "dist/site.pack")).answer("/big.bin", range="bytes=256-258")
    assert found is not None
    status, _, body, file = found
    assert (status, body) == (206, b"")
    assert file is not None
    assert file[1:] == (256, 259)
    assert public(site)["big.bin"] == (site / "static/big.bin").read_bytes()


def test_a_dist_that_cannot_be_written_is_named(site: Path) -> None:
    (site / "dist").write_text("in the way", "utf-8")
    found = hyperweb("build", site)
    assert found.returncode == 1
    assert "dist" in found.stderr
    assert "Traceback" not in found.stderr


def test_the_number_of_threads_is_in_no_byte(site: Path) -> None:
    found = []
    for threads in ("1", "2", "5"):
        report(site, "--clean", "--concurrency", threads)
        found.append((public(site), (site / "dist/site.pack").read_bytes()))
    assert found[0] == found[1] == found[2]


def test_pages_are_compressed_harder_when_that_is_asked_for(site: Path) -> None:
    def sizes() -> dict[str, int]:
        pack = open_pack(str(site / "dist/site.pack"))
        return next(dict(bodies) for path, _, bodies in pack.sizes() if path == "/posts/a/")

    report(site)
    quick = sizes()
    report(site, "--best")
    best = sizes()
    assert best["identity"] == quick["identity"]
    assert best["br"] < quick["br"]
    # Settings count: the next build without it has quick ones again.
    report(site)
    assert sizes() == quick


def test_what_takes_over_from_a_first_build_removes_what_is_gone_and_nothing_else(site: Path) -> None:
    report(site)
    stranger = site / "dist/public/of-somebody-else.txt"
    stranger.write_text("mine", "utf-8")
    (site / "content/posts/b.md").unlink()
    made = report(site)
    # The page, and that of the tag that it alone had.
    assert made["files_removed"] == 2
    assert not (site / "dist/public/posts/b").exists()
    # Only a clean build looks for what no build made.
    assert stranger.exists()
    report(site, "--clean")
    assert not stranger.exists()
