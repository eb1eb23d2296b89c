"""The load: wrk, with a fixed number of connections for a fixed time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from benches.compare.client import HOST
from benches.compare.errors import CompareError
from benches.compare.programs import find_program, printed

REPLAY = Path(__file__).with_name("replay.lua")
MICROSECONDS = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 6e7}


@dataclass(frozen=True, slots=True)
class Load:
    """What to send: `connections` kept open by `threads`, for `seconds`."""

    connections: int
    threads: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was answered. Latencies are in microseconds, where they are known."""

    requests: int
    seconds: float
    p50: float | None = None
    p99: float | None = None

    @property
    def per_second(self) -> float:
        """Requests answered in a second."""
        return self.requests / self.seconds


@dataclass(frozen=True, slots=True)
class Replay:
    """What to ask for in place of one path: a file with a path a line, each with a Referer after a tab or without."""

    paths: Path
    is_random: bool = False
    fields: tuple[str, ...] = ()

    @property
    def options(self) -> list[str]:
        """What wrk is told before the address."""
        return ["-s", str(REPLAY), *(word for field in self.fields for word in ("-H", field))]

    @property
    def arguments(self) -> list[str]:
        """What its script is told, after the address."""
        return ["--", str(self.paths), "random" if self.is_random else "in-order"]


def run(load: Load, port: int, path: str, replay: Replay | None = None) -> Traffic:
    """Sends the load to one path, or what is to be replayed.

    Raises:
        CompareError: wrk failed, or any request failed or was not answered with 2xx or 3xx.
    """
    command = [
        str(find_program("wrk")),
        f"-c{load.connections}",
        f"-t{load.threads}",
        f"-d{max(1, round(load.seconds))}s",
        "--timeout=5s",
        "--latency",
        *(replay.options if replay else ()),
        f"http://{HOST}:{port}{path}",
        *(replay.arguments if replay else ()),
    ]
    return parse(printed(command, load.seconds + 60))


def parse(output: str) -> Traffic:
    """Reads what `wrk --latency` prints.

    Raises:
        CompareError: Requests failed, or the output is not wrk's.
    """
    for trouble in (r"Socket errors: .*", r"Non-2xx or 3xx responses: .*"):
        if found := re.search(trouble, output):
            message = f"the measurement is void: {found[0]}"
            raise CompareError(message)
    total = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m)", output)
    latencies = dict(re.findall(r"^\s+(50|99)%\s+([\d.]+(?:us|ms|s|m))$", output, re.MULTILINE))
    if total is None or latencies.keys() != {"50", "99"} or total[1] == "0":
        message = f"wrk printed no result:\n{output}"
        raise CompareError(message)
    seconds = float(total[2]) * MICROSECONDS[total[3]] / 1e6
    return Traffic(int(total[1]), seconds, _microseconds(latencies["50"]), _microseconds(latencies["99"]))


def _microseconds(text: str) -> float:
    number = text.rstrip("ums")
    return float(number) * MICROSECONDS[text[len(number) :]]
