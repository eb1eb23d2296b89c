"""Settings: where they come from, which source wins, and what is said of those that cannot be used."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hyperweb.config import ConfigError, Settings, load_site, settings_hash
from hyperweb.config._load import describe, line_of, setting_names


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("HYPERWEB_"):
            monkeypatch.delenv(name)


def write(root: Path, text: str) -> Path:
    (root / "site.toml").write_text(text, "utf-8")
    return root


def refused(root: Path, text: str, **overrides: object) -> ConfigError:
    with pytest.raises(ConfigError) as found:
        load_site(write(root, text), {name.replace("__", "."): value for name, value in overrides.items()})
    assert found.value.exit_code == 2
    return found.value


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    config = load_site(write(tmp_path, ""))
    assert config.settings == Settings()
    assert config.root == tmp_path.resolve()
    assert (config.out, config.pack) == (tmp_path / "dist", tmp_path / "dist/site.pack")


def test_everything_in_the_file_is_read(tmp_path: Path) -> None:
    text = """title = "T"
hosts = ["a.example", "b.example"]
aliases = { "/old/" = "/new/", "/out" = "https://example.org/x" }
[build]
minify = false
[cache]
memory = "64MB"
[security.headers]
x-frame-options = ""
[extra]
anything = [{ goes = 1 }]
"""
    found = load_site(write(tmp_path, text)).settings
    assert found.hosts == ("a.example", "b.example")
    assert found.aliases == {"/old/": "/new/", "/out": "https://example.org/x"}
    assert found.build.minify is False
    assert found.cache.memory == "64MB"
    assert found.security.headers == {"x-frame-options": ""}
    assert found.extra == {"anything": [{"goes": 1}]}


def test_the_command_line_wins_over_the_environment_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "[serve]\nport = 1\nhost = 'file'\nworkers = 7\n")
    monkeypatch.setenv("HYPERWEB_SERVE_PORT", "2")
    monkeypatch.setenv("HYPERWEB_SERVE_HOST", "environment")
    monkeypatch.setenv("HYPERWEB_BUILD_MINIFY", "false")
    serve = load_site(tmp_path, {"serve.port": 3, "serve.host": None}).settings.serve
    assert (serve.port, serve.host, serve.workers, serve.drain) == (3, "environment", 7, 10)
    assert load_site(tmp_path).settings.build.minify is False
    assert load_site(tmp_path).settings.serve.port == 2


@pytest.mark.parametrize(
    ("text", "line", "wanted"),
    [
        ('titel = "x"', 1, ["unknown setting `titel`", "did you mean `title`?"]),
        ('title = "x"\n\n[build]\nminfy = true', 4, ["`build.minfy`", "did you mean `build.minify`?"]),
        ("[buld]\nminify = true", 1, ["`buld`", "did you mean `build`?"]),
        ("[serve]\nport = 'x'", 2, ["`serve.port`", "expected `int`", "The port to listen on"]),
        ("[serve]\nport = 70000", 2, ["`serve.port`", "<= 65535"]),
        ("serve.port = 70000", 1, ["`serve.port`"]),
        ("[build]\nmax_file = 1", 2, ["`build.max_file`", "(in bytes)"]),
        ("[build]\ncompression = 'most'", 2, ["`build.compression`", "most"]),
        ("title = 3", 1, ["`title`", "expected `str`", "The name of the site."]),
        ("title = ''", 1, ["`title`"]),
        ("base_url = 'example.org'", 1, ["`base_url`", "this is not how it is written", "https://example.org"]),
        ("[aliases]\nold = '/new/'", 1, ["`aliases`", "this is not how it is written"]),
        ("[aliases]\n'/old/' = 'javascript:alert(1)'", 1, ["`aliases`"]),
        ("[security.headers]\n'x y' = 'z'", 1, ["`security.headers`"]),
        ('[security.headers]\nx = "a\\r\\nb: c"', 1, ["`security.headers`"]),
        ("hosts = 'en'", 1, ["`hosts`", "expected `array`"]),
        ("[build]\ntargets = ['netscape 4']", 2, ["`build.targets`", "netscape", "last 2 versions"]),
        ("[build]\nout = ''", 2, ["`build.out`"]),
        ("[build]\nout = '.'", 2, ["`build.out`", "overwrite"]),
        ("[build]\nout = '..'", 2, ["`build.out`"]),
        ("[build]\nout = 'static/site'", 2, ["`build.out`"]),
        ("build = 3", 1, ["`build`", "expected `object`"]),
        ('title = "x', 1, ["not valid TOML"]),
        ('title = "x"\n[build\n', 2, ["not valid TOML"]),
        ('title = "x"\ntitle = "y"\n', 2, ["not valid TOML"]),
    ],
)
def test_an_error_names_the_line_the_setting_and_what_to_do(
    tmp_path: Path, text: str, line: int, wanted: list[str]
) -> None:
    error = refused(tmp_path, text)
    assert error.file is not None
    assert error.file.endswith("site.toml")
    assert error.line == line, error
    for part in wanted:
        assert part in str(error)


def test_what_is_given_beside_the_file_is_checked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "serve.port" in str(refused(tmp_path, "", serve__port="x"))
    assert "build.concurrency" in str(refused(tmp_path, "", build__concurrency=-1))
    assert "build.out" in str(refused(tmp_path, "", build__out="content"))
    monkeypatch.setenv("HYPERWEB_SERVE_PROT", "1")
    assert "did you mean HYPERWEB_SERVE_PORT?" in str(refused(tmp_path, ""))
    monkeypatch.delenv("HYPERWEB_SERVE_PROT")
    monkeypatch.setenv("HYPERWEB_PORT", "1")
    assert "did you mean HYPERWEB_SERVE_PORT?" in str(refused(tmp_path, ""))
    monkeypatch.delenv("HYPERWEB_PORT")
    monkeypatch.setenv("HYPERWEB_SERVE_PORT", "many")
    assert "HYPERWEB_*" in str(refused(tmp_path, ""))


def test_a_folder_that_is_no_site_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_site(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="has no site"):
        load_site(tmp_path)
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(ConfigError, match="is not a folder"):
        load_site(tmp_path / "file")
    (tmp_path / "site.toml").mkdir()
    with pytest.raises(ConfigError, match="no regular file"):
        load_site(tmp_path)


def test_bytes_that_are_no_text_are_named_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_bytes(b'title = "x"\n# \xff\n')
    with pytest.raises(ConfigError, match="UTF-8") as found:
        load_site(tmp_path)
    assert found.value.line == 2


NESTED = """# a comment
title = "x"
serve.port = 1
[build]
  minify = true
