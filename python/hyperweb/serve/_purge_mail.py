"""Carries purges between workers that face the clients themselves: each keeps responses of its own.

A worker has a datagram socket in the server's folder of mode 0700. A purge is a letter to each of the others, as JSON.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from typing import TYPE_CHECKING

import msgspec

from hyperweb.web.purge import Purge

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from pathlib import Path

_log = logging.getLogger("hyperweb.serve")
_LONGEST = 200_000


class PurgeMail:
    """The letter box of one worker.

    Args:
        folder: The server's folder of sockets.
        forget: Forgets here what a purge names, and returns how many responses that were.
    """

    def __init__(self, folder: Path, forget: Callable[[Purge], int]) -> None:
        self._folder = folder
        self._forget = forget
        self._path = folder / f"purge{os.getpid()}.sock"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(self._path))

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins to read."""
        loop.add_reader(self._socket, self._read)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends reading and takes the box away."""
        loop.remove_reader(self._socket)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def purge(self, purge: Purge) -> int:
        """Forgets here and everywhere else; returns how many responses that were here."""
        found = self._forget(purge)
        post_purge(self._folder, purge, but=self._path)
        return found

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while letter := self._socket.recv(_LONGEST):
                try:
                    self._forget(msgspec.json.decode(letter, type=Purge))
                except msgspec.DecodeError as error:
                    _log.error("a letter is no purge: %s", error)


def post_purge(folder: Path, purge: Purge, *, but: Path | None = None) -> int:
    """Sends a purge to all workers of a server but one, and returns how many were reached.

    A worker that is gone has nothing to forget.
    """
    letter = msgspec.json.encode(purge)
    if len(letter) > _LONGEST:
        letter = msgspec.json.encode(Purge(all=True))
    reached = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        # A full box is waited for, a second at most: a purge that is lost would be a page that stays wrong.
        sender.settimeout(1.0)
        for box in sorted(folder.glob("purge*.sock")):
            if box == but:
                continue
            try:
                sender.sendto(letter, str(box))
                reached += 1
            except (ConnectionRefusedError, FileNotFoundError):
                box.unlink(missing_ok=True)
            except OSError as error:
                _log.error("a purge did not reach the worker at %s: %s", box.name, error)
    return reached
