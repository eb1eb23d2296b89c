//! The purges of one tier, as a process knows them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use papaya::HashMap;
use parking_lot::{Mutex, RwLock};

use super::purge::Purge;
use super::tier::News;

type Marks = HashMap<Box<[u8]>, u64, foldhash::fast::RandomState>;

/// Prefixes that are looked at one by one; more become a floor under everything.
const PREFIXES: usize = 256;
/// News that wait to be fetched; more become one purge of everything.
const NEWS: usize = 4096;

/// For each tag, key and prefix the number of its last purge. Reads take no lock unless a prefix was purged lately.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// All purges up to this one are in.
    sequence: AtomicU64,
    /// What was made before this is dead, whatever it is.
    floor: AtomicU64,
    /// What was made before this cannot be judged any more and is not taken in; what is held from before is clean.
    trimmed: AtomicU64,
    tags: Marks,
    keys: Marks,
    prefixes: RwLock<Vec<(Box<[u8]>, u64)>>,
    newest_prefix: AtomicU64,
    news: Mutex<Vec<News>>,
    has_news: AtomicBool,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        let marks = || HashMap::with_hasher(foldhash::fast::RandomState::default());
        Self {
            sequence: AtomicU64::new(0),
            floor: AtomicU64::new(0),
            trimmed: AtomicU64::new(0),
            tags: marks(),
            keys: marks(),
            prefixes: RwLock::new(Vec::new()),
            newest_prefix: AtomicU64::new(0),
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
        let raise = |marks: &Marks, name: &[u8]| {
            let marks = marks.pin();
            if marks.get(name).is_some_and(|known| *known >= sequence) {
                return false;
            }
            marks.update_or_insert(name.into(), |known| sequence.max(*known), sequence);
            true
        };
        match purge {
            Purge::Tag(name) => raise(&self.tags, name),
            Purge::Key(key) => raise(&self.keys, key),
            Purge::All => self.raise_floor(sequence),
            Purge::Prefix(prefix) => {
                let mut prefixes = self.prefixes.write();
                if let Some((_, known)) = prefixes.iter_mut().find(|(known, _)| known == prefix) {
                    let is_new = *known < sequence;
                    *known = sequence.max(*known);
                    self.newest_prefix.fetch_max(sequence, Ordering::AcqRel);
                    return is_new;
                }
                if prefixes.len() == PREFIXES {
                    let (_, oldest) = prefixes.remove(0);
                    self.raise_floor(oldest);
                }
                prefixes.push((prefix.clone(), sequence));
                self.newest_prefix.fetch_max(sequence, Ordering::AcqRel);
                true
            }
        }
    }

    /// Makes everything dead that was made before a number.
    pub(crate) fn raise_floor(&self, sequence: u64) -> bool {
        self.floor.fetch_max(sequence, Ordering::AcqRel) < sequence
    }

    /// Whether something made at a number was purged since, for a reader that knows all purges up to `self.sequence()`.
    pub(crate) fn is_purged<'a>(&self, made_at: u64, key: &[u8], tags: impl IntoIterator<Item = &'a [u8]>) -> bool {
        if made_at >= self.sequence() {
            return false;
        }
        if made_at < self.floor.load(Ordering::Acquire) {
            return true;
        }
        if self.keys.pin().get(key).is_some_and(|purged| *purged > made_at) {
            return true;
        }
        let marks = self.tags.pin();
        if tags
            .into_iter()
            .any(|tag| marks.get(tag).is_some_and(|purged| *purged > made_at))
        {
            return true;
        }
        made_at < self.newest_prefix.load(Ordering::Acquire)
            && self
                .prefixes
                .read()
                .iter()
                .any(|(prefix, purged)| *purged > made_at && key.starts_with(prefix))
    }

    /// Forgets purges up to a number: nothing that is held was made before them and is meant by them.
    pub(crate) fn trim(&self, upto: u64) {
        if self.trimmed.fetch_max(upto, Ordering::AcqRel) >= upto {
            return;
        }
        for marks in [&self.tags, &self.keys] {
            marks.pin().retain(|_, purged| *purged > upto);
        }
        self.prefixes.write().retain(|(_, purged)| *purged > upto);
    }

    /// Purges remembered.
    pub(crate) fn len(&self) -> usize {
        self.tags.len() + self.keys.len() + self.prefixes.read().len()
    }

    /// The number of the last purge of just this, where it is remembered.
    pub(crate) fn mark(&self, purge: &Purge) -> Option<u64> {
        match purge {
            Purge::Tag(name) => self.tags.pin().get(name).copied(),
            Purge::Key(key) => self.keys.pin().get(key).copied(),
            Purge::Prefix(prefix) => {
                let prefixes = self.prefixes.read();
                prefixes
                    .iter()
                    .find(|(known, _)| known == prefix)
                    .map(|(_, purged)| *purged)
            }
            Purge::All => None,
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
