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
    slots: Vec<u32>,
    /// Ghosts that came.
    clock: u64,
}

impl Ghosts {
    pub(crate) fn new() -> Self {
        Self {
            slots: vec![0; WAYS],
            clock: 0,
        }
    }

    /// Ghosts to one tick of the clock: a table of many has coarse times.
    fn tick(&self) -> u64 {
        (self.slots.len() as u64 / 1024).max(1)
    }

    #[expect(clippy::cast_possible_truncation, reason = "masked to twelve bits")]
    fn time(&self) -> u32 {
        (self.clock / self.tick()) as u32 & TIME_MASK
    }

    fn age(&self, slot: u32) -> u64 {
        u64::from(self.time().wrapping_sub(slot) & TIME_MASK) * self.tick()
    }

    #[expect(clippy::cast_possible_truncation, reason = "masked by the length; twenty bits")]
    fn place(&self, hash: u64) -> (std::ops::Range<usize>, u32) {
        let bucket = hash as usize & (self.slots.len() / WAYS - 1);
        let print = (hash >> 44) as u32 | 1;
        (bucket * WAYS..(bucket + 1) * WAYS, print << TIME_BITS)
    }

    /// Remembers a key; `capacity` is how many are to be.
    pub(crate) fn add(&mut self, hash: u64, capacity: usize) {
        while capacity > self.slots.len() / 4 * 3 {
            self.grow();
        }
        self.clock += 1;
        let (bucket, print) = self.place(hash);
        let time = self.time();
        let is_free = |slot: &u32| *slot == 0 || slot & !TIME_MASK == print;
        let free = bucket.clone().find(|place| is_free(&self.slots[*place]));
        let place = free.or_else(|| bucket.max_by_key(|place| self.age(self.slots[*place])));
        if let Some(place) = place {
            self.slots[place] = print | time;
        }
    }

    /// Whether a key is among the last `capacity` that went; it is forgotten.
    pub(crate) fn take(&mut self, hash: u64, capacity: usize) -> bool {
        let (bucket, print) = self.place(hash);
        let found = bucket
            .into_iter()
            .find(|place| self.slots[*place] & !TIME_MASK == print);
        let Some(place) = found else {
            return false;
        };
        let age = self.age(self.slots[place]);
        self.slots[place] = 0;
        age <= capacity as u64
    }

    fn grow(&mut self) {
        let ages: Vec<u64> = self.slots.iter().map(|slot| self.age(*slot)).collect();
        // The bucket is told by the low bits, so in a table twice as long it is one of two: each has a copy.
        self.slots.extend_from_within(..);
        let (time, tick) = (self.time(), self.tick());
        for (slot, age) in self.slots.iter_mut().zip(ages.iter().chain(&ages)) {
            if *slot != 0 {
                #[expect(clippy::cast_possible_truncation, reason = "masked to twelve bits")]
                let then = time.wrapping_sub((age / tick) as u32) & TIME_MASK;
                *slot = *slot & !TIME_MASK | then;
            }
        }
    }
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
