//! What the coalescer takes from the system. The test of its hand-over protocol puts a scheduler's own in this place.

pub(crate) use std::thread::{Thread, current, park, park_timeout};
pub(crate) use std::thread_local;

pub(crate) use parking_lot::Mutex;

/// The time now, of a clock that never runs backwards.
pub(crate) fn now() -> std::time::Instant {
    std::time::Instant::now()
}
