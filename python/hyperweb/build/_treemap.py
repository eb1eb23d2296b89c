"""A map of areas: a rectangle for each part of a whole, as large as its share (Bruls et al., Squarified Treemaps)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Box(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


def treemap(sizes: Sequence[float], box: Box) -> Iterator[Box]:
    """Yields a rectangle in `box` for each size, as near to a square as can be.

    Args:
        sizes: How large each is against the others: positive, the largest first.
        box: Where they go.
    """
    total = sum(sizes)
    if not total:
        return
    scale = box.width * box.height / total
    areas = [size * scale for size in sizes]
    at = 0
    while at < len(areas):
        short = min(box.width, box.height)
        end = at + 1
        while end < len(areas) and _worst(areas[at : end + 1], short) <= _worst(areas[at:end], short):
            end += 1
        row = areas[at:end]
        yield from _row(row, box)
        box = _rest(sum(row), box)
        at = end


def _worst(row: Sequence[float], short: float) -> float:
    """Returns how far the least square of a row is from a square; 1 is one."""
    total = sum(row)
    if not total or not short:
        return float("inf")
    return max(short**2 * max(row) / total**2, total**2 / (short**2 * min(row)) if min(row) else float("inf"))


def _row(row: Sequence[float], box: Box) -> Iterator[Box]:
    """Yields the rectangles of a row along the shorter side."""
    total = sum(row)
    at = 0.0
    for area in row:
        if box.width >= box.height:
            thick = total / box.height if box.height else 0.0
            length = area / thick if thick else 0.0
            yield Box(box.x, box.y + at, thick, length)
        else:
            thick = total / box.width if box.width else 0.0
            length = area / thick if thick else 0.0
            yield Box(box.x + at, box.y, length, thick)
        at += length


def _rest(area: float, box: Box) -> Box:
    """Returns what a row leaves of a box."""
    if box.width >= box.height:
        thick = min(box.width, area / box.height if box.height else 0.0)
        return Box(box.x + thick, box.y, box.width - thick, box.height)
    thick = min(box.height, area / box.width if box.width else 0.0)
    return Box(box.x, box.y + thick, box.width, box.height - thick)
