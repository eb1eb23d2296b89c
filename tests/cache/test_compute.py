"""One computes, the others wait: in threads, in tasks, and through the decorator."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hyperweb.cache import Cache, CacheError, Uncacheable, WaitedTooLongError, cached
from tests.cache import in_a_loop


def test_many_threads_compute_once() -> None:
    cache = Cache("1MB")
    calls: list[int] = []

    def slow() -> int:
        calls.append(1)
        time.sleep(0.2)
        return 42

    with ThreadPoolExecutor(100) as pool:
        found = list(pool.map(lambda _: cache.get_or_compute("k", slow), range(100)))
    assert found == [42] * 100
    assert len(calls) == 1
    flights = cache.stats().flights
    assert (flights.flights, flights.waiters) == (0, 0)


@in_a_loop
async def test_ten_thousand_tasks_compute_once() -> None:
    cache = Cache("1MB")
    calls: list[int] = []

    async def slow(value: int) -> int:
        calls.append(1)
        await asyncio.sleep(0.1)
        return value

    found = await asyncio.gather(*[cache.get_or_compute("k", slow, 42) for _ in range(10_000)])
    assert set(found) == {42}
    assert len(calls) == 1
    assert cache.stats().flights.shared == 9_999


@in_a_loop
async def test_threads_and_tasks_share_one_flight() -> None:
    cache = Cache("1MB")
    calls: list[str] = []

    async def slow() -> str:
        calls.append("task")
        await asyncio.sleep(0.2)
        return "made"

    def other() -> str:
        calls.append("thread")
        return "made twice"

    task = asyncio.ensure_future(cache.get_or_compute("k", slow))
    await asyncio.sleep(0.05)
    found = await asyncio.gather(*[asyncio.to_thread(cache.get_or_compute, "k", other) for _ in range(4)])
    assert [*found, await task] == ["made"] * 5
    assert calls == ["task"]


@in_a_loop
async def test_a_cancelled_leader_hands_over_to_exactly_one() -> None:
    cache = Cache("1MB")
    calls: list[int] = []

    async def slow() -> int:
        calls.append(1)
        await asyncio.sleep(0.1)
        return len(calls)

    tasks = [asyncio.ensure_future(cache.get_or_compute("k", slow)) for _ in range(10)]
    await asyncio.sleep(0.02)
    tasks[0].cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [2] * 9
    flights = cache.stats().flights
    assert (flights.flights, flights.waiters, flights.handed_over) == (0, 0, 1)


@in_a_loop
async def test_cancelled_waiters_leave_nothing() -> None:
    cache = Cache("1MB")
    release = asyncio.Event()

    async def slow() -> int:
        await release.wait()
        return 1

    leader = asyncio.ensure_future(cache.get_or_compute("k", slow))
    await asyncio.sleep(0.01)
    waiters = [asyncio.ensure_future(cache.get_or_compute("k", slow)) for _ in range(1000)]
    await asyncio.sleep(0.01)
    assert cache.stats().flights.waiters == 1000
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    assert cache.stats().flights.waiters == 0
    release.set()
    assert await leader == 1


def test_a_failure_is_told_to_all_or_tried_again() -> None:
    cache = Cache("1MB")
    calls: list[int] = []

    def fail_once() -> int:
        calls.append(1)
        time.sleep(0.1)
        if len(calls) == 1:
            raise LookupError("not yet")
        return 7

    def ask(retries: int) -> Any:
        try:
            return cache.get_or_compute("k", fail_once, retries=retries)
        except LookupError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, [0] * 4)) == ["not yet"] * 4
    calls.clear()
    with ThreadPoolExecutor(4) as pool:
        assert sorted(map(str, pool.map(ask, [1] * 4))) == ["7", "7", "7", "not yet"]


def test_waiting_and_working_have_limits() -> None:
    cache = Cache("1MB")
    begun, go = threading.Event(), threading.Event()

    def stuck() -> str:
        begun.set()
        go.wait(5)
        return "late"

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get_or_compute, "k", stuck, age=0.2)
        begun.wait(5)
        with pytest.raises(WaitedTooLongError, match="takes longer"):
            cache.get_or_compute("k", str, wait="50ms")
        assert cache.get_or_compute("k", lambda: "taken over") == "taken over"
        go.set()
        assert first.result(5) == "late"
    assert cache.stats().flights.taken_over == 1


@in_a_loop
async def test_what_is_stale_is_answered_and_made_anew_once() -> None:
    cache = Cache("1MB")
    calls: list[int] = []

    async def make() -> int:
        calls.append(1)
        await asyncio.sleep(0.05)
        return len(calls)

    async def ask() -> int:
        return await cache.get_or_compute("k", make, ttl="30ms", stale=60)

    assert await ask() == 1
    await asyncio.sleep(0.06)
    assert await asyncio.gather(*[ask() for _ in range(50)]) == [1] * 50
    await asyncio.sleep(0.08)
    assert cache.find("k") is not None
    assert len(calls) == 2
    assert await ask() == 2


def test_what_is_stale_is_made_anew_by_a_thread() -> None:
    cache = Cache("1MB")
    calls: list[int] = []

    def make() -> int:
        calls.append(1)
        return len(calls)

    assert cache.get_or_compute("k", make, ttl="20ms", stale=60) == 1
    time.sleep(0.05)
    assert cache.get_or_compute("k", make, ttl=60, stale=60) == 1
    deadline = time.monotonic() + 5
    while cache.get("k") != 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert cache.get("k") == 2


def test_a_purge_while_it_is_made_wins() -> None:
    cache = Cache("1MB")

    def make() -> int:
        cache.purge(tags=["t"])
        return 1

    assert cache.get_or_compute("k", make, tags=["t"]) == 1
    assert "k" not in cache


def test_a_function_that_returns_an_awaitable_is_told_apart() -> None:
    async def fetch() -> int:
        return 1

    with pytest.raises(TypeError, match="give the async function and its arguments"):
        _ = Cache("1MB").get_or_compute("k", lambda: fetch())  # noqa: PLW0108 - the mistake that is meant


def test_results_of_functions_are_kept_by_their_arguments() -> None:
    cache = Cache("1MB")
    calls: list[tuple[int, str]] = []

    @cached("1h", tags=lambda number, *_, **__: [f"n:{number}"], cache=cache)
    def work(number: int, text: str = "a") -> str:
        """Works."""
        calls.append((number, text))
        return text * number

    assert [work(2), work(number=2), work(2, "a"), work(2, text="a")] == ["aa"] * 4
    assert work(3, "b") == "bbb"
    assert calls == [(2, "a"), (3, "b")]
    assert work.__doc__ == "Works."
    cache.purge(tags=["n:2"])
    work(2)
    work(3, "b")
    assert calls == [(2, "a"), (3, "b"), (2, "a")]
    work.forget(3, "b")
    work(3, "b")
    assert len(calls) == 4
    with pytest.raises(TypeError, match="say with key="):
        work(object())  # type: ignore[arg-type]


@in_a_loop
async def test_results_of_async_functions_and_methods_are_kept() -> None:
    calls: list[int] = []

    class Shop:
        name = "corner"

        @cached(60, key=lambda self, number: (self.name, number), cache=Cache("1MB"))
        async def price(self, number: int) -> int:
            calls.append(number)
            await asyncio.sleep(0.01)
            return number * 2

    shop = Shop()
    assert list(await asyncio.gather(shop.price(1), shop.price(1), shop.price(2))) == [2, 2, 4]
    assert calls == [1, 2]
    # A kept async function is an async function to the cache as well.
    other = Cache("1MB")
    assert await other.get_or_compute("k", cached(60, cache=other)(double), 4) == 8


async def double(number: int) -> int:
    return number * 2


def test_who_waits_for_what_is_not_for_all_is_let_go_at_once() -> None:
    cache = Cache("1MB")
    calls: list[int] = []
    at_once = threading.Barrier(9)

    def page() -> int:
        calls.append(1)
        number = len(calls)
        if number == 1:
            until_waiters(cache, 8)
        else:
            # All eight are here at the same time, or this raises.
            at_once.wait(5)
        raise Uncacheable(number, mark="10s")

    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(cache.get_or_compute, "k", page)
        until_flights(cache, 1)
        others = [pool.submit(cache.get_or_compute, "k", page) for _ in range(8)]
        assert first.result(10) == 1
        # The mark still holds: who comes now waits for nobody.
        assert cache.get_or_compute("k", lambda: at_once.wait(5) * 0 + 100) == 100
        assert sorted(other.result(10) for other in others) != [1] * 8
    assert len(calls) == 9
    flights = cache.stats().flights
    assert (flights.led, flights.uncacheable, flights.waiters) == (1, 8, 0)
    assert cache["k"] == 100, "what was returned and not raised is kept"


def until_waiters(cache: Cache, count: int) -> None:
    """Waits until so many wait."""
    while cache.stats().flights.waiters < count:
        time.sleep(0.001)


def until_flights(cache: Cache, count: int) -> None:
    """Waits until so many keys are worked on."""
    while cache.stats().flights.flights < count:
        time.sleep(0.001)


@in_a_loop
async def test_tasks_are_let_go_too_and_nothing_is_kept() -> None:
    cache = Cache("1MB")
    calls: list[int] = []

    @cached(cache=cache, key=lambda: "k")
    async def page() -> int:
        calls.append(1)
        number = len(calls)
        await asyncio.sleep(0.05)
        raise Uncacheable(number)

    found = await asyncio.gather(*[page() for _ in range(20)])
    assert sorted(found) == list(range(1, 21)), "each has its own"
    assert len(cache) == 0
    with pytest.raises(CacheError, match="no length of time"):
        Uncacheable(1, mark="soon")


def test_what_turns_out_not_to_be_for_all_is_not_served_stale_any_more() -> None:
    cache = Cache("1MB")

    def private() -> str:
        message = "private"
        raise Uncacheable(message)

    cache.set("k", "public", ttl=0, grace=60)
    assert cache.get_or_compute("k", private, stale=60) == "public"
    for _ in range(1000):
        if cache.find("k") is None:
            break
        time.sleep(0.001)
    assert cache.get_or_compute("k", private, stale=60) == "private"


def test_a_value_that_is_made_is_one_miss() -> None:
    cache = Cache("1MB")
    for _ in range(3):
        assert cache.get_or_compute("k", int, "7") == 7
    stats = cache.stats()
    assert (stats.hits, stats.misses) == (2, 1)
