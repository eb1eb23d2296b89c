"""The bare epoll loop of `epoll_loop.rs`: the limit."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from benches.compare.body import bodies
from benches.compare.errors import CompareError
from benches.compare.peers.peer import Peer, Setup
from benches.compare.programs import CACHE, find_program, version_of

if TYPE_CHECKING:
    from benches.compare.process import Server

SOURCE = Path(__file__).with_name("epoll_loop.rs")


def compiled() -> Path:
    """Returns the program, compiled when its source changed.

    Raises:
        CompareError: rustc refused it.
    """
    program = CACHE / f"epoll_loop-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]}"
    if not program.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        aside = program.with_suffix(".new")
        command = [find_program("rustc"), "--edition=2024", "-Copt-level=3", "-Cpanic=abort", "-o", aside, SOURCE]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            message = f"rustc refused {SOURCE.name}:\n{done.stderr}"
            raise CompareError(message)
        aside.rename(program)
    return program


def start(setup: Setup, port: int) -> Server:
    """Starts it with one thread for each allowed."""
    names = [body.name for body in bodies()]
    return setup.server("epoll").start([compiled(), str(port), str(setup.threads), setup.files(), *names])


EPOLL = Peer("epoll", "bare epoll loop", start, lambda: version_of([find_program("rustc"), "--version"]))
