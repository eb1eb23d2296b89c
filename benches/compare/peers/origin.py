"""What proxies are measured before: the bare epoll loop on a Unix socket, which costs little and is never counted."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

from benches.compare.body import bodies
from benches.compare.errors import CompareError
from benches.compare.peers.epoll import program

if TYPE_CHECKING:
    from pathlib import Path

    from benches.compare.peers.peer import Setup
    from benches.compare.process import Server

# sockaddr_un holds 108 bytes with the closing zero.
SOCKET_PATH_LIMIT = 107
UP_TIMEOUT = 10.0
KEPT = "cache-control: public, max-age=86400"
PASSED = "cache-control: no-store"


def socket_path(setup: Setup, name: str) -> Path:
    """Returns where a server listens on a Unix socket.

    Raises:
        CompareError: The work folder's path is too long for one.
    """
    path = setup.folder(name) / "socket"
    if len(os.fsencode(path)) > SOCKET_PATH_LIMIT:
        message = f"{path} is too long for a Unix socket: set TMPDIR to a shorter folder"
        raise CompareError(message)
    return path


def kept(setup: Setup) -> Path:
    """Returns the socket of the origin whose responses are for caches to keep."""
    return socket_path(setup, "origin-kept")


def passed(setup: Setup) -> Path:
    """Returns the socket of the origin whose responses no cache may keep."""
    return socket_path(setup, "origin-passed")


def start(setup: Setup, path: Path, field: str) -> Server:
    """Starts an origin that says `field` in each response, with one thread, and waits until it listens.

    Raises:
        CompareError: It does not.
    """
    path.unlink(missing_ok=True)
    names = [body.name for body in bodies()]
    server = setup.server(path.parent.name)
    server.start([program(), f"unix:{path}", "1", setup.files(), field, *names])
    deadline = time.monotonic() + UP_TIMEOUT
    while time.monotonic() < deadline:
        server.check()
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(os.fspath(path))
        except OSError:
            time.sleep(0.005)
        else:
            return server
    server.stop()
    message = f"{server.name} does not listen at {path}"
    raise CompareError(message)
