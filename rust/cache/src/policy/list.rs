//! Doubly linked lists of records that are named by numbers. Each record is in one list at most.

use crate::node::NONE;

/// What an order of eviction keeps with a record.
pub(crate) trait Record {
    fn prev(&self) -> u32;
    fn next(&self) -> u32;
    fn set_prev(&self, to: u32);
    fn set_next(&self, to: u32);
    /// The number of the list it is in.
    fn kind(&self) -> u8;
    fn set_kind(&self, kind: u8);
    fn weight(&self) -> u32;
    fn uses(&self) -> u8;
    fn set_uses(&self, uses: u8);
}

/// Where the records are kept. To find one by its number is most of the work, so whoever needs more of it than one thing
/// finds it once.
pub(crate) trait Records {
    type Record: Record;

    /// The record of a number; none where there is none, which then reads as nothing and is written to in vain.
    fn at(&self, id: u32) -> Option<&Self::Record>;
    fn hash(&self, id: u32) -> u64;

    fn next(&self, id: u32) -> u32 {
        self.at(id).map_or(NONE, Record::next)
    }
    fn kind(&self, id: u32) -> u8 {
        self.at(id).map_or(0, Record::kind)
    }
    fn weight(&self, id: u32) -> u64 {
        self.at(id).map_or(0, |record| u64::from(record.weight()))
    }
    fn uses(&self, id: u32) -> u8 {
        self.at(id).map_or(0, Record::uses)
    }
    fn set_uses(&self, id: u32, uses: u8) {
        if let Some(record) = self.at(id) {
            record.set_uses(uses);
        }
    }
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

    /// Puts a record in as the newest of the list of this kind.
    pub(crate) fn push(&mut self, records: &impl Records, id: u32, kind: u8) {
        let Some(record) = records.at(id) else {
            return;
        };
        record.set_kind(kind);
        record.set_prev(NONE);
        record.set_next(self.newest);
        match records.at(self.newest) {
            Some(newest) => newest.set_prev(id),
            None => self.oldest = id,
        }
        self.newest = id;
        self.len += 1;
        self.bytes += u64::from(record.weight());
    }

    pub(crate) fn remove(&mut self, records: &impl Records, id: u32) {
        let Some(record) = records.at(id) else {
            return;
        };
        let (prev, next) = (record.prev(), record.next());
        self.relink(records, prev, next, next, prev);
        self.len -= 1;
        self.bytes -= u64::from(record.weight());
    }

    /// Puts one record in another's place.
    pub(crate) fn replace<R: Records>(&mut self, records: &R, old: (u32, &R::Record), new: (u32, &R::Record)) {
        let (prev, next) = (old.1.prev(), old.1.next());
        new.1.set_prev(prev);
        new.1.set_next(next);
        self.relink(records, prev, new.0, next, new.0);
        self.bytes = self.bytes + u64::from(new.1.weight()) - u64::from(old.1.weight());
    }

    fn relink(&mut self, records: &impl Records, prev: u32, after_prev: u32, next: u32, before_next: u32) {
        match records.at(prev) {
            Some(prev) => prev.set_next(after_prev),
            None => self.newest = after_prev,
        }
        match records.at(next) {
            Some(next) => next.set_prev(before_next),
            None => self.oldest = before_next,
        }
    }
}
