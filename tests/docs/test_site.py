"""The documentation's own site: nothing of it is out of reach, and it builds without a warning."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

from tests.e2e.site import hyperweb

DOCS = Path(__file__).parents[2] / "sites" / "docs"


def front_matter(page: str) -> dict[str, Any]:
    return tomllib.loads((DOCS / "content" / page).read_text(encoding="utf-8").split("+++\n")[1])


def test_every_page_is_in_the_navigation_once() -> None:
    parts = tomllib.loads((DOCS / "data" / "nav.toml").read_text(encoding="utf-8"))["part"]
    named = [page for part in parts for page in part["pages"]]
    there = sorted(str(page.relative_to(DOCS / "content")) for page in (DOCS / "content").rglob("*.md"))
    assert sorted(named) == there


def test_every_public_name_is_in_one_group_of_the_reference() -> None:
    api = json.loads((DOCS / "data" / "api.json").read_text(encoding="utf-8"))
    pages = {"reference/api.md": "hyperweb", "reference/cache.md": "cache", "reference/testing.md": "testing"}
    for page, module in pages.items():
        grouped = [name for group in front_matter(page)["groups"] for name in group["names"]]
        assert sorted(grouped) == sorted(each["name"] for each in api[module])


def test_it_builds_strictly(tmp_path: Path) -> None:
    site = tmp_path / "docs"
    shutil.copytree(DOCS, site, ignore=shutil.ignore_patterns("dist", ".hyperweb"))
    hyperweb("build", site, "--strict", check=True)
    found = json.loads((site / "dist" / "public" / "search.json").read_text(encoding="utf-8"))
    assert {"u": "/reference/settings/#serve.port", "t": "serve.port", "p": "Setting"} in found
    for address in {one["u"] for one in found}:
        path, _, anchor = address.partition("#")
        page = (site / "dist" / "public" / path.strip("/") / "index.html").read_text(encoding="utf-8")
        # The minifier leaves out quotes that say nothing.
        assert not anchor or f'id="{anchor}"' in page or f"id={anchor}" in page, address
