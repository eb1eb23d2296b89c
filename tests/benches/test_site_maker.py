from __future__ import annotations

from typing import TYPE_CHECKING

from benches.compare.body import bodies
from benches.site_maker import MARKDOWN_BYTES, make_files_site, make_site

if TYPE_CHECKING:
    from pathlib import Path


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_same_site_is_made_each_time(tmp_path: Path) -> None:
    first, second = make_site(tmp_path / "a", 120), make_site(tmp_path / "b", 120)
    assert first.urls == second.urls
    assert contents(first.root) == contents(second.root)


def test_there_is_one_file_of_about_two_kilobytes_for_each_url(tmp_path: Path) -> None:
    made = make_site(tmp_path, 120)
    pages = sorted((tmp_path / "content").rglob("*.md"))
    assert len(made.urls) == len(set(made.urls)) == len(pages) == 120
    assert all(MARKDOWN_BYTES <= page.stat().st_size < 1.5 * MARKDOWN_BYTES for page in pages)
    assert made.example in pages


def test_bodies_have_their_exact_sizes_and_are_text() -> None:
    assert [len(body.content) for body in bodies()] == [1024, 10_240, 65_536]
    assert all(body.content.decode().isascii() for body in bodies())


def test_files_and_handlers_are_written_as_given(tmp_path: Path) -> None:
    make_files_site(tmp_path, {"1k.txt": b"bytes"}, handlers="# code\n")
    assert (tmp_path / "static/1k.txt").read_bytes() == b"bytes"
    assert (tmp_path / "handlers.py").read_text() == "# code\n"
