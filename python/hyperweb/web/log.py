"""The web layer's log."""

from __future__ import annotations

import logging

logger = logging.getLogger("hyperweb.web")
"""Requests that failed, with their id and traceback."""
