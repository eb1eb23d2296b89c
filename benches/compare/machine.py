"""What the figures were taken on."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from benches.compare.peers.peer import ROOT


def cpu_model() -> str:
    """Returns the processor's name as Linux gives it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def memory_gib() -> float:
    """Returns the machine's memory in GiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def system() -> str:
    """Returns the system's name and its kernel's release."""
    names = platform.freedesktop_os_release()
    return f"{names.get('PRETTY_NAME', 'Linux')}, Linux {platform.release()}"


def revision() -> str:
    """Returns the commit measured, marked when the tree had changes, or nothing outside a clone."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()
