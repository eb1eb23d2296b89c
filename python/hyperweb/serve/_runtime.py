"""Where a running server can be reached: its folder of sockets, and the note of it in the site."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
from pathlib import Path

import msgspec

_log = logging.getLogger("hyperweb.serve")
# A Unix socket's path has at most 107 bytes (unix(7)); this leaves room for the folder's and the socket's names.
_LONGEST = 60


class Running(msgspec.Struct, frozen=True):
    """A running server, as `.hyperweb/server.PID.json` tells of it.

    Attributes:
        pid: The main process.
        admin: The path of its admin socket.
        addresses: The addresses it listens on.
        is_secure: Whether they speak TLS.
    """

    pid: int
    admin: str
    addresses: list[str]
    is_secure: bool = False


class Runtime:
    """A folder of mode 0700 for the sockets of one server; its path is short, as Unix sockets need."""

    def __init__(self) -> None:
        base = os.environ.get("XDG_RUNTIME_DIR")
        if base is None or not os.access(base, os.W_OK) or len(base) > _LONGEST:
            base = tempfile.gettempdir()
        if len(base) > _LONGEST:
            base = "/tmp"  # noqa: S108 - the folder made in it is its own
        self.folder = Path(tempfile.mkdtemp(prefix="hyperweb-", dir=base))
        self.admin = self.folder / "admin.sock"
        self._notes: list[Path] = []
        self._count = 0

    def worker_socket(self) -> Path:
        """Returns a path for the socket of one more worker."""
        self._count += 1
        return self.folder / f"w{self._count}.sock"

    def announce(self, state: Path, addresses: list[str], *, is_secure: bool = False) -> None:
        """Notes in a site's state folder where its server is."""
        note = state / f"server.{os.getpid()}.json"
        try:
            state.mkdir(parents=True, exist_ok=True)
            note.write_bytes(msgspec.json.encode(Running(os.getpid(), str(self.admin), addresses, is_secure)))
        except OSError as error:
            # A site may well be served from where nothing can be written.
            _log.warning(
                "%s cannot be written (%s): `hyperweb stats` and `hyperweb purge` will not find this server",
                note,
                error.strerror,
            )
            return
        self._notes.append(note)

    def close(self) -> None:
        """Removes the folder and the notes."""
        for note in self._notes:
            with contextlib.suppress(OSError):
                note.unlink()
        shutil.rmtree(self.folder, ignore_errors=True)


def find_running(state: Path) -> list[Running]:
    """Returns the running servers that a site's state folder notes, the newest first; stale notes are removed."""
    found = []
    for note in state.glob("server.*.json"):
        try:
            running = msgspec.json.decode(note.read_bytes(), type=Running)
            os.kill(running.pid, 0)
            found.append((note.stat().st_mtime_ns, running))
        except (OSError, msgspec.MsgspecError):
            note.unlink(missing_ok=True)
    return [running for _, running in sorted(found, key=lambda one: -one[0])]
