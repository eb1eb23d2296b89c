"""hyperweb against itself: as more is kept, and with what can be turned on."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from benches.compare.body import bodies
from benches.compare.client import fill
from benches.compare.peers import hyperweb, origin
from benches.compare.peers.peer import Peer
from benches.compare.throughput import Plan, Running, Scene, measure, up
from benches.compare.wrk import Load, Replay, run
from benches.site_maker import make_site

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benches.compare.peers.peer import Setup
    from benches.compare.process import Server
    from benches.compare.wrk import Traffic

KEYS = (1, 100, 10_000, 100_000)
# Pages of the site that is walked through to learn from.
PAGES = 20
# What differs little is measured more often.
TIMES = 3
# What a browser says when somebody follows a link.
NAVIGATION = (
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: en-US,en;q=0.9",
    "Sec-Fetch-Dest: document",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Site: same-origin",
    "Sec-Fetch-User: ?1",
    "Upgrade-Insecure-Requests: 1",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
)


def flat(peers: Sequence[Peer], setup: Setup, plan: Plan, most: int, say: Callable[[str], None]) -> list[Scene]:
    """Measures a hit of 1 KB at each cache as more keys are kept and asked for at random."""
    body = bodies()[0]
    scenes = []
    for peer in peers:
        note = "Keys asked for at random, all of them kept; the origin has ended."
        scene = Scene(f"keys-{peer.name}", f"Hits of {body.kib} KB by the number of keys, {peer.title}", note)
        with ExitStack() as stack:
            with origin.start(setup, origin.kept(setup), origin.KEPT):
                one = up(stack, peer, setup, body.path)
                say(f"{scene.title}: keeping {most:,} of them")
                fill(one.port, (f"{body.path}?{number}" for number in range(most)))
            replays = {}
            steps = []
            for count in (count for count in KEYS if count <= most):
                paths = setup.folder("keys") / f"{count}.txt"
                paths.write_text("".join(f"{body.path}?{number}\n" for number in range(count)))
                name = f"{count:,} keys" if count > 1 else "1 key"
                step = Peer(name, name, peer.start, peer.version)
                replays[name] = Replay(paths, is_random=True)
                steps.append(Running(step, one.server, one.port))
            scene.base = steps[0].peer.name
            scenes.append(measure(scene, steps, partial(_replay, replays, body.path), plan, say))
    return scenes


def _replay(replays: dict[str, Replay], path: str, one: Running, load: Load) -> Traffic:
    return run(load, one.port, path, replays[one.peer.name])


def options(setup: Setup, plan: Plan, say: Callable[[str], None]) -> list[Scene]:
    """Measures a hit of 10 KB with metrics and with an access log, against one with neither."""
    body = next(body for body in bodies() if body.kib == 10)
    scene = Scene("options", f"{body.kib} KB body, kept, by what is counted and written down", base="neither")
    variants: dict[str, tuple[str | Path, ...]] = {
        "neither": (),
        "metrics": ("--metrics",),
        "access log": ("--access-log", setup.folder("access-log") / "access.log"),
    }
    more = _more(plan)
    with ExitStack() as stack:
        running = []
        with origin.start(setup, origin.kept(setup), origin.KEPT):
            for name, said in variants.items():
                folder = f"hyperweb-{name.replace(' ', '-')}"
                peer = Peer(name, name, partial(_edge, folder, said), hyperweb.HYPERWEB_CACHE.version)
                running.append(up(stack, peer, setup, body.path))
        scenes = [measure(scene, running, lambda one, load: run(load, one.port, body.path), more, say)]
    return [*scenes, _learning(setup, more, say)]


def _more(plan: Plan) -> Plan:
    return Plan(plan.rounds * TIMES if plan.rounds > 1 else 1, plan.load, plan.warm_up)


def _edge(folder: str, said: Sequence[str | Path], setup: Setup, port: int) -> Server:
    return hyperweb.edge(setup, folder, origin.kept(setup), port, *said)


def _learning(setup: Setup, plan: Plan, say: Callable[[str], None]) -> Scene:
    """Measures pages from the pack, asked for as a browser does that goes from one to the next."""
    scene = Scene(
        "learning",
        "A page from the pack, by whether steps between pages are learned",
        f"A walk through {PAGES} pages with the fields of a browser; on, each answer says which page comes next.",
        base="off",
    )
    made = make_site(setup.folder("walked") / "site", PAGES)
    hyperweb.build(made.root)
    pages = list(made.urls)
    walk = setup.folder("walked") / "walk.txt"

    def start(value: str, setup: Setup, port: int) -> Server:
        # Each has a folder of its own for what it learned.
        env = {"HYPERWEB_LEARNING_ENABLED": value, "HYPERWEB_LEARNING_CONTROL": "0"}
        server = setup.server(f"learning-{value}")
        return hyperweb.serve(server, made.root, port, "--edge-threads", str(setup.threads), env=env)

    with ExitStack() as stack:
        running = []
        replays = {}
        for name, value in (("off", "false"), ("on", "true")):
            peer = Peer(name, f"learning {name}", partial(start, value), hyperweb.HYPERWEB_FILES.version)
            one = up(stack, peer, setup, pages[0])
            before = [pages[-1], *pages[:-1]]
            steps = zip(pages, before, strict=True)
            text = "".join(f"{page}\thttp://127.0.0.1:{one.port}{referer}\n" for page, referer in steps)
            paths = walk.with_name(f"walk-{name}.txt")
            paths.write_text(text)
            replays[name] = Replay(paths, fields=NAVIGATION)
            running.append(one)
        return measure(scene, running, partial(_replay, replays, pages[0]), plan, say)
