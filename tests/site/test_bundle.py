"""Scripts with what they import: what a build makes of them, run by Node, and what it does again."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.conftest import require_program
from tests.e2e.site import hyperweb

if TYPE_CHECKING:
    from pathlib import Path

BASE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>T</title>
<link rel="stylesheet" href="{{ asset('base.css') }}"></head>
<body><p>x</p><script type="module" src="{{ asset('app.ts') }}"></script></body></html>"""
FILES = {
    "site.toml": 'title = "T"\n[build]\nimport_map = false\n',
    "pages/index.html": BASE,
    "pages/other.html": BASE.replace("app.ts", "other.ts"),
    "assets/base.css": "body { margin: 0 }\n",
    "assets/app.ts": "import { shout } from './lib';\nimport { VERSION } from 'pack';\n"
    "console.log(shout('a') + VERSION);\nvoid import('./later').then((m) => console.log(m.late()));\n",
    "assets/other.ts": "import { shout } from './lib';\nconsole.log(shout('b'));\n",
    "assets/lib.ts": "export const shout = (text: string): string => text.toUpperCase();\n"
    "export const unused = () => 'never wanted';\n",
    "assets/later.ts": "import { shout } from './lib';\nexport const late = () => shout('late');\n",
    "node_modules/pack/package.json": '{"name": "pack", "version": "1.0.0", "main": "index.js", "sideEffects": false}',
    "node_modules/pack/index.js": "export const VERSION = '1.2.3';\nexport const HUGE = 'not wanted at all';\n",
}


def site(root: Path, **more: str | None) -> Path:
    for path, text in {**FILES, **{path.replace("__", "/"): text for path, text in more.items()}}.items():
        if text is not None:
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
    return root


def write(root: Path, files: dict[str, str]) -> Path:
    site(root)
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return root


def build(root: Path, *options: str, env: dict[str, str] | None = None) -> dict[str, object]:
    before = dict(os.environ)
    os.environ.update(env or {})
    try:
        found = hyperweb("build", root, "--json", *options)
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert found.returncode == 0, found.stdout + found.stderr
    sites: list[dict[str, object]] = json.loads(found.stdout)["sites"]
    return sites[0]


