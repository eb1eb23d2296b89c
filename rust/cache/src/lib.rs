//! Storage for responses, or anything else: a map in memory that knows its size in bytes, tags and single flight; and tiers below it that
//! processes and machines share ([`tiers`]).
//!
//! Nothing here knows HTTP. Times are milliseconds of a clock that the caller reads; it must never run backwards.

#![deny(unsafe_code)]

mod cache;
mod coalescer;
mod entry;
mod marks;
mod shard;
mod stats;
mod tags;
pub mod tiers;

pub use cache::{Cache, Config, FillToken, Inserted, Options};
pub use coalescer::{Coalescer, Joined, LeaderGuard};
pub use entry::Entry;
pub use stats::Stats;
