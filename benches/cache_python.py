"""`python -m benches.cache_python`: what a hit and a set cost in Python, beside dict and other caches.

All hold the same small values under the same keys, and take turns in every round, so that what else the machine does
meets them alike. It prints a Markdown table of medians and writes it to `compare/results/DATE-cache-python.md`.

What is no part of the project is left out, with a word on how to get it, where it is not installed.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import functools
import importlib
import importlib.metadata
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benches.compare import machine
from benches.compare.errors import CompareError
from benches.compare.peers.hyperweb import profile
from benches.local_redis import local_redis
from hyperweb.cache import Cache, TieredCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RESULTS = Path(__file__).parent / "compare" / "results"
# Bytes that each cache may have, where it counts bytes.
ROOM = 256 << 20
HYPERWEB, DICT = "hyperweb Cache", "dict"
SHARED = "hyperweb TieredCache, shared memory"
SEED = 20


@dataclass(frozen=True)
class Contender:
    """A cache, and how it is asked. `fresh` is called before each round of hits, untimed."""

    name: str
    get: Callable[[str], Any]
    set: Callable[[str, Any], Any] | None
    fresh: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Load:
    """The keys that are asked for, in an order of no pattern, and the value that all of them have."""

    keys: list[str]
    value: Any

    def hits(self, get: Callable[[str], Any]) -> float:
        """Returns the nanoseconds of one hit.

        Raises:
            CompareError: A key is not found, or another value.
        """
        begun = time.perf_counter_ns()
        for key in self.keys:
            get(key)
        taken = time.perf_counter_ns() - begun
        # Version 2 of theine returns the value and whether it was found.
        missing = sum(get(key) not in (self.value, (self.value, True)) for key in self.keys)
        if missing:
            message = f"{missing:,} of {len(self.keys):,} values are not what was set, by {get}"
            raise CompareError(message)
        return taken / len(self.keys)

    def sets(self, put: Callable[[str, Any], Any]) -> float:
        """Returns the nanoseconds of setting a key that is there already."""
        value = self.value
        begun = time.perf_counter_ns()
        for key in self.keys:
            put(key, value)
        return (time.perf_counter_ns() - begun) / len(self.keys)


def load(count: int, value: Any) -> Load:
    """Returns a load of so many keys."""
    keys = [f"page:{number}" for number in range(count)]
    random.Random(SEED).shuffle(keys)
    return Load(keys, value)


def peer(name: str, say: Callable[[str], None]) -> Any:
    """Returns a module of the others, or None, saying how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        say(f"{name} is left out, for it is not installed: pip install {name}")
        return None


def in_process(work: Load, say: Callable[[str], None]) -> Iterator[Contender]:
    """Yields the caches that hold objects in the memory of the process, filled."""
    size = 2 * len(work.keys)
    table: dict[str, Any] = {}
    yield _filled(Contender(DICT, table.__getitem__, table.__setitem__), work)

    @functools.lru_cache(maxsize=size)
    def made(_: str) -> Any:
        return work.value

    for key in work.keys:
        made(key)
    yield Contender("functools.lru_cache", made, None)
    cache = Cache(ROOM)
    yield _filled(Contender(HYPERWEB, cache.__getitem__, cache.__setitem__), work)
    yield _filled(Contender("hyperweb Cache, ttl", cache.get, functools.partial(cache.set, ttl=600)), work)
    if (cachetools := peer("cachetools", say)) is not None:
        for kept in (cachetools.LRUCache(size), cachetools.TTLCache(size, 600)):
            yield _filled(
                Contender(f"cachetools {type(kept).__name__}", kept.__getitem__, kept.__setitem__),
                work,
            )
    if (theine := peer("theine", say)) is not None:
        other = theine.Cache(size)
        yield _filled(Contender("theine", other.get, other.set), work)


def beyond(work: Load, folder: Path, say: Callable[[str], None], closing: contextlib.ExitStack) -> Iterator[Contender]:
    """Yields the caches that other processes see too, filled.

    Raises:
        CompareError: A value does not get where it is to be read from.
    """
    shared = closing.enter_context(tempfile.TemporaryDirectory(prefix="hyperweb-", dir="/dev/shm"))
    tiered = TieredCache(ROOM, shared=shared, shared_limit=ROOM)
    _put_all(tiered, work)
    # A read through a cache in memory would be answered there: this one forgets what it was given before each round.
    yield Contender(SHARED, tiered.get, tiered.set, functools.partial(_forget_memory, tiered))
    if (diskcache := peer("diskcache", say)) is not None:
        kept = closing.enter_context(diskcache.Cache(str(folder / "diskcache"), size_limit=ROOM))
        yield _filled(Contender("diskcache", kept.get, kept.set), work)
    redis = peer("redis", say)
    port = None if redis is None else closing.enter_context(local_redis(say))
    if redis is not None and port is not None:
        client = closing.enter_context(redis.Redis(port=port))
        yield _filled(Contender("redis, on this machine", client.get, client.set), work)


def _filled(contender: Contender, work: Load) -> Contender:
    for key in work.keys:
        if contender.set is not None:
            contender.set(key, work.value)
    return contender


