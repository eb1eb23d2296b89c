//! The memory tier.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use foldhash::fast::RandomState;
use papaya::HashMap;
use parking_lot::{Mutex, RwLock};

use crate::entry::Entry;
use crate::marks::Marks;
use crate::shard::Shard;
use crate::stats::{Counter, Stats};
use crate::tags::Tags;

/// Bytes an entry counts for besides its key and value: the entry itself, its places in the map and in a queue.
const OVERHEAD: u64 = 160;
/// Prefix purges that are remembered for the fills under way.
const PREFIXES: usize = 64;

/// How large a cache may grow.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// The most bytes it holds: keys, values and overhead.
    pub limit_bytes: u64,
    /// Parts with an order of eviction of their own; a power of two.
    pub shards: usize,
    /// A value over one part of this many of the limit is not kept.
    pub largest_part: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limit_bytes: 64 << 20,
            shards: 256,
            largest_part: 8,
        }
    }
}

/// What is said of a value when it is kept. Times are in milliseconds.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Bytes of the value.
    pub weight: u64,
    /// How long it is fresh.
    pub ttl: u64,
    /// How long after that it may still be used.
    pub grace: u64,
    /// What it can be purged by.
    pub tags: Vec<Box<str>>,
}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    Kept,
    /// It is larger than the cache keeps.
    TooLarge,
    /// What it is made of was purged while it was made.
    PurgedMeanwhile,
}

/// The state of purges when a value was asked for; taken before the work begins.
#[derive(Debug, Clone, Copy)]
pub struct FillToken {
    sequence: u64,
}

/// A concurrent map with a limit in bytes, times to live, tags, and eviction by S3-FIFO. Reads take no lock.
#[derive(Debug)]
pub struct Cache<V> {
    map: HashMap<Arc<[u8]>, Arc<Entry<V>>, RandomState>,
    hasher: RandomState,
    shards: Box<[Mutex<Shard<V>>]>,
    tags: Tags,
    key_purges: Marks,
    prefix_purges: RwLock<Vec<(Box<[u8]>, u64)>>,
    prefix_floor: AtomicU64,
    all_purged: AtomicU64,
    sequence: AtomicU64,
    limit: AtomicU64,
    largest_part: u64,
    bytes: AtomicU64,
    next_victim: AtomicUsize,
    hits: Counter,
    misses: Counter,
    inserts: Counter,
    evictions: Counter,
    refused: Counter,
    outrun: Counter,
}

impl<V: Send + Sync> Cache<V> {
    pub fn new(config: Config) -> Self {
        let hasher = RandomState::default();
        let shards = config.shards.max(1).next_power_of_two();
        Self {
            map: HashMap::with_hasher(hasher.clone()),
            hasher,
            shards: (0..shards).map(|_| Mutex::new(Shard::new())).collect(),
            tags: Tags::new(),
            key_purges: Marks::new(),
            prefix_purges: RwLock::new(Vec::new()),
            prefix_floor: AtomicU64::new(0),
            all_purged: AtomicU64::new(0),
            sequence: AtomicU64::new(1),
            limit: AtomicU64::new(config.limit_bytes),
            largest_part: config.largest_part.max(1),
            bytes: AtomicU64::new(0),
            next_victim: AtomicUsize::new(0),
            hits: Counter::default(),
            misses: Counter::default(),
            inserts: Counter::default(),
            evictions: Counter::default(),
            refused: Counter::default(),
            outrun: Counter::default(),
        }
    }

    /// Returns the entry of a key, fresh or stale, unless it was purged or its time is over.
    pub fn get(&self, key: &[u8], now: u64) -> Option<Arc<Entry<V>>> {
        let map = self.map.pin();
        let found = map.get(key).filter(|entry| self.is_alive(entry, now));
        if let Some(entry) = found {
            entry.touch();
            self.hits.add(1);
        } else {
            self.misses.add(1);
        }
        found.cloned()
    }

