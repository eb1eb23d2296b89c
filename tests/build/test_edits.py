"""Whatever is edited, in whatever order: an incremental build leaves what a clean build of the same sources makes."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from tests.build.edits import build, run
from tests.e2e.site import make_site

if TYPE_CHECKING:
    from pathlib import Path

# `make edits` makes a thousand.
EDITS = 30


@pytest.mark.parametrize("seed", [1, 2])
def test_an_incremental_build_is_what_a_clean_one_is(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each site's folder goes first on the path when its handlers are loaded.
    monkeypatch.setattr(sys, "path", list(sys.path))
    done = run(tmp_path, seed, EDITS)
    assert done.builds - done.failed > done.builds // 3
    assert done.explained


def test_a_build_that_was_killed_while_it_put_files_in_place_is_made_good(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    post = site / "content/posts/a.md"
    good = build(site)
    text = post.read_text("utf-8")
    shutil.copytree(site / ".hyperweb", tmp_path / "state")
    shutil.copy2(site / "dist/site.pack", tmp_path / "site.pack")
    post.write_text(text.replace("Text of A", "Text of B"), "utf-8")
    build(site)
    # As it is when a build dies between its plain files and its pack.
    shutil.rmtree(site / ".hyperweb")
    shutil.copytree(tmp_path / "state", site / ".hyperweb")
    shutil.copy2(tmp_path / "site.pack", site / "dist/site.pack")
    (site / "dist/.publishing").touch()
    post.write_text(text, "utf-8")
    assert build(site).files == good.files
    assert not (site / "dist/.publishing").exists()
