//! What follows one key, in one line of the processor's cache.

use std::sync::atomic::{AtomicU64, Ordering};

use super::COUNT_BITS;

/// Keys that may follow.
const CELLS: usize = 7;
/// The words of a row.
pub(super) const WORDS: usize = CELLS + 1;
/// When a row has counted so many departures all its counts are halved: what is older counts less.
const MOST: u64 = 1024;
const COUNT: u64 = (1 << COUNT_BITS) - 1;

/// A key's number with a count, in one word: nought is nobody.
#[derive(Debug, Default)]
struct Cell(AtomicU64);

impl Cell {
    fn get(&self) -> (u64, u64) {
        let word = self.0.load(Ordering::Relaxed);
        (word >> COUNT_BITS, word & COUNT)
    }

    /// Puts another number and count in the place of what was read; false where that had changed.
    fn replace(&self, before: (u64, u64), after: (u64, u64)) -> bool {
        self.0
            .compare_exchange(pack(before), pack(after), Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    fn add(&self) -> u64 {
        // Counts are halved long before they could reach the number beside them.
        self.0.fetch_add(1, Ordering::Relaxed) & COUNT
    }

    fn halve(&self) {
        // Never fails: the closure always has an answer. A count that comes to nothing frees the place.
        let _ = self.0.try_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
            let half = (word & COUNT) / 2;
            Some(if half == 0 { 0 } else { word & !COUNT | half })
        });
    }
}

fn pack((id, count): (u64, u64)) -> u64 {
    id << COUNT_BITS | count
}

/// A key that is left, how often, and what followed.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Row {
    head: Cell,
    cells: [Cell; CELLS],
}

impl Row {
    /// The key it is of, and its departures; nought where it is free.
    pub(super) fn head(&self) -> (u64, u64) {
        self.head.get()
    }

    /// Makes it another key's, if it is still as it was read.
    pub(super) fn claim(&self, before: (u64, u64), id: u64) -> bool {
        if !self.head.replace(before, (id, 0)) {
            return false;
        }
        for cell in &self.cells {
            cell.0.store(0, Ordering::Relaxed);
        }
        true
    }

    /// Another key wanted this place: it is held for one time less.
    pub(super) fn weaken(&self, before: (u64, u64)) {
        self.head.replace(before, (before.0, before.1.saturating_sub(1)));
    }

    pub(super) fn add(&self, to: u64) {
        if self.head.add() + 1 >= MOST {
            self.halve();
        }
        let mut weakest = (&self.cells[0], (0, u64::MAX));
        for cell in &self.cells {
            let found = cell.get();
            if found.0 == to {
                cell.add();
                return;
            }
            if found.0 == 0 && cell.replace(found, (to, 1)) {
                return;
            }
            if found.1 < weakest.1.1 {
                weakest = (cell, found);
            }
        }
        // The one that is seen least gives way when it was outnumbered, as with the rows.
        let (cell, (id, count)) = weakest;
        let after = if count <= 1 { (to, 1) } else { (id, count - 1) };
        cell.replace((id, count), after);
    }

    /// What follows, with its probability.
    pub(super) fn next(&self, doubt: f64) -> Vec<(u64, f64)> {
        let found: Vec<(u64, u64)> = self.cells.iter().map(Cell::get).filter(|(id, _)| *id != 0).collect();
        // Counts of one moment and another may not fit: the sum of the parts is never more than the whole.
        let parts: u64 = found.iter().map(|(_, count)| count).sum();
        let whole = self.head().1.max(parts).max(1);
        let share = |count: u64| number(count) / (number(whole) + doubt.max(0.0));
        found.into_iter().map(|(id, count)| (id, share(count))).collect()
    }

    /// Its words as they are saved.
    pub(super) fn words(&self) -> [u64; WORDS] {
        let mut words = [0; WORDS];
        let cells = std::iter::once(&self.head).chain(&self.cells);
        for (word, cell) in words.iter_mut().zip(cells) {
            *word = cell.0.load(Ordering::Relaxed);
        }
        words
    }

    /// Takes saved words over. A count that is none is cut off, or it could run into the number beside it.
    pub(super) fn restore(&self, words: [u64; WORDS]) {
        let cells = std::iter::once(&self.head).chain(&self.cells);
        for (word, cell) in words.into_iter().zip(cells) {
            cell.0
                .store(word & !COUNT | (word & COUNT).min(MOST), Ordering::Relaxed);
        }
    }

    pub(super) fn halve(&self) {
        for cell in &self.cells {
            cell.halve();
        }
        self.head.halve();
    }
}

fn number(count: u64) -> f64 {
    // Counts have 24 bits.
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
