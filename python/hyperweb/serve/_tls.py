"""TLS, as the edge takes it; and the certificate that is made for development."""

from __future__ import annotations

import logging
import os
import socket
import time
from typing import TYPE_CHECKING, Any

import msgspec

from hyperweb import _core
from hyperweb.serve._address import resolved
from hyperweb.serve._errors import ServeError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hyperweb.config._settings import ServeSettings

_log = logging.getLogger("hyperweb.serve")
# One is made anew at this age: it is valid for a year.
_OLD = 300 * 86_400
_LOCAL = ("localhost", "127.0.0.1", "::1")


def described_tls(serve: ServeSettings, root: Path, state: Path, hosts: Sequence[str] = ()) -> dict[str, Any]:
    """Returns what the edge is told of TLS: the keys `tls`, `plain` and `redirect` of its settings.

    Args:
        serve: The settings.
        root: The folder that relative paths are in.
        state: The folder that a certificate made here is kept in.
        hosts: The hosts that such a certificate is made for, beside those of this machine.

    Raises:
        ServeError: A setting is of TLS, and there is none; or a certificate cannot be made.
    """
    certificates: list[dict[str, Any]] = [
        {
            "cert": str(root / one.cert),
            "key": str(root / one.key),
            "hosts": list(one.hosts),
            "ocsp": str(root / one.ocsp) if one.ocsp else None,
        }
        for one in serve.tls
    ]
    if not certificates and serve.tls_self_signed:
        cert, key = self_signed(state / "tls", [*hosts, *local_names(serve.host)])
        certificates.append({"cert": str(cert), "key": str(key)})
    if not certificates:
        if serve.http_port:
            raise ServeError(
                "`serve.http_port` is beside TLS, and there is no certificate",
                hint="give one with --tls-cert and --tls-key, or `[[serve.tls]]`; without TLS, set `serve.port` alone",
            )
        return {}
    return {
        "tls": {"certificates": certificates, "least": serve.tls_least},
        "plain": [resolved(serve.host, serve.http_port)] if serve.http_port else [],
        "redirect": serve.http == "redirect",
    }


def hsts_seconds(serve: ServeSettings, headers: Sequence[tuple[str, str]] = ()) -> int:
    """Returns how long browsers are told to come by TLS alone, in seconds (RFC 6797); 0 where they are not told.

    A site whose own `headers` tell them, or with a certificate that was made here, leaves it to those.
    """
    if not serve.tls or any(name == "strict-transport-security" for name, _ in headers):
        return 0
    return serve.hsts


def has_tls(serve: ServeSettings) -> bool:
    """Whether TLS is spoken."""
    return bool(serve.tls) or serve.tls_self_signed


def self_signed(folder: Path, hosts: Sequence[str]) -> tuple[Path, Path]:
    """Returns the files of a certificate for some hosts and of its key, which are made where they are not there.

    Args:
        folder: The folder they are in.
        hosts: Host names and addresses.

    Raises:
        ServeError: They cannot be written, or a host is none.
    """
    names = sorted({host for host in hosts if host})
    cert, key, note = folder / "cert.pem", folder / "key.pem", folder / "hosts.json"
    try:
        is_young = time.time() - cert.stat().st_mtime < _OLD
        if is_young and key.exists() and msgspec.json.decode(note.read_bytes()) == names:
            return cert, key
    except (OSError, msgspec.MsgspecError):
        pass
    try:
        certificate, private = _core.self_signed(names)
    except _core.EdgeError as error:
        raise ServeError(str(error), hint="look at `hosts` in site.toml") from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        key.unlink(missing_ok=True)
        # Nobody else may read it, not even for a moment.
        with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(private)
        cert.write_text(certificate, encoding="ascii")
        note.write_bytes(msgspec.json.encode(names))
    except OSError as error:
        raise ServeError(
            f"{folder}: a certificate cannot be kept there: {error.strerror}",
            hint="let this user write there, or give a certificate with --tls-cert and --tls-key",
        ) from None
    return cert, key


def reload_certificates(edge: _core.Edge) -> None:
    """Has an edge read its certificates anew, and says what came of it."""
    try:
        edge.reload_certificates()
    except _core.EdgeError as error:
        _log.error("the certificates cannot be used, the old ones stay: %s", error)
    else:
        _log.info("the certificates were read anew")


def local_names(host: str) -> list[str]:
    """Returns the names of this machine that a server on the address `host` is reached by."""
    everywhere = {"0.0.0.0", "::"}  # noqa: S104 - compared only
    return [*_LOCAL, socket.gethostname()] if host in everywhere else [*_LOCAL, host]
