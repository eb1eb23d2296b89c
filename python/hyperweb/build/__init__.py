"""Builds a site: plain files any host can serve, and one pack the edge answers from."""

from hyperweb.build._build import build_site
from hyperweb.build._errors import BuildError, BuildErrors
from hyperweb.build._minify import minify_file
from hyperweb.build._report import BuildReport

__all__ = ["BuildError", "BuildErrors", "BuildReport", "build_site", "minify_file"]
