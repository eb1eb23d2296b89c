"""Granian alone, with the least Python that answers."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from benches.compare.peers.peer import BIN, Peer, Setup, python_path

if TYPE_CHECKING:
    from pathlib import Path

    from benches.compare.process import Server


def command(app: str, workers: int, *where: str | Path) -> list[str | Path]:
    """Returns the command line for an application of ours; one runtime thread in each worker."""
    options = ["--interface", "rsgi", "--http", "1", "--no-ws", "--loop", "asyncio", "--runtime-threads", "1"]
    return [BIN / "granian", *options, "--no-access-log", "--workers", str(workers), *where, app]


def _start(setup: Setup, port: int, app: str) -> Server:
    where = ("--host", "127.0.0.1", "--port", str(port))
    server = setup.server("granian")
    return server.start(command(f"benches.compare.apps.{app}:app", setup.threads, *where), env=python_path())


def start_files(setup: Setup, port: int) -> Server:
    """Starts it answering the bodies from memory."""
    return _start(setup, port, "granian_files")


def start_json(setup: Setup, port: int) -> Server:
    """Starts it answering JSON made by msgspec."""
    return _start(setup, port, "granian_json")


def start_one(setup: Setup, port: int) -> Server:
    """Starts it with one worker, which is the soonest up."""
    return _start(Setup(setup.work, 1), port, "granian_files")


def _version() -> str:
    return f"Granian {version('granian')}, RSGI"


GRANIAN_FILES = Peer("granian", "Granian, same bytes", start_files, _version)
GRANIAN_JSON = Peer("granian", "Granian, RSGI and msgspec", start_json, _version)
GRANIAN_ONE = Peer("granian", "Granian, one worker", start_one, _version)
