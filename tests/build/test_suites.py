"""Public suites: what every minifier has to read, refuse and leave as it runs, and tables of what others make."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hyperweb.build import BuildError, minify_html, minify_js, minify_json, minify_svg, minify_xml
from tests.build.suites import from_go, from_npm, pairs

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAMS = Path(__file__).with_name("run_programs.mjs")
TEST262 = "0.0.5"
ESBUILD = "v0.28.2"
TDEWOLFF = "v2.24.12"


@pytest.fixture(scope="module")
def grammar() -> Path:
    return from_npm("test262-parser-tests", TEST262)


def goal(path: Path) -> str:
    """Returns the name a test is minified under: it says whether it is a module."""
    return "case.mjs" if path.name.endswith(".module.js") else "case.cjs"


SLOPPY = "`let` is a name only where nothing is strict, and no browser's module has one"
# By the name of a test, why.
NOT_READ = {"5654d4106d7025c2.js": SLOPPY, "ee4e8fa6257d810a.js": SLOPPY}
# The other form of these is another program: with other names, other numbers, or other keys.
OTHER_PROGRAMS = {
    "0b4d61559ccce0f9.js",
    "12ea3bf0653f8409.js",
    "16c7073c546fdd58.js",
    "247a3a57e8176ebd.js",
    "441a92357939904a.js",
    "47f974d6fc52e3e4.js",
    "5829d742ab805866.js",
    "589dc8ad3b9aa28f.js",
    "598a5cedba92154d.js",
    "72d79750e81ef03d.js",
    "7788d3c1e1247da9.js",
    "82c827ccaecbe22b.js",
    "87a9b0d1d80812cc.js",
    "96f5d93be9a54573.js",
    "988e362ed9ddcac5.js",
    "a8a03a88237c4e8f.js",
    "ad06370e34811a6a.js",
    "db3c01738aaf0b92.js",
    "de6b6c9002d2d43e.js",
    "e71c1d5f0b6b833c.js",
    "e8ea384458526db0.js",
}
# What is taken that the tests want refused, by why.
TAKEN = {
    "a file of CommonJS is the body of a function": (
        "02e5861a1ef10c42.js",
        "7187f0675eb38279.js",
        "7bfaaa1e80d6255f.js",
        "8beaabe25ab7e0a8.js",
        "d32d2f1285789b8e.js",
        "fc9cad7477872ddf.js",
    ),
    "the language has it since these tests were written": (
        "0d5e450f1da8a92a.js",
        "748656edbfb2d0bb.js",
        "79f882da06f88c9f.js",
        "92b6af54adef3624.js",
        "647e21f8f157c338.js",
        "8af69d8f15295ed2.js",
        "98204d734f8c72b3.js",
        "ef81b93cf9bdb4ec.js",
        "c060a3014ad24dfd.js",
    ),
    "browsers take it (ECMA-262, annex B)": (
        "e3fbcf63d7e43ead.js",
        "0f5f47108da5c34e.js",
        "12a74c60f52a60de.js",
        "1aff49273f3e3a98.js",
        "be7329119eaa3d47.js",
        "ec31fa5e521c5df4.js",
    ),
    "what stands in a regular expression is not read": (
        "66e383bfd18e66ab.js",
        "78c215fabdf13bae.js",
        "bf49ec8d96884562.js",
        "e4a43066905a597b.js",
        "4de83a7417cd30dd.js",
    ),
}


def bare(script: bytes) -> bytes:
    """Returns a script without brackets: those around a function tell an engine to compile it at once, and stay."""
    return re.sub(rb"[()]", b"", script)


def test_programs_are_read_and_mean_the_same_however_they_are_written(grammar: Path) -> None:
    not_read, otherwise = {}, {}
    for path in sorted((grammar / "pass").glob("*.js")):
        explicit = grammar / "pass-explicit" / path.name
        try:
            made = minify_js(path.read_bytes(), filename=goal(path))
            # The same program, with every bracket and semicolon that may be left out.
            same = minify_js(explicit.read_bytes(), filename=goal(path))
            minify_js(made, filename=goal(path))
        except BuildError as error:
            not_read[path.name] = str(error)
            continue
        if bare(made) != bare(same):
            otherwise[path.name] = (made, same)
    assert not_read.keys() == NOT_READ.keys(), not_read
    assert otherwise.keys() == OTHER_PROGRAMS, otherwise


@pytest.mark.parametrize("folder", ["fail", "early"])
def test_what_is_no_program_is_refused_where_it_is_wrong(grammar: Path, folder: str) -> None:
    taken = []
    places: list[tuple[str, int | None, int | None]] = []
    for path in sorted((grammar / folder).glob("*.js")):
        try:
            minify_js(path.read_bytes(), filename=goal(path))
        except BuildError as error:
            # What begins with a character that stands for none is no text, and is wrong nowhere in particular.
            if "binary" not in error.message:
                places.append((path.name, error.line, error.column))
        else:
            taken.append(path.name)
    known = {name for names in TAKEN.values() for name in names}
    assert taken == sorted(name for name in known if (grammar / folder / name).exists()), taken
    assert [place for place in places if None in place] == []


def run(programs: list[str]) -> list[list[str]]:
    done = subprocess.run(
        ["node", PROGRAMS], input=json.dumps(programs), capture_output=True, text=True, timeout=100, check=True
    )
    told: list[list[str]] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


# A part of a program that does not do the same, and why.
KNOWN = {
    "throw 2\n        } catch (x) {": "oxc gives a `var` in a nested `catch` the name of another",
    "static [-0] = 1": "oxc takes the brackets off a key that is infinite, and the script is refused by a browser",
    "deadLetInSwitch": "oxc takes a name for declared that stands in a case that is never reached",
    "deadConstInSwitch": "the same",
    "let f = 1\n      // This should not": "oxc gives a function in a sloppy `if` the name of a `let` around it",
}


def test_programs_do_the_same() -> None:
    tests = from_go("github.com/evanw/esbuild", ESBUILD) / "scripts" / "end-to-end-tests.js"
    done = subprocess.run(["node", PROGRAMS, tests], capture_output=True, text=True, timeout=100, check=True)
    programs: list[str] = json.loads(done.stdout.strip().splitlines()[-1])
    # What a function is called is not kept.
    programs = [text for text in programs if not re.search(r"\.name\b", text)]
    assert len(programs) > 200
    made = []
    for text in programs:
        # As it is run: in a function.
        script = minify_js(f"(function () {{{text}\n}}).call(module.exports)", filename="case.cjs").decode()
        made.append(f"return {script}")
    told = zip(programs, made, run(programs), run(made), strict=True)
    apart = [(text, script, before, after) for text, script, before, after in told if before != after]
    assert [one for one in apart if not any(part in one[0] for part in KNOWN)] == []
    assert len(apart) == len(KNOWN), apart


# Of tdewolff/minify's tables: what it makes shorter, by why it is not made so here.
LONGER: dict[str, set[str]] = {
    "a part of a page is not the end of one: what stands behind it is not known": {
        '<body id="main"></body>',
        "<p></p><p></p>",
        '<p title\n\n\t  =\n     "bar">foo</p>',
        '<p class=" foo      ">foo bar baz</p>',
        "x <p>y</p>",
        "cats  and \tdogs ",
        "cats  <br>  dogs ",
        "<foreignObject/>  text",
        "<foreignObject><foreignObject/></foreignObject>  text",
    },
    "a space that is shown is not left out, nor moved out of the element that shows it": {
        " <div> <i> test </i> <b> test </b> </div> ",
        "<strong>x </strong> y",
        "<strong>x </strong>\ny",
        "<p>x </b> <b> y",
        "a <code> code </code> b",
        "a <strike> b </strike> c",
        '<i class="fas"> </i> Text',
    },
    "another tree would come of it": {
        "abc\n</body>\ndef",
        '<noscript><html><img id="x"></noscript>',
        "<select>text<option>foo</option>text<optgroup>text<option>bar</option>text</optgroup>text</select>",
        "<iframe><html> <p> x </p> </html></iframe>",
    },
    "stylesheets and scripts ask for it": {
        "<span method=GET></span>",
        '<input type="radio" value="on">',
        '<input type="text" value="">',
        '<input type="text">',
        "<span style=>",
        "<button onclick=>",
        '<a id="abc" name="abc">y</a>',
        '<a name="abc" id="abc">y</a>',
        '<a id="" value="">y</a>',
        "<script></script>",
        '<script charset="x" src="y"></script>',
    },
    "what others read in an attribute is theirs to say": {
        '<meta name="keywords" content="a, b">',
        '<meta name="keywords" content="A, B">',
        '<meta http-equiv="content-type" content="text/plain, text/html">',
        '<link href="data:text/plain, data">',
        '<meta name="viewport" content="width = 996" />',
        '<meta name=viewport content="width=0.1, initial-scale=1.0 , maximum-scale=1000">',
        '<input maxlength="     5 ">',
        "<source type='video/mp4; codecs=\"av01.0.05M.08\"'>",
        '<span onload="javascript:x;"></span>',
        '<p onclick="  javascript:lala  ">',
        '<p onclick=" JavaScript: x">x</p>',
        "<code>&quot;&rsquor;</code>",
        '<path x=" a "/>',
        '<path x=" a \n b "/>',
        '<svg viewBox="5.0px 5px 240IN px"><path/></svg>',
        '<svg viewBox="5.0!5px"><path/></svg>',
    },
    "a percentage of nothing can be animated to one of something": {
        '<path x="5.0px" y="0%"/>',
        '<rect x="5" y="10" width="30" height="0%"/>',
    },
    "what it is in cannot be told from a part of it": {
        "<style> <![CDATA[ x ]]> </style>",
        "<style> <![CDATA[ <<<< ]]> </style>",
        "<metadata><dc:title />",
        '<xyz:rect width="100%" height="100%" fill="green"/>',
        '<svg:rect width="100%" height="100%" fill="green"/>',
        "<!DOCTYPE bla><?xml?><!-- comment --><metadata/>",
        "<a> <![CDATA[ a ]]> </a>",
        "<![CDATA[",
    },
    "not every reader of numbers takes a point behind an exponent": {
        '<path d="M0.5 0.6 M -100 0.5z"/>',
    },
    "numbers of data stay as they were written": {
        "1.3e1",
        "1E+03",
        "1.0",
    },
    "text and references of data stay as they were written": {
        "<a >a</a >",
        '<?xml  version="1.0" ?>',
        '<x a="&apos;b&quot;"></x>',
        '<x a="&quot;&quot;\'"></x>',
        "<x>&#38;&#038;&#60;</x>",
        "text <!--comment--> text",
        "text\n<!--comment-->\ntext",
        "<x> ]]&gt; </x>",
    },
    "a server reads it": {"<!--# SSI Tag -->"},
    "it says in which way the page is laid out": {
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML+RDFa 1.0//EN" "http://www.w3.org/MarkUp/DTD/xhtml-rdfa-1.dtd">',
    },
}


# Empty definitions of an editor's file are referred to by nothing and stay: they have a name.
EDITOR = 'sodipodi:docname="onlineupdate_16_inkscape.svg"'


def made_of(text: str, minify: Callable[[str], bytes]) -> str:
    try:
        return minify(text).decode()
    except BuildError as error:
        return f"refused: {error.message}"


@pytest.mark.parametrize(
    ("file", "function", "minify"),
    [
        ("html/html_test.go", "TestHTML", minify_html),
        ("svg/svg_test.go", "TestSVG", minify_svg),
        ("json/json_test.go", "TestJSON", minify_json),
        ("xml/xml_test.go", "TestXML", minify_xml),
    ],
)
def test_nothing_is_longer_than_others_make_it_but_where_it_is_known_why(
    file: str, function: str, minify: Callable[[str], bytes]
) -> None:
    known = {text for texts in LONGER.values() for text in texts}
    longer = {}
    count = 0
    for text, wanted in pairs(from_go("github.com/tdewolff/minify/v2", TDEWOLFF) / file, function):
        count += 1
        made = made_of(text, minify)
        if (made.startswith("refused") or len(made) > len(wanted)) and text not in known and EDITOR not in text:
            longer[text] = (made, wanted)
    assert count > 5
    assert longer == {}
