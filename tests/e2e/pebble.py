"""Pebble, the small authority of Let's Encrypt for tests of ACME (RFC 8555), for hosts that all are this machine."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

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
        program: Its name; that of Debian is older than RFC 9773.
    """

    def __init__(self, folder: Path, *, http: int, tls: int, validity: int = 86_400, program: str = "pebble") -> None:
        self._program = require_program(program)
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
        server = [str(self._program), "-config", str(file), "-dnsserver", f"127.0.0.1:{self._ports['dns']}"]
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

    def log(self) -> str:
        """What it said."""
        return (self.folder / "pebble.log").read_text()

    def revoke(self, kept: bytes) -> None:
        """Revokes a certificate, in PEM with its key, as whoever has the key may (RFC 8555, section 7.6)."""
        key = load_pem_private_key(kept, None)
        assert isinstance(key, EllipticCurvePrivateKey)
        point = key.public_key().public_numbers()
        jwk = {"kty": "EC", "crv": "P-256", **{name: _text(getattr(point, name).to_bytes(32)) for name in ("x", "y")}}
        certificate = load_pem_x509_certificate(kept[kept.index(b"-----BEGIN CERTIFICATE") :])
        payload = _text(json.dumps({"certificate": _text(certificate.public_bytes(Encoding.DER))}).encode())
        own = ssl.create_default_context(cafile=str(self.root))

        def ask(url: str, data: bytes | None = None, method: str = "GET") -> tuple[str, bytes]:
            fields = {"content-type": "application/jose+json"}
            request = urllib.request.Request(url, data, fields, method=method)
            with urllib.request.urlopen(request, context=own, timeout=10) as found:
                return found.headers.get("replay-nonce", ""), found.read()

        places = json.loads(ask(self.directory)[1])
        for _ in range(50):
            nonce, _ = ask(places["newNonce"], method="HEAD")
            head = {"alg": "ES256", "jwk": jwk, "nonce": nonce, "url": places["revokeCert"]}
            signed = f"{_text(json.dumps(head).encode())}.{payload}"
            pair = decode_dss_signature(key.sign(signed.encode(), ECDSA(SHA256())))
            signature = _text(b"".join(number.to_bytes(32) for number in pair))
            protected, _, _ = signed.partition(".")
            message = {"protected": protected, "payload": payload, "signature": signature}
            # Some of its nonces it says to be old.
            with contextlib.suppress(urllib.error.HTTPError):
                ask(places["revokeCert"], json.dumps(message).encode(), "POST")
                return
        raise AssertionError(self.log())

    def trusts(self) -> ssl.SSLContext:
        """Returns what a client needs to believe in its certificates; each time it starts it has new authorities."""
        own = ssl.create_default_context(cafile=str(self.root))
        found = urllib.request.urlopen(
            f"https://localhost:{self._ports['management']}/roots/0", context=own, timeout=10
        )
        with found:
            return ssl.create_default_context(cadata=found.read().decode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextlib.contextmanager
def pebble(folder: Path, *, http: int, tls: int, validity: int = 86_400, program: str = "pebble") -> Iterator[Pebble]:
    """Runs an authority until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Pebble(folder, http=http, tls=tls, validity=validity, program=program)
    made.start()
    try:
        yield made
    finally:
        made.kill()
