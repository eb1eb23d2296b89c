//! Where each client was last.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{ID_BITS, place};

/// Bits of the minute at which a client was there. It comes round after 68 hours: one who returns just then is taken
/// for one who never left, which costs the model one wrong count.
const MINUTE_BITS: u32 = 12;
const MINUTES: u64 = (1 << MINUTE_BITS) - 1;
const ID: u64 = (1 << ID_BITS) - 1;

/// For each client its last key, the minute, and some bits of the client, in one word. Of two clients in one place the
/// later is remembered.
#[derive(Debug)]
pub(super) struct Trails {
    places: Box<[AtomicU64]>,
    idle: u64,
}

impl Trails {
    pub(super) fn new(clients: usize, idle_minutes: u16) -> Self {
        let count = clients.max(1).next_power_of_two();
        Self {
            places: (0..count).map(|_| AtomicU64::new(0)).collect(),
            idle: u64::from(idle_minutes).min(MINUTES),
        }
    }

    /// Notes that a client is at a key now, and returns where it was before.
    pub(super) fn follow(&self, client: u64, id: u64, now: u64) -> Option<u64> {
        let minute = (now / 60_000) & MINUTES;
        let mark = client >> (ID_BITS + MINUTE_BITS);
        let word = mark << (ID_BITS + MINUTE_BITS) | minute << ID_BITS | id;
        let place = self.places.get(place(client, self.places.len()))?;
        let before = place.swap(word, Ordering::Relaxed);
        let passed = minute.wrapping_sub(before >> ID_BITS) & MINUTES;
        let same = before >> (ID_BITS + MINUTE_BITS) == mark && passed <= self.idle;
        Some(before & ID).filter(|id| same && *id != 0)
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.places)
    }
}
