"""How a server is replaced by a new one with none refused: by passing on the sockets it listens on."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from hyperweb.serve._errors import ServeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_log = logging.getLogger("hyperweb.serve")

PATIENCE = 5.0
"""For how long, in seconds, a server that was replaced keeps connections that may bring one more request."""

# What systemd says to whom it passes sockets on (sd_listen_fds(3)); the first has this number.
_FIRST = 3
# What one server says to the next: the descriptor to say on that it serves, and those of the sockets.
_VARIABLE = "HYPERWEB_HANDOVER"
_SERVES = b"1"


class Handover:
    """The sockets that this process was started with, and the process that gets its own.

    Attributes:
        passed: The descriptors of the sockets this process was started with, which listen.

    Raises:
        ServeError: What it was started with is not what it was said to be.
    """

    def __init__(self) -> None:
        self.passed: list[int] = []
        self._tell: int | None = None
        self._next: subprocess.Popen[bytes] | None = None
        given = os.environ.pop(_VARIABLE, None)
        if given is not None:
            try:
                tell, _, sockets = given.partition(":")
                self._tell = int(tell)
                self.passed = [int(number) for number in sockets.split(",") if number]
            except ValueError:
                raise ServeError(
                    f"{_VARIABLE} is {given!r}", hint="it is set by a server for the next; unset it"
                ) from None
        else:
            self.passed = _from_systemd()

    def served(self) -> None:
        """Says that this process serves, to the one before it and to systemd."""
        if self._tell is not None:
            with contextlib.suppress(OSError):
                # The one before may be gone.
                os.write(self._tell, _SERVES)
            os.close(self._tell)
            self._tell = None
        notify(f"READY=1\nMAINPID={os.getpid()}")

    def start(
        self,
        descriptors: Sequence[int],
        watch: Callable[[int, Callable[[], None] | None], None],
        done: Callable[[], None],
    ) -> None:
        """Starts this program anew, by the words it was started with, with sockets of this one.

        Args:
            descriptors: The sockets.
            watch: Calls a function when a descriptor can be read; None ends that.
            done: Called once the new one serves. Where it ends before, all stays as it is.
        """
        if self._next is not None and self._next.poll() is None:
            _log.warning("a new server is being started already")
            return
        ours, theirs = os.pipe()
        command = [sys.executable, *sys.orig_argv[1:]]
        numbers = ",".join(map(str, descriptors))
        environment = {**os.environ, _VARIABLE: f"{theirs}:{numbers}"}
        try:
            self._next = subprocess.Popen(command, env=environment, pass_fds=[theirs, *descriptors])  # noqa: S603 - this very program
        except OSError as error:
            os.close(ours)
            _log.error("a new server cannot be started, this one goes on: %s", error)
            return
        finally:
            os.close(theirs)
        _log.info("a new server is started: process %d", self._next.pid)

        def heard() -> None:
            found = os.read(ours, 1)
            watch(ours, None)
            os.close(ours)
            if found == _SERVES:
                _log.info("the new server serves, this one stops")
                done()
            else:
                _log.error("the new server ended before it served, this one goes on")

        watch(ours, heard)


def _from_systemd() -> list[int]:
    """Returns the descriptors that systemd passed on to this process (socket activation)."""
    number, count = os.environ.get("LISTEN_PID"), os.environ.get("LISTEN_FDS")
    if number != str(os.getpid()) or not (count or "").isdecimal():
        return []
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    return list(range(_FIRST, _FIRST + int(count or 0)))


def notify(text: str) -> None:
    """Tells systemd something, where it listens (sd_notify(3))."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as told:
        told.sendto(text.encode(), address)
