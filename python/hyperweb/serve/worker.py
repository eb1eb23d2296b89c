"""A worker process: one site's Python behind Granian, on a Unix socket or, with `--direct`, facing the clients.

Started by the supervisor as `python -m hyperweb.serve.worker SPEC`; SPEC is JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from hyperweb.config import load_site
from hyperweb.errors import HyperwebError

if TYPE_CHECKING:
    from hyperweb.serve._direct import DirectApp
    from hyperweb.web.app import App


class WorkerSpec(msgspec.Struct, kw_only=True):
    """What a worker is to do.

    Attributes:
        site: The site's folder.
        settings: Settings that stood on the command line, by dotted name.
        ready: A pipe to write to when it listens.
        leash: A pipe whose end means that the supervisor is gone.
        socket: The Unix socket to listen on, or None.
        host: The address to listen on without a socket.
        port: The port to listen on without a socket.
        direct: Whether it answers hits itself, because no edge stands in front.
        cache_bytes: The most bytes of responses it keeps itself.
        runtime: The server's folder of sockets.
        processors: The processors it stays on, all where there are none.
    """

    site: str
    settings: dict[str, Any] = {}
    ready: int
    leash: int
    socket: str | None = None
    host: str = "127.0.0.1"
    port: int = 0
    direct: bool = False
    cache_bytes: int = 0
    runtime: str = ""
    processors: list[int] = []


def main(argument: str) -> int:
    """Serves until told to stop. Returns the exit code."""
    spec = msgspec.json.decode(argument, type=WorkerSpec)
    if spec.processors:
        # Before there is any memory to speak of: what comes later is taken near them. A sandbox may forbid it.
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, spec.processors)
    logging.basicConfig(level=os.environ.get("HYPERWEB_LOG", "INFO"), format="%(levelname)s %(name)s: %(message)s")
    # A terminal sends its interrupt to the whole group; it is the supervisor that decides when a worker goes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        config = load_site(spec.site, spec.settings)
        from hyperweb.serve._app import make_app

        app = make_app(config, direct=spec.direct)
        target: Any = app
        if spec.direct:
            from hyperweb.serve._direct import DirectApp

            target = DirectApp(app, config, spec.cache_bytes)
    except HyperwebError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return asyncio.run(_keep_informed(spec, app, target) if spec.direct else _serve(spec, app, target))


async def _keep_informed(spec: WorkerSpec, app: App, target: DirectApp) -> int:
    """Serves as a worker that keeps responses itself: a purge here is one in the other workers, and theirs one here."""
    from hyperweb.serve._purge_mail import PurgeMail
    from hyperweb.web.purge import set_purge_hook

    loop = asyncio.get_running_loop()
    mail = PurgeMail(Path(spec.runtime), target.kept.purge)
    set_purge_hook(mail.purge)
    mail.open(loop)
    try:
        return await _serve(spec, app, target)
    finally:
        mail.close(loop)


async def _serve(spec: WorkerSpec, app: App, target: Any) -> int:
    from granian.constants import HTTPModes
    from granian.server.embed import Server

    where: dict[str, Any] = {"uds": Path(spec.socket)} if spec.socket else {"address": spec.host, "port": spec.port}
    server = Server(target, **where, http=HTTPModes.http1, log_enabled=False, backlog=2048, backpressure=4096)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, server.stop)
    loop.add_reader(spec.leash, server.stop)
    await app.startup()
    threads = _threads()
    serving = asyncio.create_task(server.serve())
    waiting = asyncio.create_task(_listening(spec))
    await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        _let_requests_gather(_threads() - threads)
        os.write(spec.ready, b"1")
    waiting.cancel()
    await serving
    await app.shutdown()
    return 0


def _threads() -> set[int]:
    """The threads of this process, where the system tells."""
    try:
        return {int(task.name) for task in Path("/proc/self/task").iterdir()}
    except OSError:
        return set()


def _let_requests_gather(threads: set[int]) -> None:
    """Makes the thread that reads requests, the first of Granian's, one that does not preempt others (sched(7)).

    Woken for each request on a busy processor, it would interrupt whoever sends them, and hand them to Python one by
    one; so they come several at a time. On a processor with nothing to do it is woken as fast as before.
    """
    if threads and hasattr(os, "SCHED_BATCH"):
        # A sandbox may forbid it; then it is as it was.
        with contextlib.suppress(OSError):
            os.sched_setscheduler(min(threads), os.SCHED_BATCH, os.sched_param(0))


async def _listening(spec: WorkerSpec) -> None:
    """Returns when a connection is accepted."""
    while True:
        with contextlib.suppress(OSError):
            if spec.socket:
                _, writer = await asyncio.open_unix_connection(spec.socket)
            else:
                host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(spec.host, spec.host)  # noqa: S104 - compared only
                _, writer = await asyncio.open_connection(host, spec.port)
            writer.close()
            return
        await asyncio.sleep(0.005)


if __name__ == "__main__":
    _code = main(sys.argv[1])
    # All hooks have run. Granian's threads may still hold a call into Python, and one that finds the interpreter half
    # taken down aborts the process: so it is left at once.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_code)
