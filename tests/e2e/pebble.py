"""Pebble, the small authority of Let's Encrypt for tests of ACME (RFC 8555), for hosts that all are this machine."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import time
import urllib.request
from typing import TYPE_CHECKING

from tests.conftest import require_program
from tests.e2e.certificates import Pair
from tests.e2e.site import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Pebble:
    """An authority that can be killed and brought back, without its memory.

    Args:
        folder: Where its settings are.
        http: The port where it looks for tokens.
        tls: The port where it looks for handshakes.
        validity: How long its certificates are valid, in seconds.
    """

    def __init__(self, folder: Path, *, http: int, tls: int, validity: int = 86_400) -> None:
        self.folder = folder
        self._validity = validity
        self._http = http
        self._tls = tls
        self._pair = Pair(folder / "pebble", "localhost", "127.0.0.1")
        self._ports = {name: free_port() for name in ("acme", "management", "dns", "names")}
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def directory(self) -> str:
        """Its directory."""
        return f"https://localhost:{self._ports['acme']}/dir"

    @property
    def root(self) -> Path:
        """What its own certificate is checked by."""
        return self._pair.cert

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        settings = {
            "listenAddress": f"127.0.0.1:{self._ports['acme']}",
            "managementListenAddress": f"127.0.0.1:{self._ports['management']}",
            "certificate": str(self._pair.cert),
            "privateKey": str(self._pair.key),
            "httpPort": self._http,
            "tlsPort": self._tls,
            "certificateValidityPeriod": self._validity,
        }
        file = self.folder / "pebble.json"
        file.write_text(json.dumps({"pebble": settings}))
        names = [
            *(str(require_program("pebble-challtestsrv")), "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""),
            *("-dns01", f"127.0.0.1:{self._ports['dns']}", "-management", f"127.0.0.1:{self._ports['names']}"),
            *("-http01", "", "-https01", "", "-tlsalpn01", ""),
        ]
        server = [str(require_program("pebble")), "-config", str(file), "-dnsserver", f"127.0.0.1:{self._ports['dns']}"]
        environment = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "5", "PEBBLE_AUTHZREUSE": "0"}
        with (self.folder / "pebble.log").open("ab") as log:
            for command in (names, server):
                self._processes.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))
        for name in ("acme", "management", "names"):
            self._wait(self._ports[name])

    def _wait(self, port: int) -> None:
        for _ in range(400):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            time.sleep(0.05)
        raise AssertionError((self.folder / "pebble.log").read_text())

    def kill(self) -> None:
        """Ends it."""
        for process in self._processes:
            process.kill()
            process.wait()
        self._processes.clear()

    def trusts(self) -> ssl.SSLContext:
        """Returns what a client needs to believe in its certificates; each time it starts it has new authorities."""
        own = ssl.create_default_context(cafile=str(self.root))
        found = urllib.request.urlopen(
            f"https://localhost:{self._ports['management']}/roots/0", context=own, timeout=10
        )
        with found:
            return ssl.create_default_context(cadata=found.read().decode())


@contextlib.contextmanager
def pebble(folder: Path, *, http: int, tls: int, validity: int = 86_400) -> Iterator[Pebble]:
    """Runs an authority until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Pebble(folder, http=http, tls=tls, validity=validity)
    made.start()
    try:
        yield made
    finally:
        made.kill()
