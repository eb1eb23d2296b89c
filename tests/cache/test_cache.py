"""The cache of one process: what a dict does, and what it does not."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hyperweb.cache import Cache, CacheError, CacheStats

KEYS = st.recursive(
    st.text(max_size=8)
    | st.binary(max_size=8)
    | st.integers()
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.none(),
    lambda parts: st.lists(parts, max_size=3).map(tuple),
    max_leaves=6,
)


def test_it_is_used_like_a_dict() -> None:
    cache = Cache("1MB")
    cache["a"] = 1
    assert cache["a"] == 1
    assert "a" in cache
    assert cache.get("b") is None
    assert cache.get("b", 7) == 7
    assert len(cache) == 1
    del cache["a"]
    assert "a" not in cache
    with pytest.raises(KeyError, match="a"):
        cache["a"]
    with pytest.raises(KeyError, match="a"):
        del cache["a"]


@given(st.dictionaries(KEYS.map(lambda key: (type(key).__name__, key)), st.integers(), max_size=20))
def test_every_key_is_itself_and_no_other(values: dict[Any, int]) -> None:
    cache = Cache("1MB")
    for key, value in values.items():
        cache[key] = value
    assert {key: cache[key] for key in values} == values
    assert {key for key, _ in cache.hottest(100)} == set(values)


def test_numbers_and_texts_that_look_alike_are_different_keys() -> None:
    cache = Cache("1MB")
    keys: list[Any] = [1, 1.0, True, "1", b"1", (1,), ("1",), None, "None", (), ((),)]
    for number, key in enumerate(keys):
        cache[key] = number
    assert [cache[key] for key in keys] == list(range(len(keys)))


@pytest.mark.parametrize("key", [[1], {}, object(), ("a", [1])])
def test_what_can_be_no_key_is_refused(key: Any) -> None:
    with pytest.raises(TypeError, match="a key is a str, bytes"):
        Cache("1MB").get(key)


def test_a_tuple_in_itself_too_deep_is_refused() -> None:
    key: Any = ()
    for _ in range(100):
        key = (key,)
    with pytest.raises(TypeError, match="a key is"):
        Cache("1MB")[key] = 1


def test_values_are_kept_as_they_are_and_let_go() -> None:
    class Value:
        pass

    cache = Cache("1MB")
    value = Value()
    seen = weakref.ref(value)
    cache["a"] = value
    assert cache["a"] is value
    del value
    assert seen() is not None
    cache.purge(key="a")
    cache.reclaim()
    gc.collect()
    for _ in range(100):
        # Memory is freed once no reader can see it, which needs a read or two to be known.
        cache["b"] = 1
        cache.reclaim()
        if seen() is None:
            break
    assert seen() is None


def test_what_is_over_is_gone_and_what_has_grace_is_stale() -> None:
    cache = Cache("1MB", grace=60)
    cache.set("short", 1, ttl=0.03, grace=0)
    cache.set("graced", 2, ttl="30ms")
    cache.set("long", 3, ttl="1h")
    time.sleep(0.06)
    assert [cache.get(key) for key in ("short", "graced", "long")] == [None, None, 3]
    assert cache.find("short") is None
    assert cache.find("graced") == (2, False)
    assert cache.stats().stale_hits > 0


def test_purges_by_key_tag_prefix_and_condition() -> None:
    cache = Cache("1MB")

    def fill() -> None:
        for number in range(5):
            cache.set(f"post/{number}", number, tags=[f"post:{number}", "posts"], grace=60)

    def left() -> list[int]:
        return [number for number in range(5) if f"post/{number}" in cache]

    fill()
    cache.purge(key="post/0", keys=["post/1"])
    assert left() == [2, 3, 4]
    cache.purge(tags=["post:2"])
    assert left() == [3, 4]
    cache.purge(where=lambda tag: tag.endswith(":3"))
    assert left() == [4]
    cache.purge(prefix="post/")
    assert left() == []
    fill()
    cache.purge(tags=["posts"], soft=True)
    assert left() == []
    assert cache.find("post/3") == (3, False)
    fill()
    cache.clear()
    assert left() == []
    fill()
    with pytest.raises(ZeroDivisionError):
        cache.purge(where=lambda _: bool(1 // 0))


def test_a_purge_wins_over_what_was_asked_for_before() -> None:
    cache = Cache("1MB")
    fill = cache.begin()
    cache.purge(tags=["t"])
    assert not cache.set("a", 1, tags=["t"], fill=fill)
    assert "a" not in cache
    assert cache.set("a", 1, tags=["t"])
    assert cache.stats().outrun == 1


@pytest.mark.parametrize("policy", ["auto", "s3-fifo", "w-tinylfu", "lru", "lfu"])
def test_it_never_holds_more_than_its_limit(policy: str) -> None:
    cache = Cache(200_000, policy=policy)
    for number in range(3000):
        cache[f"key{number}"] = bytes(1000)
        cache.get(f"key{number // 2}")
        assert cache.stats().bytes <= 200_000
    stats = cache.stats()
    assert stats.evictions > 2000
    assert 100 < stats.entries < 200
    cache.limit = 50_000
    cache["more"] = 1
    cache.reclaim()
    assert cache.stats().bytes <= 50_000
    assert not cache.set("large", bytes(40_000))
    assert cache.stats().refused == 1


def test_what_is_hot_outlives_a_scan() -> None:
    cache = Cache(500_000)
    for _ in range(4):
        for number in range(50):
            if f"hot{number}" not in cache:
                cache[f"hot{number}"] = bytes(1000)
    for number in range(5000):
        cache[f"scan{number}"] = bytes(1000)
        if number % 50 == 0:
            for hot in range(50):
                cache.get(f"hot{hot}")
    assert sum(f"hot{number}" in cache for number in range(50)) >= 45


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"limit": "many"}, "is no size"),
        ({"limit": -1}, "is no size"),
        ({"ttl": "soon"}, "is no length of time"),
        ({"ttl": -1}, "is no length of time"),
        ({"policy": "best"}, "the policies are auto, s3-fifo"),
        ({"shards": 3}, "power of two"),
    ],
)
def test_what_cannot_be_is_said(given: dict[str, Any], said: str) -> None:
    with pytest.raises((CacheError, ValueError), match=said):
        Cache(**given)


def test_without_a_limit_it_follows_the_machine() -> None:
    cache = Cache(share=10)
    assert 8 << 20 <= cache.limit < 1 << 40
    cache["a"] = 1
    assert cache["a"] == 1


def test_threads_read_and_write_at_once() -> None:
    cache = Cache(300_000)
    failures: list[str] = []
    stop = threading.Event()

    def work(number: int) -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            key = f"k{(turn * 7 + number) % 500}"
            value = cache.get(key)
            if value is not None and value[0] != key:
                failures.append(f"{key} held {value[0]}")
            cache.set(key, (key, bytes(500)), tags=[f"t{turn % 5}"], ttl=0.05)
            if turn % 97 == 0:
                cache.purge(tags=[f"t{turn % 5}"])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    time.sleep(1.0)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert cache.stats().bytes <= 300_000


def test_a_value_whose_end_uses_the_cache_does_no_harm() -> None:
    cache = Cache(20_000)

    class Value:
        def __del__(self) -> None:
            cache.get("a")
            cache["b"] = 1

        def __sizeof__(self) -> int:
            return 2000

    for number in range(200):
        cache[number] = Value()
    assert cache.stats().bytes <= 20_000


def test_a_program_ends_with_a_full_cache() -> None:
    code = (
        "from hyperweb.cache import Cache\nc = Cache(); d = Cache('1MB')\n"
        "for i in range(5000): c[i] = [i]; d[i] = bytes(100)\nprint(len(c))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (0, "5000\n", "")


def test_an_idle_cache_uses_no_processor() -> None:
    cache = Cache("1MB")
    cache.set("a", 1, ttl=0.01)
    time.sleep(1.2)
    begun = time.process_time()
    time.sleep(1.2)
    assert time.process_time() - begun < 0.5
    seen = weakref.ref(cache)
    del cache
    assert seen() is None


def test_a_text_is_not_taken_for_its_letters() -> None:
    with pytest.raises(TypeError, match="a list of texts"):
        Cache("1MB").set("a", 1, tags="posts")


def test_figures_add_up() -> None:
    cache = Cache("1MB")
    cache["a"] = 1
    for key in ("a", "a", "b"):
        cache.get(key)
    stats = cache.stats()
    assert isinstance(stats, CacheStats)
    assert (stats.hits, stats.misses, stats.inserts, stats.entries) == (2, 1, 1, 1)
    assert stats.hit_ratio == pytest.approx(2 / 3)


class AgainstADict(RuleBasedStateMachine):
    """A cache with room for all is a dict with tags."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = Cache("10MB")
        self.model: dict[int, tuple[int, frozenset[str]]] = {}

    keys = st.integers(0, 20)
    tags = st.frozensets(st.sampled_from("abc"), max_size=2)

    @rule(key=keys, value=st.integers(), tags=tags)
    def put(self, key: int, value: int, tags: frozenset[str]) -> None:
        assert self.cache.set(key, value, tags=tags)
        self.model[key] = (value, tags)

    @rule(key=keys)
    def purge_key(self, key: int) -> None:
        self.cache.purge(keys=[key])
        self.model.pop(key, None)

    @rule(tags=tags)
    def purge_tags(self, tags: frozenset[str]) -> None:
        self.cache.purge(tags=tags)
        self.model = {key: kept for key, kept in self.model.items() if not kept[1] & tags}

    @rule()
    def clear(self) -> None:
        self.cache.clear()
        self.model.clear()

    @rule()
    def reclaim(self) -> None:
        self.cache.reclaim()
        assert len(self.cache) == len(self.model)

    @invariant()
    def they_hold_the_same(self) -> None:
        for key in range(21):
            expected = self.model.get(key)
            assert self.cache.get(key) == (None if expected is None else expected[0])


TestAgainstADict = AgainstADict.TestCase
