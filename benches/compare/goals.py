"""What the edge is to reach, each beside what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benches.compare.idle import Idle
    from benches.compare.steady import Steady
    from benches.compare.throughput import Scene


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio of CPU per request within a scene, and the most that it is to be."""

    what: str
    scene: str
    ours: str
    theirs: str
    most: float


def _hit(theirs: str, most: float, name: str) -> tuple[Goal, Goal]:
    what = f"10 KB hit, {{}} / {name}"
    return (
        Goal(what.format("pack"), "files-10", "hyperweb", theirs, most),
        Goal(what.format("kept"), "files-10", "hyperweb-cache", theirs, most),
    )


GOALS = (
    *_hit("epoll", 1.10, "bare epoll loop"),
    *_hit("nginx", 0.90, "nginx static"),
    *_hit("nginx-cache", 0.80, "nginx proxy_cache"),
    *_hit("bun", 0.98, "Bun's static route"),
    *_hit("caddy", 1.0, "Caddy"),
    *_hit("varnish", 1.0, "Varnish"),
    *_hit("h2o", 1.0, "H2O"),
    Goal("HTTP/2 with TLS, pack / nginx", "http2", "hyperweb", "nginx", 1.0),
    Goal("HTTP/2 with TLS, kept / nginx", "http2", "hyperweb-cache", "nginx", 1.0),
    Goal("1 KB miss, edge / nginx proxy_pass", "misses-1", "hyperweb", "nginx", 0.9),
    Goal("10 KB miss, edge / nginx proxy_pass", "misses-10", "hyperweb", "nginx", 0.9),
    Goal("metrics on / off", "options", "metrics", "neither", 1.01),
    Goal("access log on / off", "options", "access log", "neither", 1.05),
    Goal("100 keys / 1", "keys-hyperweb-cache", "100 keys", "1 key", 1.05),
    Goal("10,000 keys / 1", "keys-hyperweb-cache", "10,000 keys", "1 key", 1.05),
    Goal("100,000 keys / 1", "keys-hyperweb-cache", "100,000 keys", "1 key", 1.05),
)
IDLE_MEGABYTES = 100


@dataclass(frozen=True, slots=True)
class Reached:
    """A goal, and what came of it."""

    what: str
    most: str
    measured: str
    is_met: bool


def ratios(scene: Scene, ours: str, theirs: str) -> list[float]:
    """Returns the ratios of CPU per request, round by round."""
    rounds = zip(scene.samples[ours], scene.samples[theirs], strict=True)
    return [one.cpu / other.cpu for one, other in rounds]


def spread(found: Sequence[float]) -> str:
    """Returns the median, with the least and the most."""
    around = f" ({min(found):.2f}–{max(found):.2f})" if len(found) > 1 else ""  # noqa: RUF001 - a range
    return f"{median(found):.2f}{around}"


def reached(scenes: Sequence[Scene], steady: Steady | None, idle: Sequence[Idle]) -> list[Reached]:
    """Returns what of the goals was measured in this run."""
    by_key = {scene.key: scene for scene in scenes}
    result = []
    for goal in GOALS:
        scene = by_key.get(goal.scene)
        if scene is not None and {goal.ours, goal.theirs} <= scene.samples.keys():
            found = ratios(scene, goal.ours, goal.theirs)
            result.append(Reached(goal.what, f"{goal.most:.2f}", spread(found), median(found) <= goal.most))
    if steady is not None:
        result += _steady(steady)
    for one in idle:
        if "hyperweb" in one.title:
            size = one.after / 1e6
            what = f"{one.connections:,} idle connections, {one.title}"
            result.append(Reached(what, f"{IDLE_MEGABYTES} MB", f"{size:.0f} MB", size <= IDLE_MEGABYTES))
    return result


def _steady(steady: Steady) -> list[Reached]:
    if "nginx" not in steady.rounds:
        return []
    result = []
    for name, rounds in steady.rounds.items():
        if name.startswith("hyperweb"):
            pairs = zip(rounds, steady.rounds["nginx"], strict=True)
            found = [one.p99 / other.p99 for one, other in pairs]
            what = f"p99 at 70 % of saturation, {steady.titles[name]} / nginx static"
            result.append(Reached(what, "1.00", spread(found), median(found) <= 1))
    return result
