"""The worker processes of one site: started, watched, replaced."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperweb.config import SiteConfig

_log = logging.getLogger("hyperweb.serve")
# A worker that dies at once is started again after a pause that doubles from the first figure to the second (seconds).
_FIRST_PAUSE, _LAST_PAUSE = 0.1, 10.0
# One that has lived this long did not die of what it was started with (seconds).
_SETTLED = 5.0
# A worker that nobody is sent to any more is asked to exit after this (seconds).
_PARTING = 0.5
# After so long with less to do than there are workers, one goes (seconds).
_IDLE = 30.0


class Worker:
    """One worker process. `ready` is a pipe that becomes readable when it listens, or when it died before."""

    def __init__(self, spec: dict[str, Any], socket: Path | None) -> None:
        self.socket = socket
        self.processors: list[int] = spec.get("processors", [])
        self.started = time.monotonic()
        self.is_ready = False
        self.leaving: float | None = None
        self.stopping: float | None = None
        self.ready, theirs = os.pipe()
        # The other end of the leash is ours alone: when this process dies, however it dies, the worker sees its end.
        leash, self._leash = os.pipe()
        described = msgspec.json.encode({**spec, "ready": theirs, "leash": leash}).decode()
        self.process = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", "hyperweb.serve.worker", described],
            pass_fds=(theirs, leash),
            stdin=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(leash)

    @property
    def is_in_use(self) -> bool:
        """Whether it has not been taken out of use."""
        return self.leaving is None and self.stopping is None

    def check_ready(self) -> bool:
        """Reads the pipe once; returns whether the worker listens now."""
        self.is_ready = os.read(self.ready, 1) == b"1"
        return self.is_ready

    def stop(self) -> None:
        """Asks it to finish what it has begun and exit."""
        if self.stopping is None:
            self.stopping = time.monotonic()
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """Gives back its pipes and its socket's name."""
        os.close(self.ready)
        os.close(self._leash)
        if self.socket is not None:
            self.socket.unlink(missing_ok=True)

    def memory(self) -> int:
        """Returns its resident memory in bytes, 0 when it is gone."""
        try:
            pages = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1]
            return int(pages) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError, ValueError):
            return 0


class Pool:
    """The workers of one site.

    Args:
        config: The site.
        least: Workers at least.
        most: Workers at most.
        make: Starts one worker.
        changed: Called with the sockets of all workers that can be used, whenever they change.
        watch: Called with a pipe to watch and what to call when it can be read; and with None to stop watching it.
    """

    def __init__(
        self,
        config: SiteConfig,
        *,
        least: int,
        most: int,
        make: Callable[[], Worker],
        changed: Callable[[list[Path]], None],
        watch: Callable[[int, Callable[[], None] | None], None],
    ) -> None:
        self.config = config
        self.least = least
        self.most = max(least, most)
        self._make = make
        self._changed = changed
        self._watch = watch
        self.workers: list[Worker] = []
        self._retire: list[Worker] = []
        self._pause = _FIRST_PAUSE
        self._not_before = 0.0
        self._idle_since: float | None = None
        self._rolled: Callable[[], object] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether a worker can be asked."""
        return any(worker.is_ready and worker.is_in_use for worker in self.workers)

    def start(self) -> None:
        """Starts the least number of workers."""
        for _ in range(self.least):
            self._add()

    def roll(self, done: Callable[[], object]) -> None:
        """Replaces all workers by new ones; the old go when the new are ready, and then `done` is called."""
        self._retire += [worker for worker in self.workers if worker.is_in_use and worker not in self._retire]
        self._rolled = done
        for _ in range(self.least):
            self._add()

    def tend(self, outstanding: int) -> None:
        """Reaps the dead, replaces them, and follows the load. Called several times a second.

        Args:
            outstanding: Requests the edge has given to this site's workers and not had back.
        """
        now = time.monotonic()
        for worker in list(self.workers):
            if worker.process.poll() is not None:
                self._reap(worker, now)
            elif worker.leaving is not None and worker.stopping is None and now - worker.leaving > _PARTING:
                worker.stop()
            elif worker.stopping is not None and now - worker.stopping > self.config.settings.serve.drain:
                worker.process.kill()
            elif worker.is_ready and worker.is_in_use and worker not in self._retire:
                self._recycle(worker, now)
        current = [worker for worker in self.workers if worker.is_in_use and worker not in self._retire]
        too_few = len(current) < self.least and now >= self._not_before
        has_room = len(current) < self.most and all(one.is_ready for one in current)
        if too_few or (has_room and outstanding > 2 * len(current)):
            self._add()
        self._shrink(current, outstanding, now)

    def stop(self) -> None:
        """Asks all workers to finish and exit."""
        for worker in self.workers:
            worker.stop()

    def wait(self, seconds: float) -> None:
        """Waits for all workers to exit, and kills those that have not after `seconds`."""
        deadline = time.monotonic() + seconds
        for worker in self.workers:
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            self._watch(worker.ready, None)
            worker.close()
        self.workers.clear()

    def sockets(self) -> list[Path]:
        """Returns the sockets of all workers that can be given requests."""
        return [
            worker.socket
            for worker in self.workers
            if worker.is_ready and worker.is_in_use and worker.socket is not None
        ]

    def _add(self) -> None:
        worker = self._make()
        self.workers.append(worker)
        self._watch(worker.ready, lambda: self._became_ready(worker))

    def _became_ready(self, worker: Worker) -> None:
        self._watch(worker.ready, None)
        if not worker.check_ready():
            return
        if self._retire and self._fresh() >= self.least:
            old, self._retire = self._retire, []
            self._leave(old)
            if self._rolled is not None:
                self._rolled()
                self._rolled = None
            return
        self._changed(self.sockets())

    def _leave(self, workers: list[Worker]) -> None:
        """Takes workers out of use, and asks them to exit once whoever was about to ask them has done so."""
        for worker in workers:
            worker.leaving = time.monotonic()
        self._changed(self.sockets())

    def _fresh(self) -> int:
        return sum(one.is_ready and one.is_in_use and one not in self._retire for one in self.workers)

    def _reap(self, worker: Worker, now: float) -> None:
        self.workers.remove(worker)
        if worker in self._retire:
            self._retire.remove(worker)
        self._watch(worker.ready, None)
        worker.close()
        if not worker.is_in_use:
            return
        code = worker.process.returncode
        died = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
        _log.warning("worker %d of %s %s; it is replaced", worker.process.pid, self.config.name, died)
        self._changed(self.sockets())
        if worker.is_ready and now - worker.started >= _SETTLED:
            self._pause = _FIRST_PAUSE
        else:
            self._not_before = now + self._pause
            self._pause = min(self._pause * 2, _LAST_PAUSE)

    def _recycle(self, worker: Worker, now: float) -> None:
        serve = self.config.settings.serve
        too_old = serve.worker_age and now - worker.started > serve.worker_age
        too_big = serve.worker_memory and worker.memory() > serve.worker_memory * 1_000_000
        if too_old or too_big:
            _log.info("worker %d of %s is recycled", worker.process.pid, self.config.name)
            self._retire.append(worker)
            self._add()

    def _shrink(self, current: list[Worker], outstanding: int, now: float) -> None:
        if len(current) <= self.least or outstanding >= len(current):
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now
        elif now - self._idle_since > _IDLE:
            self._idle_since = None
            self._leave([current[-1]])
