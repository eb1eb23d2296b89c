//! Storage for responses, or anything else: a map in memory that knows its size in bytes, tags and single flight; and
//! tiers below it that processes and machines share ([`tiers`]).
//!
//! Nothing here knows HTTP. Times are milliseconds of a clock that the caller reads; it must never run backwards.

#![deny(unsafe_code)]

mod cache;
mod coalescer;
mod entry;
mod markov;
mod marks;
mod pool;
mod shard;
mod sizing;
mod stats;
mod sync;
mod tags;
pub mod tiers;
mod warming;

pub use cache::{Cache, Config, FillToken, Inserted, Options};
pub use coalescer::{Coalescer, FlightLimits, Joined, LeaderGuard, Outcomes, Subscribed, Waiting};
pub use entry::Entry;
pub use markov::{Markov, MarkovConfig, Prediction, PrefetchGate};
pub use pool::{Buffer, Pool, PoolConfig, PoolStats};
pub use sizing::{Decision, Governor, Readings, SizeWatch, SizingConfig, SystemReader};
pub use stats::Stats;
pub use warming::{
    HotKey, LogLimits, LogSummary, LoggedPage, Pace, Pacer, Snapshot, SnapshotError, SnapshotLimits, WarmReport,
    WarmupConfig, read_log, warm, warm_async,
};
