//! What the cache takes from the system for working together: the real thing, or what a checker puts in its place.
//!
//! What is read without locks takes its atomics from here: the processor's, or loom's where every order of events is
//! tried. The coalescer takes threads, locks and the clock: the test of its hand-over protocol compiles it beside a
//! scheduler's own.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};

pub(crate) use std::thread::{Thread, current, park, park_timeout};
pub(crate) use std::thread_local;

pub(crate) use parking_lot::Mutex;

/// The time now, of a clock that never runs backwards.
pub(crate) fn now() -> std::time::Instant {
    std::time::Instant::now()
}