    /// Begins a fill: call it before the value is asked for, and give the token to [`insert`](Self::insert).
    pub fn begin_fill(&self) -> FillToken {
        FillToken {
            sequence: self.sequence.load(Ordering::Acquire),
        }
    }

    /// Keeps a value, unless it is too large, or was purged since the token was taken.
    pub fn insert(&self, key: &[u8], value: V, options: &Options, token: FillToken, now: u64) -> Inserted {
        let weight = options.weight + key.len() as u64 + OVERHEAD + 8 * options.tags.len() as u64;
        let limit = self.limit.load(Ordering::Relaxed);
        if weight > limit / self.largest_part {
            self.refused.add(1);
            return Inserted::TooLarge;
        }
        self.tags.prune(self.sequence.load(Ordering::Acquire));
        let tags: Box<[_]> = options.tags.iter().map(|name| self.tags.get(name)).collect();
        let fresh_until = now.saturating_add(options.ttl);
        let times = (now, fresh_until, fresh_until.saturating_add(options.grace));
        let key: Arc<[u8]> = key.into();
        let hash = self.hash(&key);
        let entry = Arc::new(Entry::new(Arc::clone(&key), value, weight, times, tags, token.sequence));
        if !self.reserve(weight) {
            self.refused.add(1);
            return Inserted::TooLarge;
        }
        let replaced = self.map.pin().insert(key, Arc::clone(&entry)).cloned();
        // Only what is already seen by purges is checked: one that comes later finds the entry in the map.
        if self.was_purged(&entry, hash) {
            self.remove(&entry);
            self.bytes_given_back(replaced.as_ref());
            self.outrun.add(1);
            return Inserted::PurgedMeanwhile;
        }
        self.bytes_given_back(replaced.as_ref());
        let expired = {
            let mut shard = self.shard(hash).lock();
            if replaced.is_some() {
                shard.forget();
            }
            shard.add(entry, hash);
            shard.expired(now)
        };
        for old in expired {
            self.remove(&old);
        }
        self.inserts.add(1);
        Inserted::Kept
    }

    /// Removes a key. A fill of it that is under way is not kept.
    pub fn purge_key(&self, key: &[u8]) -> bool {
        let sequence = self.next_sequence();
        self.key_purges.raise(self.hash(key), sequence);
        let found = self.map.pin().get(key).cloned();
        found.is_some_and(|entry| self.remove(&entry))
    }

