"""The functions that make texts smaller."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperweb.build import (
    BuildError,
    minify_css,
    minify_html,
    minify_js,
    minify_json,
    minify_svg,
    minify_xml,
)
from tests.e2e.site import hyperweb

if TYPE_CHECKING:
    from pathlib import Path


def test_html_keeps_what_is_shown() -> None:
    page = """<!DOCTYPE html>
    <html><head><title> A  &amp; B </title><meta charset="UTF-8"></head>
    <body onload="go( 1 );"><!-- gone --><p style="color: #ff0000; margin: 0px">One <b>two</b></p>
    <ul> <li>1</li> <li>2</li> </ul><table><tbody><tr><td>x</td></tr></tbody></table></body></html>"""
    made = minify_html(page)
    assert made == (
        b"<!doctype html><title>A & B</title><meta charset=utf-8><body onload=go(1)>"
        b"<p style=color:red;margin:0>One <b>two</b><ul><li>1<li>2</ul><table><tr><td>x</table>"
    )
    assert minify_html(page.encode()) == made
    tags = [str(element.tag) for element in html5lib.parse(page, namespaceHTMLElements=False).iter()]
    assert [str(element.tag) for element in html5lib.parse(made, namespaceHTMLElements=False).iter()] == [
        tag for tag in tags if "Comment" not in tag
    ]


def test_stylesheets_are_lowered_only_when_browsers_are_named() -> None:
    assert minify_css("a { user-select: none }") == b"a{user-select:none}"
    assert b"-webkit-user-select" in minify_css("a { user-select: none }", targets=["safari 17"])
    assert b"-webkit-user-select" in minify_css("a { user-select: none }", targets=[])
    assert minify_html("<p style='user-select: none'>") == b"<p style=user-select:none>"
    assert b"-webkit-user-select" in minify_html("<p style='user-select: none'>", targets=[])
    assert minify_css("@import 'b.css'; a { color: #ff0000 }") == b'@import "b.css";a{color:red}'
    with pytest.raises(BuildError, match="not a query for browsers") as raised:
        minify_css("a{}", targets=["netscape the fourth"])
    assert raised.value.hint


def test_scripts_keep_the_names_that_others_use() -> None:
    assert minify_js("function greet(name) { return 1 + name }") == b"function greet(e){return 1+e}"
    assert minify_js("const unused = 1; export const a: number = 2", filename="a.ts") == b"export const a=2;"
    with pytest.raises(BuildError) as raised:
        minify_js("let a = ;\n", filename="x.js")
    assert (raised.value.file, raised.value.line, raised.value.column) == ("x.js", 1, 9)
    assert str(raised.value).startswith("x.js:1:9: not a valid script")
    with pytest.raises(BuildError, match="already been declared"):
        minify_js("let a; let a;")


def test_scripts_say_conditions_and_early_leaves_the_short_way() -> None:
    for script, wanted in [
        ("(!a || !b) && c()", b"a&&b||c();"),
        ("x = !(a && !b) ? c : d", b"x=a&&!b?d:c;"),
        ("if (a() && !(b || !c)) d()", b"a()&&!b&&c&&d();"),
        (
            "function f(a) { if (a) { g(); return } for (const b of h()) b() }",
            b"function f(e){if(e)g();else for(let e of h())e()}",
        ),
        (
            "function f(a) { if (!a) return; let b = g(); while (b) b = b.c(b) }",
            b"function f(e){if(e){let e=g();for(;e;)e=e.c(e)}}",
        ),
        (
            "function f(a) { return a === 1 ? g(a) : (h(a), g(a)) }",
            b"function f(e){return e===1||h(e),g(e)}",
        ),
        # What was declared after the condition is known before it.
        (
            "function f(a) { const g = () => b; if (!a) return g; if (a == 2) return; let b = a; for (; b; h(g, b)); }",
            b"function f(e){let t=()=>n;if(!e)return t;if(e==2)return;let n=e;for(;n;h(t,n));}",
        ),
    ]:
        assert minify_js(script) == wanted


def test_what_is_nested_beyond_reason_is_refused() -> None:
    for minify, text in [
        (minify_js, "a=" + "(" * 100_000),
        (minify_js, "!" * 100_000 + "a"),
        (minify_js, "if(a)b();else " * 100_000),
        (minify_css, "a{" * 100_000),
        (minify_css, ":not(" * 10_000),
    ]:
        with pytest.raises(BuildError, match="nested too deeply") as raised:
            minify(text)
        assert raised.value.line == 1
        assert raised.value.column
    assert len(minify_js("a=" + "[" * 3000 + "]" * 3000)) == 6003
    for made, text in [
        (minify_html, f"<script>{'(' * 50_000}</script>"),
        (minify_html, f"<p style='a:{'(' * 50_000}'>"),
        (minify_html, "<div>" * 50_000),
        (minify_svg, "<g>" * 50_000),
        (minify_json, "[" * 50_000),
        (minify_xml, "<a>" * 50_000),
    ]:
        assert made(text)


def test_data_and_pictures_lose_their_white_space() -> None:
    assert minify_json('{ "a" : [ 1 ] }') == b'{"a":[1]}'
    assert minify_json("{ no") == b"{ no"
    assert minify_xml("<a> <!-- c --> <b>t</b> </a>") == b"<a><b>t</b></a>"
    assert minify_svg("<svg> <!-- c --> <path d='M0 0'/> </svg>") == b"<svg><path d='M0 0'/></svg>"


def test_what_is_no_text_is_refused() -> None:
    for minify in (minify_html, minify_css, minify_js, minify_json, minify_svg, minify_xml):
        with pytest.raises(BuildError, match="not UTF-8") as raised:
            minify(b"a\n\xff")
        assert raised.value.line == 2


@given(st.text())
def test_any_text_is_minified_or_refused(text: str) -> None:
    for minify in (minify_html, minify_json, minify_svg, minify_xml):
        minify(text)
    for minify in (minify_css, minify_js):
        with contextlib.suppress(BuildError):
            minify(text)


def test_a_source_map_and_the_licences_go_into_files_beside(tmp_path: Path) -> None:
    script, sheet, out = tmp_path / "a.ts", tmp_path / "b.css", tmp_path / "out"
    script.write_text("/*! mine */\nexport const one: number = f();\n", "utf-8")
    sheet.write_text("/*! ours */\na { color: red }\n", "utf-8")
    found = hyperweb("minify", script, sheet, "--out", out, "--source-map", "--licenses", "extern")
    assert found.returncode == 0, found.stderr
    assert (out / "a.ts").read_text("utf-8") == "export const one=f();\n//# sourceMappingURL=a.ts.map\n"
    assert (out / "b.css").read_text("utf-8") == "a{color:red}\n/*# sourceMappingURL=b.css.map */\n"
    assert (out / "a.ts.LICENSE.txt").read_text("utf-8") == "/*! mine */\n"
    assert (out / "b.css.LICENSE.txt").read_text("utf-8") == "/*! ours */\n"
    for name in ("a.ts", "b.css"):
        mapped = json.loads((out / f"{name}.map").read_text("utf-8"))
        assert mapped["sources"] == [name]
        assert mapped["sourcesContent"] == [(tmp_path / name).read_text("utf-8")]
    assert hyperweb("minify", script, "--source-map").returncode == 2
    assert b"/*! mine */" in minify_js(script.read_bytes(), filename="a.ts", licenses="keep")
    assert minify_css(sheet.read_bytes(), licenses="drop") == b"a{color:red}"
