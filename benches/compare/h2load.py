"""The load over HTTP/2 and TLS: h2load, with a fixed number of connections and streams for a fixed time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from benches.compare.client import HOST
from benches.compare.errors import CompareError
from benches.compare.programs import find_program, printed
from benches.compare.wrk import MICROSECONDS, Traffic

if TYPE_CHECKING:
    from benches.compare.wrk import Load

# Requests under way on each connection.
STREAMS = 10


def connections(load: Load) -> int:
    """Returns how many connections there are where over HTTP/1.1 there would be those of the load."""
    return max(load.threads, load.connections // 4)


def run(load: Load, port: int, path: str) -> Traffic:
    """Sends the load to one path.

    Raises:
        CompareError: h2load failed, or any request failed or was not answered with 2xx.
    """
    command = [
        str(find_program("h2load")),
        f"--clients={connections(load)}",
        f"--max-concurrent-streams={STREAMS}",
        f"--threads={load.threads}",
        f"--duration={max(1, round(load.seconds))}",
        f"https://{HOST}:{port}{path}",
    ]
    return parse(printed(command, load.seconds + 60))


def parse(output: str) -> Traffic:
    """Reads what h2load prints.

    Raises:
        CompareError: Requests failed, or the output is not h2load's.
    """
    found = re.search(r"finished in ([\d.]+)(us|ms|s|m)", output)
    counts = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", output)
    statuses = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", output)
    if found is None or counts is None or statuses is None or "Application protocol: h2" not in output:
        message = f"h2load printed no result of HTTP/2:\n{output}"
        raise CompareError(message)
    if any(int(count) for count in (*counts.groups()[1:], *statuses.groups()[1:])) or counts[1] == "0":
        message = f"the measurement is void: {counts[0]}; {statuses[0]}"
        raise CompareError(message)
    return Traffic(int(counts[1]), float(found[1]) * MICROSECONDS[found[2]] / 1e6)
