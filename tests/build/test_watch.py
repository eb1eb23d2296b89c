"""A site that is watched: what is built after each change is what a clean build makes of the same files."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from hyperweb.build import BuildErrors
from hyperweb.build._watch import Watched
from hyperweb.config import load_site
from tests.build.editor import FILES, Editor
from tests.build.edits import build
from tests.e2e.site import environment, make_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path) -> Path:
    made = make_site(tmp_path / "site", **FILES)
    Editor(made, 0).mend()
    return made


def left(site: Path) -> dict[str, bytes]:
    dist = site / "dist"
    files = [dist / "site.pack", *(file for file in (dist / "public").rglob("*") if file.is_file())]
    return {str(file.relative_to(dist)): file.read_bytes() for file in files}


def clean(site: Path, to: Path) -> dict[str, bytes]:
    shutil.copytree(site, to / "site", ignore=shutil.ignore_patterns("dist", ".hyperweb"))
    found = build(to / "site", clean=True)
    assert found.said == ""
    shutil.rmtree(to)
    return found.files


def test_what_changes_is_built_and_what_does_not_is_not(site: Path, tmp_path: Path) -> None:
    build(site)
    watched = Watched(load_site(site))
    assert watched.build() is None
    assert not watched.wait(0)
    post = site / "content/posts/a.md"
    post.write_text(post.read_text("utf-8") + "\nMore.\n", "utf-8")
    assert watched.wait(5)
    report = watched.build()
    assert report is not None
    assert 0 < report.rendered < report.pages
    assert left(site) == clean(site, tmp_path / "clean")
    # Saved again as it is, at another time: nothing is rendered, and the date is new.
    before = left(site)["site.pack"]
    time.sleep(1.1)
    post.write_text(post.read_text("utf-8"), "utf-8")
    report = watched.build()
    assert report is not None
    assert report.rendered == 0
    assert left(site)["site.pack"] != before
    assert left(site) == clean(site, tmp_path / "clean")


def test_a_save_before_the_watch_begins_and_one_during_a_build_are_not_lost(site: Path, tmp_path: Path) -> None:
    build(site)
    post = site / "content/posts/a.md"
    post.write_text("# Before\n", "utf-8")
    watched = Watched(load_site(site))
    assert watched.build() is not None
    assert b"Before" in left(site)["public/posts/a/index.html"]
    # A page that is saved while it is rendered: by a template that does so.
    handlers = site / "handlers.py"
    handlers.write_text(
        handlers.read_text("utf-8")
        + "\nfrom pathlib import Path\n"
        + f"post = Path({str(post)!r})\n"
        + "if 'First' in post.read_text():\n    post.write_text('# Second')\n",
        "utf-8",
    )
    post.write_text("# First\n", "utf-8")
    assert watched.build() is not None
    assert watched.wait(5)
    assert watched.build() is not None
    assert b"Second" in left(site)["public/posts/a/index.html"]


def test_errors_are_said_and_recovered_from(site: Path, tmp_path: Path) -> None:
    build(site)
    watched = Watched(load_site(site))
    good = left(site)
    for path, broken in (
        ("templates/base.html", "{% if %}"),
        ("content/posts/a.md", "+++\ntitle = 5\n+++\n"),
        ("site.toml", "titel = 1\n"),
        ("assets/app.css", "@import './nowhere.css';"),
        ("data/team.toml", "name = \n"),
    ):
        text = (site / path).read_text("utf-8")
        (site / path).write_text(broken, "utf-8")
        with pytest.raises(BuildErrors):
            watched.build()
        assert left(site) == good, path
        (site / path).write_text(text, "utf-8")
        assert watched.build() is not None, path
        assert left(site) == clean(site, tmp_path / "clean"), path
        good = left(site)


@pytest.mark.parametrize("seed", [5, 6])
def test_edits_at_random_are_followed(site: Path, tmp_path: Path, seed: int) -> None:
    editor = Editor(site, seed)
    build(site)
    watched = Watched(load_site(site))
    for _ in range(15):
        story = [editor.edit() for _ in range(editor.chance.choice([1, 2, 20]))]
        copy = tmp_path / "clean" / "site"
        shutil.copytree(site, copy, ignore=shutil.ignore_patterns("dist", ".hyperweb"))
        wanted = build(copy, clean=True)
        said = ""
        try:
            watched.build()
        except BuildErrors as error:
            said = str(error)
        assert bool(said) == bool(wanted.said), (story, said, wanted.said)
        if said:
            editor.mend()
        else:
            assert left(site) == wanted.files, story
        shutil.rmtree(copy.parent)


def test_a_switch_of_branches_with_thousands_of_files_is_followed(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    chance = random.Random(1)

    def branch(number: int) -> None:
        shutil.rmtree(site / "content/many", ignore_errors=True)
        for at in range(1500):
            if chance.random() < 0.7:
                file = site / f"content/many/{at % 40}/p{at}.md"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(f"# Page {at} of {number}\n\nText {chance.random()}.\n", "utf-8")

    branch(0)
    build(site)
    watched = Watched(load_site(site))
    for number in (1, 2):
        branch(number)
        assert watched.wait(5)
        assert watched.build() is not None
        assert left(site) == clean(site, tmp_path / "clean")


@contextlib.contextmanager
def watching(site: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "hyperweb", "build", str(site), "--watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    )
    try:
        yield process
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def line_with(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if text in line:
            return line
    raise AssertionError("".join(seen))


def test_the_command_goes_on_through_errors_and_ends_when_it_is_told(site: Path) -> None:
    text = (site / "templates/base.html").read_text("utf-8")
    (site / "templates/base.html").write_text("{% if %}", "utf-8")
    with watching(site) as process:
        line_with(process, "watching")
        (site / "templates/base.html").write_text(text, "utf-8")
        line_with(process, "rendered")
        post = site / "content/posts/a.md"
        text = post.read_text("utf-8")
        post.write_text(text + "\nOnce more.\n", "utf-8")
        line_with(process, "rendered")
        assert b"Once more" in (site / "dist/public/posts/a/index.html").read_bytes()
        post.write_text("+++\ntitle = 5\n+++\n", "utf-8")
        assert "title" in line_with(process, "error: ")
        post.rename(post.with_name("z.md"))
        (site / "content/posts/z.md").write_text(text, "utf-8")
        (site / "content/posts/a.md").write_text(text.replace('"A"', '"Again"'), "utf-8")
        line_with(process, "rendered")
        assert (site / "dist/public/posts/z/index.html").exists()
