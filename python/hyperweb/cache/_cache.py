"""The cache of one process."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

from hyperweb import _core
from hyperweb.cache._errors import WaitedTooLongError
from hyperweb.cache._stats import CacheStats, FlightStats
from hyperweb.cache._uncacheable import Uncacheable
from hyperweb.cache._units import seconds, size

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

T = TypeVar("T")

_log = logging.getLogger("hyperweb.cache")
# Stale values of synchronous functions are made anew by as many threads at a time.
_REFRESHERS = 4
_MISSING = object()

Key = str | bytes | int | float | bool | None | tuple[Any, ...]


class Cache(_core.MemoryCache):
    """Values in memory, up to a limit in bytes: like a dict that forgets what is worth the least.

    Keys are `str`, `bytes`, `int`, `float`, `bool`, `None` and tuples of these; unlike in a dict, `1`, `1.0` and `True`
    are three keys. Values are any objects, kept as they are and not copied. All methods may be called from any thread.

    Reading by `[]`, `get` and `in` finds what is fresh. What has outlived its `ttl` is kept for its `grace` as well,
    and `get_or_compute` may answer with it while a new value is made (RFC 5861 calls this stale-while-revalidate).

    Args:
        limit: The most it holds, in bytes or like `"64MB"`: keys, values as `sys.getsizeof` weighs them, and overhead.
            None follows the machine: a share of the control group's limit or of the free memory, less under pressure.
        policy: Which entries go first. `auto` watches the keys and picks the policy with the most hits.
        ttl: How long values are fresh where `set` does not say: seconds, or like `"10m"`. None is for ever.
        grace: How long after that they are kept.
        share: Per cent of the machine's memory that a cache without a limit takes.
        largest_part: A value over one part of this many of the limit is not kept.
        shards: Tables the keys are spread over; a power of two.

    Raises:
        CacheError: A size or a length of time is none.
        ValueError: There is no such policy, or `shards` is no power of two.
    """

    def __new__(
        cls,
        limit: str | int | None = None,
        *,
        policy: str = "auto",
        ttl: str | float | None = None,
        grace: str | float | None = None,
        share: int = 40,
        largest_part: int = 8,
        shards: int = 256,
    ) -> Self:
        return super().__new__(
            cls,
            None if limit is None else size(limit),
            policy=policy,
            shards=shards,
            largest_part=largest_part,
            ttl=seconds(ttl),
            grace=seconds(grace),
            share=share,
        )

    def __init__(self, *_: Any, **__: Any) -> None:
        self._flights = _core.Flights()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._refreshers: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def set(
        self,
        key: Key,
        value: Any,
        *,
        ttl: str | float | None = None,
        grace: str | float | None = None,
        tags: Iterable[str] = (),
        weight: int | None = None,
        fill: _core.Fill | None = None,
    ) -> bool:
        """Keeps a value. Returns whether it is kept: it is not if it is too large, or was purged since `fill`.

        Args:
            key: Its key.
            value: Any object.
            ttl: How long it is fresh: seconds, or like `"10m"`. None is the cache's own.
            grace: How long after that it may still be used. None is the cache's own.
            tags: What it can be purged by.
            weight: Its bytes; by default what `sys.getsizeof` says, which does not count what a container holds.
            fill: What `begin` returned before the value was asked for: a purge meanwhile then wins.
        """
        return super().set(
            key, value, ttl=seconds(ttl), grace=seconds(grace), tags=tag_list(tags), weight=weight, fill=fill
        )

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
        """Forgets entries at once, for every reader; the memory is given back in the background.

        A value that is being made by `get_or_compute`, or kept with `fill`, is not kept if the purge names it.

        Args:
            key: One key.
            keys: More keys.
            tags: Whatever has one of these tags.
            prefix: Whatever has a key, a `str`, that begins so.
            where: Whatever has a tag for which this returns true.
            everything: All there is.
            soft: Entries count as stale from now on, in place of being forgotten.
        """
        named = [*keys] if key is None else [key, *keys]
        super()._purge(
            keys=named, tags=tag_list(tags), prefixes=[] if prefix is None else [prefix], all=everything, soft=soft
        )
        if where is not None:
            self._purge_tags_where(where)

    def clear(self) -> None:
        """Forgets everything."""
        self.purge(everything=True)

    @overload
    def get_or_compute(
        self,
        key: Key,
        compute: Callable[..., Coroutine[Any, Any, T]],
        *args: Any,
        ttl: str | float | None = ...,
        stale: str | float | None = ...,
        tags: Iterable[str] = ...,
        weight: int | None = ...,
        wait: str | float | None = ...,
        age: str | float | None = ...,
        retries: int = ...,
    ) -> Awaitable[T]: ...
    @overload
    def get_or_compute(
        self,
        key: Key,
        compute: Callable[..., T],
        *args: Any,
        ttl: str | float | None = ...,
        stale: str | float | None = ...,
        tags: Iterable[str] = ...,
        weight: int | None = ...,
        wait: str | float | None = ...,
        age: str | float | None = ...,
        retries: int = ...,
    ) -> T: ...
    def get_or_compute(
        self,
        key: Key,
        compute: Callable[..., Any],
        *args: Any,
        ttl: str | float | None = None,
        stale: str | float | None = None,
        tags: Iterable[str] = (),
        weight: int | None = None,
        wait: str | float | None = None,
        age: str | float | None = None,
        retries: int = 0,
    ) -> Any:
        """Returns the value of a key, made by `compute(*args)` if it is not there.

        However many threads and tasks ask at once, one computes and the others are given what it made. If it fails, the
        others are told of the same exception; if it is cancelled, exactly one of them takes over.

        If it raises `Uncacheable`, what that holds is returned to this caller alone, and nothing is kept: the others
        call the function themselves, all at once.

        With an `async` function this returns an awaitable: `await cache.get_or_compute("k", fetch, 7)`.

        Args:
            key: The key.
            compute: Makes the value; a function or an `async` function.
            args: What it is called with.
            ttl: How long the value is fresh. None is the cache's own.
            stale: How long after that it is still returned, while a new one is made in the background.
            tags: What the value can be purged by.
            weight: The value's bytes.
            wait: How long to wait for another who computes.
            age: How long the one who begins to compute may take, before the next who waits takes over.
            retries: How many failures of those who then compute let the next try, before all are told. Like `age` it
                is of the flight, and counts where this call begins it.

        Raises:
            WaitedTooLongError: Another computes, and `wait` is over.
        """
        work = _Work(
            cache=self,
            key=key,
            call=functools.partial(compute, *args),
            ttl=ttl,
            stale=seconds(stale),
            tags=tuple(tags),
            weight=weight,
        )
        limits = (seconds(wait), seconds(age), retries)
        if _is_async(compute):
            return self._compute_async(work, limits)
        return self._compute(work, limits)

    def stats(self) -> CacheStats:
        """Returns figures of the cache since it was made."""
        figures: dict[str, Any] = self._stats()
        return CacheStats(**figures, policy=self.policy, flights=FlightStats(**self._flights.stats()))

    def _find(self, key: Key) -> tuple[Any, bool] | None:
        """Returns the value of a key and whether it is fresh."""
        return self.find(key)

    async def _find_async(self, key: Key) -> tuple[Any, bool] | None:
        return self._find(key)

    def _compute(self, work: _Work, limits: tuple[float | None, float | None, int]) -> Any:
        found = self._find(work.key)
        if found is not None and (found[1] or work.stale):
            if not found[1]:
                self._refresh(work)
            return found[0]
        wait, age, retries = limits
        arrived = threading.Event()
        answers: list[tuple[str, Any]] = []

        def answer(kind: str, what: Any) -> None:
            answers.append((kind, what))
            arrived.set()

        kind, what = self._flights.join(work.key, answer, age=age, wait=wait, retries=retries)
        if kind == "waiting":
            try:
                arrived.wait()
            finally:
                what.leave()
                if not arrived.is_set() and answers and answers[0][0] == "lead":
                    answers[0][1].leave()
            kind, what = answers[0]
        if kind != "lead":
            return _settled(kind, what, work)
        lead = cast("_core.Lead", what)
        try:
            # Between the look and the lead another may have landed.
            value = self.find_again(work.key, _MISSING)
            if value is _MISSING:
                value = work.make()
        except Uncacheable as found_out:
            lead.uncacheable(found_out.seconds)
            return found_out.value
        except Exception as error:
            lead.fail(error)
            raise
        except BaseException:
            lead.leave()
            raise
        lead.complete(value)
        return value

    async def _compute_async(self, work: _Work, limits: tuple[float | None, float | None, int]) -> Any:
        found = await self._find_async(work.key)
        if found is not None and (found[1] or work.stale):
            if not found[1]:
                self._refresh_async(work)
            return found[0]
        kind, what = await self._join_async(work.key, limits)
        if kind == "lead":
            return await self._lead_async(work, cast("_core.Lead", what))
        if kind == "uncacheable":
            try:
                return await work.make_async()
            except Uncacheable as found_out:
                return found_out.value
        return _settled(kind, what, work)

    async def _join_async(self, key: Key, limits: tuple[float | None, float | None, int]) -> tuple[str, Any]:
        """Joins the flight of a key, and waits for what it brings."""
        wait, age, retries = limits
        loop = asyncio.get_running_loop()
        future: asyncio.Future[tuple[str, Any]] = loop.create_future()

        def settle(kind: str, what: Any) -> None:
            if not future.done():
                future.set_result((kind, what))
            elif kind == "lead":
                # The task was cancelled just then: the next who waits takes over.
                what.leave()

        def answer(kind: str, what: Any) -> None:
            try:
                loop.call_soon_threadsafe(settle, kind, what)
            except RuntimeError:
                # The loop is closed, and with it all that waited.
                if kind == "lead":
                    what.leave()

        kind, what = self._flights.join(key, answer, age=age, wait=wait, retries=retries)
        if kind != "waiting":
            return kind, what
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.result()[0] == "lead":
                future.result()[1].leave()
            raise
        finally:
            what.leave()

    async def _lead_async(self, work: _Work, lead: _core.Lead) -> Any:
        try:
            value = self.find_again(work.key, _MISSING)
            if value is _MISSING:
                value = await work.make_async()
        except Uncacheable as found_out:
            lead.uncacheable(found_out.seconds)
            return found_out.value
        except Exception as error:
            lead.fail(error)
            raise
        except BaseException:
            lead.leave()
            raise
        lead.complete(value)
        return value

    def _refresh(self, work: _Work) -> None:
        """Has a thread make a stale value anew, unless somebody does already."""
        lead = self._flights.try_lead(work.key)
        if lead is None:
            return

        def refresh() -> None:
            try:
                lead.complete(work.make())
            except Uncacheable as found_out:
                work.retract(lead, found_out)
            except Exception as error:  # noqa: BLE001 - whatever it is, who waits is told
                lead.fail(error)
                _log.exception("the stale value of %r could not be made anew", work.key)

        with self._lock:
            if self._refreshers is None:
                self._refreshers = ThreadPoolExecutor(_REFRESHERS, thread_name_prefix="cache-refresh")
            pool = self._refreshers
        pool.submit(refresh)

    def _refresh_async(self, work: _Work) -> None:
        """Has a task make a stale value anew, unless somebody does already."""
        lead = self._flights.try_lead(work.key)
        if lead is None:
            return

        async def refresh() -> None:
            try:
                lead.complete(await work.make_async())
            except Uncacheable as found_out:
                work.retract(lead, found_out)
            except Exception as error:  # noqa: BLE001 - whatever it is, who waits is told
                lead.fail(error)
                _log.exception("the stale value of %r could not be made anew", work.key)
            finally:
                lead.leave()

        task = asyncio.ensure_future(refresh())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """How a value is made and kept."""

    cache: Cache
    key: Key
    call: Callable[[], Any]
    ttl: str | float | None
    stale: float | None
    tags: tuple[str, ...]
    weight: int | None

    def make(self) -> Any:
        fill = self.cache.begin()
        value = self.call()
        if inspect.isawaitable(value):
            if inspect.iscoroutine(value):
                value.close()
            message = (
                "the function returned an awaitable and is not `async` itself; "
                "give the async function and its arguments: get_or_compute(key, fetch, 7)"
            )
            raise TypeError(message)
        self._keep(value, fill)
        return value

    async def make_async(self) -> Any:
        fill = self.cache.begin()
        value = await self.call()
        self._keep(value, fill)
        return value

    def retract(self, lead: _core.Lead, found_out: Uncacheable) -> None:
        """Forgets the value that was to be made anew: there is none for all any more."""
        self.cache.purge(key=self.key)
        lead.uncacheable(found_out.seconds)

    def _keep(self, value: Any, fill: Any) -> None:
        self.cache.set(self.key, value, ttl=self.ttl, grace=self.stale, tags=self.tags, weight=self.weight, fill=fill)


def tag_list(tags: Iterable[str]) -> list[str]:
    """Returns tags as a list; one text is no list of tags, though it can be gone through."""
    if isinstance(tags, str):
        message = f"tags are a list of texts: [{tags!r}], and not {tags!r}"
        raise TypeError(message)
    return list(tags)


def _settled(kind: str, what: Any, work: _Work) -> Any:
    """Returns what waiting for another brought."""
    if kind == "value":
        return what
    if kind == "failed":
        raise what
    if kind == "uncacheable":
        try:
            return work.make()
        except Uncacheable as found_out:
            return found_out.value
    message = f"another is making the value of {work.key!r}, and takes longer than this one would wait"
    raise WaitedTooLongError(message)


def _is_async(function: Callable[..., Any]) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    if getattr(function, "is_async", False):
        # A function whose results are kept; before Python 3.12 nothing else could tell.
        return True
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - an object whose call is async
    )
