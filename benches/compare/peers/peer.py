"""What a peer is: a name, a version, and how to start it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benches.compare.body import bodies
from benches.compare.process import Server

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Setup:
    """Where a peer may write, and how many threads (or processes of one thread) it may use."""

    work: Path
    threads: int

    def server(self, name: str) -> Server:
        """Returns a server with no process yet, its log in the work folder."""
        return Server(name, self.folder(name) / "log.txt")

    def folder(self, name: str) -> Path:
        """Returns a folder of the peer's own, made when missing."""
        folder = self.work / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def files(self) -> Path:
        """Returns the folder of the bodies as files, written when missing."""
        folder = self.folder("files")
        for body in bodies():
            path = folder / body.name
            if not path.exists():
                path.write_bytes(body.content)
        return folder


@dataclass(frozen=True, slots=True)
class Peer:
    """A server that can be compared: `start(setup, port)` returns it running, not yet answering."""

    name: str
    title: str
    start: Callable[[Setup, int], Server]
    version: Callable[[], str]


def python_path() -> dict[str, str]:
    """Returns the environment in which a Python peer finds its application here."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
