"""The main process of a served site: it owns the edge and the workers, and does no work of theirs."""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from hyperweb import _core
from hyperweb.config._headers import security_headers
from hyperweb.serve._access import described as described_log
from hyperweb.serve._address import bracketed, free_port, resolved, resolved_pair
from hyperweb.serve._errors import ServeError
from hyperweb.serve._handover import PATIENCE, Handover
from hyperweb.serve._learning import described_learning
from hyperweb.serve._limits import edge_limits, raise_descriptors
from hyperweb.serve._numa import nodes, place
from hyperweb.serve._pool import Pool, Worker
from hyperweb.serve._runtime import Runtime
from hyperweb.serve._tiers import memory_limit, site_version, tiers
from hyperweb.serve._tls import described_tls, has_tls, hsts_seconds, reload_certificates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from hyperweb.config import SiteConfig

_log = logging.getLogger("hyperweb.serve")
# How often the packs, the workers and the load are looked at (seconds).
_BEAT = 0.1


class Supervisor:
    """Serves built sites until SIGTERM or SIGINT.

    Args:
        sites: The sites, the first of which answers hosts that none of them names.
        overrides: Settings that stood on the command line, by dotted name; the workers are given them too.
        direct: Granian faces the clients; there is no edge.
    """

    def __init__(self, sites: Sequence[SiteConfig], overrides: dict[str, Any], *, direct: bool = False) -> None:
        self.sites = list(sites)
        self._overrides = overrides
        self._direct = direct
        self._settings = sites[0].settings.serve
        self._is_secure = has_tls(self._settings, sites[0].settings.acme)
        self._runtime = Runtime()
        self._selector = selectors.DefaultSelector()
        self._edge: _core.Edge | None = None
        self._pools: dict[str, Pool] = {}
        self._packs: dict[str, tuple[int, int, int] | None] = {}
        self._tiers: dict[str, Any] = {}
        self._stopping = False
        self._handover = Handover()
        self._patience = 0.0
        self._certificates_are_old = False
        self._is_to_upgrade = False
        self._is_announced = False
        self._nodes = nodes() if self.sites[0].settings.tcp.numa else []
        self.addresses: list[str] = []

    def run(self, started: Callable[[list[str]], None]) -> int:
        """Serves. Returns the exit code.

        Args:
            started: Called with the server's URLs once it listens.

        Raises:
            ServeError: It cannot start.
        """
        self._catch_signals()
        raise_descriptors()
        try:
            self._listen()
            started(self.urls)
            for site in self.sites:
                self._packs[site.name] = _stamp(site.pack)
                self._runtime.announce(site.state, self.addresses, is_secure=self._is_secure)
                if self._needs_python(site):
                    self._start_pool(site)
            self._loop()
        finally:
            self._stop()
        return 0

    def _catch_signals(self) -> None:
        def stop(number: int, frame: FrameType | None) -> None:
            del number, frame
            self._stopping = True

        def renew(number: int, frame: FrameType | None) -> None:
            del number, frame
            self._certificates_are_old = True

        def upgrade(number: int, frame: FrameType | None) -> None:
            del number, frame
            self._is_to_upgrade = True

        def wake(number: int, frame: FrameType | None) -> None:
            del number, frame

        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        self._wake = (ours, theirs)
        self._selector.register(ours, selectors.EVENT_READ, self._drain_wake)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        signal.signal(signal.SIGCHLD, wake)
        signal.signal(signal.SIGUSR2, upgrade)
        if self._is_secure:
            signal.signal(signal.SIGHUP, renew)

    def _drain_wake(self) -> None:
        while True:
            try:
                if not self._wake[0].recv(4096):
                    return
            except BlockingIOError:
                return

    def _listen(self) -> None:
        settings = self._settings
        first = self.sites[0]
        self._tiers = tiers(first.settings.cache, first.state / "cache", first.name)
        if self._direct and self._tiers:
            raise ServeError(
                "`cache.disk` and `cache.redis` are the edge's, and with --direct there is none",
                hint="leave one of them out",
            )
        if self._direct:
            try:
                # Each worker opens it too; one that is damaged would end them all, again and again.
                _core.open_pack(str(self.sites[0].pack))
            except _core.PackError as error:
                raise ServeError(str(error)) from None
            self._port = free_port(settings.host, settings.port)
            self.addresses = [f"{bracketed(settings.host)}:{self._port}"]
            return
        first = self.sites[0]
        hosts = [host for site in self.sites for host in site.settings.hosts]
        described = {
            "listen": [resolved(settings.host, settings.port)],
            **described_tls(settings, first.settings.acme, first.root, first.state, hosts),
            "threads": settings.edge_threads or cores(),
            "tcp": first.settings.tcp,
            "nodes": self._nodes,
            "passed": self._handover.passed,
            "admin_socket": str(self._runtime.admin),
            "admin": resolved_pair(settings.admin, "`serve.admin`") if settings.admin else None,
            "token": settings.admin_token or None,
            **memory_limit(self.sites[0].settings.cache.memory),
            "tiers": self._tiers,
            "metrics": settings.metrics,
            "proxies": settings.proxies,
            "trusted": {"proxies": settings.trusted_proxies, "field": settings.trusted_field},
            "learning": described_learning(
                first.settings.learning, first.state, swaps=any(one.settings.client.spa for one in self.sites)
            ),
            "compression": self.sites[0].settings.compression,
            "access": described_log(self.sites[0].settings.log, self.sites[0].root),
            "limits": edge_limits(self.sites[0].settings.limits, settings.max_body),
            "sites": [
                {
                    "name": site.name,
                    "hosts": list(site.settings.hosts),
                    "pack": str(site.pack),
                    "files": str(site.out),
                    "headers": security_headers(site.settings, "text/html"),
                    "hsts": hsts_seconds(settings, first.settings.acme, security_headers(site.settings, "text/html")),
                    "stale": site.settings.cache.stale * 1000,
                    "version": site_version(site) if self._tiers else None,
                }
                for site in self.sites
            ],
        }
        try:
            self._edge = _core.Edge(msgspec.json.encode(described))
        except _core.EdgeError as error:
            raise ServeError(str(error)) from None
        self.addresses = self._edge.addresses()

    @property
    def urls(self) -> list[str]:
        """The URLs it is reached at."""
        scheme = "https" if self._is_secure else "http"
        plain = self._edge.plain_addresses() if self._edge is not None else []
        return [f"{scheme}://{one}" for one in self.addresses] + [f"http://{one}" for one in plain]

    def _start_pool(self, site: SiteConfig) -> None:
        least = site.settings.serve.workers or cores()

        def changed(sockets: list[Path]) -> None:
            if self._edge is not None:
                self._edge.set_upstreams(site.name, [str(path) for path in sockets])

        pool = Pool(
            site,
            least=least,
            most=site.settings.serve.workers_max,
            make=lambda: self._worker(site),
            changed=changed,
            watch=self._watch,
        )
        self._pools[site.name] = pool
        pool.start()

    def _worker(self, site: SiteConfig) -> Worker:
        spec: dict[str, Any] = {"site": str(site.root), "settings": self._overrides, "direct": self._direct}
        beside = [one for pool in self._pools.values() for one in pool.workers if one.is_in_use]
        spec["processors"] = place(self._nodes, [one.processors for one in beside])
        if self._direct:
            # Each worker keeps its own: together they keep what the edge would.
            workers = max(self._pools[site.name].most, 1)
            spec["cache_bytes"] = cache_bytes(site.settings.cache.memory) // workers
            spec["runtime"] = str(self._runtime.folder)
            return Worker({**spec, "host": self._settings.host, "port": self._port}, None)
        path = self._runtime.worker_socket()
        os.environ["HYPERWEB_ADMIN_SOCKET"] = str(self._runtime.admin)
        return Worker({**spec, "socket": str(path)}, path)

    def _watch(self, descriptor: int, call: Callable[[], None] | None) -> None:
        known = descriptor in self._selector.get_map()
        if call is None:
            if known:
                self._selector.unregister(descriptor)
        elif not known:
            self._selector.register(descriptor, selectors.EVENT_READ, call)

    def _loop(self) -> None:
        beat = 0.0
        while not self._stopping:
            for key, _ in self._selector.select(_BEAT):
                key.data()
            if self._certificates_are_old and self._edge is not None:
                self._certificates_are_old = False
                reload_certificates(self._edge)
            if self._is_to_upgrade:
                self._is_to_upgrade = False
                self._upgrade()
            now = time.monotonic()
            if now < beat:
                continue
            beat = now + _BEAT
            self._check_edge()
            self._has_started()
            for site in self.sites:
                self._check_pack(site)
                pool = self._pools.get(site.name)
                if pool is not None:
                    pool.tend(self._edge.outstanding(site.name) if self._edge is not None else 0)

    def _upgrade(self) -> None:
        """Starts this program anew with the sockets it listens on; once the new one serves, this one stops."""
        if self._edge is None:
            _log.error("with --direct there is nothing to hand over")
            return

        def done() -> None:
            self._patience = PATIENCE
            self._stopping = True

        self._handover.start(self._edge.descriptors(), self._watch, done)

    def _has_started(self) -> None:
        """Says that it serves, once a worker of each site can be asked."""
        if not self._is_announced and all(pool.is_ready for pool in self._pools.values()):
            self._is_announced = True
            self._handover.served()

    def _check_edge(self) -> None:
        try:
            if self._edge is not None:
                self._edge.check()
        except _core.EdgeError as error:
            raise ServeError(str(error)) from None

    def _check_pack(self, site: SiteConfig) -> None:
        stamp = _stamp(site.pack)
        if stamp is None or stamp == self._packs[site.name]:
            return
        self._packs[site.name] = stamp
        if self._edge is None:
            # Each worker takes up the new pack by itself; its Python is loaded anew too.
            self._pools[site.name].roll(lambda: None)
            return
        try:
            changes = msgspec.json.decode(self._edge.reload(site.name))
        except _core.EdgeError as error:
            _log.error("%s: the new build is refused, the old one stays: %s", site.name, error)
            return
        _log.info("%s: a new build is served", site.name)
        # A template or a handler may be behind any response; what the build made is purged by its tags alone.
        everything = {"all": True, "site": site.name}
        purge = msgspec.json.encode(everything if site.name in self._pools else {"tags": changes["tags"]})
        pool = self._pools.get(site.name)
        edge = self._edge

        def settled() -> None:
            edge.purge(purge)
            if self._tiers:
                edge.set_version(site.name, site_version(site))

        if pool is not None and self._needs_python(site):
            # What the old workers made is purged when they are gone, or they would fill the cache with it again.
            pool.roll(settled)
        else:
            settled()
            if pool is None and self._needs_python(site):
                self._start_pool(site)

    def _needs_python(self, site: SiteConfig) -> bool:
        """Whether anything of a site is made at run time; without an edge everything is answered by Python."""
        return self._edge is None or self._edge.has_routes(site.name)

    def _stop(self) -> None:
        settings = self._settings
        try:
            if self._edge is not None:
                self._edge.drain(float(settings.drain), self._patience)
            for pool in self._pools.values():
                pool.stop()
            for pool in self._pools.values():
                pool.wait(float(settings.drain))
        finally:
            self._runtime.close()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def cores() -> int:
    """Returns how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def cache_bytes(setting: str | int, name: str = "`cache.memory`") -> int:
    """Returns the bytes the memory cache may use; a share is of what the control group or the machine has.

    Raises:
        ServeError: The setting is no size.
    """
    limit = memory_limit(setting, name)
    return limit["cache_bytes"] if "cache_bytes" in limit else machine_memory() * limit["cache_share"] // 100


def machine_memory() -> int:
    """Returns the memory this process may use, in bytes: the control group's limit, or the machine's memory."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(file).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():
            return min(total, int(text))
    return total
