//! How often keys were asked for lately, roughly: a count-min sketch of four bits a counter that fades (Einziger,
//! Friedman and Manes, "`TinyLFU`", ACM Transactions on Storage 2017).

const ROWS: u32 = 4;
const SEEDS: [u64; ROWS as usize] = [
    0xc3a5_c85c_97cb_3127,
    0xb492_b66f_be98_f273,
    0x9ae1_6a3b_2f90_404f,
    0xcbf2_9ce4_8422_2325,
];
/// Counts are halved after this many additions for each entry there is room for.
const SAMPLE: u64 = 10;
/// With fewer entries there are twice as many counters for each.
const FEW: usize = 1 << 15;
const HALF: u64 = 0x7777_7777_7777_7777;
const MOST: u64 = 15;

#[derive(Debug)]
pub(crate) struct Sketch {
    /// A power of two of words with sixteen counters each.
    words: Vec<u64>,
    additions: u64,
    capacity: usize,
}

impl Sketch {
    pub(crate) fn new() -> Self {
        Self {
            words: vec![0; 16],
            additions: 0,
            capacity: 16,
        }
    }

    /// Makes room for the entries there are, and sets how fast counts fade by how many there will be. Counts are kept: a
    /// table twice as long begins as two copies.
    pub(crate) fn make_room(&mut self, entries: usize, capacity: usize) {
        self.capacity = capacity.max(16);
        // Where few entries share it, so do few other costs: counts may as well collide less.
        let words = if entries < FEW { entries * 2 } else { entries };
        while self.words.len() < words {
            self.words.extend_from_within(..);
        }
    }

    fn place(&self, hash: u64, row: u32) -> (usize, u32) {
        let mixed = (hash ^ hash >> 32).wrapping_mul(SEEDS[row as usize]);
        let word = (mixed >> 32) as usize & (self.words.len() - 1);
        let group = (hash >> 40 & 3) as u32;
        (word, (group * ROWS + row) * 4)
    }

    pub(crate) fn add(&mut self, hash: u64) {
        for row in 0..ROWS {
            let (word, shift) = self.place(hash, row);
            if self.words[word] >> shift & MOST < MOST {
                self.words[word] += 1 << shift;
            }
        }
        self.additions += 1;
        if self.additions >= SAMPLE * self.capacity as u64 {
            self.fade();
        }
    }

    fn fade(&mut self) {
        for word in &mut self.words {
            *word = *word >> 1 & HALF;
        }
        self.additions /= 2;
    }

    /// At most 15.
    pub(crate) fn estimate(&self, hash: u64) -> u8 {
        let counts = (0..ROWS).map(|row| {
            let (word, shift) = self.place(hash, row);
            self.words[word] >> shift & MOST
        });
        counts.min().and_then(|count| u8::try_from(count).ok()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_kept_through_growth_and_fade() {
        let mut sketch = Sketch::new();
        let hash = |key: u64| (key + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for _ in 0..6 {
            sketch.add(hash(1));
        }
        sketch.make_room(5000, 5000);
        assert_eq!((sketch.estimate(hash(1)), sketch.estimate(hash(2))), (6, 0));
        for key in 10..60_010 {
            sketch.add(hash(key));
        }
        assert!(sketch.estimate(hash(1)) < 6, "what was asked for long ago counts less");
    }
}