"out" = "dist"
[extra.deep.deeper]
key = 1
[[cache.rules]]
match = "/a"
[[cache.rules]]
match = "/b"
ttl = "1m"
[ security . headers ]
x = "y"
[extra]
text = '''
[build]
minify = 5
'''
"""


@pytest.mark.parametrize(
    ("dotted", "line"),
    [
        ("title", 2),
        ("serve.port", 3),
        ("build", 4),
        ("build.minify", 5),
        ("build.out", 6),
        ("build.nothing", 4),
        ("extra.deep.deeper.key", 8),
        ("extra.deep.deeper", 7),
        ("cache.rules[0]", 9),
        ("cache.rules[0].match", 10),
        ("cache.rules[1]", 11),
        ("cache.rules[1].match", 12),
        ("cache.rules[1].ttl", 13),
        ("security.headers", 14),
        ("security.headers.x", 15),
        ("nothing", None),
        ("", None),
    ],
)
def test_the_line_of_a_setting_is_found(dotted: str, line: int | None) -> None:
    assert line_of(NESTED, dotted) == line


def test_every_setting_says_what_it_means() -> None:
    sections = {name.partition(".")[0] for name in setting_names() if "." in name}
    for name in setting_names():
        assert "." in name or name in sections or describe(name), name
        if "." in name:
            assert describe(name), name
    assert describe("build.max_file") == "A source file over this size is refused. (in bytes)"
    assert describe("nothing") is None


def test_what_a_page_can_depend_on_changes_the_hash_and_nothing_else_does(tmp_path: Path) -> None:
    def of(text: str) -> str:
        return settings_hash(load_site(write(tmp_path, text)).settings)

    base = of("")
    for text in ("[serve]\nport = 9", "[build]\nconcurrency = 3", "[cache]\nmemory = '1MB'", "[check]\ntimeout = 3"):
        assert of(text) == base
    assert of("[images]\nkeep = 3") == base
    for text in (
        "title = 'x'",
        "[build]\nminify = false",
        "[images]\neffort = 1",
        "[extra]\na = 1",
        "[aliases]\n'/a' = '/b'",
    ):
        assert of(text) != base
    assert of("[extra]\na = 1\nb = 2") == of("[extra]\nb = 2\na = 1")


# What TOML is made of, so that some of the texts are valid, and some are settings.
WORDS = (
    r'''title build minify [ ] [[ ]] cache rules extra aliases . = "x" ' """ 1 true inf 2026-01-01 { } , # \ é "/a/"'''
)
PIECES = st.sampled_from([*WORDS.split(), "\n", "\r\n", "\t", " ", "site\0"])


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join)))
@example("a = " + "[" * 5000)
@example("a." * 5000 + "a = 1")
@example("[" + "a." * 3000 + "a]")
@example("[cache]\nmemory = 1979-05-27T07:32:00Z")
@example("[extra]\na = 1979-05-27\nb = 07:32:00\nc = nan\nd = 99999999999999999999")
def test_any_text_is_settings_or_an_error(text: str) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / "site.toml").write_text(text, "utf-8", errors="surrogatepass", newline="")
        try:
            config = load_site(folder)
        except ConfigError as error:
            assert str(error)  # noqa: PT017 - either way is right
        else:
            assert settings_hash(config.settings)
