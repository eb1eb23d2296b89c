"""A server under test: started, measured with all its descendants, and stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil

from benches.compare.errors import CompareError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STOP_TIMEOUT = 15.0
LOG_LINES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of one process, in bytes (`/proc/PID/smaps_rollup`)."""

    resident: int
    anonymous: int

    @property
    def mapped(self) -> int:
        """What is backed by files: the program, its libraries, the pack."""
        return self.resident - self.anonymous


@dataclass(slots=True)
class Server:
    """One or more root processes that together are one server, and every process they started."""

    name: str
    log: Path
    roots: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(
        self, command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Self:
        """Starts a root process in a session of its own, its output going to the log."""
        with self.log.open("ab") as log:
            try:
                root = subprocess.Popen(
                    [str(word) for word in command],
                    cwd=cwd,
                    env={**os.environ, **(env or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                self.stop()
                message = f"{self.name} did not start: {error}"
                raise CompareError(message) from None
        self.roots.append(root)
        return self

    def check(self) -> None:
        """Raises `CompareError` with the end of the log when a root process has ended."""
        for root in self.roots:
            if root.poll() is not None:
                lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
                tail = "\n    ".join(lines) or "(it printed nothing)"
                message = f"{self.name} ended with status {root.returncode}; the end of its output:\n    {tail}"
                raise CompareError(message)

    def processes(self) -> list[psutil.Process]:
        """Every live process of the server."""
        found: dict[int, psutil.Process] = {}
        for root in self.roots:
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(root.pid)
                found[process.pid] = process
                found.update((child.pid, child) for child in process.children(recursive=True))
        return list(found.values())

    def cpu_seconds(self) -> float:
        """User and system time so far of the whole tree.

        The time of a child that ended is in its parent's children's times, so nothing is lost or counted twice.
        """
        total = 0.0
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess, OSError):
                times = process.cpu_times()
                total += _clock(process.pid) + times.children_user + times.children_system
        return total

    def memory(self) -> Memory:
        """Resident memory of the first root process alone."""
        rollup = Path(f"/proc/{self.roots[0].pid}/smaps_rollup").read_text()
        sizes = {}
        for line in rollup.splitlines()[1:]:
            name, value = line.split(":", 1)
            sizes[name] = int(value.split()[0]) * 1024
        return Memory(resident=sizes["Rss"], anonymous=sizes["Anonymous"])

    def proportional_memory(self) -> int:
        """Memory of the whole tree in bytes, what processes share counted once (their proportional set sizes)."""
        total = 0
        for process in self.processes():
            with contextlib.suppress(OSError):
                rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
                sizes = (line.split() for line in rollup.splitlines()[1:])
                total += sum(int(size[1]) for size in sizes if size[0] == "Pss:") * 1024
        return total

    def stop(self) -> None:
        """Asks every root to end and, after `STOP_TIMEOUT` seconds, kills what is left of the tree."""
        tree = self.processes()
        for root in self.roots:
            if root.poll() is None:
                root.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT
        for root in self.roots:
            with contextlib.suppress(subprocess.TimeoutExpired):
                root.wait(max(0.0, deadline - time.monotonic()))
        # psutil compares start times, so a number given to another process in the meantime is left alone.
        for process in tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for root in self.roots:
            root.wait()
        # Its port and its memory are free only when the last of it is gone.
        psutil.wait_procs(tree, timeout=STOP_TIMEOUT)
        self.roots.clear()


def _clock(pid: int) -> float:
    """The processor time of a process with all its threads, those that ended too.

    The clock of the process (`clock_getcpuclockid`) counts nanoseconds. What `/proc` tells is rounded to hundredths of
    a second, which is too coarse for a measurement of one.
    """
    return time.clock_gettime((~pid << 3) | 2)
