"""How long a server takes from its start to its first 200."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benches.compare.client import free_port, wait_until_up

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benches.compare.process import Server

UP_TIMEOUT = 120.0


@dataclass(slots=True)
class Starts:
    """Seconds to the first 200, peer by peer, round by round."""

    title: str
    seconds: dict[str, list[float]] = field(default_factory=dict)


def starts(
    title: str, peers: Mapping[str, tuple[Callable[[int], Server], str]], rounds: int, say: Callable[[str], None]
) -> Starts:
    """Starts and stops each peer in turn; each is given by a function of a port, and a path that answers 200."""
    result = Starts(title)
    for number in range(rounds):
        for name, (start, path) in peers.items():
            port = free_port()
            begun = time.perf_counter()
            with start(port) as server:
                wait_until_up(server, port, path, UP_TIMEOUT)
                taken = time.perf_counter() - begun
            result.seconds.setdefault(name, []).append(taken)
            say(f"{title}, round {number + 1}: {name} {taken * 1000:.0f} ms")
    return result
