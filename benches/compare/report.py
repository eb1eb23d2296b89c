"""The dated Markdown report: medians over the rounds, and ratios taken round by round."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from benches.compare import machine

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable, Sequence

    from benches.compare.memory import Touched
    from benches.compare.start import Starts
    from benches.compare.throughput import Plan, Scene

OURS = "hyperweb"

LEGEND = """\
CPU is user and system time of the server's whole process tree for one request. Figures are medians over the rounds. A
ratio is the median of the ratios within each round, with the least and the most: of CPU, under 1 is in favour of the
first named; of throughput, over 1 is. Every body was compared byte by byte first."""


@dataclass(slots=True)
class Report:
    """All that was measured in one run."""

    when: datetime.datetime
    threads: int
    plan: Plan
    load_before: float
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    scenes: list[Scene] = field(default_factory=list)
    starts: list[Starts] = field(default_factory=list)
    memory: list[Touched] = field(default_factory=list)

    def markdown(self) -> str:
        """Returns the whole report."""
        parts = [*self._head(), *(part for scene in self.scenes for part in _scene(scene))]
        parts += [part for starts in self.starts for part in _starts(starts)]
        parts += _memory(self.memory)
        return "\n\n".join(parts) + "\n"

    def _head(self) -> list[str]:
        load = self.plan.load
        driven = f"{load.connections} connections, {load.threads} threads, {load.seconds:g} s"
        facts = {
            "processor": f"{machine.cpu_model()}, {machine.cores()} cores, {machine.memory_gib():.0f} GiB",
            "system": f"{machine.system()}; Python {platform.python_version()}",
            "commit": machine.revision() or "not a clone",
            "load": f"wrk, {driven}, {self.plan.rounds} alternating rounds, same machine, 127.0.0.1",
            "servers": f"{self.threads} threads, or processes of one thread, each",
            "load average before": f"{self.load_before:.2f}",
            **self.versions,
            **{name: f"not measured: {why}" for name, why in self.missing.items()},
        }
        return [
            f"# Side by side, {self.when:%Y-%m-%d %H:%M} UTC",
            LEGEND,
            _table(("what", "is"), facts.items()),
        ]


def _scene(scene: Scene) -> list[str]:
    bases = [name for name in scene.samples if name.startswith(OURS)] or [next(iter(scene.samples))]
    titles = ["server", "CPU µs", "requests/s", "p50 µs", "p99 µs", "head bytes"]
    for base in bases:
        titles += [f"CPU, {base} / it", f"requests/s, {base} / it"]
    rows = [_row(scene, name, bases) for name in scene.samples]
    return [f"## {scene.title}", _table(titles, rows)]


def _row(scene: Scene, name: str, bases: Sequence[str]) -> list[str]:
    samples = scene.samples[name]
    row = [
        scene.titles[name],
        f"{median(sample.cpu for sample in samples):.2f}",
        *(f"{median(getattr(sample, of) for sample in samples):,.0f}" for of in ("per_second", "p50", "p99")),
        str(scene.head_sizes[name]),
    ]
    for base in bases:
        rounds = list(zip(scene.samples[base], samples, strict=True))
        row.append(_ratio([ours.cpu / theirs.cpu for ours, theirs in rounds]))
        row.append(_ratio([ours.per_second / theirs.per_second for ours, theirs in rounds]))
    return row


def _starts(starts: Starts) -> list[str]:
    rows = [
        (name, f"{median(seconds) * 1000:.0f}", f"{min(seconds) * 1000:.0f}", f"{max(seconds) * 1000:.0f}")
        for name, seconds in starts.seconds.items()
    ]
    return [f"## {starts.title}", _table(("server", "median ms", "least ms", "most ms"), rows)]


def _memory(steps: Sequence[Touched]) -> list[str]:
    if not steps:
        return []
    rows = [
        (
            f"{step.pages:,}",
            *(f"{size / 1e6:.1f}" for size in (step.body_bytes, *_sizes(step))),
        )
        for step in steps
    ]
    titles = ("pages answered", "of their bodies MB", "resident MB", "anonymous MB", "mapped from files MB")
    return ["## Memory of the edge's process", _table(titles, rows)]


def _sizes(step: Touched) -> tuple[int, int, int]:
    return step.memory.resident, step.memory.anonymous, step.memory.mapped


def _ratio(ratios: Sequence[float]) -> str:
    spread = f" ({min(ratios):.2f}–{max(ratios):.2f})" if len(ratios) > 1 else ""  # noqa: RUF001 - a range
    return f"{median(ratios):.2f}{spread}"


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
