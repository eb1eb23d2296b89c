"""What is learned from navigations, as the edge takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from hyperweb.config._settings import LearningSettings


def described_learning(settings: LearningSettings, state: Path, *, swaps: bool = False) -> dict[str, object] | None:
    """Returns what the edge is told of learning, or None where nothing is to be learned.

    Args:
        settings: The settings.
        state: The folder that what is learned is kept in, in one of its own.
        swaps: Whether pages are swapped by a script, which has no use for a document that was fetched ahead.
    """
    if not settings.enabled:
        return None
    return {
        "folder": str(state / "learned"),
        "threshold": settings.threshold,
        "prefetch": settings.prefetch and not swaps,
        "control": settings.control,
        "early_hints": settings.early_hints,
        "warm": settings.warm,
        "warm_rate": settings.warm_rate,
    }
