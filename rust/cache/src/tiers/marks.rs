//! When keys, tags, prefixes and everything were last purged.

use std::sync::atomic::{AtomicU64, Ordering};

use papaya::HashMap;
use parking_lot::RwLock;

use super::purge::Purge;

/// Prefixes that are looked at one by one; more become a floor under everything.
const PREFIXES: usize = 256;

/// A purge: its number, and when it was made, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) sequence: u64,
    pub(crate) at: u64,
}

type Names = HashMap<Box<[u8]>, Mark, foldhash::fast::RandomState>;

/// For each tag, key and prefix its last purge. Reads take no lock unless a prefix was purged lately.
#[derive(Debug)]
pub(crate) struct Marks {
    /// The highest number here: what was made after it is not concerned.
    newest: AtomicU64,
    /// What was made before this is purged, whatever it is.
    floor: AtomicU64,
    floor_at: AtomicU64,
    tags: Names,
    keys: Names,
    prefixes: RwLock<Vec<(Box<[u8]>, Mark)>>,
    newest_prefix: AtomicU64,
}

impl Marks {
    pub(crate) fn new() -> Self {
        let names = || HashMap::with_hasher(foldhash::fast::RandomState::default());
        Self {
            newest: AtomicU64::new(0),
            floor: AtomicU64::new(0),
            floor_at: AtomicU64::new(0),
            tags: names(),
            keys: names(),
            prefixes: RwLock::new(Vec::new()),
            newest_prefix: AtomicU64::new(0),
        }
    }

    /// Takes in a purge, and returns whether it was not known.
    pub(crate) fn raise(&self, purge: &Purge, mark: Mark) -> bool {
        let raise = |names: &Names, name: &[u8]| {
            let names = names.pin();
            if names.get(name).is_some_and(|known| known.sequence >= mark.sequence) {
                return false;
            }
            let later = |known: &Mark| if known.sequence < mark.sequence { mark } else { *known };
            names.update_or_insert(name.into(), later, mark);
            true
        };
        let is_new = match purge {
            Purge::Tag(name) => raise(&self.tags, name),
            Purge::Key(key) => raise(&self.keys, key),
            Purge::Prefix(prefix) => self.raise_prefix(prefix, mark),
            Purge::All => self.raise_floor(mark),
            Purge::Soft { purge, .. } => return self.raise(purge, mark),
        };
        self.newest.fetch_max(mark.sequence, Ordering::AcqRel);
        is_new
    }

    fn raise_prefix(&self, prefix: &[u8], mark: Mark) -> bool {
        let mut prefixes = self.prefixes.write();
        if let Some((_, known)) = prefixes.iter_mut().find(|(known, _)| &**known == prefix) {
            let is_new = known.sequence < mark.sequence;
            if is_new {
                *known = mark;
            }
            self.newest_prefix.fetch_max(mark.sequence, Ordering::AcqRel);
            return is_new;
        }
        if prefixes.len() == PREFIXES {
            let (_, oldest) = prefixes.remove(0);
            self.raise_floor(oldest);
        }
        prefixes.push((prefix.into(), mark));
        self.newest_prefix.fetch_max(mark.sequence, Ordering::AcqRel);
        true
    }

    /// Purges everything that was made before a number.
    pub(crate) fn raise_floor(&self, mark: Mark) -> bool {
        // The time first: whoever sees the number sees a time with it.
        self.floor_at.fetch_max(mark.at, Ordering::AcqRel);
        self.newest.fetch_max(mark.sequence, Ordering::AcqRel);
        self.floor.fetch_max(mark.sequence, Ordering::AcqRel) < mark.sequence
    }

    /// The earliest time that something made at a number was purged since.
    pub(crate) fn find<'a>(&self, made_at: u64, key: &[u8], tags: impl IntoIterator<Item = &'a [u8]>) -> Option<u64> {
        if made_at >= self.newest.load(Ordering::Acquire) {
            return None;
        }
        let since = |mark: &Mark| (mark.sequence > made_at).then_some(mark.at);
        let floor = (made_at < self.floor.load(Ordering::Acquire)).then(|| self.floor_at.load(Ordering::Acquire));
        let own = self.keys.pin().get(key).and_then(since);
        let marks = self.tags.pin();
        let tagged = tags.into_iter().filter_map(|tag| marks.get(tag).and_then(since));
        let earliest = tagged.chain(floor).chain(own).min();
        if made_at >= self.newest_prefix.load(Ordering::Acquire) {
            return earliest;
        }
        let prefixes = self.prefixes.read();
        let begun = prefixes.iter().filter(|(prefix, _)| key.starts_with(prefix));
        begun.filter_map(|(_, mark)| since(mark)).chain(earliest).min()
    }

    /// Forgets purges up to a number.
    pub(crate) fn trim(&self, upto: u64) {
        for names in [&self.tags, &self.keys] {
            names.pin().retain(|_, mark| mark.sequence > upto);
        }
        self.prefixes.write().retain(|(_, mark)| mark.sequence > upto);
    }

    /// Purges remembered.
    pub(crate) fn len(&self) -> usize {
        self.tags.len() + self.keys.len() + self.prefixes.read().len()
    }

    /// The number of the last purge of just this, where it is remembered.
    pub(crate) fn last(&self, purge: &Purge) -> Option<u64> {
        let mark = match purge {
            Purge::Tag(name) => self.tags.pin().get(name).copied(),
            Purge::Key(key) => self.keys.pin().get(key).copied(),
            Purge::Prefix(prefix) => {
                let prefixes = self.prefixes.read();
                prefixes
                    .iter()
                    .find(|(known, _)| known == prefix)
                    .map(|(_, mark)| *mark)
            }
            Purge::All => None,
            Purge::Soft { purge, .. } => return self.last(purge),
        };
        mark.map(|mark| mark.sequence)
    }
}
