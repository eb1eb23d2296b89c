"""`python -m benches.edits`: a thousand random edits of a site, each incremental build compared with a clean one.

What was found is printed and written to `compare/results/DATE-edits.md`. A difference ends it, with all edits that led
there.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
import time
from pathlib import Path

from benches.compare import machine
from tests.build.edits import run

RESULTS = Path(__file__).parent / "compare" / "results"


def main() -> int:
    """Makes the edits and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benches.edits", description=__doc__)
    parser.add_argument("--edits", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    when = datetime.datetime.now(datetime.UTC)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="hyperweb-") as folder:
        done = run(Path(folder), options.seed, options.edits, say)
    text = (
        f"# Random edits, {when:%Y-%m-%d %H:%M} UTC\n\n"
        f"Commit {machine.revision() or 'unknown'}, seed {options.seed}: {done.edits} edits in {done.builds} builds, "
        f"each compared with a clean build of the same sources.\n{done.failed} of the builds failed, with the words of "
        f"the clean one; {done.killed} were killed on their way (SIGKILL) and done again;\n{done.copied} times the "
        f"folder was copied and work went on in the copy; {done.explained} explanations were held to what was made.\n"
        f"No difference in any byte of `site.pack` and `public/`. {time.perf_counter() - begun:.0f} s.\n"
    )
    print(text, end="")
    (RESULTS / f"{when:%Y-%m-%d}-edits.md").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
