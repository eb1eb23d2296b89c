"""Values that outlive memory, and are shared by processes and machines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hyperweb.cache import CacheError, TieredCache
from tests.cache import in_a_loop
from tests.redis import redis_server, until

if TYPE_CHECKING:
    from pathlib import Path


class Point(msgspec.Struct):
    """A value with a type."""

    x: int


def forget_memory(cache: TieredCache) -> None:
    """Empties the memory above the tiers."""
    super(TieredCache, cache).purge(everything=True)


def test_a_disk_is_found_again(tmp_path: Path) -> None:
    cache = TieredCache("1MB", disk=tmp_path / "disk")
    cache.set("a", {"x": [1, 2]}, ttl="1h", tags=["t"])
    cache["b"] = b"\x00bytes"
    assert cache.flush()
    del cache
    cache = TieredCache("1MB", disk=tmp_path / "disk")
    assert (cache["a"], cache["b"]) == ({"x": [1, 2]}, b"\x00bytes")
    assert cache.stats().tiers["disk"].hits == 2
    assert cache["a"] == {"x": [1, 2]}
    assert cache.stats().tiers["disk"].hits == 2, "it has come up to memory"
    cache.purge(tags=["t"])
    assert "a" not in cache
    with pytest.raises(KeyError, match="a"):
        cache["a"]


def test_values_have_types_and_pickles_must_be_asked_for(tmp_path: Path) -> None:
    cache = TieredCache("1MB", disk=tmp_path / "typed", type=Point)
    cache["p"] = Point(1)
    assert cache.flush()
    forget_memory(cache)
    assert cache["p"] == Point(1)
    with pytest.raises(CacheError, match="pickle=True would keep it"):
        cache["q"] = complex(1, 2)
    pickled = TieredCache("1MB", disk=tmp_path / "pickled", pickle=True)
    pickled["q"] = complex(1, 2)
    assert pickled.flush()
    forget_memory(pickled)
    assert pickled["q"] == complex(1, 2)
    del pickled
    plain = TieredCache("1MB", disk=tmp_path / "pickled")
    assert plain.get("q") is None


def test_times_go_down_and_come_up(tmp_path: Path) -> None:
    cache = TieredCache("1MB", disk=tmp_path / "disk")
    cache.set("a", 1, ttl=0.1, grace=60)
    assert cache.flush()
    forget_memory(cache)
    assert cache["a"] == 1
    time.sleep(0.15)
    assert cache.get("a") is None
    assert cache.find("a") == (1, False)


def test_processes_share_memory_and_purges(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    cache = TieredCache("1MB", shared=folder, shared_limit="8MB")
    code = f"""
