"""A Redis server for a benchmark, on a port of its own."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING

from benches.compare.errors import CompareError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PATIENCE = 10.0


@contextlib.contextmanager
def local_redis(say: Callable[[str], None]) -> Iterator[int | None]:
    """Starts a server that writes nothing to disk, yields its port, and stops it; None where there is no such program.

    Raises:
        CompareError: It does not answer.
    """
    program = shutil.which("redis-server")
    if program is None:
        say("redis is left out, for there is no redis-server: apt-get install redis-server")
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with tempfile.TemporaryDirectory(prefix="hyperweb-") as folder:
        settings = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
        server = subprocess.Popen([program, *settings], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            _wait_for(port, server)
            yield port
        finally:
            server.terminate()
            server.wait(_PATIENCE)


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE
    while server.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    message = f"redis-server does not answer on port {port}"
    raise CompareError(message)
