//! The records whose checksums this process found right lately.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SLOTS: usize = 1 << 16;
/// Places in the order are given out one by one, and fit in this many bits.
const PLACE_BITS: u32 = 48;

/// For each slot the place of the last record that was checked, with the round it was checked in. A place is given to
/// one record only, ever, so a match is of that record.
#[derive(Debug)]
pub(super) struct Checked {
    slots: Box<[AtomicU64]>,
    round: AtomicU64,
    /// When the round began, in milliseconds since 1970.
    began: AtomicU64,
}

impl Checked {
    pub(super) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            round: AtomicU64::new(1),
            began: AtomicU64::new(0),
        }
    }

    pub(super) fn has(&self, hash: u64, place: u64) -> bool {
        self.slot(hash).load(Ordering::Relaxed) == self.mark(place)
    }

    pub(super) fn add(&self, hash: u64, place: u64) {
        self.slot(hash).store(self.mark(place), Ordering::Relaxed);
    }

    /// Begins a round when the last is over; all are checked again.
    pub(super) fn forget(&self, now: u64, every: Duration) {
        let every = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
        if now >= self.began.load(Ordering::Relaxed).saturating_add(every) {
            self.began.store(now, Ordering::Relaxed);
            self.next_round();
        }
    }

    /// Forgets all: the environment was opened anew, and places mean other records.
    pub(super) fn next_round(&self) {
        self.round.fetch_add(1, Ordering::AcqRel);
    }

    fn mark(&self, place: u64) -> u64 {
        self.round.load(Ordering::Acquire) << PLACE_BITS | (place & ((1 << PLACE_BITS) - 1))
    }

    fn slot(&self, hash: u64) -> &AtomicU64 {
        // There is a power of two of slots, so the index is always inside.
        &self.slots[usize::try_from(hash >> 32).unwrap_or(0) & (SLOTS - 1)]
    }
}
