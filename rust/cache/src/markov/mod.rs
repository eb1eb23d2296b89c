//! What mostly comes next: a first-order Markov model of the keys that clients ask for one after the other.
//!
//! Its memory is fixed when it is made: rows for keys that are left, in each the few keys that mostly follow, and names
//! for those. Feeding takes no lock and waits for nobody; threads that feed one row at once may lose a count, which a
//! model of habits can bear, but never make a probability of more than one.

mod gate;
mod names;
mod row;
mod saved;
mod table;
mod trails;

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::{FixedState, RandomState};

pub use gate::PrefetchGate;
use names::Names;
use table::Table;
use trails::Trails;

/// How a model is set up. Counts of places are rounded up to a power of two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MarkovConfig {
    /// Keys of which is known what follows; 64 bytes each.
    pub rows: usize,
    /// Keys that can be foretold: eight bytes each, and the key.
    pub names: usize,
    /// Clients whose last key is remembered; eight bytes each.
    pub clients: usize,
    /// Longer keys are not learned.
    pub key_bytes: usize,
    /// After so many minutes without a request a client's next one begins anew.
    pub idle_minutes: u16,
    /// Departures that were not seen, added to those that were: what was seen once proves little. Six was
    /// found by `benches/prefetch`.
    pub doubt: f64,
}

impl Default for MarkovConfig {
    fn default() -> Self {
        Self {
            rows: 16 << 10,
            names: 32 << 10,
            clients: 16 << 10,
            key_bytes: 512,
            idle_minutes: 30,
            doubt: 6.0,
        }
    }
}

/// A key that may come next.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    pub key: Arc<[u8]>,
    /// Between 0 and 1; that of all that may follow one key sums to no more than 1.
    pub probability: f64,
}

/// A model of transitions between keys.
#[derive(Debug)]
pub struct Markov {
    hasher: FixedState,
    /// What the hasher was made with, by which keys have the same numbers after a restart.
    seed: u64,
    table: Table,
    names: Names,
    trails: Trails,
    config: MarkovConfig,
}

impl Default for Markov {
    fn default() -> Self {
        Self::new(MarkovConfig::default())
    }
}

impl Markov {
    /// Makes a model that knows nothing.
    pub fn new(config: MarkovConfig) -> Self {
        Self::seeded(config, RandomState::default().hash_one(0u64))
    }

    fn seeded(config: MarkovConfig, seed: u64) -> Self {
        Self {
            hasher: FixedState::with_seed(seed),
            seed,
            table: Table::new(config.rows),
            names: Names::new(config.names),
            trails: Trails::new(config.clients, config.idle_minutes),
            config,
        }
    }

    /// Learns that a client asked for a key. `client` is any number that stands for it, `now` is in milliseconds.
    pub fn observe(&self, client: u64, key: &[u8], now: u64) {
        if key.len() > self.config.key_bytes {
            return;
        }
        let to = self.id(key);
        let from = self.trails.follow(self.hasher.hash_one(client), to, now);
        if let Some(from) = from.filter(|from| *from != to) {
            self.names.keep(to, key);
            self.table.add(from, to);
        }
    }

    /// Learns that `to` followed `from`, of whichever client.
    pub fn feed(&self, from: &[u8], to: &[u8]) {
        if from.len() > self.config.key_bytes || to.len() > self.config.key_bytes {
            return;
        }
        let (from, id) = (self.id(from), self.id(to));
        if from != id {
            self.names.keep(id, to);
            self.table.add(from, id);
        }
    }

    /// What comes after a key with a probability of at least `least`, the likeliest first, and at most `most` of them.
    pub fn predict(&self, from: &[u8], least: f64, most: usize) -> Vec<Prediction> {
        let mut found = self.table.next(self.id(from), self.config.doubt);
        found.retain(|(_, probability)| *probability >= least);
        found.sort_unstable_by(|(_, one), (_, other)| other.total_cmp(one));
        let named = found.into_iter().filter_map(|(id, probability)| {
            Some(Prediction {
                key: self.names.get(id)?,
                probability,
            })
        });
        named.take(most).collect()
    }

    /// Has `fetch` get what probably comes next and is `missing`; returns how many that were. `fetch` should spawn the
    /// work and return.
    pub fn prefetch(
        &self,
        from: &[u8],
        least: f64,
        most: usize,
        missing: impl Fn(&[u8]) -> bool,
        fetch: impl FnMut(&Prediction),
    ) -> usize {
        let mut found = self.predict(from, least, usize::MAX);
        found.retain(|one| missing(&one.key));
        found.truncate(most);
        found.iter().for_each(fetch);
        found.len()
    }

    /// Halves all that was learned, so that what comes counts more; for a timer, once a day or so. A row that is fed
    /// much does this by itself.
    pub fn decay(&self) {
        self.table.decay();
    }

    /// Bytes of its tables, without the names' keys.
    pub fn table_bytes(&self) -> usize {
        self.table.bytes() + self.names.bytes() + self.trails.bytes()
    }

    /// A number for a key, never nought; the same for as long as the model is kept.
    pub fn number(&self, key: &[u8]) -> u64 {
        self.id(key)
    }

    fn id(&self, key: &[u8]) -> u64 {
        (self.hasher.hash_one(key) >> (64 - ID_BITS)).max(1)
    }
}

/// Bits of a key's number. Of 30,000 keys two have the same in one model of two thousand.
const ID_BITS: u32 = 40;
/// Bits of a count, beside the number in one word.
const COUNT_BITS: u32 = 64 - ID_BITS;

/// Spreads a number over a table of a power of two of places.
fn place(id: u64, places: usize) -> usize {
    let mixed = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    usize::try_from(mixed >> 20).unwrap_or(0) & (places - 1)
}
