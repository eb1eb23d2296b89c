"""A Redis to test with, and waiting for what takes a moment."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Runs a Redis of its own."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        until(lambda: answers(port))
        yield f"redis://127.0.0.1:{port}", server
    finally:
        server.send_signal(signal.SIGCONT)
        server.kill()
        server.wait()


def answers(port: int) -> bool:
    """Whether somebody listens on a port."""
    with socket.create_connection(("127.0.0.1", port), 0.1):
        return True


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Waits until a condition holds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if condition():
                return
        time.sleep(0.01)
    pytest.fail("it did not come to be")
