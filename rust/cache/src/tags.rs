//! Tags, each with the number of its last purge.
//!
//! Every purge has a number of its own. An entry knows the number that was the last when its value was asked for, and is
//! dead as soon as one of its tags has a higher one. So a purge hides any number of entries at once, and it wins over a
//! fill that was under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use papaya::HashMap;
use parking_lot::RwLock;

/// Tags that no entry has are let go when there are more than twice as many as after the last time, and this many.
const PRUNE_FROM: usize = 4096;

#[derive(Debug)]
pub(crate) struct Tag {
    name: Box<str>,
    purged: AtomicU64,
}

impl Tag {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn is_newer_than(&self, sequence: u64) -> bool {
        self.purged.load(Ordering::Acquire) > sequence
    }
}

#[derive(Debug)]
pub(crate) struct Tags {
    cells: HashMap<Box<str>, Arc<Tag>, foldhash::fast::RandomState>,
    prune_at: AtomicUsize,
    /// Held for writing while tags are let go, so that none is given out that is about to leave the map.
    pruning: RwLock<()>,
    /// Purges up to this number may have been forgotten; a fill from before it is not kept.
    floor: AtomicU64,
}

impl Tags {
    pub(crate) fn new() -> Self {
        Self {
            cells: HashMap::with_hasher(foldhash::fast::RandomState::default()),
            prune_at: AtomicUsize::new(PRUNE_FROM),
            pruning: RwLock::new(()),
            floor: AtomicU64::new(0),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Arc<Tag> {
        let _reading = self.pruning.read();
        let cells = self.cells.pin();
        if let Some(tag) = cells.get(name) {
            return Arc::clone(tag);
        }
        let tag = Tag {
            name: name.into(),
            purged: AtomicU64::new(0),
        };
        Arc::clone(cells.get_or_insert(name.into(), Arc::new(tag)))
    }

    /// Gives a tag the number of a purge. A tag nobody has yet is remembered too: a fill under way may bring it.
    pub(crate) fn purge(&self, name: &str, sequence: u64) {
        let tag = self.get(name);
        tag.purged.fetch_max(sequence, Ordering::AcqRel);
    }

    pub(crate) fn floor(&self) -> u64 {
        self.floor.load(Ordering::Acquire)
    }

    /// Forgets tags that no entry has, now and then. `sequence` is the number of the last purge.
    pub(crate) fn prune(&self, sequence: u64) {
        let count = self.cells.len();
        if count < self.prune_at.load(Ordering::Relaxed) {
            return;
        }
        let _writing = self.pruning.write();
        self.floor.fetch_max(sequence, Ordering::AcqRel);
        let cells = self.cells.pin();
        cells.retain(|_, tag| Arc::strong_count(tag) > 1);
        self.prune_at
            .store((cells.len() * 2).max(PRUNE_FROM), Ordering::Relaxed);
    }
}
