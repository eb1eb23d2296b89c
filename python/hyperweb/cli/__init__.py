"""The command line: one file for each command."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line."""
    from hyperweb.cli._quick import nothing_to_build

    said = nothing_to_build(sys.argv[1:])
    if said is not None:
        sys.stdout.write(said)
        sys.exit(0)
    from hyperweb.cli._group import run

    run()
