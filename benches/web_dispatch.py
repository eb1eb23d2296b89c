"""What dispatch costs: the same JSON from a bare Granian RSGI function and from an `App`, in one run.

    python benches/web_dispatch.py [--seconds S] [--rounds N]

Each side is a process of its own and wrk makes the load. The rounds alternate, so that both meet the same machine, and
what is compared is the CPU time of the server per request, which a busy neighbour disturbs less than the throughput.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import re
import shutil
import socket
import statistics
import subprocess
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec
import psutil
from granian.constants import Interfaces
from granian.server.embed import Server

from hyperweb import App

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from multiprocessing.process import BaseProcess

CONNECTIONS = 16


class Post(msgspec.Struct):
    """What both sides encode."""

    slug: str
    title: str
    tags: list[str]
    words: int


def bare() -> Callable[[Any, Any], Awaitable[None]]:
    """Returns what one writes by hand for RSGI."""
    encode = msgspec.json.Encoder().encode
    headers = [("content-type", "application/json")]

    async def answer(scope: Any, proto: Any) -> None:
        path = scope.path
        if path == "/json":
            body = encode(Post("hello", "Hello", ["a", "b"], 100))
        elif path.startswith("/posts/"):
            body = encode(Post(path[7:], "Hello", ["a", "b"], 100))
        elif path == "/search":
            query = parse_qs(scope.query_string)
            body = encode(Post(query["q"][0], "Hello", ["a", "b"], int(query["page"][0])))
        else:
            proto.response_empty(404, [])
            return
        proto.response_bytes(200, headers, body)

    return answer


def hyperweb() -> App:
    """Returns the same as an application."""
    app = App()

    @app.get("/json")
    async def literal() -> Post:
        return Post("hello", "Hello", ["a", "b"], 100)

    @app.get("/posts/{slug}")
    async def path(slug: str) -> Post:
        return Post(slug, "Hello", ["a", "b"], 100)

    @app.get("/search")
    async def query(q: str, page: int = 1) -> Post:
        return Post(q, "Hello", ["a", "b"], page)

    return app


def serve(side: str, port: int) -> None:
    """Serves one side until the process is ended."""
    target = bare() if side == "bare" else hyperweb()
    server = Server(target, "127.0.0.1", port, interface=Interfaces.RSGI, websockets=False, log_enabled=False)
    asyncio.run(server.serve())


def load(wrk: str, port: int, path: str, seconds: float) -> int:
    """Asks for a path with wrk, and returns how many answers came."""
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", f"http://127.0.0.1:{port}{path}"]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+) requests in", report)
    if found is None or "Non-2xx" in report or "Socket errors" in report:
        raise RuntimeError(f"wrk did not get its answers:\n{report}")
    return int(found[1])


def cpu(process: BaseProcess) -> float:
    """Returns the CPU seconds a process has used."""
    times = psutil.Process(process.pid).cpu_times()
    return float(times.user + times.system)


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=int, default=1, help="length of a round")
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    options.wrk = shutil.which("wrk")
    if options.wrk is None:
        arguments.exit(2, "wrk makes the load and is not here: apt-get install wrk\n")
    spawn = multiprocessing.get_context("spawn")
    sides: dict[str, tuple[BaseProcess, int]] = {}
    try:
        for side in ("bare", "hyperweb"):
            with socket.socket() as holder:
                holder.bind(("127.0.0.1", 0))
                port = holder.getsockname()[1]
            process: BaseProcess = spawn.Process(target=serve, args=(side, port), daemon=True)
            process.start()
            sides[side] = (process, port)
        for _, port in sides.values():
            wait_for(port)
        print(f"{'':10} {'bare µs':>9} {'App µs':>9} {'CPU ratio':>10} {'req/s ratio':>12}")
        for label, path in (("literal", "/json"), ("path", "/posts/hello"), ("query", "/search?q=abc&page=3")):
            report(label, path, sides, options)
    finally:
        for process, _ in sides.values():
            process.terminate()
            process.join()


def report(label: str, path: str, sides: dict[str, tuple[BaseProcess, int]], options: argparse.Namespace) -> None:
    """Measures one path on both sides and prints the medians."""
    cost: dict[str, list[float]] = {side: [] for side in sides}
    rate: dict[str, list[float]] = {side: [] for side in sides}
    for turn in range(options.rounds + 1):
        for side, (process, port) in sides.items():
            before, began = cpu(process), time.monotonic()
            count = load(options.wrk, port, path, options.seconds)
            if turn:
                cost[side].append((cpu(process) - before) / count * 1e6)
                rate[side].append(count / (time.monotonic() - began))
    ratio = statistics.median(ours / theirs for ours, theirs in zip(cost["hyperweb"], cost["bare"], strict=True))
    speed = statistics.median(ours / theirs for ours, theirs in zip(rate["hyperweb"], rate["bare"], strict=True))
    middle = {side: statistics.median(values) for side, values in cost.items()}
    print(f"{label:10} {middle['bare']:9.2f} {middle['hyperweb']:9.2f} {ratio:10.3f} {speed:12.3f}")


def wait_for(port: int) -> None:
    """Returns when a server listens."""
    for _ in range(1000):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise TimeoutError("the server did not listen")


if __name__ == "__main__":
    main()
