"""Bun's static routes, one process a thread on a shared port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benches.compare.body import bodies
from benches.compare.client import HOST
from benches.compare.errors import MissingPeerError
from benches.compare.peers.peer import ROOT, Peer, Setup
from benches.compare.programs import CACHE, find_program, install, version_of

if TYPE_CHECKING:
    from pathlib import Path

    from benches.compare.process import Server

VERSION = "1.4.5"
SCRIPT = ROOT / "benches" / "compare" / "apps" / "bun_files.js"


def installed() -> Path:
    """Returns the program, installed from npm into the cache folder when missing.

    Raises:
        MissingPeerError: There is no npm, or it could not install it.
    """
    folder = CACHE / f"bun-{VERSION}"
    if (program := _found(folder)) is not None:
        return program
    folder.mkdir(parents=True, exist_ok=True)
    install([find_program("npm"), "install", "--prefix", folder, "--no-save", "--silent", f"bun@{VERSION}"], "bun")
    if (program := _found(folder)) is not None:
        return program
    message = f"bun {VERSION} does not run here; see {folder}"
    raise MissingPeerError(message)


def _found(folder: Path) -> Path | None:
    # The package puts its binary in place after installing; where npm runs no such scripts, the platform's own
    # package holds it.
    for place in (folder / "node_modules/.bin/bun", *folder.glob("node_modules/@oven/bun-*/bin/bun")):
        if place.exists() and version_of([place, "--version"]) == VERSION:
            return place
    return None


def start(setup: Setup, port: int) -> Server:
    """Starts one process for each thread allowed: Bun's server runs on one."""
    program = installed()
    names = [body.name for body in bodies()]
    server = setup.server("bun")
    for _ in range(setup.threads):
        server.start([program, SCRIPT, HOST, str(port), setup.files(), *names], env={"NODE_ENV": "production"})
    return server


BUN = Peer("bun", "Bun, static routes", start, lambda: f"Bun {VERSION}")
