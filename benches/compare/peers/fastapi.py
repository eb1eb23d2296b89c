"""FastAPI on uvicorn, in an environment of its own outside the repository."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benches.compare.client import HOST
from benches.compare.peers.peer import ROOT, Peer, Setup
from benches.compare.programs import CACHE, install, version_of

if TYPE_CHECKING:
    from pathlib import Path

    from benches.compare.process import Server

APPS = ROOT / "benches" / "compare" / "apps"


def environment() -> Path:
    """Returns the bin folder of an environment with FastAPI and uvicorn with its fast parts, made when missing.

    Raises:
        MissingPeerError: pip could not install them.
    """
    folder = CACHE / "fastapi"
    if not (folder / "installed").exists():
        install([sys.executable, "-m", "venv", "--clear", folder], "an environment for FastAPI")
        install([folder / "bin/python", "-m", "pip", "install", "--quiet", "fastapi", "uvicorn[standard]"], "FastAPI")
        (folder / "installed").touch()
    return folder / "bin"


def start(setup: Setup, port: int) -> Server:
    """Starts uvicorn with one worker for each thread allowed, on uvloop and httptools."""
    options = ["--host", HOST, "--port", str(port), "--workers", str(setup.threads), "--no-access-log"]
    speed = ["--loop", "uvloop", "--http", "httptools", "--log-level", "warning", "--app-dir", str(APPS)]
    return setup.server("fastapi").start([environment() / "uvicorn", *options, *speed, "fastapi_json:app"])


def _version() -> str:
    script = (
        "import importlib.metadata as m; print('FastAPI', m.version('fastapi') + ', uvicorn', m.version('uvicorn'))"
    )
    return version_of([environment() / "python", "-c", script])


FASTAPI = Peer("fastapi", "FastAPI on uvicorn", start, _version)
