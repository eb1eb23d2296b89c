//! What changed from one pack to the next.

use crate::reader::Pack;

/// The paths by which two packs differ.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Difference {
    pub added: Vec<String>,
    pub changed: Vec<String>,
    pub removed: Vec<String>,
    /// The tags of all of these, each once.
    pub tags: Vec<String>,
}

impl Difference {
    pub const fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

/// Compares two packs by status, header fields and plain bodies.
pub fn diff(old: &Pack, new: &Pack) -> Difference {
    let mut found = Difference::default();
    for entry in new.iter() {
        let list = match old.get(entry.path().as_bytes()) {
            None => &mut found.added,
            Some(other) if other.content_hash() != entry.content_hash() => &mut found.changed,
            Some(_) => continue,
        };
        list.push(entry.path().to_owned());
        found.tags.extend(entry.tags().map(str::to_owned));
    }
    for entry in old.iter().filter(|entry| new.get(entry.path().as_bytes()).is_none()) {
        found.removed.push(entry.path().to_owned());
        found.tags.extend(entry.tags().map(str::to_owned));
    }
    found.tags.sort();
    found.tags.dedup();
    found
}