def assets(root: Path) -> dict[str, bytes]:
    """Returns what is served below /assets/, by name without the hash."""
    folder = root / "dist/public/assets"
    return {
        re.sub(r"\.[0-9a-f]{10}(?=\.)", "", str(file.relative_to(folder))): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def page(root: Path, name: str = "index.html") -> str:
    return (root / "dist/public" / name).read_text("utf-8")


def run(root: Path, script: str) -> str:
    """Runs a built script and returns what it prints."""
    folder = root / "dist/public"
    (folder / "package.json").write_text('{"type": "module"}', "utf-8")
    [file] = [file for file in (folder / "assets").glob(f"{script}.*.js") if not file.name.endswith(".map")]
    done = subprocess.run([require_program("node"), file], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_imported_is_in_one_file_and_what_is_not_used_in_none(tmp_path: Path) -> None:
    root = site(tmp_path / "site")
    build(root)
    made = assets(root)
    assert run(root, "app").split() == ["A1.2.3", "LATE"]
    assert run(root, "other").split() == ["B"]
    whole = b"".join(made.values())
    assert b"wanted" not in whole
    assert b"toUpperCase" in whole
    assert whole.count(b"toUpperCase") == 1, "what scripts share is in one place"
    assert "lib.js" not in made
    assert "later.js" not in made, "a part has no address of its own"


def test_a_script_that_imports_nothing_is_as_it_was(tmp_path: Path) -> None:
    text = "const a: number = 1; export const two = a + 1; console.log(two);"
    root = write(tmp_path / "site", {"assets/alone.ts": text})
    build(root)
    assert assets(root)["alone.js"] == b"export const two=2;console.log(2);"


def test_a_page_fetches_what_its_scripts_import_with_them(tmp_path: Path) -> None:
    root = site(tmp_path / "site")
    build(root)
    [shared] = [file for file in (root / "dist/public/assets/_chunks").iterdir() if b"toUpperCase" in file.read_bytes()]
    assert f"<link rel=modulepreload href=/assets/_chunks/{shared.name}>" in page(root)
    assert page(root).index("modulepreload") < page(root).index("<script")
    assert "importmap" not in page(root)


def test_with_an_import_map_a_changed_part_leaves_the_names_of_the_others(tmp_path: Path) -> None:
    root = write(tmp_path / "site", {"site.toml": 'title = "T"\n'})
    build(root)
    before = {file.name for file in (root / "dist/public/assets").rglob("*.js")}
    mapped = json.loads(re.findall(r"<script type=importmap>(.*?)</script>", page(root))[0])["imports"]
    assert all((root / "dist/public" / url[1:]).is_file() for url in mapped.values())
    code = next(file for file in (root / "dist/public/assets").glob("app.*.js")).read_text("utf-8")
    for name in re.findall(r"""["'`](\./[^"'`]+)["'`]""", code):
        assert f"/assets/{name[2:]}" in mapped, "what a script names is in the map"
    (root / "assets/lib.ts").write_text("export const shout = (text: string) => text.toLowerCase();\n", "utf-8")
    build(root)
    after = {file.name for file in (root / "dist/public/assets").rglob("*.js")}
    assert len(before - after) == 1
    assert len(after - before) == 1


def test_without_one_names_follow_what_they_name(tmp_path: Path) -> None:
    root = site(tmp_path / "site")
    build(root)
    before = {file.name for file in (root / "dist/public/assets").rglob("*.js")}
    (root / "assets/lib.ts").write_text("export const shout = (text: string) => text + '!';\n", "utf-8")
    build(root)
    assert run(root, "app").split() == ["a!1.2.3", "late!"]
    after = {file.name for file in (root / "dist/public/assets").rglob("*.js")}
    assert before.isdisjoint(after)


def test_a_policy_that_forbids_inline_scripts_does_without_an_import_map(tmp_path: Path) -> None:
    toml = "title = 'T'\n[security.headers]\ncontent-security-policy = \"script-src 'self'\"\n"
    root = write(tmp_path / "site", {"site.toml": toml})
    build(root)
    assert "importmap" not in page(root)
    assert run(root, "app").split() == ["A1.2.3", "LATE"]


def test_an_edit_that_changes_nothing_renders_no_page(tmp_path: Path) -> None:
    root = site(tmp_path / "site")
    build(root)
    assert build(root)["unchanged"] is True
    lib = root / "assets/lib.ts"
    lib.write_text(FILES["assets/lib.ts"] + "// a comment\n", "utf-8")
    assert build(root)["rendered"] == 0
    lib.write_text(FILES["assets/lib.ts"].replace("toUpperCase", "toLowerCase"), "utf-8")
    assert build(root)["rendered"] == 2


def test_a_package_that_changes_is_seen(tmp_path: Path) -> None:
    root = site(tmp_path / "site")
    build(root)
    (root / "node_modules/pack/index.js").write_text("export const VERSION = '2.0.0';\n", "utf-8")
    report = build(root)
    assert report["unchanged"] is False
    assert report["rendered"] == 1, "only the page that loads it"
    assert run(root, "app").split() == ["A2.0.0", "LATE"]


def test_a_build_from_nothing_gives_the_same_bytes(tmp_path: Path) -> None:
    root = write(tmp_path / "site", {"site.toml": 'title = "T"\n'})
    build(root)
    (root / "assets/lib.ts").write_text("export const shout = (text: string) => text + '?';\n", "utf-8")
    build(root)
    once = {str(file): file.read_bytes() for file in (root / "dist/public").rglob("*") if file.is_file()}
    build(root, "--clean")
    assert {str(file): file.read_bytes() for file in (root / "dist/public").rglob("*") if file.is_file()} == once


def test_all_that_a_script_can_import(tmp_path: Path) -> None:
    root = write(
        tmp_path / "site",
        {
            "site.toml": 'title = "T"\n[build]\nimport_map = false\n'
            '[build.define]\nFLAG = true\n[build.env]\nAPI = "/api"\n',
            "assets/app.ts": """
import data from './data.json';
import picture from './dot.svg';
import raw from './note.txt?raw';
import { title, default as names } from './card.module.css';
import './card.css';
import init from './add.wasm';
import { aliased } from '@lib/aliased';
import { view } from './view';
console.log(JSON.stringify({
  data: data.a, picture, raw, title, all: names['big-title'], aliased, view: view(),
  flag: FLAG, api: import.meta.env.API, key: import.meta.env.PUBLIC_KEY, prod: import.meta.env.PROD,
  node: process.env.NODE_ENV, init: typeof init,
  url: new URL('./dot.svg', 'https://e.org/').pathname,
}));
declare const FLAG: boolean;
""",
            "assets/data.json": '{"a": 1, "b": "not wanted"}',
            "assets/dot.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
            "assets/note.txt": "a note\n",
            "assets/card.module.css": ".title { color: red } .big-title { composes: title; top: 0 }",
            "assets/card.css": ".plain { background: url(./dot.svg) }",
            "assets/add.wasm": "not run",
            "tsconfig.json": '{"compilerOptions": {"paths": {"@lib/*": ["./assets/lib/*"]}, "jsx": "react-jsx"}}',
            "assets/lib/aliased.ts": "export const aliased = 'by a path';",
            "assets/view.tsx": "export const view = () => <b title='x'>{1}</b>;",
            "node_modules/react/package.json": '{"name": "react", "version": "1.0.0"}',
            "node_modules/react/jsx-runtime.js": "exports.jsx = (tag, props) => [tag, props.title, props.children];",
        },
    )
    build(root, env={"PUBLIC_KEY": "k", "PRIVATE_KEY": "secret"})
    found = json.loads(run(root, "app"))
    files = assets(root)
    assert {name: found[name] for name in ("data", "raw", "aliased", "view", "flag", "api", "key", "prod", "node")} == {
        "data": 1,
        "raw": "a note\n",
        "aliased": "by a path",
        "view": ["b", "x", 1],
        "flag": True,
        "api": "/api",
        "key": "k",
        "prod": True,
        "node": "production",
    }
    assert found["init"] == "function"
    assert "lib/aliased.js" not in files, "what is imported by a name of tsconfig.json is a part"
    assert (root / "dist/public" / found["picture"][1:]).is_file()
    css = files["_chunks/app.css"].decode()
    assert f".{found['title']}{{" in css
    assert found["all"].split()[1] == found["title"]
    assert found["picture"] in css
    assert "add.wasm" in files
    assert b"not wanted" not in files["app.js"]
    assert b"secret" not in files["app.js"]
    sheet = next(file for file in (root / "dist/public/assets/_chunks").glob("app.*.css"))
    assert f"<link rel=stylesheet href=/assets/_chunks/{sheet.name}>" in page(root)


def test_a_worker_is_a_file_of_its_own_with_all_it_imports(tmp_path: Path) -> None:
    root = write(
        tmp_path / "site",
        {
            "assets/app.ts": "new Worker(new URL('./work.ts', import.meta.url), { type: 'module' });",
            "assets/work.ts": "import { shout } from './lib';\nimport { VERSION } from 'pack';\n"
            "postMessage(shout(VERSION));\nnew Worker(new URL('./work.ts', import.meta.url));\n",
        },
    )
    build(root)
    files = assets(root)
    [worker] = (root / "dist/public/assets/_workers").iterdir()
    url = f"/assets/_workers/{worker.name}"
    assert url.encode() in files["app.js"]
    assert url.encode() in files["_workers/work.js"], "one that starts itself"
    assert b"toUpperCase" in files["_workers/work.js"]
    assert b"import" not in files["_workers/work.js"].replace(b"import.meta", b"")
    before = worker.name
    (root / "assets/lib.ts").write_text("export const shout = (text: string) => text;\n", "utf-8")
    build(root)
    [worker] = (root / "dist/public/assets/_workers").iterdir()
    assert worker.name != before


def test_a_stylesheet_of_a_part_that_is_loaded_later_comes_with_it(tmp_path: Path) -> None:
    root = write(
        tmp_path / "site",
        {"assets/later.ts": "import './later.css';\nexport const late = () => 1;", "assets/later.css": "i { top: 0 }"},
    )
    build(root)
    files = assets(root)
    sheet = next(file for file in (root / "dist/public/assets/_chunks").glob("later.*.css"))
    assert f"/assets/_chunks/{sheet.name}".encode() in files["_chunks/later.js"]
    assert sheet.name not in page(root)


def test_stylesheets_import_from_packages(tmp_path: Path) -> None:
    root = write(
        tmp_path / "site",
        {
            "assets/base.css": "@import 'look/theme.css';\n@import './own.css';\nb { top: 0 }",
            "assets/own.css": "i { top: 0 }",
            "node_modules/look/package.json": '{"name": "look"}',
            "node_modules/look/theme.css": "@import './more.css';\na { background: url(./dot.png) }",
            "node_modules/look/more.css": "u { top: 0 }",
            "node_modules/look/dot.png": "a picture",
        },
    )
    build(root)
    files = assets(root)
    assert files["_files/dot.png"] == b"a picture"
    css = files["base.css"].decode()
    assert css.startswith("u{top:0}a{background:url(/assets/_files/dot.")
    assert css.endswith("}i{top:0}b{top:0}")
    (root / "node_modules/look/more.css").write_text("u { top: 1px }", "utf-8")
    build(root)
    assert b"u{top:1px}" in assets(root)["base.css"]


def test_templates_have_the_names_of_css_modules(tmp_path: Path) -> None:
    root = write(
        tmp_path / "site",
        {
            "pages/index.html": BASE.replace(
                "<p>x</p>", "{% set s = css_module('card.module.css') %}<p class='{{ s.title }}'>x</p>"
            ).replace("base.css", "card.module.css"),
            "assets/card.module.css": ".title { color: red }",
        },
    )
    build(root)
    found = re.search(r"<p class=(title_\w+)>", page(root))
    assert found is not None
    assert f".{found[1]}{{color:red}}".encode() in assets(root)["card.module.css"]


def test_a_css_module_has_one_name_wherever_it_is_asked_for(tmp_path: Path) -> None:
    # The script's stylesheet has it, and it is a file of its own, which with source maps goes through the bundler too.
    root = write(
        tmp_path / "site",
        {
            "site.toml": 'title = "T"\n[build]\nsource_maps = true\n',
            "pages/index.html": BASE.replace("base.css", "card.module.css").replace(
                "<p>x</p>", "{% set s = css_module('card.module.css') %}<p class='{{ s.title }}'>x</p>"
            ),
            "assets/app.ts": "import { title } from './card.module.css'; console.log(title);",
            "assets/card.module.css": "@import './other.module.css'; .title { color: red }",
            "assets/other.module.css": ".other { color: blue }",
        },
    )
    build(root)
    found = re.search(r"<p class=(title_\w+)>", page(root))
    assert found is not None
    files = assets(root)
    sheets = [files["card.module.css"], *(body for name, body in files.items() if re.match(r"_chunks/app.*css$", name))]
    assert len(sheets) == 2
    for sheet in sheets:
        text = re.sub(rb"/\*.*?\*/", b"", sheet).strip()
        assert re.fullmatch(rb"\.other_\w{6}\{color:#00f\}\.%s\{color:red\}" % found[1].encode(), text)
    assert run(root, "app").strip() == found[1]


def test_integrity_is_that_of_the_bytes_that_are_served(tmp_path: Path) -> None:
    root = write(tmp_path / "site", {"site.toml": 'title = "T"\n[build]\nintegrity = true\n'})
    build(root)
    text = page(root)
    found = re.findall(r'<(?:link|script)\b[^>]*?(?:href|src)=(/assets/[^ >]+)[^>]*integrity="?(sha384-[^ ">]+)', text)
    mapped = json.loads(re.findall(r"<script type=importmap>(.*?)</script>", text)[0])
    found += mapped["integrity"].items()
    assert len(found) >= 4
    for url, said in found:
        body = (root / "dist/public" / url[1:]).read_bytes()
        assert said == f"sha384-{base64.b64encode(hashlib.sha384(body).digest()).decode()}", url


def test_source_maps_lead_back_to_what_was_written(tmp_path: Path) -> None:
    root = write(tmp_path / "site", {"site.toml": 'title = "T"\n[build]\nsource_maps = true\nimport_map = false\n'})
    build(root)
    files = assets(root)
    assert re.search(rb"//# sourceMappingURL=app\.[0-9a-f]{10}\.js\.map\n$", files["app.js"])
    found = json.loads(files["app.js.map"])
    assert "/assets/app.ts" in found["sources"]
    assert FILES["assets/app.ts"] in found["sourcesContent"]
    every = [source for name in files if name.endswith(".js.map") for source in json.loads(files[name])["sources"]]
    assert "/node_modules/pack/index.js" in every or "/assets/lib.ts" in every
    assert re.search(rb"/\*# sourceMappingURL=base\.[0-9a-f]{10}\.css\.map \*/", files["base.css"])
    assert json.loads(files["base.css.map"])["sources"] == ["/assets/base.css"]
    assert run(root, "app").split() == ["A1.2.3", "LATE"]


@pytest.mark.parametrize("licenses", ["keep", "drop", "extern"])
def test_licences_stay_go_or_have_a_file(tmp_path: Path, licenses: str) -> None:
    root = write(
        tmp_path / "site",
        {
            "site.toml": f'title = "T"\n[minify]\nlicenses = "{licenses}"\n',
            "node_modules/pack/index.js": "/*! pack: MIT */\nexport const VERSION = '1.2.3';console.log(VERSION);\n",
            "assets/base.css": "/*! base: MIT */\nb { top: 0 }",
        },
    )
    build(root)
    files = assets(root)
    scripts = b"".join(body for name, body in files.items() if name.endswith(".js"))
    assert (b"pack: MIT" in scripts) == (licenses == "keep")
    assert (b"base: MIT" in files["base.css"]) == (licenses == "keep")
    beside = b"".join(body for name, body in files.items() if name.endswith(".LICENSE.txt"))
    assert (b"/*! pack: MIT */" in beside) == (licenses == "extern")
    assert (b"/*! base: MIT */" in beside) == (licenses == "extern")


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"assets/app.ts": "let a = 1;\nimport './no';\n"}, ["assets/app.ts:2", "./no", "> 2 |", "^"]),
        ({"assets/app.ts": "\nimport 'no-such-pack';\n"}, ["assets/app.ts:2", "npm install no-such-pack"]),
        ({"assets/lib.ts": "export const shout = 1;\nlet = ;\n"}, ["assets/lib.ts:2", "not a valid script"]),
        ({"assets/app.ts": "import { nothing } from './lib';\nnothing();"}, ["assets/app.ts:1", "nothing"]),
        ({"assets/app.ts": "import './a.css';", "assets/a.css": "a {}\n} b {"}, ["assets/a.css:2", "not valid CSS"]),
        ({"assets/app.ts": "\nnew Worker(new URL('./no.ts', import.meta.url))"}, ["assets/app.ts:2", "./no.ts"]),
        ({"assets/base.css": "\n@import 'no-look/a.css';"}, ["assets/base.css:2", "no-look/a.css"]),
        ({"pages/index.html": BASE.replace("app.ts", "later' ~ '.ts")}, ["later.ts", "build.entries"]),
        ({"assets/app.ts": "import data from './d.json';\nconsole.log(data)", "assets/d.json": "{"}, ["d.json"]),
    ],
)
def test_what_cannot_be_bundled_is_named_with_its_line(
    tmp_path: Path, files: dict[str, str], wanted: list[str]
) -> None:
    root = write(tmp_path / "site", files)
    found = hyperweb("build", root)
    assert found.returncode == 1, found.stdout + found.stderr
    said = found.stdout + found.stderr
    assert "Traceback" not in said
    for part in wanted:
        assert part in said, said


