"""Builds a site: plain files any host can serve, and one pack the edge answers from.

Names are loaded when they are first used: a server reads a build's graph, and needs nothing of what makes one.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from hyperweb.build._build import build_site
    from hyperweb.build._errors import BuildError, BuildErrors
    from hyperweb.build._minify import (
        minify_css,
        minify_file,
        minify_html,
        minify_js,
        minify_json,
        minify_svg,
        minify_xml,
    )
    from hyperweb.build._report import BuildReport

__all__ = [
    "BuildError",
    "BuildErrors",
    "BuildReport",
    "build_site",
    "minify_css",
    "minify_file",
    "minify_html",
    "minify_js",
    "minify_json",
    "minify_svg",
    "minify_xml",
]

_MODULES = {
    "BuildError": "_errors",
    "BuildErrors": "_errors",
    "BuildReport": "_report",
    "build_site": "_build",
    "minify_css": "_minify",
    "minify_file": "_minify",
    "minify_html": "_minify",
    "minify_js": "_minify",
    "minify_json": "_minify",
    "minify_svg": "_minify",
    "minify_xml": "_minify",
}


if not TYPE_CHECKING:  # A type checker that saw this would take every name for one of ours.

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module 'hyperweb.build' has no attribute {name!r}")
        value = globals()[name] = getattr(importlib.import_module(f"hyperweb.build.{_MODULES[name]}"), name)
        return value
