"""`python -m benches.minify`: how small files become, and how fast, beside the minifiers there are."""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import brotli

from benches.compare import machine
from benches.compare.peers.hyperweb import profile
from benches.compare.programs import find_program
from benches.minify import corpus
from hyperweb.build import BuildError, minify_file

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).parent
ROUNDS = 3
ABOUT = (
    "Each file on its own; no stylesheet is lowered for browsers, pages have no comments for Internet Explorer, and "
    "what a stylesheet may ask for (`type=text`) is kept where a peer can be told to. br is Brotli 11. A ratio under 1 "
    "is in favour of hyperweb."
)


def ours(paths: Iterable[Path]) -> tuple[list[bytes | None], list[float]]:
    """Returns each file minified, none where it is refused, and the seconds it took, the least of some rounds."""
    made: list[bytes | None] = []
    seconds = []
    for path in paths:
        taken = []
        out: bytes | None = None
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            try:
                out = minify_file(path)
            except BuildError:
                out = None
            taken.append(time.perf_counter() - begun)
        made.append(out)
        seconds.append(min(taken))
    return made, seconds


def br(data: bytes) -> int:
    """Returns the size after Brotli at its best level."""
    return len(brotli.compress(data, quality=11))


def table(kind: str, paths: list[Path], modules: Path, out: Path, speeds: list[float | None]) -> list[str]:
    """Returns the lines about one kind of files."""
    made, seconds = ours(paths)
    lines = ["", f"## {kind}", "", "| file | bytes | hyperweb | br | smallest peer | br | ratio | br |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- | --- |")
    wins = [0, 0, 0]
    for number, (path, mine) in enumerate(zip(paths, made, strict=True)):
        name = str(path.relative_to(modules.parent)).removeprefix("node_modules/")
        peers = {found.name.split(".", 2)[2]: found.read_bytes() for found in out.glob(f"{kind}.{number}.*")}
        if mine is None or not peers:
            lines.append(f"| {name} | {path.stat().st_size:,} | refused | | | | | |")
            continue
        raw, who = min((len(data), peer) for peer, data in peers.items())
        small, whose = min((br(data), peer) for peer, data in peers.items())
        small_mine = br(mine)
        wins[0] += 1
        wins[1] += len(mine) <= raw
        wins[2] += small_mine <= small
        sizes = f"{path.stat().st_size:,} | {len(mine):,} | {small_mine:,} | {raw:,} ({who}) | {small:,} ({whose})"
        lines.append(f"| {name} | {sizes} | {len(mine) / raw:.4f} | {small_mine / small:.4f} |")
    both = [
        (path.stat().st_size, mine, theirs)
        for path, mine, theirs in zip(paths, seconds, speeds, strict=True)
        if theirs is not None
    ]
    size = sum(size for size, _, _ in both) / 1e6
    mine_speed, their_speed = size / sum(mine for _, mine, _ in both), size / sum(theirs for _, _, theirs in both)
    counts = (
        f"No larger than the smallest peer: {wins[1]} of {wins[0]} files, after br {wins[2]}. Speed on one thread: "
        f"{mine_speed:.1f} MB/s, tdewolff {their_speed:.1f} MB/s, ratio {mine_speed / their_speed:.2f}."
    )
    return [*lines, "", counts]


def compare() -> str:
    """Returns the report."""
    modules, python = corpus.installed()
    kinds = corpus.files(modules)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        task = {"modules": str(modules), "out": folder, "kinds": {k: [str(p) for p in v] for k, v in kinds.items()}}
        text = json.dumps(task)
        subprocess.run([find_program("node"), HERE / "peers.mjs"], input=text, text=True, check=True)
        done = subprocess.run([python, HERE / "peers.py"], input=text, text=True, check=True, capture_output=True)
        speeds = json.loads(done.stdout)
        lines = [
            f"# Minified, {datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d %H:%M} UTC",
            "",
            ABOUT,
            "",
            "| what | is |",
            "| --- | --- |",
            f"| processor | {machine.cpu_model()} |",
            f"| hyperweb | {profile()} |",
            f"| peers | {', '.join(corpus.PEERS)}, {corpus.versions(python)} |",
        ]
        for kind, paths in kinds.items():
            lines += table(kind, paths, modules, out, speeds[kind])
    return "\n".join(lines) + "\n"


def smoke() -> None:
    """Minifies what the example site is made of."""
    root = HERE.parents[1] / "sites" / "blog"
    paths = [
        path
        for path in sorted(root.rglob("*.*"))
        if path.suffix in {".css", ".ts", ".svg"} and "dist" not in path.parts
    ]
    made, _ = ours(paths)
    for path, out in zip(paths, made, strict=True):
        if out is None or len(out) > path.stat().st_size:
            message = f"{path} does not become smaller"
            raise SystemExit(message)
    print(f"{len(paths)} files did not become larger")


def main() -> None:
    """Compares, prints the report and writes it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="only the project's own files, and no peer")
    parser.add_argument(
        "--out", type=Path, default=HERE / "results" / f"{datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d}.md"
    )
    chosen = parser.parse_args()
    if chosen.smoke:
        smoke()
        return
    report = compare()
    print(report)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(report, encoding="utf-8")


main()
