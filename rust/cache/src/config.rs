//! How a cache is set up, and what is said of a value.

use crate::policy::Policy;

/// How large a cache may grow, and how it is laid out.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// The most bytes it holds: keys, values and overhead.
    pub limit_bytes: u64,
    /// Tables that keys are spread over; a power of two, 65,536 at most.
    pub shards: usize,
    /// A value over one part of this many of the limit is not kept.
    pub largest_part: u64,
    /// Which entries go first.
    pub policy: Policy,
    /// Parts with a lock and an order of eviction of their own, a power of two; nought chooses by the limit and the
    /// number of processors. No entry can be larger than a part.
    pub partitions: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limit_bytes: 64 << 20,
            shards: 256,
            largest_part: 8,
            policy: Policy::default(),
            partitions: 0,
        }
    }
}

/// The least bytes of a partition, where their number is chosen: with fewer entries, one order of eviction for all is
/// noticeably better than several.
const LEAST_PARTITION: u64 = 512 << 10;
/// And so many where a partition would be smaller than the largest value is allowed to be.
const LEAST_OF_MANY: u64 = 8 << 20;
const MOST_PARTITIONS: u64 = 64;
const MOST_SHARDS: usize = 1 << 16;

impl Config {
    pub(crate) fn shard_count(&self) -> usize {
        self.shards.clamp(1, MOST_SHARDS).next_power_of_two()
    }

    pub(crate) fn partition_count(&self) -> usize {
        let chosen = if self.partitions == 0 {
            let processors = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
            let most = (processors * 4).next_power_of_two().min(MOST_PARTITIONS);
            let fits = (self.limit_bytes / LEAST_PARTITION).min(self.largest_part);
            let fits = fits.max(self.limit_bytes / LEAST_OF_MANY).clamp(1, most);
            1 << fits.ilog2()
        } else {
            self.partitions.next_power_of_two()
        };
        chosen.min(self.shard_count())
    }
}

/// What is said of a value when it is kept. Times are in milliseconds.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Bytes of the value.
    pub weight: u64,
    /// How long it is fresh.
    pub ttl: u64,
    /// How long after that it may still be used.
    pub grace: u64,
    /// What it can be purged by.
    pub tags: Vec<Box<str>>,
}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    Kept,
    /// It is larger than the cache keeps, or there is no memory for it.
    TooLarge,
    /// What it is made of was purged while it was made.
    PurgedMeanwhile,
}

/// The state of purges when a value was asked for; taken before the work begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FillToken {
    pub(crate) sequence: u64,
}
