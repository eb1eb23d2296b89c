//! What a cache has done.

use std::sync::atomic::{AtomicU64, Ordering};

/// Figures of a cache since it was made, and what it holds now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    pub hits: u64,
    pub misses: u64,
    pub inserts: u64,
    pub evictions: u64,
    /// Values that were too large to be kept.
    pub refused: u64,
    /// Values that were purged before they could be kept.
    pub outrun: u64,
    /// Bytes held now, keys and overhead included.
    pub bytes: u64,
    /// The most bytes it may hold.
    pub limit: u64,
    /// Entries held now.
    pub entries: u64,
}

/// A counter spread over lines of its own, so that threads that count do not wait for each other.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    cells: [Line; 8],
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Line(AtomicU64);

thread_local! {
    static CELL: usize = {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        usize::try_from(NEXT.fetch_add(1, Ordering::Relaxed) % 8).unwrap_or(0)
    };
}

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        let cell = CELL.with(|cell| *cell);
        if let Some(line) = self.cells.get(cell) {
            line.0.fetch_add(count, Ordering::Relaxed);
        }
    }

    pub(crate) fn get(&self) -> u64 {
        self.cells.iter().map(|line| line.0.load(Ordering::Relaxed)).sum()
    }
}
