//! The rows, found by their key's number.

use super::row::{Row, WORDS};
use super::{COUNT_BITS, place};

/// Rows in which one key may be.
const WAYS: usize = 4;

/// Rows by key.
#[derive(Debug)]
pub(super) struct Table {
    rows: Box<[Row]>,
}

impl Table {
    pub(super) fn new(rows: usize) -> Self {
        let count = rows.max(WAYS).next_power_of_two();
        Self {
            rows: (0..count).map(|_| Row::default()).collect(),
        }
    }

    fn set(&self, id: u64) -> &[Row] {
        let start = place(id, self.rows.len() / WAYS) * WAYS;
        self.rows.get(start..start + WAYS).unwrap_or_default()
    }

    pub(super) fn add(&self, from: u64, to: u64) {
        let mut weakest: Option<(&Row, (u64, u64))> = None;
        for row in self.set(from) {
            let head = row.head();
            if head.0 == from {
                return row.add(to);
            }
            if head.0 == 0 && row.claim(head, from) {
                return row.add(to);
            }
            if weakest.is_none_or(|(_, (_, least))| head.1 < least) {
                weakest = Some((row, head));
            }
        }
        // A key that is left often keeps its row against many that come once (frequency admission with ageing).
        let Some((row, head)) = weakest else { return };
        if head.1 > 1 {
            row.weaken(head);
        } else if row.claim(head, from) {
            row.add(to);
        }
    }

    pub(super) fn next(&self, from: u64, doubt: f64) -> Vec<(u64, f64)> {
        let row = self.set(from).iter().find(|row| row.head().0 == from);
        row.map(|row| row.next(doubt)).unwrap_or_default()
    }

    /// The words of the rows that are taken.
    pub(super) fn words(&self) -> impl Iterator<Item = [u64; WORDS]> {
        self.rows
            .iter()
            .map(Row::words)
            .filter(|[head, ..]| *head >> COUNT_BITS != 0)
    }

    /// Takes a saved row over, where there is a free place for it.
    pub(super) fn restore(&self, words: [u64; WORDS]) {
        let [head, ..] = words;
        let id = head >> COUNT_BITS;
        if id != 0
            && let Some(row) = self.set(id).iter().find(|row| row.head().0 == 0)
        {
            row.restore(words);
        }
    }

    pub(super) fn decay(&self) {
        self.rows.iter().for_each(Row::halve);
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.rows)
    }
}
