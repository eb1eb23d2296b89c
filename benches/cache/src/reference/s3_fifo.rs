//! S3-FIFO as in Algorithm 1 of Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023.

use std::collections::{HashMap, HashSet, VecDeque};

pub struct S3Fifo {
    capacity: usize,
    small: VecDeque<u64>,
    main: VecDeque<u64>,
    ghost: VecDeque<u64>,
    in_ghost: HashSet<u64>,
    uses: HashMap<u64, u8>,
}

impl S3Fifo {
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            small: VecDeque::new(),
            main: VecDeque::new(),
            ghost: VecDeque::new(),
            in_ghost: HashSet::new(),
            uses: HashMap::new(),
        }
    }

    pub fn access(&mut self, key: u64) -> bool {
        if let Some(uses) = self.uses.get_mut(&key) {
            *uses = (*uses + 1).min(3);
            return true;
        }
        while self.uses.len() >= self.capacity {
            if self.small.len() * 10 >= self.capacity || self.main.is_empty() {
                self.evict_small();
            } else {
                self.evict_main();
            }
        }
        self.uses.insert(key, 0);
        if self.in_ghost.remove(&key) {
            self.ghost.retain(|other| *other != key);
            self.main.push_back(key);
        } else {
            self.small.push_back(key);
        }
        false
    }

    fn evict_small(&mut self) {
        while let Some(key) = self.small.pop_front() {
            if self.uses[&key] > 1 {
                self.uses.insert(key, 0);
                self.main.push_back(key);
                continue;
            }
            self.uses.remove(&key);
            self.ghost.push_back(key);
            self.in_ghost.insert(key);
            if self.ghost.len() > self.capacity * 9 / 10
                && let Some(oldest) = self.ghost.pop_front()
            {
                self.in_ghost.remove(&oldest);
            }
            return;
        }
    }

    fn evict_main(&mut self) {
        while let Some(key) = self.main.pop_front() {
            let uses = self.uses[&key];
            if uses == 0 {
                self.uses.remove(&key);
                return;
            }
            self.uses.insert(key, uses - 1);
            self.main.push_back(key);
        }
    }
}
