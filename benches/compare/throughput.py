"""Peers under the same load in alternating rounds."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benches.compare.apps.item import PATH, make_item
from benches.compare.body import bodies
from benches.compare.client import fetch, free_port, verify, wait_until_up
from benches.compare.errors import CompareError
from benches.compare.wrk import Load, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benches.compare.peers.peer import Peer, Setup
    from benches.compare.process import Server

UP_TIMEOUT = 60.0
WARM_UP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one peer: CPU and latencies in microseconds."""

    cpu: float
    per_second: float
    p50: float
    p99: float


@dataclass(slots=True)
class Scene:
    """The samples of one request, peer by peer, round by round."""

    title: str
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    head_sizes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """How often and how hard."""

    rounds: int
    load: Load


@dataclass(frozen=True, slots=True)
class Running:
    """A peer that answers."""

    peer: Peer
    server: Server
    port: int


def files(peers: Sequence[Peer], setup: Setup, plan: Plan, say: Callable[[str], None]) -> list[Scene]:
    """Measures every body at every peer."""
    scenes = []
    with ExitStack() as stack:
        running = [_up(stack, peer, setup, bodies()[0].path) for peer in peers]
        for body in bodies():
            scene = Scene(f"{body.kib} KB body, identity")
            for one in running:
                scene.head_sizes[one.peer.name] = verify(one.server, one.port, body.path, body.content).head_size
            scenes.append(_measure(scene, running, body.path, plan, say))
    return scenes


def dynamic(peers: Sequence[Peer], setup: Setup, plan: Plan, say: Callable[[str], None]) -> list[Scene]:
    """Measures a JSON handler at every peer."""
    scene = Scene("JSON made for each request")
    expected = json.loads(json.dumps({name: getattr(make_item(), name) for name in make_item().__struct_fields__}))
    with ExitStack() as stack:
        running = [_up(stack, peer, setup, PATH) for peer in peers]
        for one in running:
            answer = fetch(one.port, PATH)
            if json.loads(answer.body) != expected:
                message = f"{one.peer.name} answered other JSON: {answer.body!r}"
                raise CompareError(message)
            scene.head_sizes[one.peer.name] = answer.head_size
        return [_measure(scene, running, PATH, plan, say)]


def _up(stack: ExitStack, peer: Peer, setup: Setup, path: str) -> Running:
    port = free_port()
    server = stack.enter_context(peer.start(setup, port))
    wait_until_up(server, port, path, UP_TIMEOUT)
    return Running(peer, server, port)


def _measure(scene: Scene, running: Sequence[Running], path: str, plan: Plan, say: Callable[[str], None]) -> Scene:
    for one in running:
        scene.titles[one.peer.name] = one.peer.title
        run(Load(plan.load.connections, plan.load.threads, min(WARM_UP_SECONDS, plan.load.seconds)), one.port, path)
    for number in range(plan.rounds):
        # Each round begins with another peer, so that none is always the first after a pause.
        first = number % len(running)
        for one in (*running[first:], *running[:first]):
            sample = _sample(one, path, plan.load)
            scene.samples.setdefault(one.peer.name, []).append(sample)
            say(f"{scene.title}, round {number + 1}: {one.peer.name} {sample.cpu:.2f} µs, {sample.per_second:,.0f}/s")
    return scene


def _sample(one: Running, path: str, load: Load) -> Sample:
    before = one.server.cpu_seconds()
    traffic = run(load, one.port, path)
    spent = one.server.cpu_seconds() - before
    one.server.check()
    return Sample(spent / traffic.requests * 1e6, traffic.per_second, traffic.p50, traffic.p99)