def _put_all(tiered: TieredCache, work: Load) -> None:
    for start in range(0, len(work.keys), 1000):
        for key in work.keys[start : start + 1000]:
            tiered.set(key, work.value)
        if not tiered.flush(30):
            message = "shared memory does not take up what is set"
            raise CompareError(message)
    if tiered.stats().tiers["shared"].writes < len(work.keys):
        message = f"shared memory did not keep all of {len(work.keys):,} values"
        raise CompareError(message)


def _forget_memory(tiered: TieredCache) -> None:
    tiered.flush(30)
    # The cache that it is made of, without the tiers: what `TieredCache.purge` does last.
    Cache.purge(tiered, everything=True)


def measure(contenders: list[Contender], work: Load, rounds: int, say: Callable[[str], None]) -> dict[str, list[float]]:
    """Returns the nanoseconds of hits and sets by "NAME hit" and "NAME set", one for each round."""
    taken: dict[str, list[float]] = {}
    for number in range(1, rounds + 1):
        # The one that goes first in one round goes last in the next.
        for contender in contenders if number % 2 else reversed(contenders):
            contender.fresh()
            taken.setdefault(f"{contender.name} hit", []).append(work.hits(contender.get))
        for contender in contenders if number % 2 else reversed(contenders):
            if contender.set is not None:
                taken.setdefault(f"{contender.name} set", []).append(work.sets(contender.set))
        say(f"round {number} of {rounds}, {len(work.keys):,} keys")
    return taken


def table(taken: dict[str, list[float]], base: str, names: list[str]) -> list[str]:
    """Returns the lines of a table with the medians, and each as a multiple of `base` and of hyperweb."""
    own = SHARED if SHARED in names else HYPERWEB
    others = [own] if base == own else [base, own]
    kinds = ("hit", "set")
    heads = [head for kind in kinds for head in (f"{kind}, ns", *(f"{kind} / {other}" for other in others))]
    lines = [
        f"| | {' | '.join(heads)} |",
        "| --- |" + " --- |" * len(heads),
    ]
    for name in names:
        cells = [name]
        for kind in kinds:
            found = taken.get(f"{name} {kind}")
            if found is None:
                cells += [""] * (1 + len(others))
                continue
            middle = median(found)
            cells.append(f"{middle:,.0f}")
            cells += [f"{middle / median(taken[f'{other} {kind}']):.2f}" for other in others]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def report(when: datetime.datetime, rounds: int, tables: dict[str, list[str]]) -> str:
    """Returns the dated tables."""
    names = ("cachetools", "theine", "diskcache", "redis")
    versions = [f"{name} {found}" for name in names if (found := _version(name))]
    what = f"hyperweb {_version('hyperweb')} ({profile()} build), commit {machine.revision() or 'unknown'}"
    where = f"{machine.cpu_model()}, {machine.cores()} cores, {machine.system()}, Python {sys.version.split()[0]}"
    lines = [
        f"# Caches in Python, {when:%Y-%m-%d %H:%M} UTC",
        "",
        f"{what}, on {where}. Beside {', '.join(versions) or 'what Python has'}.",
        "",
        f"Wall time of one call, the loop around it too, medians of {rounds} rounds in which all take turns.",
        "A set of a tiered cache is done when memory has the value; a thread writes it below, which is not in it.",
    ]
    for title, rows in tables.items():
        lines += ["", f"## {title}", "", *rows]
    return "\n".join(lines) + "\n"


def _version(name: str) -> str:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(name)
    return ""


def main() -> int:
    """Runs the rounds and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benches.cache_python", description=__doc__)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, help="the file to write; by default in compare/results, named by the date")
    parser.add_argument("--smoke", action="store_true", help="one round of few keys; writes no file but --out")
    options = parser.parse_args()
    if options.smoke:
        options.keys, options.rounds = 200, 1
    if options.rounds < 1 or options.keys < 1:
        parser.error("there are at least 1 key and 1 round")

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    when = datetime.datetime.now(datetime.UTC)
    tables = {}
    try:
        work = load(options.keys, {"title": "a page", "number": 7})
        near = list(in_process(work, say))
        title = f"In the process: {options.keys:,} keys, one dict as the value"
        tables[title] = table(measure(near, work, options.rounds, say), DICT, [each.name for each in near])
        with contextlib.ExitStack() as closing:
            folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="hyperweb-")))
            work = load(options.keys, b"x" * 1024)
            far = list(beyond(work, folder, say, closing))
            # A tier whose folder is removed while it is open makes it anew.
            closing.callback(far.clear)
            title = (
                f"Beyond the process: {options.keys:,} keys, 1 KiB of bytes, memory purged before each round of hits"
            )
            tables[title] = table(measure(far, work, options.rounds, say), SHARED, [each.name for each in far])
    except CompareError as error:
        say(f"error: {error}")
        return 1
    text = report(when, options.rounds, tables)
    print(text, end="")
    out = options.out or (None if options.smoke else RESULTS / f"{when:%Y-%m-%d}-cache-python.md")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text)
        say(f"written to {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
