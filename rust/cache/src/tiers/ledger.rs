//! The purges of one tier, as a process knows them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::marks::{Mark, Marks};
use super::purge::Purge;
use super::tier::News;

/// News that wait to be fetched; more become one purge of everything.
const NEWS: usize = 4096;

/// What purges have made of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Untouched,
    /// It is stale since then, in milliseconds since 1970.
    Stale(u64),
    Dead,
}

/// The last purges of everything that was purged. Reads take no lock unless a prefix was purged lately.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// All purges up to this one are in.
    sequence: AtomicU64,
    /// What was made before this cannot be judged any more and is not taken in; what is held from before is clean.
    trimmed: AtomicU64,
    /// Purges that hide.
    hard: Marks,
    /// Purges that make stale.
    soft: Marks,
    news: Mutex<Vec<News>>,
    has_news: AtomicBool,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self {
            sequence: AtomicU64::new(0),
            trimmed: AtomicU64::new(0),
            hard: Marks::new(),
            soft: Marks::new(),
            news: Mutex::new(Vec::new()),
            has_news: AtomicBool::new(false),
        }
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.sequence.load(Ordering::Acquire)
    }

    pub(crate) fn trimmed(&self) -> u64 {
        self.trimmed.load(Ordering::Acquire)
    }

    /// Says that all purges up to a number are in.
    pub(crate) fn advance(&self, sequence: u64) {
        self.sequence.fetch_max(sequence, Ordering::AcqRel);
    }

    /// Takes in a purge, and returns whether it was not known. Call [`advance`](Self::advance) afterwards.
    pub(crate) fn apply(&self, purge: &Purge, sequence: u64) -> bool {
        match purge {
            Purge::Soft { at, .. } => self.soft.raise(purge, Mark { sequence, at: *at }),
            _ => self.hard.raise(purge, Mark { sequence, at: 0 }),
        }
    }

    /// Makes everything dead that was made before a number.
    pub(crate) fn raise_floor(&self, sequence: u64) -> bool {
        self.hard.raise_floor(Mark { sequence, at: 0 })
    }

    /// Whether something made at a number was purged since, for a reader that knows all purges up to `self.sequence()`.
    pub(crate) fn is_purged<'a>(&self, made_at: u64, key: &[u8], tags: impl IntoIterator<Item = &'a [u8]>) -> bool {
        self.hard.find(made_at, key, tags).is_some()
    }

    /// What became of something made at a number, for a reader that knows all purges up to `self.sequence()`.
    pub(crate) fn verdict<'a, T>(&self, made_at: u64, key: &[u8], tags: impl Fn() -> T) -> Verdict
    where
        T: IntoIterator<Item = &'a [u8]>,
    {
        if made_at >= self.sequence() {
            return Verdict::Untouched;
        }
        if self.is_purged(made_at, key, tags()) {
            return Verdict::Dead;
        }
        self.soft
            .find(made_at, key, tags())
            .map_or(Verdict::Untouched, Verdict::Stale)
    }

    /// Forgets purges up to a number: nothing that is held was made before them and is meant by them.
    pub(crate) fn trim(&self, upto: u64) {
        if self.trimmed.fetch_max(upto, Ordering::AcqRel) < upto {
            self.hard.trim(upto);
            self.soft.trim(upto);
        }
    }

    /// Purges remembered.
    pub(crate) fn len(&self) -> usize {
        self.hard.len() + self.soft.len()
    }

    /// The number of the last purge of just this, where it is remembered.
    pub(crate) fn mark(&self, purge: &Purge) -> Option<u64> {
        match purge {
            Purge::Soft { .. } => self.soft.last(purge),
            _ => self.hard.last(purge),
        }
    }

    /// Keeps a purge that others made, for whoever asks.
    pub(crate) fn tell(&self, purge: Purge, sequence: u64) {
        let mut news = self.news.lock();
        if news.len() == NEWS {
            news.clear();
            news.push(News {
                purge: Purge::All,
                sequence,
            });
        } else {
            news.push(News { purge, sequence });
        }
        self.has_news.store(true, Ordering::Release);
    }

    /// Takes what others purged since the last time.
    pub(crate) fn take_news(&self) -> Vec<News> {
        if !self.has_news.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut news = self.news.lock();
        self.has_news.store(false, Ordering::Release);
        std::mem::take(&mut *news)
    }
}
