//! Storage for responses, or anything else: a map in memory that knows its size in bytes, tags and single flight; and
//! tiers below it that processes and machines share ([`tiers`]).
//!
//! Nothing here knows HTTP. Times are milliseconds of a clock that the caller reads; it must never run backwards.

#![deny(unsafe_code)]

#[expect(unsafe_code, reason = "memory of entries, handed out in pieces")]
mod arena_unsafe;
#[cfg_attr(all(target_os = "linux", not(miri)), expect(unsafe_code, reason = "a system call"))]
mod barrier_unsafe;
mod cache;
mod coalescer;
mod common;
mod config;
mod entry;
mod epoch;
mod lease;
mod live;
mod markov;
mod marks;
mod node;
mod partition;
mod pile;
mod policy;
mod pool;
mod purges;
mod reader;
mod sizing;
mod stats;
#[expect(unsafe_code, reason = "what is read without locks, and when it is freed")]
mod store_unsafe;
mod stripes;
mod sync;
#[expect(unsafe_code, reason = "tables that are read without locks")]
mod table_unsafe;
mod tags;
pub mod tiers;
#[expect(unsafe_code, reason = "values that change in place")]
mod value_unsafe;
mod warming;
mod wheel;

pub use cache::Cache;
pub use coalescer::{Coalescer, FlightLimits, Joined, LeaderGuard, Outcomes, Subscribed, Waiting};
pub use config::{Config, FillToken, Inserted, Options};
pub use entry::{Entry, Evicted, Owned};
pub use markov::{Markov, MarkovConfig, Prediction, PrefetchGate};
pub use policy::Policy;
pub use pool::{Buffer, Pool, PoolConfig, PoolStats};
pub use reader::Reader;
pub use sizing::{Decision, Governor, Readings, SizeWatch, SizingConfig, SystemReader};
pub use stats::Stats;
pub use value_unsafe::{IsWord, Value};
pub use warming::{
    HotKey, LogLimits, LogSummary, LoggedPage, Pace, Pacer, Snapshot, SnapshotError, SnapshotLimits, WarmReport,
    WarmupConfig, read_log, warm, warm_async,
};