def test_external_packages_stay_where_they_are(tmp_path: Path) -> None:
    root = write(tmp_path / "site", {"site.toml": 'title = "T"\n[build]\nexternal = ["pack"]\n'})
    build(root)
    assert b'from"pack"' in assets(root)["app.js"]


def test_the_map_of_a_page_and_that_of_its_scripts_are_one(tmp_path: Path) -> None:
    own = '<script type="importmap">{"imports": {"pack": "/pack.js"}}</script><script type="module"'
    root = write(
        tmp_path / "site",
        {
            "site.toml": 'title = "T"\n[build]\nexternal = ["pack"]\n',
            "pages/index.html": BASE.replace('<script type="module"', own),
        },
    )
    build(root)
    maps = re.findall(r"<script type=importmap>(.*?)</script>", page(root))
    assert len(maps) == 1
    found = json.loads(maps[0])["imports"]
    assert found["pack"] == "/pack.js"
    assert any(name.startswith("/assets/_chunks/") for name in found)


def test_a_page_has_the_rules_it_uses(tmp_path: Path) -> None:
    css = ".used { top: 0 } .unused { top: 0 } .by-script { top: 0 } p { top: 1px }"
    files = {
        "assets/base.css": css,
        "assets/app.ts": "document.body.className = 'by-script';",
        "site.toml": 'title = "T"\n[css]\ninline = "used"\n',
        "pages/index.html": BASE.replace("<p>x</p>", "<p class=used>x</p>"),
    }
    root = write(tmp_path / "site", files)
    build(root)
    text = page(root)
    assert "<style>.used,.by-script{top:0}p{top:1px}</style>" in text
    assert "rel=stylesheet" not in text
    critical = files["site.toml"].replace("used", "critical") + "first_view = 1\n"
    more = BASE.replace("<p>x</p>", "<p class=used>x</p><i class=unused>y</i>")
    write(
        root,
        {
            "site.toml": critical,
            "pages/index.html": more,
            "assets/base.css": css,
            "assets/app.ts": files["assets/app.ts"],
        },
    )
    build(root)
    text = page(root)
    assert ".unused" not in text
    assert ".used" in text
    assert text.count("rel=stylesheet") == 2
    assert "<noscript>" in text
    assert "media=print" in text


