//! What the threads of a pool share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::{PoolConfig, PoolStats};

/// Figures of one thread. Only that thread writes them, so they need no locked instruction.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) freed: AtomicU64,
    pub(super) held: AtomicU64,
}

impl Tally {
    pub(super) fn set(cell: &AtomicU64, change: impl FnOnce(u64) -> u64) {
        cell.store(change(cell.load(Ordering::Relaxed)), Ordering::Relaxed);
    }
}

/// The reserve, the classes, and the figures.
#[derive(Debug)]
pub(super) struct Shelf {
    sizes: Vec<usize>,
    /// How many buffers of each class a thread keeps.
    most: Vec<usize>,
    reserve_bytes: usize,
    reserve: Vec<Mutex<Vec<Box<[u8]>>>>,
    reserved: AtomicUsize,
    tallies: Mutex<Vec<Arc<Tally>>>,
    /// What threads that have ended counted, and what was counted with no thread's tally at hand.
    ended: Tally,
    oversized: AtomicU64,
    closed: AtomicBool,
}

impl Shelf {
    pub(super) fn new(config: PoolConfig) -> Self {
        let mut sizes = config.classes;
        sizes.retain(|size| *size > 0);
        sizes.sort_unstable();
        sizes.dedup();
        Self {
            reserve: sizes.iter().map(|_| Mutex::new(Vec::new())).collect(),
            most: sizes.iter().map(|size| (config.thread_bytes / size).max(1)).collect(),
            sizes,
            reserve_bytes: config.reserve_bytes,
            reserved: AtomicUsize::new(0),
            tallies: Mutex::new(Vec::new()),
            ended: Tally::default(),
            oversized: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// Nobody will take anything any more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        for shelf in &self.reserve {
            shelf.lock().clear();
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(super) fn class_for(&self, size: usize) -> Option<usize> {
        self.sizes.iter().position(|class| *class >= size)
    }

    /// The class of a buffer that comes back; none where it is of another pool's making or oversized.
    pub(super) fn class_of(&self, length: usize) -> Option<usize> {
        self.sizes.iter().position(|class| *class == length)
    }

    pub(super) fn size(&self, class: usize) -> usize {
        self.sizes.get(class).copied().unwrap_or(0)
    }

    pub(super) fn classes(&self) -> usize {
        self.sizes.len()
    }

    /// How many buffers of a class a thread keeps.
    pub(super) fn most_of(&self, class: usize) -> usize {
        self.most.get(class).copied().unwrap_or(1)
    }

    pub(super) fn has_room(&self, class: usize) -> bool {
        self.reserved.load(Ordering::Relaxed) + self.size(class) <= self.reserve_bytes
    }

    /// Puts a buffer into the reserve; false where it is full, and the buffer is freed.
    pub(super) fn put(&self, class: usize, bytes: Box<[u8]>) -> bool {
        let size = bytes.len();
        let reserve = |reserved: usize| {
            reserved
                .checked_add(size)
                .filter(|reserved| *reserved <= self.reserve_bytes)
        };
        let Some(shelf) = self.reserve.get(class) else {
            return false;
        };
        if self
            .reserved
            .try_update(Ordering::Relaxed, Ordering::Relaxed, reserve)
            .is_err()
        {
            return false;
        }
        shelf.lock().push(bytes);
        true
    }

    /// Takes up to `count` buffers of a class out of the reserve.
    pub(super) fn take(&self, class: usize, count: usize, into: &mut Vec<Box<[u8]>>) {
        let Some(shelf) = self.reserve.get(class) else { return };
        let mut shelf = shelf.lock();
        let count = count.min(shelf.len());
        let from = shelf.len() - count;
        into.extend(shelf.drain(from..));
        drop(shelf);
        self.reserved.fetch_sub(count * self.size(class), Ordering::Relaxed);
    }

    pub(super) fn count_oversized(&self) {
        self.oversized.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn register(&self) -> Arc<Tally> {
        let tally = Arc::new(Tally::default());
        self.tallies.lock().push(Arc::clone(&tally));
        tally
    }

    /// Takes over the figures of a thread that ends.
    pub(super) fn retire(&self, tally: &Arc<Tally>) {
        // Under the lock, so that no sum counts a thread twice or not at all.
        let mut tallies = self.tallies.lock();
        tallies.retain(|one| !Arc::ptr_eq(one, tally));
        let pairs = [
            (&self.ended.hits, &tally.hits),
            (&self.ended.misses, &tally.misses),
            (&self.ended.freed, &tally.freed),
        ];
        for (all, one) in pairs {
            all.fetch_add(one.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    pub(super) fn stats(&self) -> PoolStats {
        let tallies = self.tallies.lock();
        let sum = |of: fn(&Tally) -> &AtomicU64| {
            let threads = tallies.iter().map(|one| of(one).load(Ordering::Relaxed)).sum::<u64>();
            threads + of(&self.ended).load(Ordering::Relaxed)
        };
        PoolStats {
            hits: sum(|one| &one.hits),
            misses: sum(|one| &one.misses),
            freed: sum(|one| &one.freed),
            held: sum(|one| &one.held) + self.reserved.load(Ordering::Relaxed) as u64,
            oversized: self.oversized.load(Ordering::Relaxed),
        }
    }
}
