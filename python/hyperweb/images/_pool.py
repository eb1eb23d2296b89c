"""Processes that work on pictures, one for each core, begun when there is something to do."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

import msgspec

from hyperweb.images._worker import Done, Job

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DIED = "its decoder or encoder broke down"


class Pool:
    """Processes that work on pictures. Close it, or use it in a `with`.

    Args:
        count: How many there are at most.
    """

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(max(1, count))
        self._own = threading.local()
        self._all: list[subprocess.Popen[bytes]] = []
        self._decoder = msgspec.json.Decoder(Done)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def work(self, jobs: Sequence[Job]) -> Iterator[Done]:
        """Yields what comes of each job, in order."""
        return self._threads.map(self._one, jobs)

    def close(self) -> None:
        """Ends all processes, with what they are at."""
        self._threads.shutdown(cancel_futures=True)
        for process in self._all:
            with contextlib.suppress(OSError):
                if process.stdin is not None:
                    process.stdin.close()
            if process.stdout is not None:
                process.stdout.close()
            process.wait()

    def _one(self, job: Job) -> Done:
        process = self._process()
        if process.stdin is None or process.stdout is None:
            return Done(trouble=_DIED)
        try:
            process.stdin.write(msgspec.json.encode(job) + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except OSError:
            answer = b""
        if not answer:
            self._own.process = None
            return Done(trouble=_DIED)
        return self._decoder.decode(answer)

    def _process(self) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] | None = getattr(self._own, "process", None)
        if process is None:
            # -P: nothing is imported from the folder that a build happens to run in.
            command = [sys.executable, "-P", "-m", "hyperweb.images._worker"]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own program
            self._own.process = process
            self._all.append(process)
        return process
