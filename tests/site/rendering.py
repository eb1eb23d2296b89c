"""A small site read and rendered in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hyperweb import _core
from hyperweb.config import load_site
from hyperweb.site import SiteError
from hyperweb.site._renderer import Rendered, Renderer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def read(
    root: Path, files: Mapping[str, str], *, drafts: bool = False, fingerprint: bool = True, development: bool = False
) -> Renderer:
    """Writes a site with these files and `templates/page.html`, and reads it."""
    base = {
        "site.toml": 'title = "T"\nbase_url = "https://example.org/"\n',
        "templates/page.html": "{{ page.content }}",
    }
    for name, text in {**base, **files}.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    config = load_site(root)
    renderer = Renderer(
        config, fingerprint=fingerprint, minify=False, drafts=drafts, development=development, threads=1
    )
    sources = _core.Sources(str(root), str(root / "sources"), max_file=1 << 20)
    renderer.update(sources.scan(fresh=True))
    return renderer


def render(root: Path, files: Mapping[str, str], url: str = "/") -> Rendered:
    """Renders one page of a site that must be without fault."""
    renderer = read(root, files)
    assert renderer.errors == []
    return renderer.render(renderer.nodes[url])


def fault(root: Path, files: Mapping[str, str], url: str | None = None) -> SiteError:
    """Returns the one thing that is wrong with a site, or with one of its pages."""
    renderer = read(root, files)
    if url is None:
        assert len(renderer.errors) == 1, renderer.errors
        return renderer.errors[0]
    assert renderer.errors == []
    with pytest.raises(SiteError) as found:
        renderer.render(renderer.nodes[url])
    return found.value
