"""Assets: their URLs, what they import, and when their names change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.site.rendering import fault, read

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "assets/app.css": "@import './parts/_p.css';\nbody { background: url(img/dot.svg) }\n",
    "assets/parts/_p.css": "p { margin: 0 }\n",
    "assets/img/dot.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    "assets/app.ts": "import { one } from './lib';\nimport './one/a';\nconsole.log(one);\n",
    "assets/lib.ts": "export const one: number = 1;\n",
    "assets/one/a.ts": "import './b';\nexport const a = 1;\n",
    "assets/one/b.ts": "import './a';\nexport const b = 1;\n",
    "assets/alone.js": "console.log(1);\n",
    "assets/noending": "x",
}


def urls(root: Path, changes: dict[str, str] | None = None, *, fingerprint: bool = True) -> dict[str, str]:
    renderer = read(root, {**FILES, **(changes or {})}, fingerprint=fingerprint)
    assert renderer.errors == []
    return {name: renderer.assets.url(name) for name in renderer.assets.names()}


@pytest.mark.parametrize(
    ("changed", "reached"),
    [
        ("alone.js", {"alone.js"}),
        ("parts/_p.css", {"app.css"}),
        ("img/dot.svg", {"img/dot.svg", "app.css"}),
        ("lib.ts", {"app.ts"}),
        ("one/b.ts", {"app.ts"}),
        ("one/a.ts", {"app.ts"}),
        ("app.ts", {"app.ts"}),
    ],
)
def test_a_name_changes_when_what_it_is_made_of_does_and_only_then(
    tmp_path: Path, changed: str, reached: set[str]
) -> None:
    before = urls(tmp_path)
    ending = changed.rpartition(".")[2]
    # A script that is bundled is named by what came of it, which no comment changes.
    comment = {"css": "/* more */", "svg": "<!-- -->"}.get(ending, f"console.log({len(changed)});\n")
    after = urls(tmp_path, {f"assets/{changed}": FILES[f"assets/{changed}"] + comment})
    assert {name for name in before if before[name] != after[name]} == reached
    # And it is the content that counts: taken back, all is as it was.
    assert urls(tmp_path) == before


def test_an_unrelated_file_changes_no_name(tmp_path: Path) -> None:
    before = urls(tmp_path)
    after = urls(tmp_path, {"assets/new.ts": "console.log(2);\n", "content/a.md": "x", "static/x.txt": "x"})
    assert {name: after[name] for name in before} == before


def test_names_carry_a_hash_in_production_and_none_in_development(tmp_path: Path) -> None:
    built = urls(tmp_path)
    plain = urls(tmp_path, fingerprint=False)
    assert plain["app.ts"] == "/assets/app.js"
    assert plain["app.css"] == "/assets/app.css"
    assert plain["noending"] == "/assets/noending"
    assert all(built[name] != plain[name] for name in plain)
    assert built["app.ts"].startswith("/assets/app.")
    assert built["app.ts"].endswith(".js")
    assert "parts/_p.css" not in built


def test_imports_are_put_in_and_references_led_to_the_names_that_are_served(tmp_path: Path) -> None:
    renderer = read(tmp_path, FILES)
    url = renderer.assets.url
    script = renderer.assets.make("app.ts")[0]
    assert b"console.log(" in script
    assert b"import" not in script
    style = renderer.assets.make("app.css")[0].decode()
    assert "margin" in style
    assert url("img/dot.svg") in style
    assert "lib.ts" not in renderer.assets.names()


def test_styles_that_import_each_other_come_to_an_end(tmp_path: Path) -> None:
    renderer = read(
        tmp_path, {"assets/a.css": "@import './b.css';\na{top:0}", "assets/b.css": "@import './a.css';\nb{top:0}"}
    )
    assert renderer.errors == []
    text = renderer.assets.make("a.css")[0].decode()
    assert text.count("a {") == text.count("b {") == 1


def test_what_lies_elsewhere_is_left_alone(tmp_path: Path) -> None:
    renderer = read(
        tmp_path,
        {
            "assets/x.css": "a { background: url(data:image/png;base64,AA) } b { background: url(https://e.org/x) }",
            "assets/x.ts": "import 'https://e.org/x.js';\n",
        },
    )
    assert renderer.errors == []
    assert b"https://e.org/x" in renderer.assets.make("x.css")[0]
    assert b"https://e.org/x.js" in renderer.assets.make("x.ts")[0]


@pytest.mark.parametrize(
    ("files", "file", "line", "wanted"),
    [
        ({"assets/a.ts": "\nimport './no';\n"}, "a.ts", 2, "./no"),
        ({"assets/a.css": "\n\na { background: url(no.png) }\n"}, "a.css", 3, "no.png"),
        ({"assets/a.css": "@import '/assets/no.css';"}, "a.css", 1, "/assets/no.css"),
        ({"assets/a.css": "a { background: url(../../site.toml) }"}, "a.css", 1, "../../site.toml"),
        ({"assets/a.ts": "let a = 1;\nlet = ;\n"}, "a.ts", 2, "not a valid script"),
        ({"assets/a.css": "a { }\n} b {\n"}, "a.css", 2, "not valid CSS"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, files: dict[str, str], file: str, line: int, wanted: str
) -> None:
    found = fault(tmp_path / "site", files)
    assert (found.file, found.line) == (f"site/assets/{file}", line)
    assert wanted in str(found)
