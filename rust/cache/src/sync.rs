//! What the cache takes from the system for working together. The test of the coalescer's hand-over protocol compiles it
//! beside a scheduler's own.

pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, fence};
pub(crate) use std::thread::{Thread, current, park, park_timeout};
pub(crate) use std::thread_local;

pub(crate) use parking_lot::Mutex;

/// The time now, of a clock that never runs backwards.
pub(crate) fn now() -> std::time::Instant {
    std::time::Instant::now()
}
