"""Checks a built site: its links, its pictures, its HTML, its size."""

from __future__ import annotations

from hyperweb.check._check import check_site
from hyperweb.check._finding import Finding
from hyperweb.check._report import CheckReport
from hyperweb.check._rules import RULES, Rule

__all__ = ["RULES", "CheckReport", "Finding", "Rule", "check_site"]
