"""The dated Markdown report: medians over the rounds, and ratios taken round by round."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from benches.compare import machine
from benches.compare.goals import ratios, reached, spread

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable, Sequence

    from benches.compare.idle import Idle
    from benches.compare.memory import Touched
    from benches.compare.start import Starts
    from benches.compare.steady import Steady
    from benches.compare.throughput import Plan, Scene

OURS = "hyperweb"

LEGEND = """\
CPU is user and system time of the server's whole process tree for one request. Figures are medians over the rounds. A
ratio is the median of the ratios within each round, with the least and the most: of CPU, under 1 is in favour of the
first named; of throughput, over 1 is. Every body was compared byte by byte first. Where a server keeps what an origin
answered, the origin had ended before it was measured."""


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
    steady: Steady | None = None
    idle: list[Idle] = field(default_factory=list)

    def is_begun(self) -> bool:
        """Whether anything was measured."""
        return bool(self.scenes or self.starts or self.memory or self.steady or self.idle)

    def markdown(self) -> str:
        """Returns the whole report."""
        parts = [*self._head(), *self._goals(), *(part for scene in self.scenes for part in _scene(scene))]
        parts += _steady(self.steady) if self.steady is not None else []
        parts += _idle(self.idle)
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

    def _goals(self) -> list[str]:
        found = reached(self.scenes, self.steady, self.idle)
        if not found:
            return []
        rows = [(one.what, one.most, one.measured, "yes" if one.is_met else "no") for one in found]
        titles = ("CPU per request, unless it says otherwise", "at most", "measured", "reached")
        return ["## What the edge is to reach", _table(titles, rows)]


def _scene(scene: Scene) -> list[str]:
    if scene.base:
        bases = [scene.base]
    else:
        bases = [name for name in scene.samples if name.startswith(OURS)] or [next(iter(scene.samples))]
    titles = ["server" if not scene.base else "with", "CPU µs", "requests/s", "p50 µs", "p99 µs", "head bytes"]
    for base in bases:
        pair = f"it / {base}" if scene.base else f"{base} / it"
        titles += [f"CPU, {pair}", f"requests/s, {pair}"]
    rows = [_row(scene, name, bases) for name in scene.samples]
    return [f"## {scene.title}", *filter(None, [scene.note]), _table(titles, rows)]


def _row(scene: Scene, name: str, bases: Sequence[str]) -> list[str]:
    samples = scene.samples[name]
    row = [
        scene.titles[name],
        f"{median(sample.cpu for sample in samples):.2f}",
        f"{median(sample.per_second for sample in samples):,.0f}",
        _latency([sample.p50 for sample in samples]),
        _latency([sample.p99 for sample in samples]),
        str(scene.head_sizes.get(name, "")),
    ]
    for base in bases:
        one, other = (name, base) if scene.base else (base, name)
        row.append(spread(ratios(scene, one, other)))
        rounds = zip(scene.samples[one], scene.samples[other], strict=True)
        row.append(spread([ours.per_second / theirs.per_second for ours, theirs in rounds]))
    return row


def _latency(found: Sequence[float | None]) -> str:
    known = [latency for latency in found if latency is not None]
    return f"{median(known):,.0f}" if known else ""


def _steady(steady: Steady) -> list[str]:
    titles = ["server", "most requests/s", "p50 µs", "p90 µs", "p99 µs", "p99.9 µs", "p99, it / the first"]
    base = next(iter(steady.titles))
    rows = []
    for name, title in steady.titles.items():
        rounds = steady.rounds[name]
        pairs = zip(rounds, steady.rounds[base], strict=True)
        rows.append(
            [
                title,
                f"{steady.saturation[name]:,.0f}",
                *(f"{median(getattr(one, of) for one in rounds):,.0f}" for of in ("p50", "p90", "p99", "p999")),
                spread([one.p99 / other.p99 for one, other in pairs]),
            ]
        )
    note = (
        f"An open loop at {steady.rate:,.0f} requests a second, 70 % of the most that the slowest of them answers "
        "to this client. What a request took is counted from when it was due."
    )
    return ["## Latency at 70 % of saturation, 10 KB body", note, _table(titles, rows)]


def _idle(found: Sequence[Idle]) -> list[str]:
    if not found:
        return []
    rows = [
        (
            one.title,
            f"{one.connections:,}",
            *(f"{size / 1e6:.1f}" for size in (one.before, one.after)),
            f"{(one.after - one.before) / one.connections / 1000:.1f}",
        )
        for one in found
    ]
    titles = ("server", "connections", "before MB", "with them MB", "KB a connection")
    note = "Each asked for 10 KB once and stays open. Memory is that of all processes, what they share counted once."
    return ["## Idle connections", note, _table(titles, rows)]


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


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
