"""What a cache has done, in figures."""

from __future__ import annotations

import msgspec


class FlightStats(msgspec.Struct, frozen=True, kw_only=True):
    """How those who asked for a value at the same time were served.

    Attributes:
        flights: Keys whose value is being made now.
        waiters: Those who wait now.
        led: Found nobody at work and made the value.
        shared: Waited and were given the value.
        handed_over: Waited, and took over after the one before them failed or was cancelled.
        taken_over: Took over from one who worked longer than the age limit.
        failed: Waited and were told of the failure.
        uncacheable: Waited and were let go, because the value is for one asker alone.
        timed_out: Waited longer than they would.
        cancelled: Left while they waited.
        abandoned: Ended without a value while nobody waited.
        late: Ended after another had taken over.
    """

    flights: int
    waiters: int
    led: int
    shared: int
    handed_over: int
    taken_over: int
    failed: int
    uncacheable: int
    timed_out: int
    cancelled: int
    abandoned: int
    late: int


class TierStats(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of a tier below memory, since it was opened.

    Attributes:
        hits: Reads that found a record.
        misses: Reads that did not.
        writes: Records written.
        evictions: Records that went for want of room.
        refused: Records larger than the tier keeps.
        outrun: Writes that were not kept because a purge came first.
        purged: Records met that had been purged.
        expired: Records met whose time was over.
        bad_records: Records met with a wrong checksum, or of another version.
        lost: Writes lost to a fault.
        recreated: Times the tier was made anew because its file was damaged.
        breaker_openings: Times the server was left alone because it failed again and again.
        unavailable: Reads that were misses because the server was left alone.
        faults: Faults of all kinds.
        bytes: Bytes held now; 0 where the tier does not know.
        entries: Records held now; 0 where the tier does not know.
        dropped: Writes dropped because too many waited.
        queued: Writes that wait now.
        owed: Purges the tier could not be told yet.
    """

    hits: int
    misses: int
    writes: int
    evictions: int
    refused: int
    outrun: int
    purged: int
    expired: int
    bad_records: int
    lost: int
    recreated: int
    breaker_openings: int
    unavailable: int
    faults: int
    bytes: int
    entries: int
    dropped: int
    queued: int
    owed: int


class CacheStats(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of a cache since it was made.

    Attributes:
        hits: Reads that found a value, stale ones among them.
        stale_hits: Reads that found a stale value.
        misses: Reads that found none.
        inserts: Values kept.
        evictions: Entries that went for want of room.
        expired: Entries that went because their time was over.
        purged: Entries that went because they were purged.
        refused: Values larger than the cache keeps.
        outrun: Values purged before they could be kept.
        bytes: Bytes held now, keys, values and overhead.
        memory: Bytes of memory taken for entries, values aside.
        limit: The most bytes it may hold.
        entries: Entries held now.
        policy: Which entries go first: `auto`, `s3-fifo`, `w-tinylfu`, `lru` or `lfu`.
        flights: How those who asked at the same time were served.
        tiers: The tiers below memory, by name.
    """

    hits: int
    stale_hits: int
    misses: int
    inserts: int
    evictions: int
    expired: int
    purged: int
    refused: int
    outrun: int
    bytes: int
    memory: int
    limit: int
    entries: int
    policy: str
    flights: FlightStats
    tiers: dict[str, TierStats] = {}

    @property
    def hit_ratio(self) -> float:
        """The share of reads that found a value, from 0 to 1."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0
