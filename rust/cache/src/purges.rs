//! What was purged by more than a key or a tag, until no entry from before is left; and for a while after, for the
//! fills that were under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::marks::Marks;
use crate::node::Node;

/// Purges that are remembered for fills under way.
const REMEMBERED: usize = 64;

/// After so many purges every entry is looked at, so that none's number is too old to be told from its low bits.
const LOOK_AT_ALL: u64 = 1 << 24;

/// A fill that saw so many purges pass is not kept: the number it began with could soon not be told from a later one.
const MOST_BEHIND: u64 = 1 << 24;

/// A purge of all keys with a prefix; everything where that is empty.
#[derive(Debug)]
pub(crate) struct Broad {
    pub(crate) sequence: u64,
    prefix: Box<[u8]>,
    /// When, where what it names becomes stale and is not removed.
    softly_at: Option<u64>,
}

/// What a purge has made of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Untouched,
    /// It is stale since then.
    Stale(u64),
    Dead,
}

impl Verdict {
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Dead, _) | (_, Self::Dead) => Self::Dead,
            (Self::Stale(one), Self::Stale(other)) => Self::Stale(one.min(other)),
            (Self::Stale(at), Self::Untouched) | (Self::Untouched, Self::Stale(at)) => Self::Stale(at),
            (Self::Untouched, Self::Untouched) => Self::Untouched,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Purges {
    /// The number of the last purge.
    sequence: AtomicU64,
    /// The sweep that leaves no entry a broad purge names; nought where none is left.
    unswept: AtomicU64,
    broad: ArcSwap<Vec<Arc<Broad>>>,
    /// The number of the last broad purge.
    last_broad: AtomicU64,
    changing: Mutex<()>,
    keys: Marks,
    /// Purges up to this number may have been forgotten; a fill from before it is not kept.
    floor: AtomicU64,
    /// The sweep that has to be made; counted up when a purge that leaves entries to reclaim can be seen by all.
    sweep: AtomicU64,
}

impl Purges {
    pub(crate) fn new() -> Self {
        Self {
            sequence: AtomicU64::new(1),
            unswept: AtomicU64::new(0),
            broad: ArcSwap::default(),
            last_broad: AtomicU64::new(0),
            changing: Mutex::new(()),
            keys: Marks::new(),
            floor: AtomicU64::new(0),
            sweep: AtomicU64::new(0),
        }
    }

    pub(crate) fn current(&self) -> u64 {
        self.sequence.load(Ordering::Acquire)
    }

    pub(crate) fn next(&self) -> u64 {
        let sequence = self.sequence.fetch_add(1, Ordering::AcqRel) + 1;
        if sequence.is_multiple_of(LOOK_AT_ALL) {
            self.leave_to_sweep();
        }
        sequence
    }

    pub(crate) fn key(&self, hash: u64, sequence: u64) {
        self.keys.raise(hash, sequence);
    }

    /// Fills from before this number are not kept, whatever they bring.
    pub(crate) fn raise_floor(&self, sequence: u64) {
        self.floor.fetch_max(sequence, Ordering::AcqRel);
    }

    /// Says that a purge which can be seen by all now leaves entries to reclaim.
    pub(crate) fn leave_to_sweep(&self) -> u64 {
        self.sweep.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The sweep that has to be made.
    #[inline]
    pub(crate) fn sweep(&self) -> u64 {
        self.sweep.load(Ordering::Acquire)
    }

    /// Begins a purge of all keys with a prefix.
    pub(crate) fn prefix(&self, prefix: &[u8], softly_at: Option<u64>) {
        let _changing = self.changing.lock();
        let mut broad = Vec::clone(&self.broad.load());
        if self.unswept.swap(u64::MAX, Ordering::AcqRel) == 0 {
            while broad.len() >= REMEMBERED {
                self.raise_floor(broad.remove(0).sequence);
            }
        }
        if prefix.is_empty() && softly_at.is_none() {
            // Whatever was purged before is purged by this one too.
            broad.clear();
        }
        let sequence = self.next();
        broad.push(Arc::new(Broad {
            sequence,
            prefix: prefix.into(),
            softly_at,
        }));
        self.broad.store(Arc::new(broad));
        self.last_broad.store(sequence, Ordering::Release);
        self.unswept.store(self.leave_to_sweep(), Ordering::Release);
    }

    /// Whether so many broad purges are unswept that each read of an old entry is slow.
    pub(crate) fn are_many(&self) -> bool {
        self.broad.load().len() >= REMEMBERED && self.may_concern()
    }

    /// Says that a sweep and all before it are made.
    pub(crate) fn are_swept(&self, sweep: u64) {
        let _changing = self.changing.lock();
        if self.unswept.load(Ordering::Acquire) <= sweep {
            self.unswept.store(0, Ordering::Release);
        }
    }

    /// Whether an entry has to be looked at more closely.
    #[inline]
    pub(crate) fn may_concern(&self) -> bool {
        self.unswept.load(Ordering::Acquire) != 0
    }

    /// What broad purges made of an entry.
    pub(crate) fn broad_verdict(&self, node: &Node, key: &[u8]) -> Verdict {
        self.broad_since(node.sequence(self.current()), key)
    }

    #[inline]
    fn broad_since(&self, since: u64, key: &[u8]) -> Verdict {
        // Nearly always, and to look at the list takes longer.
        if since >= self.last_broad.load(Ordering::Acquire) {
            Verdict::Untouched
        } else {
            self.look_up(since, key)
        }
    }

    #[cold]
    fn look_up(&self, since: u64, key: &[u8]) -> Verdict {
        let broad = self.broad.load();
        let found = broad
            .iter()
            .filter(|purge| since < purge.sequence && key.starts_with(&purge.prefix));
        found.fold(Verdict::Untouched, |verdict, purge| {
            verdict.and(purge.softly_at.map_or(Verdict::Dead, Verdict::Stale))
        })
    }

    /// What became of a value that was asked for at `since`, by all but purges of tags.
    #[inline]
    pub(crate) fn fill_verdict(&self, since: u64, key: &[u8], hash: u64) -> Verdict {
        let is_too_old = self.current().saturating_sub(since) > MOST_BEHIND;
        if is_too_old || since < self.floor.load(Ordering::Acquire) || since < self.keys.get(hash) {
            return Verdict::Dead;
        }
        self.broad_since(since, key)
    }
}