    /// Hides at once all entries that have one of the tags, and fills of them that are under way. The bytes are given
    /// back as the entries are met.
    pub fn purge_tags<'a>(&self, tags: impl IntoIterator<Item = &'a str>) {
        let sequence = self.next_sequence();
        for tag in tags {
            self.tags.purge(tag, sequence);
        }
    }

    /// Removes all keys with a prefix, and returns how many. Fills of them that are under way are not kept.
    pub fn purge_prefix(&self, prefix: &[u8]) -> usize {
        let sequence = self.next_sequence();
        {
            let mut recent = self.prefix_purges.write();
            if recent.len() == PREFIXES {
                let (_, forgotten) = recent.remove(0);
                self.prefix_floor.fetch_max(forgotten, Ordering::AcqRel);
            }
            recent.push((prefix.into(), sequence));
        }
        self.remove_where(|entry| entry.key.starts_with(prefix))
    }

    /// Removes all keys that a condition holds for, and returns how many. Fills under way are kept none of: what they
    /// bring might be meant.
    pub fn purge_where(&self, condition: impl Fn(&[u8]) -> bool) -> usize {
        let sequence = self.next_sequence();
        self.prefix_floor.fetch_max(sequence, Ordering::AcqRel);
        self.remove_where(|entry| entry.sequence < sequence && condition(&entry.key))
    }

    /// Hides everything at once, fills under way too.
    pub fn purge_all(&self) {
        let sequence = self.next_sequence();
        self.all_purged.fetch_max(sequence, Ordering::AcqRel);
        self.remove_where(|entry| entry.sequence < sequence);
    }

    /// Removes what was hidden by a purge of tags, and returns how many entries that were.
    pub fn reclaim(&self) -> usize {
        self.remove_where(|entry| entry.tags.iter().any(|tag| tag.is_newer_than(entry.sequence)))
    }

    /// Sets the most bytes it may hold; what is over is evicted.
    pub fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
        while self.bytes.load(Ordering::Relaxed) > bytes && self.evict_one() {}
    }

    pub fn stats(&self) -> Stats {
        Stats {
            hits: self.hits.get(),
            misses: self.misses.get(),
            inserts: self.inserts.get(),
            evictions: self.evictions.get(),
            refused: self.refused.get(),
            outrun: self.outrun.get(),
            bytes: self.bytes.load(Ordering::Relaxed),
            limit: self.limit.load(Ordering::Relaxed),
            entries: self.map.len() as u64,
        }
    }

    fn is_alive(&self, entry: &Entry<V>, now: u64) -> bool {
        now < entry.dead_at
            && entry.sequence >= self.all_purged.load(Ordering::Acquire)
            && !entry.tags.iter().any(|tag| tag.is_newer_than(entry.sequence))
    }

    fn was_purged(&self, entry: &Entry<V>, hash: u64) -> bool {
        let since = entry.sequence;
        since < self.all_purged.load(Ordering::Acquire)
            || since < self.tags.floor()
            || since < self.prefix_floor.load(Ordering::Acquire)
            || since < self.key_purges.get(hash)
            || entry.tags.iter().any(|tag| tag.is_newer_than(since))
            || self
                .prefix_purges
                .read()
                .iter()
                .any(|(prefix, at)| since < *at && entry.key.starts_with(prefix))
    }

    /// Takes `weight` out of the limit, evicting for it; false where everything that could go has gone.
    fn reserve(&self, weight: u64) -> bool {
        loop {
            let limit = self.limit.load(Ordering::Relaxed);
            let taken = self.bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, |bytes| {
                bytes.checked_add(weight).filter(|sum| *sum <= limit)
            });
            if taken.is_ok() {
                return true;
            }
            if !self.evict_one() {
                return false;
            }
        }
    }

    fn evict_one(&self) -> bool {
        for _ in 0..self.shards.len() {
            let number = self.next_victim.fetch_add(1, Ordering::Relaxed) & (self.shards.len() - 1);
            let victim = self.shards[number].lock().evict(|key| self.hash(key));
            if let Some(victim) = victim {
                if self.take_out(&victim) {
                    self.evictions.add(1);
                }
                return true;
            }
        }
        false
    }

    fn remove_where(&self, condition: impl Fn(&Entry<V>) -> bool) -> usize {
        let map = self.map.pin();
        let found: Vec<_> = map.values().filter(|entry| condition(entry)).cloned().collect();
        drop(map);
        found.iter().filter(|entry| self.remove(entry)).count()
    }

    /// Removes an entry that is still in a queue.
    fn remove(&self, entry: &Arc<Entry<V>>) -> bool {
        let removed = self.take_out(entry);
        if removed {
            self.shard(self.hash(&entry.key)).lock().forget();
        }
        removed
    }

    /// Takes exactly this entry out of the map: another may stand under its key by now.
    fn take_out(&self, entry: &Arc<Entry<V>>) -> bool {
        let map = self.map.pin();
        let removed = map.remove_if(entry.key(), |_, found| Arc::ptr_eq(found, entry));
        if matches!(removed, Ok(Some(_))) && entry.leave() {
            self.bytes.fetch_sub(entry.weight, Ordering::AcqRel);
            return true;
        }
        false
    }

    fn bytes_given_back(&self, replaced: Option<&Arc<Entry<V>>>) {
        if let Some(old) = replaced
            && old.leave()
        {
            self.bytes.fetch_sub(old.weight, Ordering::AcqRel);
        }
    }

    fn next_sequence(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::AcqRel) + 1
    }

    fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard<V>> {
        // The low bits choose the slot in the map; the high ones are free.
        let number = usize::try_from(hash >> 40).unwrap_or(0) & (self.shards.len() - 1);
        &self.shards[number]
    }
}
