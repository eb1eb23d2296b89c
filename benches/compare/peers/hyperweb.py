"""hyperweb itself: a generated site, built and served in production mode."""

from __future__ import annotations

import compileall
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from benches.compare.body import bodies
from benches.compare.client import HOST
from benches.compare.errors import CompareError, MissingPeerError
from benches.compare.peers import origin
from benches.compare.peers.certificate import certificate
from benches.compare.peers.peer import BIN, ROOT, Peer, Setup, python_path
from benches.compare.programs import version_of
from benches.site_maker import make_files_site

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benches.compare.process import Server

HANDLERS = ROOT / "benches" / "compare" / "apps" / "hyperweb_json.py"
BUILD_TIMEOUT = 600


@cache
def program() -> Path:
    """Returns the command of this environment. It is tried once, and not each time a server is started and timed.

    Raises:
        MissingPeerError: It is not installed or does not start.
    """
    found = BIN / "hyperweb"
    # An installed package has its modules compiled, as the other peers have; this one runs from its sources.
    compileall.compile_dir(ROOT / "python" / "hyperweb", quiet=1)
    if not found.exists() or not version_of([found, "--version"]):
        message = "hyperweb is not installed in this environment; to get it: make release"
        raise MissingPeerError(message)
    return found


def profile() -> str:
    """Returns the profile the installed module was compiled in, as make noted it."""
    stamps = Path(sys.prefix) / ".stamps"
    found = [name for name in ("release", "dev") if (stamps / f"core-{name}").exists()]
    return found[0] if len(found) == 1 else "unknown"


def build(site: Path) -> None:
    """Builds a site from nothing.

    Raises:
        CompareError: It failed; says with what.
    """
    done = subprocess.run(
        [str(program()), "build", str(site)],
        # Its handlers import what all peers answer with.
        env=python_path(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT,
        check=False,
    )
    if done.returncode != 0:
        message = f"hyperweb build ended with status {done.returncode}:\n{done.stdout}{done.stderr}"
        raise CompareError(message)


def serve(server: Server, site: Path, port: int, *options: str | Path, env: Mapping[str, str] | None = None) -> Server:
    """Starts a built site."""
    where = ["--host", HOST, "--port", str(port)]
    command: list[str | Path] = [program(), "serve", site, "--prod", "--no-build", *where, *options]
    return server.start(command, cwd=server.log.parent, env={**python_path(), **(env or {})})


def edge(setup: Setup, name: str, socket: Path, port: int, *options: str | Path) -> Server:
    """Starts the edge alone before an origin on a Unix socket."""
    server = setup.server(name)
    where = ["--origin", f"unix:{socket}", "--host", HOST, "--port", str(port), "--threads", str(setup.threads)]
    command: list[str | Path] = [program(), "edge", *where, "--state", server.log.parent, *options]
    return server.start(command, cwd=server.log.parent, env=python_path())


def _made(setup: Setup, name: str, *, handlers: bool) -> Path:
    site = setup.folder(name) / "site"
    shutil.rmtree(site, ignore_errors=True)
    files = {body.name: body.content for body in bodies()}
    make_files_site(site, files, HANDLERS.read_text() if handlers else None)
    build(site)
    return site


def start_files(setup: Setup, port: int) -> Server:
    """Starts the edge answering the bodies from a pack."""
    site = _made(setup, "hyperweb", handlers=False)
    return serve(setup.server("hyperweb"), site, port, "--edge-threads", str(setup.threads))


def start_edge(setup: Setup, port: int) -> Server:
    """Starts the edge with workers behind it, answering JSON from a handler."""
    site = _made(setup, "hyperweb-edge", handlers=True)
    threads = str(setup.threads)
    return serve(setup.server("hyperweb-edge"), site, port, "--edge-threads", threads, "--workers", threads)


def start_direct(setup: Setup, port: int) -> Server:
    """Starts workers that face the clients themselves, answering JSON from a handler."""
    site = _made(setup, "hyperweb-direct", handlers=True)
    return serve(setup.server("hyperweb-direct"), site, port, "--direct", "--workers", str(setup.threads))


def start_tls(setup: Setup, port: int) -> Server:
    """Starts the edge answering the bodies from a pack, over TLS and HTTP/2."""
    site = _made(setup, "hyperweb-tls", handlers=False)
    made = certificate(setup)
    options = ("--edge-threads", str(setup.threads), "--tls-cert", made.cert, "--tls-key", made.key)
    return serve(setup.server("hyperweb-tls"), site, port, *options)


def start_cache(setup: Setup, port: int) -> Server:
    """Starts the edge alone before the origin, keeping what that answers."""
    return edge(setup, "hyperweb-cache", origin.kept(setup), port, "--memory", "4GB")


def start_cache_tls(setup: Setup, port: int) -> Server:
    """Starts the edge alone before the origin, keeping what that answers, over TLS and HTTP/2."""
    made = certificate(setup)
    return edge(setup, "hyperweb-cache-tls", origin.kept(setup), port, "--tls-cert", made.cert, "--tls-key", made.key)


def start_pass(setup: Setup, port: int) -> Server:
    """Starts the edge alone before the origin, passing on each request."""
    return edge(setup, "hyperweb-pass", origin.passed(setup), port)


def _version() -> str:
    return f"{version_of([program(), '--version'])} ({profile()} build)"


HYPERWEB_FILES = Peer("hyperweb", "hyperweb, from the pack", start_files, _version)
HYPERWEB_EDGE = Peer("hyperweb", "hyperweb, through the edge", start_edge, _version)
HYPERWEB_DIRECT = Peer("hyperweb-direct", "hyperweb --direct", start_direct, _version)
HYPERWEB_CACHE = Peer("hyperweb-cache", "hyperweb edge, kept", start_cache, _version)
HYPERWEB_TLS = Peer("hyperweb", "hyperweb, from the pack", start_tls, _version)
HYPERWEB_CACHE_TLS = Peer("hyperweb-cache", "hyperweb edge, kept", start_cache_tls, _version)
HYPERWEB_PASS = Peer("hyperweb", "hyperweb edge, passing on", start_pass, _version)
