"""The certificate that all peers show, so that a handshake and a record cost each of them the same."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, NamedTuple

from benches.compare.client import HOST
from benches.compare.errors import CompareError
from benches.compare.programs import find_program

if TYPE_CHECKING:
    from pathlib import Path

    from benches.compare.peers.peer import Setup


class Certificate(NamedTuple):
    """A certificate and its private key, as PEM files."""

    cert: Path
    key: Path


def certificate(setup: Setup) -> Certificate:
    """Returns one on the curve P-256 for this host, made when missing.

    Raises:
        CompareError: OpenSSL could not make it.
    """
    folder = setup.folder("certificate")
    made = Certificate(folder / "cert.pem", folder / "key.pem")
    if not made.cert.exists():
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
        names = ["-subj", "/CN=localhost", "-addext", f"subjectAltName=DNS:localhost,IP:{HOST}"]
        command = [find_program("openssl"), "req", "-x509", *kind, *names, "-keyout", made.key, "-out", made.cert]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            message = f"openssl made no certificate: {done.stderr}"
            raise CompareError(message)
    return made
