//! The rows, found by their key's number.

use super::place;
use super::row::Row;

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

    pub(super) fn decay(&self) {
        self.rows.iter().for_each(Row::halve);
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.rows)
    }
}