import sys
from hyperweb.cache import TieredCache
cache = TieredCache("1MB", shared={str(folder)!r}, shared_limit="8MB")
cache.set("theirs", "hello", tags=["t"])
cache.flush()
print(cache["ours"], flush=True)
sys.stdin.readline()
cache.purge(tags=["t"])
print("purged", flush=True)
sys.stdin.readline()
"""
    cache["ours"] = "from the first"
    assert cache.flush()
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdin is not None
    assert other.stdout is not None
    with other:
        assert other.stdout.readline() == "from the first\n"
        assert cache["theirs"] == "hello"
        other.stdin.write("\n")
        other.stdin.flush()
        assert other.stdout.readline() == "purged\n"
        until(lambda: "theirs" not in cache)
        other.kill()
    assert cache["ours"] == "from the first"


def test_a_damaged_file_is_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = TieredCache("1MB", disk=tmp_path / "disk")
    cache["a"] = "x" * 5000
    assert cache.flush()
    cache.close()
    data = next((tmp_path / "disk").glob("**/data.mdb"))
    data.write_bytes(data.read_bytes()[:5000])
    cache = TieredCache("1MB", disk=tmp_path / "disk")
    until(lambda: "cache tier disk" in caplog.text)
    assert cache.get("a") is None
    cache["b"] = 1
    assert cache.flush()
    forget_memory(cache)
    assert cache["b"] == 1
    assert cache.stats().tiers["disk"].recreated == 1


def test_machines_share_a_server_and_its_purges(tmp_path: Path) -> None:
    with redis_server(tmp_path) as (url, server):
        one, two = (TieredCache("1MB", redis=url, namespace="test") for _ in range(2))
        one.set("a", 1, tags=["t"])
        assert one.flush()
        until(lambda: two.get("a") == 1)
        one.purge(tags=["t"])
        until(lambda: "a" not in two)
        one["b"] = 2
        assert one.flush()
        server.send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        assert [two.get(f"k{number}") for number in range(200)] == [None] * 200
        assert time.monotonic() - begun < 5
        server.send_signal(signal.SIGCONT)
        until(lambda: two.get("b") == 2)
        assert two.stats().tiers["redis"].faults > 0


@in_a_loop
async def test_a_loop_does_not_wait_for_a_server(tmp_path: Path) -> None:
    async def make() -> Any:
        return "made"

    with redis_server(tmp_path) as (url, _):
        cache = TieredCache("1MB", redis=url)
        assert await cache.get_or_compute("k", make) == "made"
        assert cache.flush()
        forget_memory(cache)
        assert await cache.get_or_compute("k", make) == "made"
        assert cache.stats().tiers["redis"].hits >= 1


def test_without_a_tier_it_says_so() -> None:
    with pytest.raises(CacheError, match="name a tier"):
        TieredCache("1MB")


def test_it_is_closed_by_hand_or_at_the_end_of_with(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    with TieredCache("1MB", disk=folder) as first:
        first["a"] = 1
        with pytest.raises(CacheError, match="open in this process already"):
            TieredCache("1MB", shared=folder)
        assert first["a"] == 1, "the first is as it was"
    for number in range(20):
        again = TieredCache("1MB", disk=folder)
        assert again["a"] == 1
        again[f"more {number}"] = b"x" * 1000
        assert again.close(), "what was set is written"
    cache = TieredCache("1MB", disk=folder)
    assert cache["a"] == 1
    cache.close()
    assert cache["a"] == 1, "memory stays"
    cache["b"] = 2
    cache.purge(key="a")
    assert (cache.get("a"), cache["b"]) == (None, 2)
    assert cache.stats().tiers == {}
    assert cache.close(), "closing again does nothing"
    with TieredCache("1MB", disk=folder) as last:
        assert last["a"] == 1, "a purge after closing is of memory alone"
        assert "b" not in last
        assert "more 19" in last


def test_it_may_be_closed_while_threads_read_and_write(tmp_path: Path) -> None:
    for _ in range(5):
        cache = TieredCache("1MB", shared=tmp_path / "shared", shared_limit="8MB")
        cache["a"] = "x" * 1000
        cache.flush()
        stop = threading.Event()

        def use(cache: TieredCache = cache, stop: threading.Event = stop) -> None:
            number = 0
            while not stop.is_set():
                number += 1
                forget_memory(cache)
                assert cache.get("a") in {None, "x" * 1000}
                cache[f"k{number % 50}"] = number

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.05)
        cache.close()
        TieredCache("1MB", shared=tmp_path / "shared", shared_limit="8MB").close()
        stop.set()
        for thread in threads:
            thread.join()


def test_a_soft_purge_makes_stale_in_all_tiers(tmp_path: Path) -> None:
    cache = TieredCache("1MB", shared=tmp_path / "shared", shared_limit="8MB", disk=tmp_path / "disk")
    for key, ttl in (("a", "1h"), ("for ever", None)):
        cache.set(key, "old", ttl=ttl, grace="1h", tags=["t"])
    cache.set("no grace", "old", ttl="1h", tags=["t"])
    cache.set("other", "old", ttl="1h", grace="1h")
    assert cache.flush()
    cache.purge(tags=["t"], soft=True)
    for _ in range(2):
        assert [key for key in ("a", "for ever", "no grace", "other") if key in cache] == ["other"]
        assert cache.find("a") == ("old", False)
        assert cache.find("for ever") == ("old", False)
        forget_memory(cache)
    assert cache.get_or_compute("a", str.upper, "new", stale="1h") == "old"
    until(lambda: cache.get("a") == "NEW")
    assert cache.get_or_compute("no grace", str.upper, "new", stale="1h") == "NEW"
    cache.purge(tags=["t"])
    assert cache.find("for ever") is None


def test_a_soft_purge_is_heard_softly(tmp_path: Path) -> None:
    with redis_server(tmp_path) as (url, _):
        one, two = (TieredCache("1MB", redis=url, namespace="test") for _ in range(2))
        one.set("a", 1, ttl="1h", grace="1h", tags=["t"])
        assert one.flush()
        until(lambda: two.get("a") == 1)
        one.purge(tags=["t"], soft=True)
        until(lambda: two.find("a") == (1, False))
        forget_memory(two)
        assert "a" not in two
        assert two.find("a") == (1, False), "it has come up from the server"


def test_faults_are_logged_when_they_happen_and_once_in_a_while(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server(tmp_path) as (url, server):
        cache = TieredCache("1MB", redis=url)
        server.kill()
        server.wait()
        # Nothing is read: the thread that hears of purges finds it out.
        until(lambda: "cache tier redis" in caplog.text)
        for number in range(50):
            cache.get(number)
        time.sleep(0.1)
        assert len([record for record in caplog.records if "cache tier redis" in record.message]) < 4
        assert {record.levelname for record in caplog.records} == {"WARNING"}


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_that_was_forked_goes_without_the_tiers_of_its_parent(tmp_path: Path) -> None:
    cache = TieredCache("1MB", shared=tmp_path / "shared", shared_limit="8MB")
    cache["a"] = 1
    assert cache.flush()
    forget_memory(cache)
    assert cache["a"] == 1
    forget_memory(cache)
    child = os.fork()
    if child == 0:
        # Its parent's place among the readers is not its own, and nor are connections and threads.
        cache["b"] = 2
        own = TieredCache("1MB", shared=tmp_path / "shared", shared_limit="8MB")
        seen = (cache.get("a"), cache["b"], cache.stats().tiers, own["a"])
        begun = time.monotonic()
        cache.close()
        own.close()
        del cache
        os._exit(0 if seen == (None, 2, {}, 1) and time.monotonic() - begun < 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for _ in range(100):
        assert cache["a"] == 1
        forget_memory(cache)
    assert "b" not in cache
    assert cache.stats().tiers["shared"].faults == 0


def test_what_is_made_is_one_miss_and_below_one_too(tmp_path: Path) -> None:
    cache = TieredCache("1MB", disk=tmp_path / "disk")
    assert cache.get_or_compute("a", int, "1") == 1
    stats = cache.stats()
    assert (stats.misses, stats.tiers["disk"].misses) == (1, 1)
