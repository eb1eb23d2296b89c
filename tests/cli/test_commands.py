"""The command line: what each command says, prints and exits with."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from hyperweb.cli._group import _COMMANDS
from tests.e2e.site import hyperweb, make_site, serving

if TYPE_CHECKING:
    from pathlib import Path

ESCAPE = "\x1b"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return make_site(tmp_path / "site")


def test_help_names_every_command_and_each_explains_itself() -> None:
    top = hyperweb("--help")
    assert top.returncode == 0
    for command in _COMMANDS:
        assert re.search(rf"\b{command}\b", top.stdout), command
    for command in _COMMANDS:
        found = hyperweb(command, "-h" if command == "build" else "--help")
        assert found.returncode == 0, found.stderr
        assert f"hyperweb {command}" in found.stdout
        # A sentence about it, and every option with its own.
        assert len(found.stdout.splitlines()) > 8


def test_options_say_what_the_settings_say() -> None:
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", hyperweb("serve", "--help").stdout).split())
    assert "The port to listen on; 0 takes any that is free." in text
    assert "8000" in text
    assert "--edge-threads" in text
    assert "HYPERWEB_SERVE_EDGE_THREADS" in text.replace(" ", "")


def test_the_version_is_printed() -> None:
    found = hyperweb("--version")
    assert (found.returncode, bool(re.search(r"\d+\.\d+", found.stdout))) == (0, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["build", "--nonsense"],
        ["build", "nowhere"],
        ["build", "nowhere", "--json"],
        ["serve", "nowhere"],
        ["serve", "nowhere", "--prod"],
        ["serve", "--direct"],
        ["serve", ".", "--prod", "--direct", "--metrics"],
        ["serve", ".", "--prod", "--direct", "--access-log", "-"],
        ["serve", ".", "--no-build"],
        ["stats", "nowhere"],
        ["purge", "nowhere", "--all"],
        ["purge", "."],
        ["routes", "nowhere"],
        ["check", "nowhere"],
        ["check", ".", "--disable", "nonsense"],
        ["minify"],
        ["minify", "nowhere.css"],
        ["new"],
        ["build", ".", "--concurrency", "many"],
        ["build", ".", "--concurrency", "-1"],
        ["serve", ".", "--port", "70000"],
    ],
)
def test_wrong_use_is_two_and_says_why(site: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(site)
    found = hyperweb(*arguments)
    assert found.returncode == 2, found.stdout + found.stderr
    assert "Traceback" not in found.stderr
    said = found.stderr + found.stdout
    assert len(said.splitlines()) < 30
    if "nowhere" in arguments:
        assert "nowhere" in said


@pytest.mark.parametrize("command", ["build", "routes", "stats"])
def test_json_is_one_object_and_nothing_else_also_when_it_fails(site: Path, tmp_path: Path, command: str) -> None:
    (site / "handlers.py").write_text("print('said while loading')\nimport nothing_like_it\n", "utf-8")
    found = hyperweb(command, site, "--json")
    assert found.returncode == 1
    assert error_of(found.stdout)
    found = hyperweb(command, tmp_path / "nowhere", "--json")
    assert found.returncode == 2
    assert "nowhere" in error_of(found.stdout)
    found = hyperweb(command, site, "--json", "--nonsense")
    assert found.returncode == 2
    assert "--nonsense" in error_of(found.stdout)
    (site / "site.toml").write_text("titel = 'x'\n", "utf-8")
    found = hyperweb(command, site, "--json")
    assert found.returncode == 2
    assert "titel" in error_of(found.stdout)


def error_of(printed: str) -> str:
    found = json.loads(printed)
    assert isinstance(found, dict)
    one = found["sites"][0] if "sites" in found else found
    error: str = one["error"]
    return error


def test_json_is_one_object_and_nothing_else_when_it_succeeds(site: Path) -> None:
    handlers = site / "handlers.py"
    handlers.write_text("print('said while loading')\n" + handlers.read_text("utf-8"), "utf-8")
    for command, key in (("build", "sites"), ("routes", "routes")):
        found = hyperweb(command, site, "--json")
        assert found.returncode == 0
        assert key in json.loads(found.stdout)
        assert found.stdout.count("\n") == 1


def test_one_broken_site_of_several_fails_the_build_and_stops_no_other(site: Path, tmp_path: Path) -> None:
    broken = make_site(tmp_path / "broken", **{"templates/page.html": "{{ nope }}"})
    found = hyperweb("build", tmp_path, "--json")
    assert found.returncode == 1
    reports = {report["site"]: report for report in json.loads(found.stdout)["sites"]}
    assert "nope" in reports["broken"]["error"]
    assert reports["site"]["rendered"] == 6
    assert not (broken / "dist/site.pack").exists()
    assert (site / "dist/site.pack").exists()
    found = hyperweb("build", broken, site)
    assert found.returncode == 1
    assert "nope" in found.stderr
    assert found.stdout.startswith("site: nothing changed")


def test_a_build_in_a_pipe_prints_plain_lines(site: Path) -> None:
    (site / "content/posts/d.md").write_text("[gone](/gone/)\n", "utf-8")
    found = hyperweb("build", site)
    assert found.returncode == 0
    assert ESCAPE not in found.stdout + found.stderr
    assert len(found.stdout.splitlines()) == 1
    assert re.match(r"site: 7 pages and \d+ files, 7 rendered, 0 kept, ", found.stdout)
    assert found.stderr.startswith("warning: site/content/posts/d.md:1")
    found = hyperweb("build", site)
    assert re.match(r"site: nothing changed \(\d+ ms\)\n$", found.stdout)


def test_a_build_writes_where_it_is_told(site: Path) -> None:
    assert hyperweb("build", site, "--out", "elsewhere").returncode == 0
    assert (site / "elsewhere/site.pack").is_file()
    assert not (site / "dist").exists()


def test_a_new_site_builds_and_serves(tmp_path: Path) -> None:
    found = hyperweb("new", tmp_path / "fresh", "--title", 'A {title} \\ of "quotes" & <tags>')
    assert found.returncode == 0, found.stderr
    assert str(tmp_path / "fresh") in found.stdout
    found = hyperweb("build", tmp_path / "fresh", "--strict")
    assert (found.returncode, found.stderr) == (0, "")
    with serving(tmp_path / "fresh", "--prod", "--workers", "1", wait_for="/api/hello/you") as server:
        assert json.loads(server.get("/api/hello/you")[2]) == {"hello": "you"}
        assert b"The first post." in server.get("/posts/hello/")[2]
        assert server.get("/nope")[0] == 404
        assert "A {title} \\ of" in server.get("/")[2].decode()
        assert "<tags>" not in server.get("/")[2].decode()


def test_a_new_site_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", "utf-8")
    found = hyperweb("new", tmp_path)
    assert found.returncode == 1
    assert "not empty" in found.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
    for place in (tmp_path / "mine.txt", tmp_path / "mine.txt/below"):
        found = hyperweb("new", place)
        assert found.returncode == 1
        assert "mine.txt" in found.stderr
        assert "Traceback" not in found.stderr
    assert (tmp_path / "mine.txt").read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("a.css", "a { color : red }\n", "a{color:red}"),
        ("a.html", "<p>  a   b </p>\n\n", None),
        ("a.ts", "export const one: number = 1 + 1;\n", None),
        ("a.js", "// note\nexport const one = 1;\n", None),
        ("a.json", '{ "a" : [ 1, 2 ] }\n', '{"a":[1,2]}'),
        ("a.xml", "<a>\n  <b/>\n</a>\n", None),
        ("a.svg", '<svg xmlns="http://www.w3.org/2000/svg">\n  <!-- note --><circle r="1"/>\n</svg>\n', None),
        ("a.txt", "as  it is\n", "as  it is\n"),
        ("empty.css", "", ""),
    ],
)
def test_minify_makes_files_smaller(tmp_path: Path, name: str, text: str, wanted: str | None) -> None:
    file = tmp_path / name
    file.write_text(text, "utf-8")
    found = hyperweb("minify", file)
    assert found.returncode == 0, found.stderr
    assert len(found.stdout) <= len(text)
    if wanted is not None:
        assert found.stdout == wanted
    assert file.read_text("utf-8") == text


def test_minify_writes_into_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a { color : red }\n", "utf-8")
    (tmp_path / "b.json").write_text("{ }\n", "utf-8")
    found = hyperweb("minify", tmp_path / "a.css", tmp_path / "b.json", "--out", tmp_path / "out")
    assert found.returncode == 0, found.stderr
    assert (tmp_path / "out/a.css").read_text("utf-8") == "a{color:red}"
    assert (tmp_path / "out/b.json").read_text("utf-8") == "{}"
    assert len(found.stdout.splitlines()) == 2


def test_minify_overwrites_no_file_by_another(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.css").write_text(f"{folder} {{ }}", "utf-8")
    found = hyperweb("minify", tmp_path / "a/x.css", tmp_path / "b/x.css", "--out", tmp_path / "out")
    assert found.returncode == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "data", "wanted"),
    [
        ("a.css", b"a { }\n} b {\n", ["a.css:2", "not valid CSS"]),
        ("a.ts", b"let a = 1;\nlet = ;\n", ["a.ts:2", "not a valid script"]),
        ("a.css", b"ok { }\n\xff\n", ["a.css:2", "UTF-8"]),
        ("a.html", b"<p>\xff", ["a.html:1", "UTF-8"]),
        ("a.json", b'{ "\xff" : 1 }', ["a.json:1", "UTF-8"]),
    ],
)
def test_minify_says_where_a_file_is_wrong(tmp_path: Path, name: str, data: bytes, wanted: list[str]) -> None:
    (tmp_path / name).write_bytes(data)
    found = hyperweb("minify", tmp_path / name)
    assert (found.returncode, found.stdout) == (1, "")
    assert "Traceback" not in found.stderr
    for part in wanted:
        assert part in found.stderr


def test_routes_lists_what_python_answers(site: Path) -> None:
    found = hyperweb("routes", site)
    assert found.returncode == 0
    lines = [line.split() for line in found.stdout.splitlines()]
    assert ["GET", "/api/count", "cached", "count"] in [[line[0].split("|")[0], *line[1:]] for line in lines]
    assert any(line[1] == "/api/echo" and line[0] == "POST" for line in lines)
    routes = json.loads(hyperweb("routes", site, "--json").stdout)["routes"]
    by_path = {route["path"]: route for route in routes}
    assert by_path["/api/count"]["tags"] == ["count"]
    assert by_path["/api/count"]["cache"]["ttl"] in {60, "60s"}
    assert by_path["/greet/{name}"]["cache"] is None
    (site / "handlers.py").unlink()
    assert hyperweb("routes", site).stdout == ""
    assert json.loads(hyperweb("routes", site, "--json").stdout) == {"routes": []}
