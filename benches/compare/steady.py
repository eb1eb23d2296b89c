"""Latency under a load that does not depend on the answers: an open loop at a share of what the slowest can do."""

from __future__ import annotations

import re
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benches.compare.body import bodies
from benches.compare.errors import CompareError
from benches.compare.peers.epoll import CALLS
from benches.compare.programs import compiled
from benches.compare.throughput import KEPT_KIB, kept, up

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benches.compare.peers.peer import Peer, Setup
    from benches.compare.throughput import Plan
    from benches.compare.wrk import Load

SOURCE = Path(__file__).with_name("open_loop.rs")
SHARE = 0.7


@dataclass(frozen=True, slots=True)
class Latencies:
    """What one round took, in microseconds, counted from when each request was due."""

    per_second: float
    p50: float
    p90: float
    p99: float
    p999: float


@dataclass(slots=True)
class Steady:
    """Rounds of each peer at one rate."""

    rate: float
    saturation: dict[str, float] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    rounds: dict[str, list[Latencies]] = field(default_factory=dict)


def program() -> Path:
    """Returns the client."""
    return compiled(SOURCE, CALLS)


def drive(port: int, path: str, load: Load, rate: float) -> Latencies:
    """Asks for a path so many times a second; with a rate of 0, as fast as answers come.

    Raises:
        CompareError: A request failed, or was not answered in time.
    """
    words = [program(), port, path, load.threads, load.connections, rate, load.seconds]
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=load.seconds + 60, check=False
    )
    if done.returncode != 0:
        message = f"the open loop ended with status {done.returncode}: {done.stderr.strip()}"
        raise CompareError(message)
    return parse(done.stdout)


def parse(output: str) -> Latencies:
    """Reads the line that the client prints.

    Raises:
        CompareError: It is not there.
    """
    names = ("requests", "seconds", "p50", "p90", "p99", "p99.9")
    found = re.fullmatch(" ".join(rf"{re.escape(name)} ([\d.]+)" for name in names), output.strip())
    if found is None:
        message = f"the open loop printed no result:\n{output}"
        raise CompareError(message)
    requests, seconds, *latencies = map(float, found.groups())
    return Latencies(requests / seconds, *latencies)


def steady(
    peers: Sequence[Peer], caches: Sequence[Peer], setup: Setup, plan: Plan, say: Callable[[str], None]
) -> Steady:
    """Finds out how much each can do with this client, and asks all of them for `SHARE` of the least of it."""
    body = next(body for body in bodies() if body.kib == KEPT_KIB)
    with ExitStack() as stack:
        running = [up(stack, peer, setup, body.path) for peer in peers]
        running += kept(stack, caches, setup, body)
        most = {one.peer.name: drive(one.port, body.path, plan.load, 0).per_second for one in running}
        result = Steady(min(most.values()) * SHARE, most, {one.peer.name: one.peer.title for one in running})
        for number in range(plan.rounds):
            first = number % len(running)
            for one in (*running[first:], *running[:first]):
                took = drive(one.port, body.path, plan.load, result.rate)
                one.server.check()
                result.rounds.setdefault(one.peer.name, []).append(took)
                say(f"{result.rate:,.0f}/s, round {number + 1}: {one.peer.name} p99 {took.p99:,.0f} µs")
    return result
