"""`python -m benches.build_times`: how long `hyperweb build` takes cold, unchanged, and after one edit.

The whole command is timed, from its start to its end, on generated sites. It prints a Markdown table and writes it to
`compare/results/DATE-builds.md`.
"""

from __future__ import annotations

import argparse
import datetime
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benches.compare import machine
from benches.compare.errors import CompareError
from benches.compare.peers.hyperweb import profile, program
from benches.compare.programs import version_of
from benches.site_maker import make_site

if TYPE_CHECKING:
    from collections.abc import Callable

    from benches.site_maker import Made

RESULTS = Path(__file__).parent / "compare" / "results"
TIMEOUT = 900


def build(site: Path, *options: str) -> float:
    """Builds a site and returns how many seconds the command took.

    Raises:
        CompareError: It failed; says with what.
    """
    begun = time.perf_counter()
    done = subprocess.run(
        [str(program()), "build", str(site), *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    taken = time.perf_counter() - begun
    if done.returncode != 0:
        message = f"hyperweb build ended with status {done.returncode}:\n{done.stdout}{done.stderr}"
        raise CompareError(message)
    return taken


def edit(made: Made, number: int) -> None:
    """Changes one paragraph of one page, differently each time."""
    text = made.example.read_text().split("\n<!-- edit -->\n")[0]
    made.example.write_text(f"{text}\n<!-- edit -->\nEdited {number} times.\n")


def measure(made: Made, rounds: int, say: Callable[[str], None]) -> dict[str, list[float]]:
    """Builds a site again and again and returns the seconds of each kind of build.

    Raises:
        CompareError: A build failed, or an edit did not reach the page.
    """
    taken: dict[str, list[float]] = {"cold": [], "unchanged": [], "one page edited": []}
    page = made.root / "dist/public" / made.example.relative_to(made.root / "content").with_suffix("") / "index.html"
    for number in range(1, rounds + 1):
        taken["cold"].append(build(made.root, "--clean"))
        taken["unchanged"].append(build(made.root))
        edit(made, number)
        taken["one page edited"].append(build(made.root))
        if f"Edited {number} times." not in page.read_text():
            message = f"the edit of {made.example} is not in {page}"
            raise CompareError(message)
        last = ", ".join(f"{kind} {seconds[-1] * 1000:.0f} ms" for kind, seconds in taken.items())
        say(f"{len(made.urls):,} pages, round {number}: {last}")
    return taken


def report(when: datetime.datetime, results: dict[int, dict[str, list[float]]]) -> str:
    """Returns the dated table."""
    kinds = list(next(iter(results.values())))
    what = f"{version_of([program(), '--version'])} ({profile()} build), commit {machine.revision() or 'unknown'}"
    where = f"{machine.cpu_model()}, {machine.cores()} cores, {machine.system()}"
    lines = [
        f"# Builds, {when:%Y-%m-%d %H:%M} UTC",
        "",
        f"{what}, on {where}. The whole command, median ms.",
        "",
        "| pages | " + " | ".join(kinds) + " | pages/s, cold |",
        "| --- |" + " --- |" * (len(kinds) + 1),
    ]
    for pages, taken in results.items():
        cells = [f"{median(taken[kind]) * 1000:,.0f}" for kind in kinds]
        lines.append(f"| {pages:,} | " + " | ".join(cells) + f" | {pages / median(taken['cold']):,.0f} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Runs the builds and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benches.build_times", description=__doc__)
    parser.add_argument("--pages", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="one round of a small site; writes no file")
    options = parser.parse_args()
    if options.smoke:
        options.pages, options.rounds = [50], 1
    if options.rounds < 1 or min(options.pages) < 2:
        parser.error("there are at least 2 pages and 1 round")

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    when = datetime.datetime.now(datetime.UTC)
    results = {}
    try:
        for pages in options.pages:
            with tempfile.TemporaryDirectory(prefix="hyperweb-") as work:
                results[pages] = measure(make_site(Path(work) / "site", pages), options.rounds, say)
    except CompareError as error:
        say(f"error: {error}")
        return 1
    text = report(when, results)
    print(text, end="")
    if not options.smoke:
        out = RESULTS / f"{when:%Y-%m-%d}-builds.md"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text)
        say(f"written to {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
