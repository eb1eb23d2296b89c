//! What readers write: each thread in a place of its own.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Hits that a thread notes before it tells the order of eviction of them.
pub(crate) const NOTED: usize = 64;

/// A count that one thread writes and any reads.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    #[inline]
    pub(crate) fn add(&self, count: u64) {
        self.0.store(self.0.load(Ordering::Relaxed) + count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One thread's counts, and the hits that the order of eviction has not been told of.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Stripe {
    pub(crate) hits: Count,
    pub(crate) stale: Count,
    pub(crate) misses: Count,
    noted: AtomicU32,
    notes: [AtomicU64; NOTED],
}

impl Stripe {
    fn new() -> Self {
        Self {
            hits: Count::default(),
            stale: Count::default(),
            misses: Count::default(),
            noted: AtomicU32::new(0),
            notes: [const { AtomicU64::new(0) }; NOTED],
        }
    }

    /// Notes the hash of a key that was hit; true where the notes are full and should be told. Of its thread alone.
    #[inline]
    pub(crate) fn note(&self, hash: u64) -> bool {
        let noted = self.noted.load(Ordering::Relaxed);
        if let Some(note) = self.notes.get(noted as usize) {
            note.store(hash, Ordering::Relaxed);
            self.noted.store(noted + 1, Ordering::Relaxed);
        }
        noted as usize + 1 >= NOTED
    }

    /// Takes the notes. Of its thread alone.
    pub(crate) fn take(&self) -> impl Iterator<Item = u64> + '_ {
        let noted = self.noted.swap(0, Ordering::Relaxed) as usize;
        self.notes.iter().take(noted).map(|note| note.load(Ordering::Relaxed))
    }

    pub(crate) fn is_blank(&self) -> bool {
        self.noted.load(Ordering::Relaxed) == 0
    }
}

/// Threads whose stripes are found at once.
const FIRST: usize = 32;

/// As many stripes as threads need: one for each of the first threads, and for more of them two, four, eight at a time.
#[derive(Debug)]
pub(crate) struct Stripes {
    first: [OnceLock<Box<Stripe>>; FIRST],
    doublings: [OnceLock<Box<[Stripe]>>; 32],
}

impl Stripes {
    pub(crate) const fn new() -> Self {
        Self {
            first: [const { OnceLock::new() }; FIRST],
            doublings: [const { OnceLock::new() }; 32],
        }
    }

    /// The stripe of a thread, by its number.
    #[inline]
    pub(crate) fn of(&self, thread: usize) -> &Stripe {
        match self.first.get(thread).and_then(OnceLock::get) {
            Some(stripe) => stripe,
            None => self.make(thread),
        }
    }

    #[cold]
    fn make(&self, thread: usize) -> &Stripe {
        if let Some(place) = self.first.get(thread) {
            return place.get_or_init(|| Box::new(Stripe::new()));
        }
        let number = thread - FIRST + 1;
        let level = number.ilog2();
        let stripes =
            self.doublings[level as usize & 31].get_or_init(|| (0..1 << level).map(|_| Stripe::new()).collect());
        &stripes[number - (1 << level)]
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Stripe> {
        let first = self.first.iter().filter_map(OnceLock::get).map(Box::as_ref);
        first.chain(self.doublings.iter().filter_map(OnceLock::get).flatten())
    }
}
