"""`python -m benches.compare`: hyperweb beside its peers, in one run."""

from __future__ import annotations

import argparse
import datetime
import os
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benches.compare import machine, steady, throughput, varied
from benches.compare.body import SIZES_KIB
from benches.compare.client import free_port
from benches.compare.errors import CompareError, MissingPeerError
from benches.compare.idle import idle, possible
from benches.compare.memory import touch
from benches.compare.peers import bun, caddy, epoll, fastapi, granian, h2o, hyperweb, nginx, varnish
from benches.compare.peers.peer import Setup
from benches.compare.programs import find_program
from benches.compare.report import Report
from benches.compare.start import starts
from benches.compare.throughput import Plan
from benches.compare.wrk import Load
from benches.site_maker import Made, make_site

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benches.compare.peers.peer import Peer
    from benches.compare.process import Server

RESULTS = Path(__file__).with_name("results")
FILES = (
    hyperweb.HYPERWEB_FILES,
    nginx.NGINX_FILES,
    granian.GRANIAN_FILES,
    bun.BUN,
    epoll.EPOLL,
    caddy.CADDY_FILES,
    h2o.H2O_FILES,
)
CACHES = (hyperweb.HYPERWEB_CACHE, nginx.NGINX_CACHE, varnish.VARNISH_CACHE)
DYNAMIC = (
    hyperweb.HYPERWEB_EDGE,
    hyperweb.HYPERWEB_DIRECT,
    granian.GRANIAN_JSON,
    nginx.NGINX_PROXY,
    fastapi.FASTAPI,
)
TLS = (hyperweb.HYPERWEB_TLS, nginx.NGINX_TLS, caddy.CADDY_TLS, h2o.H2O_TLS)
TLS_CACHES = (hyperweb.HYPERWEB_CACHE_TLS,)
PASSING = (hyperweb.HYPERWEB_PASS, nginx.NGINX_PASS, caddy.CADDY_PASS, h2o.H2O_PASS, varnish.VARNISH_PASS)
KEEPING = (hyperweb.HYPERWEB_CACHE, nginx.NGINX_CACHE)
STEADY = (hyperweb.HYPERWEB_FILES, nginx.NGINX_FILES)
# Asked for by --with: it is installed from the network for this alone.
OPTIONAL = {"fastapi"}
# Left out of the smoke run, where they would show nothing that the others do not: how they are driven is the same.
NOT_SMOKED = {"caddy", "h2o", "varnish"}
SCENES = ("files", "json", "http2", "misses", "keys", "options", "steady", "idle", "start", "memory")
IDLE = 10_000


def say(text: str) -> None:
    """Prints progress where it does not mix with the report."""
    print(text, file=sys.stderr, flush=True)


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    names = sorted({peer.name for peer in (*FILES, *CACHES, *DYNAMIC)})
    parser = argparse.ArgumentParser(prog="python -m benches.compare", description=__doc__)
    parser.add_argument("--scenes", default=",".join(SCENES), help=f"some of {', '.join(SCENES)}")
    parser.add_argument("--only", default="", help=f"these peers alone, some of {', '.join(names)}")
    parser.add_argument("--with", dest="extra", default="", help="peers that are left out otherwise: fastapi")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--threads", type=int, default=machine.cores(), help="of each server and of wrk")
    parser.add_argument("--sizes", default="1,10,64", help="of the bodies in KiB, some of 1, 10 and 64")
    parser.add_argument(
        "--keys", type=int, default=varied.KEYS[-1], help="the most that are kept to see what they cost"
    )
    parser.add_argument("--idle", type=int, default=IDLE, help="connections that are open and ask for nothing")
    parser.add_argument("--pages", type=int, default=10_000, help="of the site for start and memory")
    parser.add_argument("--smoke", action="store_true", help="one short round of everything; writes no file")
    parser.add_argument("--out", type=Path, help="where to write the report; by default results/DATE.md")
    options = parser.parse_args(words)
    options.scenes = _some_of(parser, "--scenes", options.scenes, SCENES)
    options.only = _some_of(parser, "--only", options.only, names)
    options.extra = _some_of(parser, "--with", options.extra, sorted(OPTIONAL))
    options.sizes = [
        int(size) for size in _some_of(parser, "--sizes", options.sizes, [str(size) for size in SIZES_KIB])
    ]
    if options.smoke:
        options.rounds, options.seconds, options.connections, options.pages = 1, 1.0, 16, 200
        options.keys, options.idle = varied.KEYS[1], 200
    counts = (options.rounds, options.connections, options.threads, options.pages, options.keys, options.idle)
    if min(counts) < 1 or options.seconds <= 0:
        parser.error("rounds, seconds, connections, threads, pages, keys and idle are at least 1")
    return options


def _some_of(parser: argparse.ArgumentParser, option: str, value: str, known: Sequence[str]) -> list[str]:
    names = [name for name in value.split(",") if name]
    if unknown := [name for name in names if name not in known]:
        parser.error(f"{option}: {', '.join(unknown)} is not one of {', '.join(known)}")
    return names


def chosen(peers: Iterable[Peer], options: argparse.Namespace, report: Report) -> list[Peer]:
    """Returns the peers asked for that are on this machine, and notes in the report those that are not.

    Raises:
        MissingPeerError: One is not, and the environment says that all must be.
    """
    found = []
    for peer in peers:
        left_out = OPTIONAL | (NOT_SMOKED if options.smoke else set())
        wanted = peer.name in options.only if options.only else peer.name not in left_out
        if not wanted and peer.name not in options.extra:
            continue
        try:
            report.versions[peer.title] = peer.version()
            # Programs that have to be fetched or compiled are, before any server runs.
            PREPARE.get(peer.name, lambda: None)()
        except MissingPeerError as error:
            if os.environ.get("HYPERWEB_REQUIRE_PROGRAMS") == "1":
                raise
            report.versions.pop(peer.title, None)
            report.missing[peer.title] = str(error)
            say(f"left out: {peer.title}: {error}")
        else:
            found.append(peer)
    return found


