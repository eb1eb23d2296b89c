"""The access log, as the edge takes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hyperweb.config._settings import LogSettings


def described(log: LogSettings, root: Path | None = None) -> dict[str, object] | None:
    """Returns what the edge is told of the access log, or None where there is to be none.

    Args:
        log: The settings.
        root: The folder that a relative path is in.
    """
    if not log.access:
        return None
    path = log.access if log.access == "-" else str((root or Path()) / log.access)
    return {"path": path, "form": log.format, "sample": log.sample}
