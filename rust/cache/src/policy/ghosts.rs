//! The keys that went lately, as parts of their hashes: four bytes each, sixteen to a bucket.
//!
//! A slot has 20 bits of the hash and 12 of a clock that ticks as ghosts come, so that a ghost is forgotten when as many
//! others have come as are to be remembered, without a queue.

const WAYS: usize = 16;
const TIME_BITS: u32 = 12;
const TIME_MASK: u32 = (1 << TIME_BITS) - 1;

#[derive(Debug)]
pub(crate) struct Ghosts {
    /// A power of two of buckets. A slot of nought is empty.
    buckets: Vec<[u32; WAYS]>,
    /// Ghosts that came.
    clock: u64,
}

impl Ghosts {
    pub(crate) fn new() -> Self {
        Self {
            buckets: vec![[0; WAYS]],
            clock: 0,
        }
    }

    /// Ghosts to one tick of the clock, as a power of two: a table of many has coarse times.
    fn tick_bits(&self) -> u32 {
        (self.buckets.len() * WAYS).ilog2().saturating_sub(10)
    }

    #[expect(clippy::cast_possible_truncation, reason = "masked to twelve bits")]
    fn time(&self) -> u32 {
        (self.clock >> self.tick_bits()) as u32 & TIME_MASK
    }

    /// The bucket of a hash, and what of the hash is kept in a slot.
    #[expect(clippy::cast_possible_truncation, reason = "masked by the length; twenty bits")]
    fn place(&self, hash: u64) -> (usize, u32) {
        let bucket = hash as usize & (self.buckets.len() - 1);
        let print = (hash >> 44) as u32 | 1;
        (bucket, print << TIME_BITS)
    }

    /// Remembers a key; `capacity` is how many are to be.
    pub(crate) fn add(&mut self, hash: u64, capacity: usize) {
        while capacity > self.buckets.len() * WAYS / 4 * 3 {
            self.grow();
        }
        self.clock += 1;
        let (bucket, print) = self.place(hash);
        let time = self.time();
        let slots = &mut self.buckets[bucket];
        // An empty slot is best, then the oldest: one signed number tells age and place, so that all slots are looked at
        // side by side.
        let ages = slots.iter().zip(0i32..).map(|(slot, place)| {
            let age = if *slot == 0 {
                TIME_MASK + 1
            } else {
                time.wrapping_sub(*slot) & TIME_MASK
            };
            age.cast_signed() << 4 | place
        });
        let oldest = ages.fold(0, |oldest, age| if age > oldest { age } else { oldest });
        let place = oldest.cast_unsigned() as usize % WAYS;
        slots[place] = print | time;
    }

    /// Whether a key is among the last `capacity` that went; it is forgotten.
    pub(crate) fn take(&mut self, hash: u64, capacity: usize) -> bool {
        let (bucket, print) = self.place(hash);
        let Some(place) = find(&self.buckets[bucket], |slot| slot & !TIME_MASK == print) else {
            return false;
        };
        let slot = std::mem::take(&mut self.buckets[bucket][place]);
        let age = u64::from(self.time().wrapping_sub(slot) & TIME_MASK) << self.tick_bits();
        age <= capacity as u64
    }

    fn grow(&mut self) {
        let (time, bits) = (self.time(), self.tick_bits());
        // The bucket is told by the low bits, so in a table twice as long it is one of two: each has a copy.
        self.buckets.extend_from_within(..);
        let (now, coarser) = (self.time(), self.tick_bits() - bits);
        for slot in self.buckets.iter_mut().flatten().filter(|slot| **slot != 0) {
            let age = time.wrapping_sub(*slot) & TIME_MASK;
            *slot = *slot & !TIME_MASK | now.wrapping_sub(age >> coarser) & TIME_MASK;
        }
    }
}

/// The first slot that something holds for; without a branch for each, so that all are looked at side by side.
#[inline]
fn find(slots: &[u32; WAYS], holds: impl Fn(u32) -> bool) -> Option<usize> {
    let bits = slots.iter().zip(0u32..).fold(0u32, |bits, (slot, place)| {
        bits | if holds(*slot) { 1 << place } else { 0 }
    });
    (bits != 0).then(|| bits.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(key: u64) -> u64 {
        (key + 1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(31)
            .wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    #[test]
    fn the_last_that_went_are_known_and_those_before_are_not() {
        for capacity in [5, 100, 5000] {
            let mut ghosts = Ghosts::new();
            for key in 0..4 * capacity as u64 {
                ghosts.add(hash(key), capacity);
            }
            let first = 4 * capacity as u64;
            let known = (first - capacity as u64 + 8..first)
                .filter(|key| ghosts.take(hash(*key), capacity))
                .count();
            assert!(known + capacity / 50 + 8 >= capacity, "{known} of {capacity}");
            let old = (0..first / 2).filter(|key| ghosts.take(hash(*key), capacity)).count();
            assert!(old <= 1 + capacity / 500, "{old} of {capacity} came back");
        }
    }
}
