//! The caches that are measured for speed and memory, behind one face.

use hyperweb_cache::{Cache, Config, Options, Policy};

/// A cache of numbers by keys of eight bytes.
pub trait Peer: Send + Sync {
    fn get(&self, key: u64) -> Option<u64>;
    fn put(&self, key: u64, value: u64);
}

struct Hyperweb(Cache<u64>);

impl Hyperweb {
    fn new(entries: usize, policy: Policy) -> Self {
        let config = Config {
            limit_bytes: entries as u64 * 80,
            policy,
            ..Config::default()
        };
        Self(Cache::new(config))
    }
}

impl Peer for Hyperweb {
    fn get(&self, key: u64) -> Option<u64> {
        self.0.pin().get(&key.to_le_bytes(), 0).map(|entry| *entry.value())
    }
    fn put(&self, key: u64, value: u64) {
        let options = Options {
            weight: 8,
            ttl: u64::MAX,
            ..Options::default()
        };
        self.0
            .insert(&key.to_le_bytes(), value, &options, self.0.begin_fill(), 0);
    }
}

struct Moka(moka::sync::Cache<u64, u64>);

impl Peer for Moka {
    fn get(&self, key: u64) -> Option<u64> {
        self.0.get(&key)
    }
    fn put(&self, key: u64, value: u64) {
        self.0.insert(key, value);
    }
}

struct QuickCache(quick_cache::sync::Cache<u64, u64>);

impl Peer for QuickCache {
    fn get(&self, key: u64) -> Option<u64> {
        self.0.get(&key)
    }
    fn put(&self, key: u64, value: u64) {
        self.0.insert(key, value);
    }
}

struct TinyUfo(tinyufo::TinyUfo<u64, u64>);

impl Peer for TinyUfo {
    fn get(&self, key: u64) -> Option<u64> {
        self.0.get(&key)
    }
    fn put(&self, key: u64, value: u64) {
        self.0.put(key, value, 1);
    }
}

struct Foyer(foyer::Cache<u64, u64>);

impl Peer for Foyer {
    fn get(&self, key: u64) -> Option<u64> {
        self.0.get(&key).map(|entry| *entry.value())
    }
    fn put(&self, key: u64, value: u64) {
        self.0.insert(key, value);
    }
}

pub const NAMES: [&str; 6] = [
    "hyperweb s3-fifo",
    "hyperweb auto",
    "moka",
    "quick_cache",
    "TinyUFO",
    "foyer",
];

/// Makes a cache with room for so many entries.
pub fn make(name: &str, entries: usize) -> Box<dyn Peer> {
    match name {
        "moka" => Box::new(Moka(moka::sync::Cache::new(entries as u64))),
        "quick_cache" => Box::new(QuickCache(quick_cache::sync::Cache::new(entries))),
        "TinyUFO" => Box::new(TinyUfo(tinyufo::TinyUfo::new(entries, entries))),
        "foyer" => Box::new(Foyer(foyer::CacheBuilder::new(entries).build())),
        "hyperweb auto" => Box::new(Hyperweb::new(entries, Policy::Auto)),
        "hyperweb w-tinylfu" => Box::new(Hyperweb::new(entries, Policy::TinyLfu)),
        _ => Box::new(Hyperweb::new(entries, Policy::S3Fifo)),
    }
}
