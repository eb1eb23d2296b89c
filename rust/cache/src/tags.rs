//! Tags, each with the number of its last purge.
//!
//! Every purge has a number of its own. An entry knows the number that was the last when its value was asked for, and is
//! dead as soon as one of its tags has a higher one. So a purge hides any number of entries at once, and it wins over a
//! fill that was under way. An entry names its tags by numbers of 32 bits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;

/// Tags that no entry has are let go when there are more than twice as many as after the last time, and this many.
const PRUNE_FROM: usize = 4096;

/// What is known of one tag.
#[derive(Debug, Default)]
pub(crate) struct Tag {
    purged: AtomicU64,
    softened: AtomicU64,
    softened_at: AtomicU64,
    /// Entries that have it.
    holders: AtomicU32,
}

#[derive(Debug, Default)]
struct Names {
    numbers: HashMap<Arc<str>, u32, foldhash::fast::RandomState>,
    by_number: Vec<Option<Arc<str>>>,
    free: Vec<u32>,
}

#[derive(Debug)]
pub(crate) struct Tags {
    names: RwLock<Names>,
    /// By number; the first one, then two, four, eight more: none ever moves.
    cells: [OnceLock<Box<[Tag]>>; 32],
    prune_at: AtomicUsize,
    /// Purges up to this number may have been forgotten; a fill from before it is not kept.
    floor: AtomicU64,
}

impl Tags {
    pub(crate) fn new() -> Self {
        Self {
            names: RwLock::default(),
            cells: [const { OnceLock::new() }; 32],
            prune_at: AtomicUsize::new(PRUNE_FROM),
            floor: AtomicU64::new(0),
        }
    }

    #[inline]
    fn cell(&self, number: u32) -> &Tag {
        // The last number is never given out.
        let place = number.saturating_add(1);
        let level = place.ilog2();
        let cells =
            self.cells[level as usize & 31].get_or_init(|| (0..1_u32 << level).map(|_| Tag::default()).collect());
        &cells[(place - (1 << level)) as usize]
    }

    /// Whether one of the tags was purged after this number.
    #[inline]
    pub(crate) fn any_purged(&self, numbers: &[u32], sequence: u64) -> bool {
        numbers
            .iter()
            .any(|number| self.cell(*number).purged.load(Ordering::Acquire) > sequence)
    }

    /// The earliest time that a tag which was softened after this number was softened at.
    #[inline]
    pub(crate) fn softened(&self, numbers: &[u32], sequence: u64) -> Option<u64> {
        let cells = numbers.iter().map(|number| self.cell(*number));
        cells
            .filter(|tag| tag.softened.load(Ordering::Acquire) > sequence)
            .map(|tag| tag.softened_at.load(Ordering::Relaxed))
            .min()
    }

    /// The number of a tag, held by one more entry.
    pub(crate) fn acquire(&self, name: &str) -> u32 {
        {
            let names = self.names.read();
            if let Some(number) = names.numbers.get(name) {
                self.cell(*number).holders.fetch_add(1, Ordering::Relaxed);
                return *number;
            }
        }
        let number = self.number(&mut self.names.write(), name);
        self.cell(number).holders.fetch_add(1, Ordering::Relaxed);
        number
    }

    fn number(&self, names: &mut Names, name: &str) -> u32 {
        if let Some(number) = names.numbers.get(name) {
            return *number;
        }
        let name: Arc<str> = name.into();
        let number = names.free.pop().unwrap_or_else(|| {
            names.by_number.push(None);
            u32::try_from(names.by_number.len() - 1).unwrap_or(u32::MAX)
        });
        let tag = self.cell(number);
        for field in [&tag.purged, &tag.softened, &tag.softened_at] {
            field.store(0, Ordering::Release);
        }
        if let Some(place) = names.by_number.get_mut(number as usize) {
            *place = Some(Arc::clone(&name));
        }
        names.numbers.insert(name, number);
        number
    }

