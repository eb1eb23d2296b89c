//! The tiers below memory: shared memory, disk, and Redis or Valkey, behind one trait.
//!
//! [`TieredCache`] holds any subset of them. A read walks down and a write goes to a bounded queue that a thread of its
//! own empties: no caller waits for a disk or a network to write. Whatever goes wrong in a tier is a miss for the
//! caller, is counted, and is told to a [`FaultSink`] once per period; the tier comes back by itself.
//!
//! The memory tier stays outside and meets the others in three places. On its miss it calls [`TieredCache::get`] and
//! keeps what comes. What it keeps, and what it evicts, it gives to [`TieredCache::put`] and [`TieredCache::demote`]
//! as the same [`Record`], with the [`Stamp`] that was taken before the value was asked for. And it implements
//! [`PurgeListener`], which hears what other processes and machines purged.
//!
//! **Purges.** Each tier numbers its purges, and keeps the latest in a log beside its records. A record holds, for each
//! tier, the number of the last purge when its value was asked for: its [`Stamp`]. It is dead as soon as something it
//! is part of was purged with a higher number; a soft purge makes it stale in the same way. Purges go through the tiers from the lowest up, and stamps are taken
//! before a lower tier is read; so a value that was read below before a purge and is promoted after it carries an older
//! number than the purge of the tier above, and stays hidden.

#![cfg_attr(
    not(all(feature = "lmdb", feature = "redis")),
    allow(dead_code, reason = "some of what tiers share is used by one of them only")
)]

#[cfg(feature = "redis")]
mod breaker;
mod fault;
mod heat;
#[cfg(any(feature = "lmdb", feature = "redis"))]
mod ledger;
#[cfg(feature = "lmdb")]
mod lmdb;
#[cfg(any(feature = "lmdb", feature = "redis"))]
mod marks;
mod purge;
mod queue;
mod record;
#[cfg(feature = "redis")]
mod redis;
mod stats;
mod tier;
mod tiered;
mod worker;

pub use fault::{Fault, FaultKind, FaultSink, Faults};
#[cfg(feature = "lmdb")]
pub use lmdb::{Durability, LmdbConfig, LmdbTier};
pub use purge::Purge;
pub use record::{Damage, Record, Slot, Stamp, Tags, Times};
#[cfg(feature = "redis")]
pub use redis::{RedisConfig, RedisTier};
pub use stats::{TierStats, TieredStats};
pub use tier::{News, Origin, PurgeOrder, Tier};
pub use tiered::{PurgeListener, Purged, Reach, TierRules, TieredCache, TieredConfig, Writes};

/// Milliseconds since 1970, by the clock of the system: the times that tiers share must mean the same to all machines.
pub fn wall_clock() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The hash that keys are found by in tiers that hold them by number, and that heat is counted by.
fn key_hash(key: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(key)
}
