//! How often keys were met lately: a count-min sketch that ages (Cormode and Muthukrishnan 2005; ageing by halving as in
//! `TinyLFU`, Einziger et al. 2017).

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

const CELLS: usize = 1 << 16;
const ROWS: usize = 2;
/// A full count is not written any more, so that hot keys share no line for writing.
const MOST: u8 = 15;

#[derive(Debug)]
pub(crate) struct Heat {
    cells: Box<[AtomicU8]>,
    counted: AtomicU64,
}

impl Heat {
    pub(crate) fn new() -> Self {
        Self {
            cells: (0..CELLS * ROWS).map(|_| AtomicU8::new(0)).collect(),
            counted: AtomicU64::new(0),
        }
    }

    /// Counts a use, and returns the count after it.
    pub(crate) fn touch(&self, hash: u64) -> u8 {
        let mut least = MOST;
        let mut grew = false;
        for cell in self.rows(hash) {
            let count = cell.load(Ordering::Relaxed);
            if count < MOST {
                cell.store(count + 1, Ordering::Relaxed);
                grew = true;
            }
            least = least.min(count.saturating_add(1));
        }
        if grew && self.counted.fetch_add(1, Ordering::Relaxed) == CELLS as u64 * 8 {
            self.age();
        }
        least
    }

    fn age(&self) {
        self.counted.store(0, Ordering::Relaxed);
        for cell in &self.cells {
            cell.store(cell.load(Ordering::Relaxed) / 2, Ordering::Relaxed);
        }
    }

    fn rows(&self, hash: u64) -> impl Iterator<Item = &AtomicU8> {
        (0..ROWS).filter_map(move |row| {
            let part = usize::try_from(hash >> (16 * row)).unwrap_or(0) & (CELLS - 1);
            self.cells.get(row * CELLS + part)
        })
    }
}
