//! Doubly linked lists of records that are named by numbers. Each record is in one list at most.

use crate::node::NONE;

/// Where the records are kept.
pub(crate) trait Records {
    fn prev(&self, id: u32) -> u32;
    fn next(&self, id: u32) -> u32;
    fn set_prev(&self, id: u32, to: u32);
    fn set_next(&self, id: u32, to: u32);
    /// The number of the list it is in.
    fn kind(&self, id: u32) -> u8;
    fn set_kind(&self, id: u32, kind: u8);
    fn weight(&self, id: u32) -> u64;
    fn uses(&self, id: u32) -> u8;
    fn set_uses(&self, id: u32, uses: u8);
    fn hash(&self, id: u32) -> u64;
}

/// The ends of a list, and what it holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct List {
    newest: u32,
    oldest: u32,
    pub(crate) len: usize,
    pub(crate) bytes: u64,
}

impl List {
    pub(crate) const EMPTY: Self = Self {
        newest: NONE,
        oldest: NONE,
        len: 0,
        bytes: 0,
    };

    pub(crate) const fn oldest(&self) -> Option<u32> {
        if self.oldest == NONE { None } else { Some(self.oldest) }
    }

    pub(crate) const fn newest(&self) -> Option<u32> {
        if self.newest == NONE { None } else { Some(self.newest) }
    }

    pub(crate) fn push(&mut self, records: &impl Records, id: u32) {
        records.set_prev(id, NONE);
        records.set_next(id, self.newest);
        if self.newest == NONE {
            self.oldest = id;
        } else {
            records.set_prev(self.newest, id);
        }
        self.newest = id;
        self.len += 1;
        self.bytes += records.weight(id);
    }

    pub(crate) fn remove(&mut self, records: &impl Records, id: u32) {
        let (prev, next) = (records.prev(id), records.next(id));
        self.relink(records, prev, next, next, prev);
        self.len -= 1;
        self.bytes -= records.weight(id);
    }

    /// Puts one record in another's place.
    pub(crate) fn replace(&mut self, records: &impl Records, old: u32, new: u32) {
        let (prev, next) = (records.prev(old), records.next(old));
        records.set_prev(new, prev);
        records.set_next(new, next);
        self.relink(records, prev, new, next, new);
        self.bytes = self.bytes + records.weight(new) - records.weight(old);
    }

    fn relink(&mut self, records: &impl Records, prev: u32, after_prev: u32, next: u32, before_next: u32) {
        if prev == NONE {
            self.newest = after_prev;
        } else {
            records.set_next(prev, after_prev);
        }
        if next == NONE {
            self.oldest = before_next;
        } else {
            records.set_prev(next, before_next);
        }
    }
}
