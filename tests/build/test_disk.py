"""Builds on disks that are full, closed or busy: each says so, and what was served before is as it was."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hyperweb._core import open_pack
from hyperweb.build import build_site
from hyperweb.config import load_site
from tests.conftest import require_program
from tests.e2e.site import environment, hyperweb, make_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMALL_DISK = 1_000_000
# What root may do to any file, and what a user may not.
OVERRIDES = "-dac_override,-dac_read_search"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return make_site(tmp_path / "site")


@pytest.fixture
def disk(site: Path) -> Iterator[Path]:
    """A disk of its own for `dist/`, with room for the site and not for much more."""
    dist = site / "dist"
    dist.mkdir()
    mounted = run("mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(dist))
    if mounted.returncode != 0:
        pytest.skip(f"needs to mount a small disk, which is not permitted here: {mounted.stderr.strip()}")
    yield dist
    assert run("umount", str(dist)).returncode == 0


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([require_program(program), *arguments], capture_output=True, text=True, check=False)


def without_overrides(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs the command as one whom permissions bind, also when the tests run as root."""
    command = [sys.executable, "-m", "hyperweb", *map(str, arguments)]
    if os.geteuid() == 0:
        command = [str(require_program("setpriv")), f"--bounding-set={OVERRIDES}", "--", *command]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment())


def left(site: Path) -> dict[str, bytes]:
    dist = site / "dist"
    return {str(file.relative_to(dist)): file.read_bytes() for file in sorted(dist.rglob("*")) if file.is_file()}


def check_refusal(found: subprocess.CompletedProcess[str], *named: str) -> None:
    assert found.returncode == 1, found.stdout + found.stderr
    assert "Traceback" not in found.stderr
    assert len(found.stderr.splitlines()) < 40
    for part in named:
        assert part in found.stderr


@pytest.mark.parametrize("size", [900_000, 3_000_000])
def test_a_full_disk_is_named_and_leaves_the_last_build(site: Path, disk: Path, size: int) -> None:
    hyperweb("build", site, check=True)
    before = left(site)
    # Under the large-file limit it goes into the pack and beside it, over it only beside: neither has room.
    (site / "static/noise.bin").write_bytes(os.urandom(size))
    (site / "content/posts/a.md").write_text("# Another\n", "utf-8")
    found = hyperweb("build", site)
    check_refusal(found, "dist", "No space left on device")
    assert left(site) == before
    (site / "static/noise.bin").unlink()
    assert hyperweb("build", site).returncode == 0
    assert b"Another" in left(site)["public/posts/a/index.html"]
    open_pack(str(disk / "site.pack"))


def test_a_disk_that_is_read_only_is_named(site: Path, disk: Path) -> None:
    hyperweb("build", site, check=True)
    before = left(site)
    assert run("mount", "-o", "remount,ro", str(disk)).returncode == 0
    (site / "content/posts/a.md").write_text("# Another\n", "utf-8")
    check_refusal(hyperweb("build", site), "dist", "Read-only file system")
    assert left(site) == before


def test_a_dist_one_may_not_write_is_named(site: Path) -> None:
    hyperweb("build", site, check=True)
    before = left(site)
    (site / "content/posts/a.md").write_text("# Another\n", "utf-8")
    with mode(site / "dist", 0o555):
        check_refusal(without_overrides("build", site), "dist", "Permission denied")
    assert left(site) == before


@pytest.mark.parametrize("folder", ["dist", ".hyperweb"])
def test_a_site_one_may_not_write_is_named(site: Path, folder: str) -> None:
    if folder == ".hyperweb":
        (site / "dist").mkdir()
    else:
        (site / ".hyperweb").mkdir()
    with mode(site, 0o555):
        check_refusal(without_overrides("build", site), folder, "Permission denied")


def test_a_state_one_may_not_write_is_named(site: Path) -> None:
    hyperweb("build", site, check=True)
    (site / "content/posts/a.md").write_text("# Another\n", "utf-8")
    with mode(site / ".hyperweb", 0o555):
        check_refusal(without_overrides("build", site), ".hyperweb", "Permission denied")
    # Had the pack been put in place without its graph, the next build would only have more to do.
    hyperweb("build", site, check=True)
    assert b"Another" in left(site)["public/posts/a/index.html"]


@pytest.mark.parametrize(
    "path",
    [
        "content/posts/a.md",
        "templates/base.html",
        "pages/index.html",
        "assets/lib.ts",
        "static/robots.txt",
        "handlers.py",
        "site.toml",
    ],
)
def test_a_file_one_may_not_read_is_named(site: Path, path: str) -> None:
    with mode(site / path, 0):
        found = without_overrides("build", site)
    assert found.returncode == (2 if path == "site.toml" else 1), found.stderr
    assert path in found.stderr
    assert "Permission denied" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("path", ["content/posts", "templates", "assets/parts"])
def test_a_folder_one_may_not_list_is_named(site: Path, path: str) -> None:
    with mode(site / path, 0):
        check_refusal(without_overrides("build", site), path, "Permission denied")


def test_links_that_lead_in_a_circle_or_nowhere_are_named(site: Path) -> None:
    (site / "content/circle.md").symlink_to("circle.md")
    (site / "static/nowhere.txt").symlink_to("not/there")
    check_refusal(hyperweb("build", site), "content/circle.md", "static/nowhere.txt")


@contextlib.contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    before = path.stat().st_mode
    path.chmod(bits)
    try:
        yield
    finally:
        path.chmod(before)


def test_two_builds_at_once_leave_a_whole_site(site: Path, tmp_path: Path) -> None:
    for number in range(3):
        (site / "templates/base.html").write_text(
            (site / "templates/base.html").read_text("utf-8") + f"<!--{number}-->", "utf-8"
        )
        command = [sys.executable, "-m", "hyperweb", "build", str(site)]
        several = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment())
            for _ in range(3)
        ]
        for process in several:
            output, _ = process.communicate(timeout=60)
            assert process.returncode == 0, output
        copy = tmp_path / str(number) / "site"
        shutil.copytree(site, copy, ignore=shutil.ignore_patterns("dist", ".hyperweb"))
        build_site(load_site(copy))
        assert left(site) == left(copy)
    assert build_site(load_site(site)).unchanged