def test_tailwind_is_run_where_a_site_asks_for_it(tmp_path: Path) -> None:
    root = write(
        tmp_path / "site",
        {"site.toml": 'title = "T"\n[css]\ntailwind = ["base.css"]\n', "assets/base.css": '@import "tailwindcss";\n'},
    )
    missing = hyperweb("build", root)
    assert missing.returncode == 1
    assert "tailwindcss" in missing.stdout + missing.stderr
    program = root / "node_modules/.bin/tailwindcss"
    program.parent.mkdir(parents=True)
    program.write_text(
        "#!/bin/sh\nprintf '/*! made */.p-1{padding:1px}' > \"$4\"\necho run >> runs\n", encoding="utf-8"
    )
    program.chmod(0o755)
    build(root)
    assert assets(root)["base.css"] == b".p-1{padding:1px}"
    (root / "assets/lib.ts").write_text(FILES["assets/lib.ts"] + "// p-1\n", "utf-8")
    build(root)
    build(root, "--strict")
    assert (root / "runs").read_text("utf-8").split() == ["run", "run"], "once for each state of the sources"
    program.write_text("#!/bin/sh\necho 'unknown utility' >&2\nexit 1\n", encoding="utf-8")
    failed = hyperweb("build", root)
    assert failed.returncode == 1
    assert "unknown utility" in failed.stdout + failed.stderr


