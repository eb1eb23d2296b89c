"""What the edge keeps in memory after pages were asked for."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benches.compare.client import HOST, TIMEOUT, wait_until_up
from benches.compare.errors import CompareError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benches.compare.process import Memory, Server

UP_TIMEOUT = 120.0


@dataclass(frozen=True, slots=True)
class Touched:
    """The memory of the first process after `pages` pages, of `body_bytes` in all, were answered."""

    pages: int
    body_bytes: int
    memory: Memory


def touch(
    server: Server, port: int, urls: Sequence[str], steps: Sequence[int], say: Callable[[str], None]
) -> list[Touched]:
    """Asks for the pages in order and looks at the memory at each step.

    Raises:
        CompareError: A page was not answered with 200.
    """
    wait_until_up(server, port, urls[0], UP_TIMEOUT)
    result = []
    total = done = 0
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT)
    try:
        for step in (min(step, len(urls)) for step in steps):
            for url in urls[done:step]:
                connection.putrequest("GET", url, skip_accept_encoding=True)
                connection.endheaders()
                answer = connection.getresponse()
                total += len(answer.read())
                if answer.status != http.client.OK:
                    message = f"{server.name} answered {url} with {answer.status}"
                    raise CompareError(message)
            done = max(done, step)
            memory = server.memory()
            result.append(Touched(done, total, memory))
            sizes = f"{memory.resident / 1e6:.1f} MB resident, {memory.anonymous / 1e6:.1f} anonymous"
            say(f"memory after {done} pages: {sizes}")
    finally:
        connection.close()
    return result
