//! What this process read lately: how often, and whether its checksum was found right.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One line of memory: a read meets one and not more.
const WAYS: usize = 8;
/// 256 KiB in all, which stays in a core's own cache; summing up a small record anew is quicker than a line from memory.
const SETS: usize = 1 << 12;
/// Places in the order are given out one by one, and fit in this many bits.
const PLACE_BITS: u32 = 52;
const PLACES: u64 = (1 << PLACE_BITS) - 1;
const ONE_USE: u64 = 1 << PLACE_BITS;
const USE_BITS: u32 = 4;
/// A full count is not written any more: a hot record costs reads only.
const MOST_USES: u64 = (1 << USE_BITS) - 1;
const ROUND_BITS: u32 = PLACE_BITS + USE_BITS;

/// For each record its place, how often it was read, and the round its checksum was found right in, all in one word. A
/// place is given to one record only, ever, so a match is of that record. A new record takes the word of one of the eight
/// that its key shares a line with.
#[derive(Debug)]
pub(super) struct Lately {
    sets: Box<[Set]>,
    round: AtomicU64,
    /// When the round began, in milliseconds since 1970.
    began: AtomicU64,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Set([AtomicU64; WAYS]);

impl Set {
    fn find(&self, place: u64) -> Option<(&AtomicU64, u64)> {
        self.0.iter().find_map(|way| {
            let found = way.load(Ordering::Relaxed);
            (found & PLACES == place & PLACES).then_some((way, found))
        })
    }

    /// The word to take for a new record: one of an earlier round, or any. Places are given out in a row, so that those
    /// that meet here take turns.
    fn oldest(&self, place: u64, round: u64) -> &AtomicU64 {
        let any = usize::try_from(place).unwrap_or(0) % WAYS;
        self.0
            .iter()
            .find(|way| way.load(Ordering::Relaxed) >> ROUND_BITS != round)
            .unwrap_or(&self.0[any])
    }
}

impl Lately {
    pub(super) fn new() -> Self {
        Self {
            sets: (0..SETS).map(|_| Set::default()).collect(),
            round: AtomicU64::new(1),
            began: AtomicU64::new(0),
        }
    }

    /// Has the memory fetched that a visit will need, while the tree is searched: large records push it out of the core's
    /// own cache, and then waiting for it would be a third of a read.
    pub(super) fn prefetch(&self, key: u64) {
        std::hint::black_box(self.set(key).0[0].load(Ordering::Relaxed));
    }

    /// Counts a use of a record, and returns whether its checksum was found right in this round.
    pub(super) fn visit(&self, key: u64, place: u64) -> bool {
        let Some((way, found)) = self.set(key).find(place) else {
            return false;
        };
        if uses(found) < MOST_USES {
            way.store(found + ONE_USE, Ordering::Relaxed);
        }
        found >> ROUND_BITS == self.round()
    }

    /// Notes that a checksum was found right.
    pub(super) fn confirm(&self, key: u64, place: u64) {
        let (set, round) = (self.set(key), self.round());
        let (way, uses) = set
            .find(place)
            .map_or_else(|| (set.oldest(place, round), 1), |(way, found)| (way, uses(found)));
        way.store(
            round << ROUND_BITS | uses << PLACE_BITS | (place & PLACES),
            Ordering::Relaxed,
        );
    }

    /// How often a record was read since it was written, or since its last second chance.
    pub(super) fn uses(&self, key: u64, place: u64) -> u64 {
        self.set(key).find(place).map_or(0, |(_, found)| uses(found))
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
        for way in self.sets.iter().flat_map(|set| &set.0) {
            way.store(0, Ordering::Relaxed);
        }
    }

    fn round(&self) -> u64 {
        // What does not fit comes round after minutes, in which everything that is read was checked many times.
        self.round.load(Ordering::Relaxed) & (u64::MAX >> ROUND_BITS)
    }

    fn set(&self, key: u64) -> &Set {
        // There is a power of two of them, so the index is always inside.
        &self.sets[usize::try_from(key >> 32).unwrap_or(0) & (SETS - 1)]
    }
}

const fn uses(word: u64) -> u64 {
    (word >> PLACE_BITS) & MOST_USES
}
