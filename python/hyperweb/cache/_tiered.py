"""A cache whose values outlive the process, and are shared with others."""

from __future__ import annotations

import asyncio
import logging
import pickle
from typing import TYPE_CHECKING, Any, Self

import msgspec

from hyperweb import _core
from hyperweb.cache._cache import Cache, Key, tag_list
from hyperweb.cache._errors import CacheError
from hyperweb.cache._stats import CacheStats, FlightStats, TierStats
from hyperweb.cache._units import seconds, size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_log = logging.getLogger("hyperweb.cache")
_RAW, _MSGPACK, _PICKLE = b"\x00", b"\x01", b"\x02"
_MISSING = object()


def _log_fault(fault: str) -> None:
    _log.warning("%s", fault)


class TieredCache(Cache):
    """A cache in memory with tiers below it: shared memory, disk, Redis or Valkey, any of them.

    A value that is set goes to all tiers, to those below in the background. A read that memory cannot answer goes down,
    and what it finds comes up. Purges reach the other processes through shared memory and disk, and other machines
    through Redis. Whatever goes wrong in a tier is a miss, counted and logged; the tier comes back by itself.

    Args:
        memory: The most held in memory, as for `Cache`.
        shared: A folder under `/dev/shm` that processes of this machine share.
        shared_limit: The most it holds.
        disk: A folder on a disk.
        disk_limit: The most it holds.
        redis: The URL of a server, `redis://…` or `unix:///…`.
        namespace: Begins all keys on that server; caches with the same one share their values.
        type: What values are decoded as: any type msgspec knows. `bytes` are kept as they are, whatever it is.
        pickle: Keep as a pickle what msgspec cannot encode. Who can write to a tier can then run code here.
        policy: As for `Cache`.
        ttl: As for `Cache`.
        grace: As for `Cache`.

    It has a folder open until it is closed, by `close` or at the end of `with`, or is gone; and in one process only one
    cache may have it open.

    Raises:
        CacheError: No tier is named; a size or a length of time is none; or another cache of this process has the
            folder open.
    """

    def __new__(cls, memory: str | int | None = None, **options: Any) -> Self:
        own = {name: options[name] for name in ("policy", "ttl", "grace") if name in options}
        return super().__new__(cls, memory, **own)

    def __init__(
        self,
        memory: str | int | None = None,
        *,
        shared: str | Path | None = None,
        shared_limit: str | int = "256MiB",
        disk: str | Path | None = None,
        disk_limit: str | int = "1GiB",
        redis: str | None = None,
        namespace: str = "hyperweb",
        type: Any = Any,  # noqa: A002 - the word msgspec has for it
        pickle: bool = False,
        policy: str = "auto",
        ttl: str | float | None = None,
        grace: str | float | None = None,
    ) -> None:
        del policy
        super().__init__(memory)
        if shared is None and disk is None and redis is None:
            message = "name a tier: shared=, disk= or redis=; a cache in memory alone is Cache"
            raise CacheError(message)
        self._ttl, self._grace = seconds(ttl), seconds(grace)
        self._pickle = pickle
        self._decoder = msgspec.msgpack.Decoder(type)
        self._encoder = msgspec.msgpack.Encoder()
        self._has_redis = redis is not None
        try:
            self._tiers = _core.Tiers(
                self,
                shared=None if shared is None else str(shared),
                shared_limit=size(shared_limit),
                disk=None if disk is None else str(disk),
                disk_limit=size(disk_limit),
                redis=redis,
                namespace=namespace,
                log=_log_fault,
            )
        except FileExistsError as error:
            message = f"{error}; use the one there is, or close it first"
            raise CacheError(message) from error

    def __enter__(self) -> Self:
        """Returns the cache."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes it."""
        self.close()

    def close(self, wait: str | float = 5) -> bool:
        """Closes the tiers below memory, once they have written what was set. Returns whether they have within `wait`.

        Then other caches may open their folders, and this one is in memory alone.
        """
        written = self.flush(wait)
        self._tiers.close()
        return written

    def __getitem__(self, key: Key) -> Any:
        """Returns the fresh value of a key, from the highest tier that has it.

        Raises:
            KeyError: No tier has it.
        """
        value = self.get(key, _MISSING)
        if value is _MISSING:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        """Whether a tier has a fresh value of a key."""
        return self.get(key, _MISSING) is not _MISSING  # type: ignore[arg-type]

    def __setitem__(self, key: Key, value: Any) -> None:
        """Keeps a value."""
        self.set(key, value)

    def __delitem__(self, key: Key) -> None:
        """Forgets a key in all tiers.

        Raises:
            KeyError: No tier has it.
        """
        if key not in self:
            raise KeyError(key)
        self.purge(keys=[key])

    def get(self, key: Key, default: Any = None, /) -> Any:
        """Returns the fresh value of a key, from the highest tier that has it, or `default`."""
        found = self._find(key)
        return found[0] if found is not None and found[1] else default

    def begin(self) -> Any:
        """Begins a fill: call it before a value is asked for, and give it to `set`. A purge meanwhile then wins."""
        return (super().begin(), self._tiers.stamp())

    def set(
        self,
        key: Key,
        value: Any,
        *,
        ttl: str | float | None = None,
        grace: str | float | None = None,
        tags: Iterable[str] = (),
        weight: int | None = None,
        fill: Any = None,
    ) -> bool:
        """Keeps a value in memory, and in the tiers below as soon as they take it. Returns whether memory keeps it.

        Args:
            key: Its key.
            value: `bytes`, what msgspec can encode, or with `pickle=True` what pickle can.
            ttl: As for `Cache.set`.
            grace: As for `Cache.set`.
            tags: As for `Cache.set`.
            weight: As for `Cache.set`.
            fill: What `begin` returned.

        Raises:
            CacheError: The value cannot be encoded.
        """
        known, stamp = self.begin() if fill is None else fill
        named = tag_list(tags)
        life = self._ttl if ttl is None else seconds(ttl)
        over = self._grace if grace is None else seconds(grace)
        encoded = self._encode(key, value)
        self._tiers.put(key, encoded, ttl=life, grace=over, tags=named, stamp=stamp)
        return super().set(key, value, ttl=ttl, grace=grace, tags=named, weight=weight, fill=known)

    def purge(
        self,
        *,
        key: Key | None = None,
        keys: Iterable[Key] = (),
        tags: Iterable[str] = (),
        prefix: str | None = None,
        where: Callable[[str], bool] | None = None,
        everything: bool = False,
        soft: bool = False,
    ) -> None:
        """Forgets entries in all tiers, for every process and machine that shares them.

        Args:
            key: As for `Cache.purge`.
            keys: As for `Cache.purge`.
            tags: As for `Cache.purge`.
            prefix: As for `Cache.purge`.
            where: Whatever has a tag that memory knows and that this returns true for.
            everything: As for `Cache.purge`.
            soft: As for `Cache.purge`, in all tiers.
        """
        named = [*keys] if key is None else [key, *keys]
        marks = tag_list(tags)
        prefixes = [] if prefix is None else [prefix]
        if where is not None:
            marks += self._tags_where(where)
        owed = self._tiers.purge(keys=named, tags=marks, prefixes=prefixes, all=everything, soft=soft)
        if owed:
            _log.warning("purges wait until these tiers can be told: %s", ", ".join(owed))
        super().purge(keys=named, tags=marks, prefix=prefix, everything=everything, soft=soft)

    def _tags_where(self, where: Callable[[str], bool]) -> list[str]:
        found: list[str] = []

        def look(tag: str) -> bool:
            if where(tag):
                found.append(tag)
            # It only looks: what is found is forgotten after the tiers below.
            return False

        self._purge_tags_where(look)
        return found

    def flush(self, wait: str | float = 5) -> bool:
        """Waits until the tiers below have written all that was set. Returns whether they have within `wait`."""
        return self._tiers.flush(seconds(wait) or 0.0)

    def stats(self) -> CacheStats:
        """Returns figures of the cache and of its tiers."""
        tiers = {name: TierStats(**found) for name, found in self._tiers.stats().items()}
        flights = FlightStats(**self._flights.stats())
        figures: dict[str, Any] = self._stats()
        return CacheStats(**figures, policy=self.policy, flights=flights, tiers=tiers)

    def _find(self, key: Key, *, remote: bool = True) -> tuple[Any, bool] | None:
        found = self.find(key)
        if found is not None and found[1]:
            return found
        # A purge between the read below and the keeping here must win: this fill began before the read.
        fill = super().begin()
        below = self._tiers.get(key, remote=remote)
        if below is None:
            return found
        data, fresh, grace, tags = below
        try:
            value = self._decode(data)
        except Exception as error:  # noqa: BLE001 - what others wrote may raise anything
            _log.warning("the value of %r in a tier cannot be read: %s", key, error)
            return found
        super().set(key, value, ttl=fresh, grace=grace, tags=tags, fill=fill)
        return value, fresh is None or fresh > 0

    async def _find_async(self, key: Key) -> tuple[Any, bool] | None:
        found = self._find(key, remote=False)
        if (found is None or not found[1]) and self._has_redis:
            # A server may take a while to answer, and a loop must not wait for it.
            return await asyncio.to_thread(self._find, key)
        return found

    def _encode(self, key: Key, value: Any) -> bytes:
        if isinstance(value, bytes):
            return _RAW + value
        try:
            return _MSGPACK + self._encoder.encode(value)
        except (TypeError, ValueError, OverflowError) as error:
            if not self._pickle:
                message = f"the value of {key!r} cannot be kept below memory: {error}; pickle=True would keep it"
                raise CacheError(message) from error
        try:
            return _PICKLE + pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            message = f"the value of {key!r} cannot be kept below memory: {error}"
            raise CacheError(message) from error

    def _decode(self, data: bytes) -> Any:
        kind, body = data[:1], data[1:]
        if kind == _RAW:
            return body
        if kind == _MSGPACK:
            return self._decoder.decode(body)
        if kind == _PICKLE and self._pickle:
            return pickle.loads(body)  # noqa: S301 - asked for by pickle=True
        message = "it is no value of this cache" if kind != _PICKLE else "it is a pickle, and pickle=True was not said"
        raise ValueError(message)
