"""Peers under the same load in alternating rounds."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benches.compare import h2load
from benches.compare.apps.item import PATH, make_item
from benches.compare.body import bodies
from benches.compare.client import fetch, free_port, verify, wait_until_up
from benches.compare.errors import CompareError
from benches.compare.peers import origin
from benches.compare.wrk import Load, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benches.compare.body import Body
    from benches.compare.peers.peer import Peer, Setup
    from benches.compare.process import Server
    from benches.compare.wrk import Traffic

UP_TIMEOUT = 60.0
WARM_UP_SECONDS = 1.0
# The size that caches are measured with.
KEPT_KIB = 10
# How often what is kept is asked for before the origin ends: it may take a few requests to be kept for all threads.
SETTLING = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one peer: CPU and latencies in microseconds, the latter where they are known."""

    cpu: float
    per_second: float
    p50: float | None
    p99: float | None


@dataclass(slots=True)
class Scene:
    """The samples of one request, peer by peer, round by round.

    Where `base` names one of them, ratios are of each to that one; otherwise of each hyperweb to each.
    """

    key: str
    title: str
    note: str = ""
    base: str = ""
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    head_sizes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """How often and how hard; before it is measured, each is warmed up for so many seconds."""

    rounds: int
    load: Load
    warm_up: float = WARM_UP_SECONDS


@dataclass(frozen=True, slots=True)
class Running:
    """A peer that answers."""

    peer: Peer
    server: Server
    port: int


def files(
    peers: tuple[Sequence[Peer], Sequence[Peer]],
    setup: Setup,
    plan: Plan,
    sizes: Sequence[int],
    say: Callable[[str], None],
) -> list[Scene]:
    """Measures the bodies of these sizes at the first peers, and that of `KEPT_KIB` at the others, caches, too.

    The origin ends before: what a cache answers is what it keeps.
    """
    scenes = []
    with ExitStack() as stack:
        running = [up(stack, peer, setup, bodies()[0].path) for peer in peers[0]]
        keeping = kept(stack, peers[1], setup, _body(KEPT_KIB)) if KEPT_KIB in sizes else []
        for body in map(_body, sizes):
            scene = Scene(f"files-{body.kib}", f"{body.kib} KB body, identity")
            all_of_them = [*running, *(keeping if body.kib == KEPT_KIB else ())]
            for one in all_of_them:
                scene.head_sizes[one.peer.name] = verify(one.server, one.port, body.path, body.content).head_size
            scenes.append(measure(scene, all_of_them, _wrk(body.path), plan, say))
    return scenes


def _body(kib: int) -> Body:
    return next(body for body in bodies() if body.kib == kib)


def kept(
    stack: ExitStack, caches: Sequence[Peer], setup: Setup, body: Body, *, is_secure: bool = False
) -> list[Running]:
    """Starts caches that keep a body, whose origin has ended."""
    if not caches:
        return []
    with origin.start(setup, origin.kept(setup), origin.KEPT):
        running = [up(stack, peer, setup, body.path, is_secure=is_secure) for peer in caches]
        for one in running:
            for _ in range(SETTLING):
                verify(one.server, one.port, body.path, body.content, is_secure=is_secure)
    return running


def dynamic(peers: Sequence[Peer], setup: Setup, plan: Plan, say: Callable[[str], None]) -> list[Scene]:
    """Measures a JSON handler at every peer."""
    scene = Scene("json", "JSON made for each request")
    expected = json.loads(json.dumps({name: getattr(make_item(), name) for name in make_item().__struct_fields__}))
    with ExitStack() as stack:
        running = [up(stack, peer, setup, PATH) for peer in peers]
        for one in running:
            answer = fetch(one.port, PATH)
            if json.loads(answer.body) != expected:
                message = f"{one.peer.name} answered other JSON: {answer.body!r}"
                raise CompareError(message)
            scene.head_sizes[one.peer.name] = answer.head_size
        return [measure(scene, running, _wrk(PATH), plan, say)]


def http2(
    peers: Sequence[Peer], caches: Sequence[Peer], setup: Setup, plan: Plan, say: Callable[[str], None]
) -> list[Scene]:
    """Measures a body over HTTP/2 with TLS at every peer."""
    body = _body(KEPT_KIB)
    note = (
        f"h2load, {h2load.connections(plan.load)} connections with {h2load.STREAMS} requests under way each, TLS 1.3, "
        "one certificate on P-256."
    )
    scene = Scene("http2", f"{body.kib} KB body, HTTP/2 and TLS", note)
    with ExitStack() as stack:
        running = [up(stack, peer, setup, body.path, is_secure=True) for peer in peers]
        running += kept(stack, caches, setup, body, is_secure=True)
        for one in running:
            verify(one.server, one.port, body.path, body.content, is_secure=True)
        return [measure(scene, running, lambda one, load: h2load.run(load, one.port, body.path), plan, say)]


def misses(
    peers: Sequence[Peer], setup: Setup, plan: Plan, sizes: Sequence[int], say: Callable[[str], None]
) -> list[Scene]:
    """Measures what goes to the origin on a Unix socket each time; the origin's own time is not counted."""
    scenes = []
    note = "The origin says `no-store`, and is the bare epoll loop on a Unix socket, whose own time is not counted."
    with ExitStack() as stack:
        stack.enter_context(origin.start(setup, origin.passed(setup), origin.PASSED))
        running = [up(stack, peer, setup, bodies()[0].path) for peer in peers]
        for body in map(_body, sizes):
            scene = Scene(f"misses-{body.kib}", f"{body.kib} KB body, passed on from an origin", note)
            for one in running:
                scene.head_sizes[one.peer.name] = verify(one.server, one.port, body.path, body.content).head_size
            scenes.append(measure(scene, running, _wrk(body.path), plan, say))
    return scenes


def _wrk(path: str) -> Callable[[Running, Load], Traffic]:
    return lambda one, load: run(load, one.port, path)


def up(stack: ExitStack, peer: Peer, setup: Setup, path: str, *, is_secure: bool = False) -> Running:
    """Starts a peer and waits until it answers a path."""
    port = free_port()
    server = stack.enter_context(peer.start(setup, port))
    wait_until_up(server, port, path, UP_TIMEOUT, is_secure=is_secure)
    return Running(peer, server, port)


def measure(
    scene: Scene,
    running: Sequence[Running],
    send: Callable[[Running, Load], Traffic],
    plan: Plan,
    say: Callable[[str], None],
) -> Scene:
    """Sends the load to each in alternating rounds."""
    for one in running:
        scene.titles[one.peer.name] = one.peer.title
        if plan.warm_up > 0:
            send(one, Load(plan.load.connections, plan.load.threads, min(plan.warm_up, plan.load.seconds)))
    for number in range(plan.rounds):
        # Each round begins with another peer, so that none is always the first after a pause.
        first = number % len(running)
        for one in (*running[first:], *running[:first]):
            sample = _sample(one, send, plan.load)
            scene.samples.setdefault(one.peer.name, []).append(sample)
            say(f"{scene.title}, round {number + 1}: {one.peer.name} {sample.cpu:.2f} µs, {sample.per_second:,.0f}/s")
    # In the order they were given in, whichever was the first to be measured.
    scene.samples = {one.peer.name: scene.samples[one.peer.name] for one in running}
    return scene


def _sample(one: Running, send: Callable[[Running, Load], Traffic], load: Load) -> Sample:
    before = one.server.cpu_seconds()
    traffic = send(one, load)
    spent = one.server.cpu_seconds() - before
    one.server.check()
    return Sample(spent / traffic.requests * 1e6, traffic.per_second, traffic.p50, traffic.p99)
