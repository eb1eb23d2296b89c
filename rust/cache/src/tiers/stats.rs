//! What tiers have done.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::epoch;

/// Figures of one tier since it was made, and what it holds now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TierStats {
    pub hits: u64,
    pub misses: u64,
    /// Records written.
    pub writes: u64,
    /// Records that went for want of room.
    pub evictions: u64,
    /// Records that were larger than the tier keeps.
    pub refused: u64,
    /// Writes that were not kept because a purge came first.
    pub outrun: u64,
    /// Records met that had been purged.
    pub purged: u64,
    /// Records met whose time was over.
    pub expired: u64,
    /// Records met with a wrong checksum or of another schema.
    pub bad_records: u64,
    /// Writes that were lost to a fault.
    pub lost: u64,
    /// Times the tier was made anew because its file was damaged.
    pub recreated: u64,
    /// Times the circuit breaker opened.
    pub breaker_openings: u64,
    /// Reads that were misses because the breaker was open or no connection was free.
    pub unavailable: u64,
    /// Faults of all kinds.
    pub faults: u64,
    /// Bytes held now, as the tier counts them (0 where it does not know).
    pub bytes: u64,
    /// Records held now (0 where it does not know).
    pub entries: u64,
    /// The number of the last purge that is known.
    pub generation: u64,
}

/// Figures of a [`TieredCache`](super::TieredCache).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TieredStats {
    /// For each tier from the highest down its name and figures.
    pub tiers: Vec<(String, TierStats)>,
    /// Writes that found a queue full and were dropped, by tier.
    pub dropped: Vec<u64>,
    /// Writes waiting now, by tier.
    pub queued: Vec<u64>,
    /// Purges that a tier could not be told yet, by tier.
    pub owed: Vec<u64>,
    /// Records copied up because they were hot.
    pub promotions: u64,
    /// Records moved down because they were evicted above.
    pub demotions: u64,
}

/// Counters of a tier.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) hits: Tally,
    pub(crate) misses: Tally,
    pub(crate) writes: Count,
    pub(crate) evictions: Count,
    pub(crate) refused: Count,
    pub(crate) outrun: Count,
    pub(crate) purged: Count,
    pub(crate) expired: Count,
    pub(crate) bad_records: Count,
    pub(crate) lost: Count,
    pub(crate) recreated: Count,
    pub(crate) unavailable: Count,
}

impl Counters {
    pub(crate) fn stats(&self) -> TierStats {
        TierStats {
            hits: self.hits.get(),
            misses: self.misses.get(),
            writes: self.writes.get(),
            evictions: self.evictions.get(),
            refused: self.refused.get(),
            outrun: self.outrun.get(),
            purged: self.purged.get(),
            expired: self.expired.get(),
            bad_records: self.bad_records.get(),
            lost: self.lost.get(),
            recreated: self.recreated.get(),
            unavailable: self.unavailable.get(),
            ..TierStats::default()
        }
    }
}

/// A counter on a line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn one(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Threads that have a place of their own in a tally.
const OWN: usize = 16;

/// A counter that readers add to: most threads in a place of their own, without waiting for any other.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    own: [Count; OWN],
    others: Count,
}

impl Tally {
    pub(crate) fn one(&self) {
        // The number is this thread's until the guard goes.
        let guard = epoch::pin();
        if let Some(Count(own)) = self.own.get(guard.thread()) {
            own.store(own.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        } else {
            self.others.one();
        }
    }

    pub(crate) fn get(&self) -> u64 {
        self.own.iter().chain([&self.others]).map(Count::get).sum()
    }
}
