from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from benches.compare.errors import CompareError
from benches.compare.process import Server

if TYPE_CHECKING:
    from pathlib import Path

# A process that starts another, which works for a while; both then sleep.
FAMILY = """
import subprocess, sys, time
child = "import time; end = time.process_time() + 0.3\\nwhile time.process_time() < end: pass\\ntime.sleep(60)"
subprocess.Popen([sys.executable, "-c", child])
time.sleep(60)
"""


def test_the_time_of_descendants_counts_and_all_end_with_the_server(tmp_path: Path) -> None:
    with Server("family", tmp_path / "log").start([sys.executable, "-c", FAMILY]) as server:
        deadline = time.monotonic() + 30
        while server.cpu_seconds() < 0.3 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert server.cpu_seconds() >= 0.3
        pids = [process.pid for process in server.processes()]
        assert len(pids) == 2
    gone = [pid for pid in pids if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE]
    assert gone == pids


def test_a_server_that_ended_is_reported_with_the_end_of_its_output(tmp_path: Path) -> None:
    with Server("short", tmp_path / "log").start([sys.executable, "-c", "print('no such port'); exit(3)"]) as server:
        server.roots[0].wait()
        with pytest.raises(CompareError, match=r"short ended with status 3;[\s\S]*no such port"):
            server.check()


def test_a_program_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CompareError, match="absent did not start"):
        Server("absent", tmp_path / "log").start([tmp_path / "absent"])
