"""Certificates for tests, and connections by TLS to a server that has them."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
from typing import TYPE_CHECKING

from hyperweb import _core

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.site import Running


class Pair:
    """A certificate and its key, in files that can be written anew.

    Args:
        folder: Where they are.
        hosts: The host names they are for.
    """

    def __init__(self, folder: Path, *hosts: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.cert = folder / "cert.pem"
        self.key = folder / "key.pem"
        self.hosts = list(hosts)
        self.renew()

    def renew(self) -> bytes:
        """Makes both anew, and returns the certificate in DER."""
        cert, key = _core.self_signed(self.hosts)
        self.key.write_text(key)
        self.cert.write_text(cert)
        return ssl.PEM_cert_to_DER_cert(cert)

    def options(self) -> tuple[str, ...]:
        """The options of a command that serves with it."""
        return ("--tls-cert", str(self.cert), "--tls-key", str(self.key))


def context(
    pair: Pair | None = None, *, alpn: tuple[str, ...] = ("http/1.1",), most: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    """Returns what a client trusts and speaks; without a pair it trusts anyone."""
    made = ssl.create_default_context(cafile=str(pair.cert) if pair else None)
    if pair is None:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    made.set_alpn_protocols(list(alpn))
    if most is not None:
        made.maximum_version = most
    return made


@contextlib.contextmanager
def connected(
    running: Running,
    trusts: ssl.SSLContext | None = None,
    *,
    name: str = "localhost",
    before: bytes = b"",
    session: ssl.SSLSession | None = None,
) -> Iterator[ssl.SSLSocket]:
    """Connects by TLS; what is sent `before` goes without it."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as plain:
        plain.sendall(before)
        with (trusts or context()).wrap_socket(plain, server_hostname=name, session=session) as stream:
            yield stream


def ask(
    running: Running,
    path: str = "/",
    headers: dict[str, str] | None = None,
    method: str = "GET",
    body: bytes | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Asks over TLS on a connection of its own; returns status, header fields and body."""
    connection = http.client.HTTPSConnection("127.0.0.1", running.port, timeout=10, context=context())
    try:
        connection.request(method, path, body, {"accept-encoding": "identity", **(headers or {})})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def wait_for_tls(running: Running, path: str = "/") -> None:
    """Waits until a server answers a path over TLS."""
    for _ in range(600):
        assert running.process.poll() is None, "it ended"
        with contextlib.suppress(OSError, http.client.HTTPException):
            if ask(running, path)[0] == 200:
                return
        time.sleep(0.05)
    message = f"{path} never answered over TLS"
    raise AssertionError(message)
