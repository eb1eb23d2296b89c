//! Storage for responses, or anything else: a map in memory that knows its size in bytes, tags and single flight.
//!
//! Nothing here knows HTTP. Times are milliseconds of a clock that the caller reads; it must never run backwards.

#![deny(unsafe_code)]

#[expect(unsafe_code, reason = "memory of entries, handed out in pieces")]
mod arena_unsafe;
#[cfg_attr(
    all(target_os = "linux", not(miri), not(loom)),
    expect(unsafe_code, reason = "a system call")
)]
mod barrier_unsafe;
mod cache;
mod coalescer;
mod common;
mod config;
mod entry;
mod epoch;
mod lease;
mod live;
mod marks;
mod node;
mod partition;
mod policy;
mod purges;
mod reader;
mod stats;
#[expect(unsafe_code, reason = "what is read without locks, and when it is freed")]
mod store_unsafe;
mod stripes;
mod sync;
#[expect(unsafe_code, reason = "tables that are read without locks")]
mod table_unsafe;
mod tags;
mod wheel;

pub use cache::Cache;
pub use coalescer::{Coalescer, Joined, LeaderGuard};
pub use config::{Config, FillToken, Inserted, Options};
pub use entry::{Entry, Evicted, Owned};
pub use policy::Policy;
pub use reader::Reader;
pub use stats::Stats;
