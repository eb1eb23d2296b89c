"""The programs a comparison runs: where they are, or how to get them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from benches.compare.errors import CompareError, MissingPeerError

# Debian keeps servers where an ordinary user's PATH does not look.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hyperweb" / "bench"
INSTALL_TIMEOUT = 600


def find_program(name: str) -> Path:
    """Returns the path of a system program.

    Raises:
        MissingPeerError: It is not there.
    """
    found = shutil.which(name, path=SEARCH_PATH)
    if found is None:
        message = f"{name} is not on this machine; to get it: tools/need.sh {name}"
        raise MissingPeerError(message)
    return Path(found)


def install(command: list[str | Path], what: str) -> None:
    """Runs a package manager, quietly.

    Raises:
        MissingPeerError: It failed; says with what.
    """
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=INSTALL_TIMEOUT,
        check=False,
    )
    if done.returncode != 0:
        message = f"{what} could not be installed: {(done.stderr or done.stdout).strip()}"
        raise MissingPeerError(message)


def compiled(source: Path, *parts: Path) -> Path:
    """Returns a Rust program of one file and its modules, compiled when one of them changed.

    Raises:
        CompareError: rustc refused it.
    """
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in (source, *parts))).hexdigest()
    program = CACHE / f"{source.stem}-{digest[:16]}"
    if not program.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        aside = program.with_suffix(".new")
        command = [find_program("rustc"), "--edition=2024", "-Copt-level=3", "-Cpanic=abort", "-o", aside, source]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            message = f"rustc refused {source.name}:\n{done.stderr}"
            raise CompareError(message)
        aside.rename(program)
    return program


def printed(command: list[str], timeout: float) -> str:
    """Runs a program to its end and returns what it printed.

    Raises:
        CompareError: It failed; says with what.
    """
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        message = f"{Path(command[0]).name} ended with status {done.returncode}: {(done.stderr or done.stdout).strip()}"
        raise CompareError(message)
    return done.stdout


def version_of(command: list[str | Path]) -> str:
    """Returns the first line a program prints of itself, or nothing when it has none."""
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return ""
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0].strip() if lines else ""
