"""The bare epoll loop of `epoll_loop.rs`: the limit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benches.compare.body import bodies
from benches.compare.peers.peer import Peer, Setup
from benches.compare.programs import compiled, find_program, version_of

if TYPE_CHECKING:
    from benches.compare.process import Server

SOURCE = Path(__file__).with_name("epoll_loop.rs")
CALLS = SOURCE.with_name("epoll_unsafe.rs")


def program() -> Path:
    """Returns the program."""
    return compiled(SOURCE, CALLS)


def start(setup: Setup, port: int) -> Server:
    """Starts it with one thread for each allowed."""
    names = [body.name for body in bodies()]
    return setup.server("epoll").start([program(), str(port), str(setup.threads), setup.files(), *names])


EPOLL = Peer("epoll", "bare epoll loop", start, lambda: version_of([find_program("rustc"), "--version"]))
