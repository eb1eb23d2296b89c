//! What this process read lately: how often, and whether its checksum was found right.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// 128 KiB, which stays in a core's own cache; summing up a small record anew is quicker than a line from memory.
const SLOTS: usize = 1 << 14;
/// Places in the order are given out one by one, and fit in this many bits.
const PLACE_BITS: u32 = 52;
const PLACES: u64 = (1 << PLACE_BITS) - 1;
const ONE_USE: u64 = 1 << PLACE_BITS;
const USE_BITS: u32 = 4;
/// A full count is not written any more: a hot record costs reads only.
const MOST_USES: u64 = (1 << USE_BITS) - 1;
const ROUND_BITS: u32 = PLACE_BITS + USE_BITS;

/// For each slot the place of the record that was read last, how often it was, and the round its checksum was found right
/// in, all in one word, since a read should meet one line of memory here and not three. A place is given to one record
/// only, ever, so a match is of that record.
#[derive(Debug)]
pub(super) struct Lately {
    slots: Box<[AtomicU64]>,
    round: AtomicU64,
    /// When the round began, in milliseconds since 1970.
    began: AtomicU64,
}

impl Lately {
    pub(super) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            round: AtomicU64::new(1),
            began: AtomicU64::new(0),
        }
    }

    /// Counts a use of a record, and returns whether its checksum was found right in this round.
    pub(super) fn visit(&self, key: u64, place: u64) -> bool {
        let slot = self.slot(key);
        let found = slot.load(Ordering::Relaxed);
        if found & PLACES != place & PLACES {
            return false;
        }
        if uses(found) < MOST_USES {
            slot.store(found + ONE_USE, Ordering::Relaxed);
        }
        found >> ROUND_BITS == self.round()
    }

    /// Notes that a checksum was found right.
    pub(super) fn confirm(&self, key: u64, place: u64) {
        let slot = self.slot(key);
        let found = slot.load(Ordering::Relaxed);
        let uses = if found & PLACES == place & PLACES {
            uses(found)
        } else {
            1
        };
        slot.store(
            self.round() << ROUND_BITS | uses << PLACE_BITS | (place & PLACES),
            Ordering::Relaxed,
        );
    }

    /// How often a record was read since it was written, or since its last second chance.
    pub(super) fn uses(&self, key: u64, place: u64) -> u64 {
        let found = self.slot(key).load(Ordering::Relaxed);
        if found & PLACES == place & PLACES {
            uses(found)
        } else {
            0
        }
    }

    /// Begins a round when the last is over; all are checked again.
    pub(super) fn forget(&self, now: u64, every: Duration) {
        let every = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
        if now >= self.began.load(Ordering::Relaxed).saturating_add(every) {
            self.began.store(now, Ordering::Relaxed);
            self.round.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Forgets all: the environment was opened anew, and places mean other records.
    pub(super) fn clear(&self) {
        for slot in &self.slots {
            slot.store(0, Ordering::Relaxed);
        }
    }

    fn round(&self) -> u64 {
        // What does not fit comes round after minutes, in which everything that is read was checked many times.
        self.round.load(Ordering::Relaxed) & (u64::MAX >> ROUND_BITS)
    }

    fn slot(&self, key: u64) -> &AtomicU64 {
        // There is a power of two of slots, so the index is always inside.
        &self.slots[usize::try_from(key >> 32).unwrap_or(0) & (SLOTS - 1)]
    }
}

const fn uses(word: u64) -> u64 {
    (word >> PLACE_BITS) & MOST_USES
}
