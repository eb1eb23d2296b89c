//! W-TinyLFU as in Einziger, Friedman and Manes, "TinyLFU: A highly efficient cache admission policy", ACM Transactions
//! on Storage 2017: a window of one hundredth, a segmented LRU behind it (four fifths protected), and exact counts up to
//! 15 that are halved after ten times the capacity.

use std::collections::{BTreeMap, HashMap};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Segment {
    Window,
    Probation,
    Protected,
}

#[derive(Default)]
struct Lru {
    by_time: BTreeMap<u64, u64>,
}

pub struct WTinyLfu {
    capacity: usize,
    window_most: usize,
    protected_most: usize,
    window: Lru,
    probation: Lru,
    protected: Lru,
    places: HashMap<u64, (Segment, u64)>,
    counts: HashMap<u64, u8>,
    additions: usize,
    clock: u64,
}

impl WTinyLfu {
    pub fn new(capacity: usize) -> Self {
        let window_most = (capacity / 100).max(1);
        Self {
            capacity,
            window_most,
            protected_most: (capacity - window_most) * 4 / 5,
            window: Lru::default(),
            probation: Lru::default(),
            protected: Lru::default(),
            places: HashMap::new(),
            counts: HashMap::new(),
            additions: 0,
            clock: 0,
        }
    }

    pub fn access(&mut self, key: u64) -> bool {
        self.count(key);
        if let Some((segment, _)) = self.places.get(&key).copied() {
            self.leave(key);
            let to = if segment == Segment::Window {
                Segment::Window
            } else {
                Segment::Protected
            };
            self.enter(key, to);
            if self.protected.by_time.len() > self.protected_most
                && let Some(oldest) = self.protected.oldest()
            {
                self.leave(oldest);
                self.enter(oldest, Segment::Probation);
            }
            return true;
        }
        self.enter(key, Segment::Window);
        if self.window.by_time.len() > self.window_most
            && let Some(candidate) = self.window.oldest()
        {
            self.leave(candidate);
            let main = self.probation.by_time.len() + self.protected.by_time.len();
            if main < self.capacity - self.window_most {
                self.enter(candidate, Segment::Probation);
            } else if let Some(victim) = self.probation.oldest().or_else(|| self.protected.oldest())
                && self.counted(candidate) > self.counted(victim)
            {
                self.leave(victim);
                self.enter(candidate, Segment::Probation);
            }
        }
        false
    }

    fn segment(&mut self, segment: Segment) -> &mut Lru {
        match segment {
            Segment::Window => &mut self.window,
            Segment::Probation => &mut self.probation,
            Segment::Protected => &mut self.protected,
        }
    }

    fn enter(&mut self, key: u64, segment: Segment) {
        self.clock += 1;
        let clock = self.clock;
        self.segment(segment).by_time.insert(clock, key);
        self.places.insert(key, (segment, clock));
    }

    fn leave(&mut self, key: u64) {
        if let Some((segment, time)) = self.places.remove(&key) {
            self.segment(segment).by_time.remove(&time);
        }
    }

    fn counted(&self, key: u64) -> u8 {
        self.counts.get(&key).copied().unwrap_or(0)
    }

    fn count(&mut self, key: u64) {
        let count = self.counts.entry(key).or_insert(0);
        *count = (*count + 1).min(15);
        self.additions += 1;
        if self.additions >= 10 * self.capacity {
            self.additions /= 2;
            self.counts.retain(|_, count| {
                *count /= 2;
                *count > 0
            });
        }
    }
}

impl Lru {
    fn oldest(&self) -> Option<u64> {
        self.by_time.first_key_value().map(|(_, key)| *key)
    }
}
