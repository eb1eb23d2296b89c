"""`python -m benches.build_times`: how long builds take beside Hugo's, and until an edit is served.

The same pages in equal layouts, minified by both; hyperweb compresses them as well. The whole command is timed, from
its start to its end: seconds on the clock, and seconds of CPU of all its processes. Each round has each generator do
the same in turn. It prints a Markdown table and writes it to `compare/results/DATE-builds.md`.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benches.build_peers import Hugo, Hyperweb, Taken, free_port, hugo, serving, until_served
from benches.compare import machine
from benches.compare.errors import CompareError
from benches.compare.peers.hyperweb import profile, program
from benches.compare.programs import version_of
from benches.site_maker import make_site

if TYPE_CHECKING:
    from collections.abc import Callable

    from benches.site_maker import Made

RESULTS = Path(__file__).parent / "compare" / "results"
KINDS = ("cold", "unchanged", "one post edited", "base layout edited")
SERVED = "an edit served"
ABOUT = (
    "CPU is user and system time of all processes of the command. hyperweb's time includes compression and the pack, "
    "which Hugo does not make."
)
Times = dict[str, dict[str, list[Taken]]]


def edit(post: Path, number: int) -> str:
    """Changes one paragraph of one page, differently each time. Returns a text that the page has now."""
    text = post.read_text(encoding="utf-8").split("\n<!-- edit -->\n")[0]
    post.write_text(f"{text}\n<!-- edit -->\nEdited {number} times.\n", encoding="utf-8")
    return f"Edited {number} times."


def edit_layout(layout: Path, number: int) -> str:
    """Changes the layout of all pages, differently each time. Returns a text that each page has now."""
    text = layout.read_text(encoding="utf-8")
    begin, end = text.index("<footer>"), text.index("</footer>")
    layout.write_text(f"{text[:begin]}<footer>Layout {number}.{text[end:]}", encoding="utf-8")
    return f"Layout {number}."


def measure(made: Made, folder: Path, peers: list[type], rounds: int, say: Callable[[str], None]) -> Times:
    """Has each generator build a site again and again, and returns what each kind of build took.

    Raises:
        CompareError: A build failed, or an edit did not reach a page.
    """
    sides = [peer(made, folder) for peer in peers]
    taken: Times = {side.name: {kind: [] for kind in (*KINDS, SERVED)} for side in sides}
    page = f"{made.example.relative_to(made.root / 'content').with_suffix('')}/index.html"
    for number in range(1, rounds + 1):
        for side in sides:
            times = taken[side.name]
            side.forget()
            times["cold"].append(side.build())
            check(len(list(side.public.rglob("*.html"))) == len(made.urls), f"{side.name} did not make every page")
            times["unchanged"].append(side.build())
            mark = edit(side.post, number)
            times["one post edited"].append(side.build())
            check(mark in (side.public / page).read_text(encoding="utf-8"), f"{side.name}: the edit is not in {page}")
            mark = edit_layout(side.layout, number)
            times["base layout edited"].append(side.build())
            check(mark in (side.public / page).read_text(encoding="utf-8"), f"{side.name}: the layout is not in {page}")
            last = ", ".join(f"{kind} {times[kind][-1].wall:.2f} s (CPU {times[kind][-1].cpu:.2f})" for kind in KINDS)
            say(f"{len(made.urls):,} pages, round {number}, {side.name}: {last}")
    url = "/" + page.removesuffix("index.html")
    for side in sides:
        port = free_port()
        with serving(side.serve(port), port, url, folder) as connection:
            for number in range(rounds * 3 + 1):
                mark = edit(side.post, 1000 + number)
                seconds = until_served(connection, url, mark.encode())
                # The first is where the server warms up.
                if number:
                    taken[side.name][SERVED].append(Taken(seconds, 0.0, 0))
        served = median(one.wall for one in taken[side.name][SERVED])
        say(f"{len(made.urls):,} pages, {side.name}: an edit is served after {served * 1000:.1f} ms")
    return taken


def check(right: bool, message: str) -> None:  # noqa: FBT001 - it reads as an assertion
    """Stops a comparison that would compare different things.

    Raises:
        CompareError: It is not right.
    """
    if not right:
        raise CompareError(message)


def report(when: datetime.datetime, results: dict[int, Times]) -> str:
    """Returns the dated tables."""
    what = f"{version_of([program(), '--version'])} ({profile()} build), commit {machine.revision() or 'unknown'}"
    names = list(next(iter(results.values())))
    if "hugo" in names:
        what += f", beside {version_of([hugo(), 'version'])}"
    where = f"{machine.cpu_model()}, {machine.cores()} cores, {machine.system()}"
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    lines = [
        f"# Builds, {when:%Y-%m-%d %H:%M} UTC",
        "",
        f"{what}, on {where}; load averages {load} at the end. Medians. {ABOUT}",
    ]
    for pages, taken in results.items():
        lines += ["", f"## {pages:,} pages", "", "| | " + " | ".join(f"{name}, s | {name}, CPU s" for name in names)]
        lines[-1] += " | ratio of times | ratio of CPU |" if len(names) > 1 else " |"
        lines.append("| --- |" + " ---: |" * (lines[-1].count("|") - 2))
        for kind in (*KINDS, SERVED):
            wall = [median(one.wall for one in taken[name][kind]) for name in names]
            cpu = [median(one.cpu for one in taken[name][kind]) for name in names]
            cells = [
                f"{one:.3f} | {other:.2f}" if other else f"{one:.4f} | " for one, other in zip(wall, cpu, strict=True)
            ]
            if len(names) > 1:
                cells.append(f"{wall[0] / wall[1]:.2f}")
                cells.append(f"{cpu[0] / cpu[1]:.2f}" if cpu[1] else "")
            lines.append(f"| {kind} | " + " | ".join(cells) + " |")
        for name in names:
            cold = taken[name]["cold"]
            seconds = median(one.wall for one in cold)
            share = {kind: median(one.wall for one in taken[name][kind]) / seconds for kind in KINDS}
            parts = ", ".join(f"{kind} {share[kind]:.3f}" for kind in KINDS[1:])
            lines += [
                "",
                said(name, pages, cold, parts),
            ]
    return "\n".join(lines) + "\n"


def said(name: str, pages: int, cold: list[Taken], parts: str) -> str:
    """Returns what cold builds reached, in words."""
    wall, cpu = (median(one.wall for one in cold), median(one.cpu for one in cold))
    return (
        f"{name}: {pages / wall:,.0f} pages/s cold ({pages / cpu:,.0f} a second of CPU), at most "
        f"{max(one.memory for one in cold) / 1e6:,.0f} MB in a process. Of a cold build's time: {parts}."
    )


def main() -> int:
    """Runs the builds and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benches.build_times", description=__doc__)
    parser.add_argument("--pages", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="without Hugo")
    parser.add_argument("--smoke", action="store_true", help="one round of a small site, alone; writes no file")
    options = parser.parse_args()
    if options.smoke:
        options.pages, options.rounds, options.alone = [50], 1, True
    if options.rounds < 1 or min(options.pages) < 2:
        parser.error("there are at least 2 pages and 1 round")

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    when = datetime.datetime.now(datetime.UTC)
    peers: list[type] = [Hyperweb] if options.alone else [Hyperweb, Hugo]
    results = {}
    try:
        for pages in options.pages:
            with tempfile.TemporaryDirectory(prefix="hyperweb-") as work:
                made = make_site(Path(work) / "site", pages)
                results[pages] = measure(made, Path(work), peers, options.rounds, say)
    except CompareError as error:
        say(f"error: {error}")
        return 1
    text = report(when, results)
    print(text, end="")
    if not options.smoke:
        out = RESULTS / f"{when:%Y-%m-%d}-builds.md"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
        say(f"written to {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