PREPARE = {"bun": bun.installed, "epoll": epoll.program, "fastapi": fastapi.environment}


def measure(options: argparse.Namespace, setup: Setup, report: Report) -> None:
    """Runs the scenes asked for."""
    here = partial(chosen, options=options, report=report)
    for scene in (scene for scene in SCENES if scene in options.scenes):
        if scene == "files":
            report.scenes += throughput.files((here(FILES), here(CACHES)), setup, report.plan, options.sizes, say)
        elif scene == "json" and (present := here(DYNAMIC)):
            report.scenes += throughput.dynamic(present, setup, report.plan, say)
        elif scene == "http2" and is_there("h2load", report):
            report.scenes += throughput.http2(here(TLS), here(TLS_CACHES), setup, report.plan, say)
        elif scene == "misses" and (present := here(PASSING)):
            sizes = [size for size in options.sizes if size <= throughput.KEPT_KIB]
            report.scenes += throughput.misses(present, setup, report.plan, sizes, say)
        elif scene == "keys" and (present := here(KEEPING)):
            report.scenes += varied.flat(present, setup, report.plan, options.keys, say)
        elif scene == "options" and here(CACHES[:1]):
            report.scenes += varied.options(setup, report.plan, say)
        elif scene == "steady" and (present := here(STEADY)):
            report.steady = steady.steady(present, here(CACHES[:1]), setup, report.plan, say)
        elif scene == "idle" and (present := here(STEADY)):
            report.idle = idle(present, here(CACHES[:1]), setup, options.idle, say)
    measure_pages(options, setup, report)


def is_there(program: str, report: Report) -> bool:
    """Whether a program is on this machine; notes in the report where it is not.

    Raises:
        MissingPeerError: It is not, and the environment says that all must be.
    """
    try:
        find_program(program)
    except MissingPeerError as error:
        if os.environ.get("HYPERWEB_REQUIRE_PROGRAMS") == "1":
            raise
        report.missing[program] = str(error)
        say(f"left out: {error}")
        return False
    return True


def measure_pages(options: argparse.Namespace, setup: Setup, report: Report) -> None:
    """Runs the scenes of a site of many pages."""
    if not {"start", "memory"} & set(options.scenes):
        return
    present = chosen((hyperweb.HYPERWEB_FILES, granian.GRANIAN_ONE), options, report)
    site = None
    if hyperweb.HYPERWEB_FILES in present:
        say(f"building a site of {options.pages} pages")
        site = make_site(setup.folder("pages") / "site", options.pages)
        hyperweb.build(site.root)
    if "start" in options.scenes:
        measure_start(present, options, setup, report, site)
    if "memory" in options.scenes and site is not None:
        measure_memory(options, setup, report, site)


def _serve_pages(setup: Setup, site: Made, threads: int, port: int) -> Server:
    return hyperweb.serve(setup.server("pages"), site.root, port, "--edge-threads", str(threads))


def measure_start(
    present: Sequence[Peer], options: argparse.Namespace, setup: Setup, report: Report, site: Made | None
) -> None:
    """Measures the time to the first 200 of the built site and of Granian with one worker."""
    peers = {}
    if site is not None:
        ours = partial(_serve_pages, setup, site, options.threads)
        peers[f"hyperweb, {len(site.urls):,} pages"] = (ours, site.urls[0])
    if granian.GRANIAN_ONE in present:
        peers[granian.GRANIAN_ONE.title] = (partial(granian.start_one, setup), "/1k.txt")
    if peers:
        report.starts.append(starts("From start to the first 200", peers, options.rounds, say))


def measure_memory(options: argparse.Namespace, setup: Setup, report: Report, site: Made) -> None:
    """Measures the edge's memory as more of its pages are asked for."""
    port = free_port()
    steps = (0, 1, *(step for step in (100, 1_000) if step < options.pages), options.pages)
    with _serve_pages(setup, site, options.threads, port) as server:
        report.memory = touch(server, port, site.urls, steps, say)


def main() -> int:
    """Runs the comparison and returns the exit code."""
    options = arguments()
    # Ended from outside, the servers are stopped as after an interrupt.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    load = Load(options.connections, options.threads, options.seconds)
    # In a smoke run nothing is compared, and nothing has to be warm.
    plan = Plan(options.rounds, load, warm_up=0.0 if options.smoke else throughput.WARM_UP_SECONDS)
    when = datetime.datetime.now(datetime.UTC)
    report = Report(when, options.threads, plan, os.getloadavg()[0])
    if report.load_before > machine.cores() / 4:
        say(f"warning: load average {report.load_before:.2f}: something else is running, figures will be noisy")
    # Servers inherit it.
    possible(options.idle)
    failed = False
    try:
        find_program("wrk")
        with tempfile.TemporaryDirectory(prefix="hyperweb-") as work:
            measure(options, Setup(Path(work), options.threads), report)
    except CompareError as error:
        say(f"error: {error}")
        if not report.is_begun():
            return 1
        # What was measured until then is worth keeping.
        report.missing["what was to follow"] = str(error)
        failed = True
    text = report.markdown()
    print(text, end="")
    if not options.smoke:
        out = options.out or RESULTS / f"{when:%Y-%m-%d}.md"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text)
        say(f"written to {out}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
