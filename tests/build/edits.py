"""A site is edited at random, and each incremental build compared with a clean one.

Whatever is edited, in whatever order, however builds are interrupted and wherever the folder is copied to: an
incremental build leaves, byte for byte, what a clean build of the same sources makes, and says what it says. What
`--explain` says of a response or of a source is held to what was really made and what really changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hyperweb import _core
from hyperweb.build import BuildReport, build_site
from hyperweb.build._graph import load_graph
from hyperweb.build._touches import touches
from hyperweb.config import load_site
from hyperweb.errors import HyperwebError
from tests.build.editor import FILES, Editor
from tests.e2e.site import environment, make_site

if TYPE_CHECKING:
    from collections.abc import Callable

# In how many of the rounds a build is killed, the folder is copied, and many files change at once.
KILLED, COPIED, SWITCHED = 0.08, 0.05, 0.05
_CLEANED = 0.1


class Run(msgspec.Struct):
    """What a run did.

    Attributes:
        edits: Edits that were made.
        builds: Builds that were compared with a clean one, those that failed among them.
        failed: Builds that failed, as a clean one did.
        killed: Builds that were killed on their way.
        copied: Times the folder was copied and work went on in the copy.
        explained: Explanations that were held to what was made.
    """

    edits: int = 0
    builds: int = 0
    failed: int = 0
    killed: int = 0
    copied: int = 0
    explained: int = 0


class Left(msgspec.Struct):
    """What a build left: what it said, its files, and for each URL the hash of what is answered."""

    said: str
    files: dict[str, bytes]
    report: BuildReport | None = None


def run(folder: Path, seed: int, edits: int, say: Callable[[str], None] = lambda _: None) -> Run:
    """Edits a site in `folder` until so many edits are made.

    Raises:
        AssertionError: An incremental build is other than a clean one; the message has all edits that led there.
    """
    done = Run()
    site = make_site(folder / "0" / "site", **FILES)
    editor = Editor(site, seed)
    editor.mend()
    story = [f"seed {seed}"]
    before = build(site)
    assert before.said == "", before.said
    while done.edits < edits:
        chance = editor.chance.random()
        count = editor.chance.randint(5, 25) if chance < SWITCHED else editor.chance.choice([1, 1, 1, 2])
        made = [editor.edit() for _ in range(count)]
        story += made
        done.edits += count
        if editor.chance.random() < KILLED:
            story.append(f"killed a build after {kill_a_build(site, editor.chance.uniform(0.1, 1.0)):.2f} s")
            done.killed += 1
        if editor.chance.random() < COPIED:
            site = editor.site = copied(site, folder / f"copy{done.edits}" / "site", dated=editor.chance.random() < 0.5)
            story.append("copied the folder")
            done.copied += 1
        before = compare(site, editor, before, story, done)
        if before.said:
            editor.mend()
            story.append("mended it")
            before = compare(site, editor, before, story, done)
        if before.said:
            editor.begin_anew()
            story.append("began anew")
            before = compare(site, editor, before, story, done)
            assert before.said == "", "\n".join([*story, before.said])
        if done.builds % 25 == 0:
            say(f"{done.edits} edits, {done.builds} builds, {done.failed} of them failed")
    return done


def compare(site: Path, editor: Editor, before: Left, story: list[str], done: Run) -> Left:
    """Builds a site and a copy of its sources, and holds the one to the other."""
    told = "\n".join(story)
    copy = site.parent / "clean" / "site"
    shutil.copytree(site, copy, ignore=shutil.ignore_patterns("dist", ".hyperweb"), copy_function=shutil.copy2)
    if editor.chance.random() > _CLEANED and (site / ".hyperweb/images").is_dir():
        # Encoders take their time, and what they make has the name of what it is made of.
        shutil.copytree(site / ".hyperweb/images", copy / ".hyperweb/images")
    question = ask(editor, site)
    left = build(site, explain=question)
    wanted = build(copy, clean=True)
    assert left.said == wanted.said, f"{told}\n\nincremental said: {left.said}\n\nclean said: {wanted.said}"
    done.builds += 1
    if left.said:
        done.failed += 1
    else:
        assert left.files.keys() == wanted.files.keys(), told
        other = [name for name in wanted.files if left.files[name] != wanted.files[name]]
        assert other == [], f"{told}\n\nother than in a clean build: {other}"
        check_explanation(site, question, before, left, told)
        done.explained += 1
    shutil.rmtree(copy.parent)
    return left


def build(site: Path, *, clean: bool = False, explain: str | None = None) -> Left:
    """Builds; returns what was said and what was left."""
    said = ""
    report = None
    try:
        report = build_site(load_site(site), clean=clean, explain=explain)
    except HyperwebError as error:
        said = str(error).replace(str(site), "SITE")
    dist = site / "dist"
    files = [dist / "site.pack", *(file for file in (dist / "public").rglob("*") if file.is_file())]
    return Left(said, {str(file.relative_to(dist)): file.read_bytes() for file in files if file.exists()}, report)


def ask(editor: Editor, site: Path) -> str:
    """Returns something to explain: a response of the last pack, or a source."""
    if editor.chance.random() < 0.5:
        return str(editor.chance.choice(editor.sources()))
    return editor.chance.choice(_core.open_pack(str(site / "dist/site.pack")).paths())


def check_explanation(site: Path, question: str, before: Left, left: Left, told: str) -> None:
    """Holds an explanation to what was made: what is said to be taken over is as it was, what was made has a reason."""
    assert left.report is not None
    explained = left.report.explained
    assert explained is not None
    graph = load_graph(site / ".hyperweb")
    if not question.startswith(str(site)):
        if explained.made is False and not before.said:
            path = question.strip("/")
            for name in (path, f"{path}/index.html".lstrip("/")):
                known = before.files.get(f"public/{name}", left.files.get(f"public/{name}"))
                assert left.files.get(f"public/{name}") == known, f"{told}\n\n{explained.text()}"
        if explained.made:
            assert explained.why, f"{told}\n\n{explained.text()}"
            assert "has no such response" not in explained.why[0], f"{told}\n\n{explained.text()}"
        return
    # Of a source: changed alone, it reaches all that became other.
    source = str(Path(question).relative_to(site))
    file = site / source
    text, dated = file.read_bytes(), file.stat()
    if source.startswith(("handlers.py", ".buildignore")):
        return
    ending = b"" if file.suffix == ".png" else comment(file.suffix)
    if not ending:
        return
    file.write_bytes(text + ending)
    again = build(site)
    if not again.said:
        changed = {name for name in left.files | again.files if left.files.get(name) != again.files.get(name)}
        changed.discard("site.pack")
        now = load_graph(site / ".hyperweb")
        reached = {*touches(source, graph), *touches(source, now)}
        urls = {f"public{url}index.html" if url.endswith("/") else f"public{url}" for url in reached}
        assert changed <= urls, f"{told}\n\n{source} is said to reach {sorted(urls)}, but these changed: {changed}"
    file.write_bytes(text)
    os.utime(file, ns=(dated.st_atime_ns, dated.st_mtime_ns))
    restored = build(site)
    assert restored.files == left.files, f"{told}\n\n{source} was changed and taken back"


def comment(suffix: str) -> bytes:
    """Returns what can stand at the end of any file of a kind."""
    return {
        ".md": b"\n\nOne *more* word.\n",
        ".html": b"{# more #}<i>more</i>",
        ".css": b"\n.more { color: blue }\n",
        ".ts": b"\nconsole.log('more');\n",
        ".toml": b"\n# more\n",
        ".txt": b"more\n",
        ".svg": b"<!--! more -->",
    }.get(suffix, b"")


def kill_a_build(site: Path, seconds: float) -> float:
    """Begins a build and kills it, with what it started, after so many seconds; what it left must be good."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hyperweb", "build", str(site)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
        start_new_session=True,
    )
    time.sleep(seconds)
    process.kill()
    process.wait()
    _core.open_pack(str(site / "dist/site.pack"))
    return seconds


def copied(site: Path, to: Path, *, dated: bool) -> Path:
    """Copies a site with all that was built, with the dates of its files or without, and removes the first."""
    shutil.copytree(site, to, copy_function=shutil.copy2 if dated else shutil.copyfile)
    shutil.rmtree(site.parent)
    return to
