//! The order of eviction of a part of the keys: S3-FIFO (Yang et al., SOSP 2023), by bytes.
//!
//! A new entry waits in a small queue; used there, it moves on to the main one, and unused it goes, leaving only its
//! hash. A hash that comes back goes to the main queue at once. So what is asked for once never pushes out what is hot.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};
use std::sync::{Arc, Weak};

use crate::entry::Entry;

/// The small queue's share of the bytes, as one part of this many.
const SMALL_PART: u64 = 10;
/// Entries whose time is over that are let go at one insert.
const EXPIRE_AT_ONCE: usize = 4;

#[derive(Debug)]
pub(crate) struct Shard<V> {
    small: VecDeque<Arc<Entry<V>>>,
    main: VecDeque<Arc<Entry<V>>>,
    small_bytes: u64,
    main_bytes: u64,
    ghosts: VecDeque<u64>,
    ghost_set: HashSet<u64, foldhash::fast::RandomState>,
    deadlines: BinaryHeap<Reverse<Deadline<V>>>,
    /// Entries of the queues that are no longer in the map.
    gone: usize,
}

#[derive(Debug)]
struct Deadline<V>(u64, Weak<Entry<V>>);

impl<V> PartialEq for Deadline<V> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<V> Eq for Deadline<V> {}

impl<V> PartialOrd for Deadline<V> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<V> Ord for Deadline<V> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl<V> Shard<V> {
    pub(crate) fn new() -> Self {
        Self {
            small: VecDeque::new(),
            main: VecDeque::new(),
            small_bytes: 0,
            main_bytes: 0,
            ghosts: VecDeque::new(),
            ghost_set: HashSet::default(),
            deadlines: BinaryHeap::new(),
            gone: 0,
        }
    }

    pub(crate) fn add(&mut self, entry: Arc<Entry<V>>, hash: u64) {
        if entry.dead_at != u64::MAX {
            self.deadlines
                .push(Reverse(Deadline(entry.dead_at, Arc::downgrade(&entry))));
        }
        if self.ghost_set.remove(&hash) {
            self.main_bytes += entry.weight;
            self.main.push_back(entry);
        } else {
            self.small_bytes += entry.weight;
            self.small.push_back(entry);
        }
    }

    /// Notes that an entry has left the map; its place in a queue is given back in time.
    pub(crate) fn forget(&mut self) {
        self.gone += 1;
        if self.gone > 64 && self.gone > usize::midpoint(self.small.len(), self.main.len()) {
            self.small.retain(|entry| !entry.is_gone());
            self.main.retain(|entry| !entry.is_gone());
            self.small_bytes = self.small.iter().map(|entry| entry.weight).sum();
            self.main_bytes = self.main.iter().map(|entry| entry.weight).sum();
            self.deadlines.retain(|Reverse(deadline)| deadline.1.strong_count() > 0);
            self.gone = 0;
        }
    }

    /// Takes a few entries whose time is over.
    pub(crate) fn expired(&mut self, now: u64) -> Vec<Arc<Entry<V>>> {
        let mut found = Vec::new();
        while found.len() < EXPIRE_AT_ONCE && self.deadlines.peek().is_some_and(|Reverse(deadline)| deadline.0 <= now) {
            let Some(Reverse(deadline)) = self.deadlines.pop() else {
                break;
            };
            if let Some(entry) = deadline.1.upgrade().filter(|entry| !entry.is_gone()) {
                found.push(entry);
            }
        }
        found
    }

    /// Takes the entry that is to go next, or none where the shard is empty. `hash` gives the hash of a key.
    pub(crate) fn evict(&mut self, hash: impl Fn(&[u8]) -> u64) -> Option<Arc<Entry<V>>> {
        loop {
            let from_small = !self.small.is_empty()
                && (self.main.is_empty() || self.small_bytes * SMALL_PART >= self.small_bytes + self.main_bytes);
            if from_small {
                let entry = self.small.pop_front()?;
                self.small_bytes -= entry.weight;
                if entry.is_gone() {
                    self.gone = self.gone.saturating_sub(1);
                } else if entry.uses() > 0 {
                    entry.set_uses(0);
                    self.main_bytes += entry.weight;
                    self.main.push_back(entry);
                } else {
                    self.remember(hash(&entry.key));
                    return Some(entry);
                }
            } else {
                let entry = self.main.pop_front()?;
                if entry.is_gone() {
                    self.main_bytes -= entry.weight;
                    self.gone = self.gone.saturating_sub(1);
                } else if entry.uses() > 0 {
                    entry.set_uses(entry.uses() - 1);
                    self.main.push_back(entry);
                } else {
                    self.main_bytes -= entry.weight;
                    return Some(entry);
                }
            }
        }
    }

    fn remember(&mut self, hash: u64) {
        if self.ghost_set.insert(hash) {
            self.ghosts.push_back(hash);
        }
        while self.ghosts.len() > self.main.len().max(16) {
            if let Some(oldest) = self.ghosts.pop_front() {
                self.ghost_set.remove(&oldest);
            }
        }
    }
}