def test_fonts_have_the_letters_of_the_site_and_a_stand_in(tmp_path: Path) -> None:
    tools = pytest.importorskip("fontTools.fontBuilder")
    letters = {letter: f"uni{ord(letter):04X}" for letter in "abcéЖ世"}
    builder = tools.FontBuilder(1000, isTTF=True)
    names = [".notdef", *letters.values()]
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): name for letter, name in letters.items()})
    pen = __import__("fontTools.pens.ttGlyphPen", fromlist=["TTGlyphPen"]).TTGlyphPen(None)
    for step, point in enumerate([(0, 0), (500, 0), (500, 700)]):
        (pen.lineTo if step else pen.moveTo)(point)
    pen.closePath()
    glyph = pen.glyph()
    builder.setupGlyf(dict.fromkeys(names, glyph))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (600, 0)))
    builder.setupHorizontalHeader(ascent=900, descent=-200)
    builder.setupNameTable({"familyName": "Own", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    root = write(
        tmp_path / "site",
        {
            "site.toml": 'title = "T"\n[css]\nfonts = true\n',
            "assets/base.css": "@import '/assets/hyperweb/fonts.css';\n"
            "@font-face { font-family: Own; src: url(own.ttf) } p { font-family: Own, 'Own fallback' }",
            "content/a.md": "+++\ntitle = 'A'\n+++\n\nCaf&eacute; Ж\n",
            "templates/page.html": "{{ page.content }}",
        },
    )
    builder.save(root / "assets/own.ttf")
    build(root)
    files = assets(root)
    ttfont = __import__("fontTools.ttLib", fromlist=["TTFont"]).TTFont
    [file] = (root / "dist/public/assets").glob("own.*.ttf")
    assert set(ttfont(file).getBestCmap()) == {ord(letter) for letter in "abcéЖ"}
    css = files["base.css"].decode()
    assert 'font-family:"Own fallback"' in css or "font-family:Own fallback" in css
    assert "size-adjust:" in css
    (root / "content/a.md").write_text("+++\ntitle = 'A'\n+++\n\n世\n", "utf-8")
    build(root)
    [file] = (root / "dist/public/assets").glob("own.*.ttf")
    assert ord("世") in ttfont(file).getBestCmap()
    font = ttfont(root / "assets/own.ttf")
    whole = (root / "assets/own.ttf").read_bytes()
    font.flavor = "woff2"
    font.save(root / "assets/own.ttf")
    packed = (root / "assets/own.ttf").read_bytes()
    middle = len(packed) // 2
    for damaged in (
        whole[: len(whole) // 2],
        packed[:-40],
        packed[:middle] + bytes(byte ^ 255 for byte in packed[middle : middle + 60]) + packed[middle + 60 :],
        whole.replace(b"hmtx", b"hmty"),
        b"",
    ):
        (root / "assets/own.ttf").write_bytes(damaged)
        failed = hyperweb("build", root)
        said = failed.stdout + failed.stderr
        assert failed.returncode == 1, said
        assert "site/assets/own.ttf: this is no font: " in said
        assert "Traceback" not in said
