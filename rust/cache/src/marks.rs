//! Small tables of numbers by hash: bounded, lock-free, and right for the price of a rare false alarm.

use std::sync::atomic::{AtomicU64, Ordering};

const SLOTS: usize = 4096;

/// For each of a few thousand hashes the highest number it was given. Keys that share a slot share the number.
#[derive(Debug)]
pub(crate) struct Marks {
    slots: Box<[AtomicU64]>,
}

impl Marks {
    pub(crate) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub(crate) fn raise(&self, hash: u64, number: u64) {
        self.slot(hash).fetch_max(number, Ordering::AcqRel);
    }

    pub(crate) fn get(&self, hash: u64) -> u64 {
        self.slot(hash).load(Ordering::Acquire)
    }

    /// Marks a hash until a time in seconds; the hash itself is remembered, so that another in its slot is not marked.
    pub(crate) fn set_until(&self, hash: u64, seconds: u32) {
        self.slot(hash)
            .store(hash & !u64::from(u32::MAX) | u64::from(seconds), Ordering::Release);
    }

    pub(crate) fn clear(&self, hash: u64) {
        if self.is_until(hash, 0) {
            self.slot(hash).store(0, Ordering::Release);
        }
    }

    pub(crate) fn is_until(&self, hash: u64, seconds: u32) -> bool {
        let found = self.get(hash);
        found != 0 && found >> 32 == hash >> 32 && found & u64::from(u32::MAX) > u64::from(seconds)
    }

    fn slot(&self, hash: u64) -> &AtomicU64 {
        // The table has a power of two of slots, so the index is always inside.
        let index = usize::try_from(hash & (SLOTS as u64 - 1)).unwrap_or(0);
        &self.slots[index]
    }
}
