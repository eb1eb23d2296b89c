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

    from hyperweb.config._settings import AcmeSettings, ServeSettings

_log = logging.getLogger("hyperweb.serve")
# One is made anew at this age: it is valid for a year.
_OLD = 300 * 86_400
_LOCAL = ("localhost", "127.0.0.1", "::1")


def described_tls(
    serve: ServeSettings, acme: AcmeSettings, root: Path, state: Path, hosts: Sequence[str] = ()
) -> dict[str, Any]:
    """Returns what the edge is told of TLS: the keys `tls`, `plain` and `redirect` of its settings.

    Args:
        serve: The settings.
        acme: How certificates are fetched.
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
    fetches = described_acme(serve, acme, root, state)
    if not certificates and fetches is None:
        if serve.http3:
            raise ServeError(
                "`serve.http3` is over TLS, and there is no certificate",
                hint="give one with --tls-cert and --tls-key, `[[serve.tls]]` or `[acme]`, or for development --tls",
            )
        if serve.http_port:
            raise ServeError(
                "`serve.http_port` is beside TLS, and there is no certificate",
                hint="give one with --tls-cert and --tls-key, `[[serve.tls]]` or `[acme]`; "
                "without TLS, set `serve.port` alone",
            )
        return {}
    return {
        "tls": {"certificates": certificates, "least": serve.tls_least, "acme": fetches, "http3": serve.http3},
        "plain": [resolved(serve.host, serve.http_port)] if serve.http_port else [],
        "redirect": serve.http == "redirect",
    }


def described_acme(serve: ServeSettings, acme: AcmeSettings, root: Path, state: Path) -> dict[str, Any] | None:
    """Returns how the edge fetches certificates, as it takes it; None where it fetches none.

    Args:
        serve: The settings, whose plain port is where an authority may look.
        acme: How they are fetched.
        root: The folder that relative paths are in.
        state: The folder that they are kept in unless the settings name another.

    Raises:
        ServeError: The terms are not agreed to, or no authority could look.
    """
    if not acme.domains:
        return None
    if not acme.agree:
        raise ServeError(
            f"`acme.domains` is set, and nobody agreed to the terms of service of {acme.directory}",
            hint="read them, and set `acme.agree = true`, or --acme-agree",
        )
    challenge = acme.challenge
    if challenge == "auto":
        challenge = "http-01" if serve.http_port else "tls-alpn-01"
    if challenge == "http-01" and not serve.http_port:
        raise ServeError(
            "`acme.challenge` is http-01, and there is no port for plain HTTP",
            hint="set `serve.http_port` to 80, or take `tls-alpn-01`, which needs none",
        )
    return {
        "domains": sorted({domain.lower() for domain in acme.domains}),
        "contact": list(acme.contact),
        "directory": acme.directory,
        "root": str(root / acme.root) if acme.root else None,
        "storage": str(root / acme.storage) if acme.storage else str(state / "acme"),
        "proof": challenge,
        "retry": max(1, round(acme.retry * 1000)),
    }


def read_acme(given: dict[str, Any]) -> AcmeSettings:
    """Returns the settings that options make; those that are None were not given.

    Raises:
        ServeError: One is not written as it has to be.
    """
    from hyperweb.config._settings import AcmeSettings

    try:
        return msgspec.convert({name: value for name, value in given.items() if value is not None}, AcmeSettings)
    except msgspec.ValidationError as error:
        raise ServeError(
            f"--acme-*: {error}",
            hint="a host is `example.org`, without a star; a contact `mailto:you@example.org`; a directory has https",
        ) from None


def hsts_seconds(
    serve: ServeSettings, acme: AcmeSettings | None = None, headers: Sequence[tuple[str, str]] = ()
) -> int:
    """Returns how long browsers are told to come by TLS alone, in seconds (RFC 6797); 0 where they are not told.

    A site whose own `headers` tell them, or with a certificate that was made here, leaves it to those.
    """
    is_public = serve.tls or (acme is not None and acme.domains)
    if not is_public or any(name == "strict-transport-security" for name, _ in headers):
        return 0
    return serve.hsts


def has_tls(serve: ServeSettings, acme: AcmeSettings) -> bool:
    """Whether TLS is spoken."""
    return bool(serve.tls) or serve.tls_self_signed or bool(acme.domains)


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
