"""H2O of Debian: files, over TLS too, and as a proxy that passes on. It keeps nothing.

As many threads as the others, no access log, descriptors of files kept open, connections to the origin kept.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from benches.compare.client import HOST
from benches.compare.peers import origin
from benches.compare.peers.certificate import certificate
from benches.compare.peers.peer import Peer, Setup
from benches.compare.programs import find_program, version_of

if TYPE_CHECKING:
    from benches.compare.process import Server

# Milliseconds.
LONG = 300_000


def _start(setup: Setup, name: str, does: dict[str, Any], listen: dict[str, Any]) -> Server:
    folder = setup.folder(name)
    config = {
        "num-threads": setup.threads,
        "max-connections": 16_384,
        "listen": {"host": HOST, **listen},
        "hosts": {"default": {"paths": {"/": does}}},
        "file.mime.settypes": {"text/plain; charset=utf-8": [".txt"]},
        "http1-request-timeout": LONG // 1000,
        "http2-idle-timeout": LONG // 1000,
        "pid-file": str(folder / "pid"),
        "temp-buffer-path": str(folder),
        # Started by root, it would run as nobody and could not read the work folder.
        **({"user": "root"} if os.geteuid() == 0 else {}),
    }
    path = folder / "h2o.conf"
    # JSON is YAML.
    path.write_text(json.dumps(config, indent=2))
    return setup.server(name).start([find_program("h2o"), "-c", path])


def start_files(setup: Setup, port: int) -> Server:
    """Starts it serving the bodies from files."""
    return _start(setup, "h2o", {"file.dir": str(setup.files())}, {"port": port})


def start_tls(setup: Setup, port: int) -> Server:
    """Starts it serving the bodies from files, over TLS and HTTP/2."""
    made = certificate(setup)
    ssl = {"certificate-file": str(made.cert), "key-file": str(made.key), "minimum-version": "TLSv1.2"}
    return _start(setup, "h2o-tls", {"file.dir": str(setup.files())}, {"port": port, "ssl": ssl})


def start_pass(setup: Setup, port: int) -> Server:
    """Starts it in front of the origin, passing on each request."""
    does = {
        "proxy.reverse.url": f"http://[unix:{origin.passed(setup)}]/",
        "proxy.preserve-host": "ON",
        "proxy.timeout.keepalive": LONG,
    }
    return _start(setup, "h2o-pass", does, {"port": port})


def _version() -> str:
    return version_of([find_program("h2o"), "--version"]).replace("h2o version", "H2O")


H2O_FILES = Peer("h2o", "H2O, static files", start_files, _version)
H2O_TLS = Peer("h2o", "H2O, static files", start_tls, _version)
H2O_PASS = Peer("h2o", "H2O, reverse proxy", start_pass, _version)
