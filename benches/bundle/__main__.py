"""`python -m benches.bundle`: bundles of packages from npm, beside those of esbuild and Bun."""

from __future__ import annotations

import argparse
import datetime
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import brotli

from benches.bundle import packages
from benches.compare import machine
from benches.compare.peers.hyperweb import profile
from benches.compare.programs import version_of
from hyperweb import _core

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
ROUNDS = 5
ABOUT = (
    "Each entry minified, for browsers, as ES modules with code splitting; the size is that of all files. `br` is "
    "Brotli 11, file by file. Time is the least of alternating rounds, wall clock: the peers' with the start of their "
    "process (`at once` is what starting it takes alone), hyperweb's from within Python, source to bytes. A ratio "
    "under 1 is in favour of hyperweb."
)
Made = dict[str, bytes]


def ours(root: Path, entry: Path) -> Made:
    """Returns what hyperweb makes of an entry."""
    made = _core.bundle(
        str(root),
        [(entry.name, str(entry))],
        [],
        {},
        {},
        define=[("process.env.NODE_ENV", '"production"')],
        external=[],
        naming="mapped",
        minify_js=True,
        minify_css=True,
        source_maps=False,
        licenses="drop",
        targets=None,
        threads=machine.cores(),
    )
    return {one.name: one.body for one in made.outputs}


def _run(command: list[str | Path], out: Path) -> Made:
    shutil.rmtree(out, ignore_errors=True)
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    return {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*") if file.is_file()}


def esbuild(root: Path, entry: Path, out: Path) -> Made:
    """Returns what esbuild makes of an entry."""
    program = root / "node_modules/@esbuild/linux-x64/bin/esbuild"
    said = ["--bundle", "--minify", "--splitting", "--format=esm", "--target=es2022", "--legal-comments=none"]
    return _run([program, entry, *said, '--define:process.env.NODE_ENV="production"', f"--outdir={out}"], out)


def bun(root: Path, entry: Path, out: Path) -> Made:
    """Returns what Bun makes of an entry."""
    program = root / "node_modules/@oven/bun-linux-x64/bin/bun"
    said = ["--minify", "--splitting", "--format=esm", "--target=browser", f"--outdir={out}"]
    return _run([program, "build", entry, *said, '--define=process.env.NODE_ENV="production"'], out)


def br(made: Made) -> int:
    """Returns the size of all files after Brotli at its best level."""
    return sum(len(brotli.compress(body, quality=11)) for body in made.values())


def measured(makers: dict[str, Callable[[], Made]], rounds: int) -> dict[str, tuple[Made, float]]:
    """Returns what each makes and the least time it took."""
    found: dict[str, tuple[Made, float]] = {}
    for _ in range(rounds):
        for name, make in makers.items():
            begun = time.perf_counter()
            made = make()
            taken = time.perf_counter() - begun
            found[name] = (made, min(taken, found[name][1] if name in found else taken))
    return found


def compare(rounds: int) -> str:
    """Returns the report."""
    root = packages.installed()
    programs = {
        "esbuild": root / "node_modules/@esbuild/linux-x64/bin/esbuild",
        "bun": root / "node_modules/@oven/bun-linux-x64/bin/bun",
    }
    lines = [
        f"# Bundled, {datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d %H:%M} UTC",
        "",
        ABOUT,
        "",
        "| what | is |",
        "| --- | --- |",
        f"| processor | {machine.cpu_model()}, {machine.cores()} cores |",
        f"| hyperweb | {profile()} |",
        f"| packages | {', '.join(packages.PACKAGES)} |",
    ]
    for name, program in programs.items():
        begun = time.perf_counter()
        version = version_of([program, "--version"])
        lines.append(f"| {name} | {version}; at once {(time.perf_counter() - begun) * 1000:.0f} ms |")
    lines += ["", "| entry | hyperweb | br | esbuild | br | bun | br | size ratio | br ratio |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    times = ["", "| entry | hyperweb, ms | esbuild, ms | bun, ms | ratio to esbuild | to bun |"]
    times.append("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        for number, (what, text) in enumerate(packages.ENTRIES.items()):
            entry = root / f"entry{number}.js"
            entry.write_text(text, encoding="utf-8")
            found = measured(
                {
                    "hyperweb": lambda entry=entry: ours(root, entry),  # type: ignore[misc]
                    "esbuild": lambda entry=entry: esbuild(root, entry, out / "esbuild"),  # type: ignore[misc]
                    "bun": lambda entry=entry: bun(root, entry, out / "bun"),  # type: ignore[misc]
                },
                rounds,
            )
            sizes = {name: sum(map(len, made.values())) for name, (made, _) in found.items()}
            small = {name: br(made) for name, (made, _) in found.items()}
            least, least_br = min(sizes["esbuild"], sizes["bun"]), min(small["esbuild"], small["bun"])
            cells = " | ".join(f"{sizes[name]:,} | {small[name]:,}" for name in ("hyperweb", "esbuild", "bun"))
            ratios = f"{sizes['hyperweb'] / least:.3f} | {small['hyperweb'] / least_br:.3f}"
            lines.append(f"| {what} | {cells} | {ratios} |")
            took = {name: seconds * 1000 for name, (_, seconds) in found.items()}
            times.append(
                f"| {what} | {took['hyperweb']:.0f} | {took['esbuild']:.0f} | {took['bun']:.0f} "
                f"| {took['hyperweb'] / took['esbuild']:.2f} | {took['hyperweb'] / took['bun']:.2f} |"
            )
    return "\n".join(lines + times) + "\n"


def smoke() -> None:
    """Bundles the script of the example site."""
    root = HERE.parents[1] / "sites" / "blog"
    made = ours(root, root / "assets" / "app.ts")
    before = sum(len(file.read_bytes()) for file in (root / "assets").glob("*.ts"))
    after = sum(map(len, made.values()))
    if not 0 < after < before:
        message = f"{before} bytes of scripts became {after}"
        raise SystemExit(message)
    print(f"{before:,} bytes of scripts became {after:,}")


def main() -> None:
    """Compares, prints the report and writes it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="only the project's own scripts, and no peer")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--out", type=Path, default=HERE / "results" / f"{datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d}.md"
    )
    chosen = parser.parse_args()
    if chosen.smoke:
        smoke()
        return
    report = compare(chosen.rounds)
    print(report)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
