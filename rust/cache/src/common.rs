//! What the partitions of a cache have in common, and its readers with them.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;

use crate::arena_unsafe::Piece;
use crate::purges::{Purges, Verdict};
use crate::store_unsafe::Index;
use crate::tags::Tags;

/// What the partitions of a cache have in common.
#[derive(Debug)]
pub(crate) struct Common<V> {
    pub(crate) hasher: RandomState,
    pub(crate) index: Index<V>,
    pub(crate) tags: Tags,
    pub(crate) purges: Purges,
}

impl<V> Common<V> {
    #[inline]
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    /// What purges made of an entry.
    pub(crate) fn verdict(&self, piece: Piece<'_, V>) -> Verdict {
        let mut verdict = Verdict::Untouched;
        if self.purges.may_concern() {
            verdict = self.purges.broad_verdict(piece.node(), piece.key());
        }
        let tags = piece.tags();
        if !tags.is_empty() {
            verdict = verdict.and(self.tag_verdict(tags, piece.node().sequence(self.purges.current())));
        }
        verdict
    }

    /// What purges of tags made of what was asked for at `since`.
    pub(crate) fn tag_verdict(&self, tags: &[u32], since: u64) -> Verdict {
        if self.tags.any_purged(tags, since) {
            return Verdict::Dead;
        }
        self.tags
            .softened(tags, since)
            .map_or(Verdict::Untouched, Verdict::Stale)
    }
}
