"""The edge alone, in front of servers that others run."""

from __future__ import annotations

import selectors
import signal
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from hyperweb import _core
from hyperweb.serve._address import resolved_pair
from hyperweb.serve._errors import ServeError
from hyperweb.serve._handover import PATIENCE, Handover
from hyperweb.serve._limits import raise_descriptors
from hyperweb.serve._numa import nodes
from hyperweb.serve._runtime import Runtime
from hyperweb.serve._tls import described_tls, has_tls, hsts_seconds, reload_certificates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hyperweb.config._settings import AcmeSettings, CompressionSettings, ServeSettings, TcpSettings

_NAME = "origin"


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How it is known that origins are well.

    Attributes:
        path: What all of them are asked for, or None: then those that failed are tried with a connection.
        interval: How often, in seconds.
        failures: Failures in a row after which one is left alone.
        pause: For how long at first, in seconds.
    """

    path: str | None = None
    interval: float = 2.0
    failures: int = 3
    pause: float = 1.0

    def described(self) -> dict[str, object]:
        """As the edge takes it, times in milliseconds."""
        breaker = {"failures": self.failures, "pause": round(self.pause * 1000)}
        return {"path": self.path, "interval": round(self.interval * 1000), "breaker": breaker}


# How often it is looked whether it is to stop, where no signal wakes it (seconds).
_BEAT = 1.0
# Seconds that responses under way have when it is to stop.
_DRAIN = 30.0


class Front:
    """A caching reverse proxy in front of HTTP/1.1 origins, until SIGTERM or SIGINT.

    Args:
        origins: Where the origins are: `http://HOST[:PORT]`, `https://HOST[:PORT]`, or `unix:PATH`.
        listen: The address to listen on, as `HOST:PORT`.
        threads: Threads of the edge.
        memory: What it may keep in memory, as the edge takes it.
        tiers: Where else responses are kept, as the edge takes it.
        metrics: Whether requests are counted.
        limits: What clients may ask, as the edge takes it.
        health: How it is known that origins are well.
        stale: How long what is stale is used where no origin answers, in seconds.
        admin: The address of the admin listener as `HOST:PORT`, or nothing for none.
        proxies: Addresses and networks of proxies that send the PROXY protocol.
        trusted: The proxies that are believed about requests, as the edge takes it.
        learning: What is learned from navigations, as the edge takes it, or None.
        serve: The settings of TLS, and the host to listen on beside it.
        acme: How certificates are fetched.
        tcp: How connections are taken.
        origin_tls: How TLS is spoken to origins, as the edge takes it.
        compression: What is compressed.
        access: The access log, as the edge takes it, or None.
        token: What purges and the admin listener are asked with, or nothing.
        state: The folder that notes where it can be reached, for `hyperweb stats` and `hyperweb purge`.
    """

    def __init__(
        self,
        origins: Sequence[str],
        *,
        listen: str,
        threads: int,
        memory: dict[str, int],
        tiers: dict[str, Any],
        metrics: bool,
        limits: dict[str, int],
        health: Health,
        stale: int,
        admin: str,
        proxies: Sequence[str],
        trusted: dict[str, object],
        learning: dict[str, object] | None,
        serve: ServeSettings,
        acme: AcmeSettings,
        tcp: TcpSettings,
        origin_tls: dict[str, object],
        compression: CompressionSettings,
        access: dict[str, object] | None,
        token: str,
        state: Path,
    ) -> None:
        self._origins = list(origins)
        self._state = state
        self._runtime = Runtime()
        self._handover = Handover()
        self._is_to_upgrade = False
        self._is_secure = has_tls(serve, acme)
        self._described = {
            "listen": [listen],
            **described_tls(serve, acme, Path(), state),
            "threads": threads,
            "tcp": tcp,
            "nodes": nodes() if tcp.numa else [],
            "passed": self._handover.passed,
            "admin_socket": str(self._runtime.admin),
            "admin": resolved_pair(admin, "--admin") if admin else None,
            "token": token or None,
            **memory,
            "tiers": tiers,
            "metrics": metrics,
            "proxies": list(proxies),
            "trusted": trusted,
            "learning": learning,
            "compression": compression,
            "access": access,
            "limits": limits,
            "sites": [
                {
                    "name": _NAME,
                    "stale": stale * 1000,
                    "version": _NAME,
                    "hsts": hsts_seconds(serve, acme),
                    "origins": health.described(),
                    "origin_tls": origin_tls,
                }
            ],
        }

    def _wait(self, edge: _core.Edge, stop: threading.Event) -> float:
        """Waits until it is to stop. Returns how long connections without a request are to be kept then."""
        is_over = False

        def done() -> None:
            nonlocal is_over
            is_over = True

        with selectors.DefaultSelector() as selector:
            ours, theirs = socket.socketpair()
            with ours, theirs:
                ours.setblocking(False)
                theirs.setblocking(False)
                signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
                selector.register(ours, selectors.EVENT_READ, lambda: ours.recv(4096))

                def watch(descriptor: int, call: Callable[[], None] | None) -> None:
                    if call is None:
                        selector.unregister(descriptor)
                    else:
                        selector.register(descriptor, selectors.EVENT_READ, call)

                while not (stop.is_set() or is_over):
                    for key, _ in selector.select(_BEAT):
                        key.data()
                    if self._is_to_upgrade:
                        self._is_to_upgrade = False
                        self._handover.start(edge.descriptors(), watch, done)
                signal.set_wakeup_fd(-1)
        return PATIENCE if is_over else 0.0

    def _upgrade(self, *_: object) -> None:
        self._is_to_upgrade = True

    def run(self, started: Callable[[list[str]], None]) -> int:
        """Serves. Returns the exit code.

        Args:
            started: Called with its URLs once it listens.

        Raises:
            ServeError: It cannot listen, or an origin is none.
        """
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        signal.signal(signal.SIGUSR2, self._upgrade)
        raise_descriptors()
        try:
            try:
                edge = _core.Edge(msgspec.json.encode(self._described))
                edge.set_upstreams(_NAME, self._origins)
            except _core.EdgeError as error:
                raise ServeError(str(error)) from None
            addresses = edge.addresses()
            self._runtime.announce(self._state, addresses, is_secure=self._is_secure)
            scheme = "http"
            if self._is_secure:
                scheme = "https"
                signal.signal(signal.SIGHUP, lambda *_: reload_certificates(edge))
            plain = [f"http://{one}" for one in edge.plain_addresses()]
            started([f"{scheme}://{one}" for one in addresses] + plain)
            self._handover.served()
            edge.drain(_DRAIN, self._wait(edge, stop))
        finally:
            self._runtime.close()
        return 0