    /// One entry less has each of the tags; no reader can see that entry any more.
    pub(crate) fn release(&self, numbers: &[u32]) {
        for number in numbers {
            self.cell(*number).holders.fetch_sub(1, Ordering::Release);
        }
    }

    /// The names of tags.
    pub(crate) fn names(&self, numbers: &[u32]) -> Vec<Arc<str>> {
        let names = self.names.read();
        let found = numbers
            .iter()
            .filter_map(|number| names.by_number.get(*number as usize));
        found.flatten().cloned().collect()
    }

    /// Gives a tag the number of a purge. A tag nobody has yet is remembered too: a fill under way may bring it.
    pub(crate) fn purge(&self, name: &str, sequence: u64, softly_at: Option<u64>) {
        {
            let names = self.names.read();
            if let Some(number) = names.numbers.get(name) {
                self.mark(*number, sequence, softly_at);
                return;
            }
        }
        let mut names = self.names.write();
        let number = self.number(&mut names, name);
        self.mark(number, sequence, softly_at);
        self.prune(&mut names);
    }

    fn mark(&self, number: u32, sequence: u64, softly_at: Option<u64>) {
        let tag = self.cell(number);
        if let Some(now) = softly_at {
            tag.softened_at.store(now, Ordering::Relaxed);
            tag.softened.fetch_max(sequence, Ordering::AcqRel);
        } else {
            tag.purged.fetch_max(sequence, Ordering::AcqRel);
        }
    }

    /// Purges the tags whose names a condition holds for, and returns how many. A fill under way might bring another
    /// such tag, so none with tags is kept.
    pub(crate) fn purge_where(&self, condition: impl Fn(&str) -> bool, sequence: u64) -> usize {
        // Raised first: a tag that comes after the names were gone through belongs to a fill that is not kept.
        self.floor.fetch_max(sequence, Ordering::AcqRel);
        let names = self.names.read();
        let found = names.numbers.iter().filter(|(name, _)| condition(name));
        found.map(|(_, number)| self.mark(*number, sequence, None)).count()
    }

    pub(crate) fn floor(&self) -> u64 {
        self.floor.load(Ordering::Acquire)
    }

    /// Forgets tags that no entry has, now and then.
    pub(crate) fn prune_now_and_then(&self) {
        let is_due = self.names.read().numbers.len() >= self.prune_at.load(Ordering::Relaxed);
        if is_due {
            self.prune(&mut self.names.write());
        }
    }

    fn prune(&self, names: &mut Names) {
        if names.numbers.len() < self.prune_at.load(Ordering::Relaxed) {
            return;
        }
        let Names {
            numbers,
            by_number,
            free,
        } = names;
        numbers.retain(|_, number| {
            let tag = self.cell(*number);
            if tag.holders.load(Ordering::Acquire) > 0 {
                return true;
            }
            let forgotten = tag
                .purged
                .load(Ordering::Acquire)
                .max(tag.softened.load(Ordering::Acquire));
            self.floor.fetch_max(forgotten, Ordering::AcqRel);
            if let Some(place) = by_number.get_mut(*number as usize) {
                *place = None;
            }
            free.push(*number);
            false
        });
        self.prune_at
            .store((numbers.len() * 2).max(PRUNE_FROM), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_no_entry_has_are_forgotten_and_raise_the_floor() {
        let tags = Tags::new();
        let held = tags.acquire("held");
        for number in 0..10_000_u64 {
            tags.purge(&format!("tag{number}"), number + 1, None);
        }
        assert!(tags.names.read().numbers.len() < PRUNE_FROM + 10);
        assert!(tags.floor() > 4000 && tags.floor() <= 10_000);
        tags.purge("held", 20_000, None);
        assert!(tags.any_purged(&[held], 19_999) && !tags.any_purged(&[held], 20_000));
        assert_eq!(tags.names(&[held])[0].as_ref(), "held");
    }
}
