//! How often keys were asked for lately, roughly: a count-min sketch of four bits a counter that fades (Einziger,
//! Friedman and Manes, "`TinyLFU`", ACM Transactions on Storage 2017), of which only the lowest counters of a key go up
//! (conservative update: Estan and Varghese, "New directions in traffic measurement and accounting", SIGCOMM 2002).

const ROWS: u32 = 4;
const SEEDS: [u64; ROWS as usize] = [
    0xc3a5_c85c_97cb_3127,
    0xb492_b66f_be98_f273,
    0x9ae1_6a3b_2f90_404f,
    0xcbf2_9ce4_8422_2325,
];
/// Counts are halved after this many additions for each entry there is room for.
const SAMPLE: u64 = 10;
/// With room for fewer entries there are two words for each, with room for more three words for four.
const FEW: usize = 1 << 15;
/// From the first few entries it is guessed how many there will be, and the table made as long as they want, but no longer
/// than this; from then on it grows by no more than so many times at once.
const FIRST: usize = 1 << 15;
const MOST_TIMES: usize = 8;
const LEAST: usize = 16;
const HALF: u64 = 0x7777_7777_7777_7777;
const MOST: u64 = 15;

#[derive(Debug)]
pub(crate) struct Sketch {
    /// Sixteen counters each.
    words: Vec<u64>,
    additions: u64,
    capacity: usize,
    has_faded: bool,
}

impl Sketch {
    pub(crate) fn new() -> Self {
        Self {
            words: vec![0; 2 * LEAST],
            additions: 0,
            capacity: LEAST,
            has_faded: false,
        }
    }

    /// Whether counts are of more than one time: before, they tell how often a key was ever asked for.
    pub(crate) const fn has_faded(&self) -> bool {
        self.has_faded
    }

    /// Makes room for the entries there are, and sets how fast counts fade by how many there will be.
    pub(crate) fn make_room(&mut self, entries: usize, capacity: usize) {
        self.capacity = capacity.max(LEAST);
        let wanted = if self.capacity < FEW {
            self.capacity * 2
        } else {
            self.capacity / 4 * 3
        };
        if entries * 2 >= self.words.len() {
            // Each word becomes several that follow one another, so that counts are kept. What others have added to them
            // is kept too, so growth is by many times at once and seldom.
            let most = if self.words.len() > 2 * LEAST {
                MOST_TIMES
            } else {
                FIRST / (2 * LEAST)
            };
            let times = (wanted / self.words.len()).min(most);
            if times > 1 {
                let mut words = Vec::with_capacity(self.words.len() * times);
                for word in &self.words {
                    words.extend(std::iter::repeat_n(*word, times));
                }
                self.words = words;
            }
        }
    }

    fn place(&self, hash: u64, row: u32) -> (usize, u32) {
        let mixed = (hash ^ hash >> 32).wrapping_mul(SEEDS[row as usize]);
        let word = (((mixed >> 32) * self.words.len() as u64) >> 32) as usize;
        let group = (hash >> 40 & 3) as u32;
        (word, (group * ROWS + row) * 4)
    }

    pub(crate) fn add(&mut self, hash: u64) {
        let least = self.least(hash);
        if least < MOST {
            for row in 0..ROWS {
                let (word, shift) = self.place(hash, row);
                if let Some(word) = self.words.get_mut(word)
                    && *word >> shift & MOST == least
                {
                    *word += 1 << shift;
                }
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
        self.has_faded = true;
    }

    fn least(&self, hash: u64) -> u64 {
        let counts = (0..ROWS).map(|row| {
            let (word, shift) = self.place(hash, row);
            self.words.get(word).map_or(0, |word| word >> shift & MOST)
        });
        counts.min().unwrap_or(0)
    }

    /// At most 15.
    pub(crate) fn estimate(&self, hash: u64) -> u8 {
        u8::try_from(self.least(hash)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(key: u64) -> u64 {
        let mixed = (key + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    #[test]
    fn counts_are_kept_through_growth_and_fade() {
        let mut sketch = Sketch::new();
        sketch.make_room(16, 5_000_000);
        for _ in 0..6 {
            sketch.add(hash(1));
        }
        sketch.make_room(1_000_000, 5_000_000);
        sketch.make_room(1_000_000, 5000);
        assert_eq!((sketch.estimate(hash(1)), sketch.estimate(hash(2))), (6, 0));
        for key in 10..60_010 {
            sketch.add(hash(key));
        }
        assert!(sketch.has_faded());
        assert!(sketch.estimate(hash(1)) < 6, "what was asked for long ago counts less");
    }

    #[test]
    fn a_full_sketch_counts_few_keys_too_high() {
        for capacity in [1000, 100_000] {
            let mut sketch = Sketch::new();
            for entries in (0..=capacity).step_by(16) {
                sketch.make_room(entries, capacity);
                (entries..entries + 16).for_each(|key| sketch.add(hash(key as u64)));
            }
            let wrong = (0..capacity)
                .filter(|key| sketch.estimate(hash(*key as u64)) != 1)
                .count();
            assert!(wrong * 50 < capacity, "{wrong} of {capacity}");
        }
    }
}
