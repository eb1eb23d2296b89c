//! Reading: no lock, no allocation, and nothing written that another thread writes too.

use crate::arena_unsafe::Piece;
use crate::cache::Cache;
use crate::common::Common;
use crate::entry::Entry;
use crate::epoch::Guard;
use crate::lease::Lease;
use crate::purges::Verdict;
use crate::stripes::Stripe;
use crate::value_unsafe::{Value, Word};

/// A thread that reads. What it finds stays as long as it lives, so it should not live long: memory of entries that go
/// meanwhile, by whomever, is kept.
#[derive(Debug)]
pub struct Reader<'c, V> {
    cache: &'c Cache<V>,
    stripe: &'c Stripe,
    guard: Guard,
}

impl<'c, V: Value> Reader<'c, V> {
    #[inline]
    pub(crate) fn new(cache: &'c Cache<V>, stripe: &'c Stripe, guard: Guard) -> Self {
        Self { cache, stripe, guard }
    }

    /// Finds the entry of a key, fresh or stale, unless it was purged or its time is over. `now` is in milliseconds.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "of the entry, most callers ask for a part, and the rest need not be put together"
    )]
    pub fn get(&self, key: &[u8], now: u64) -> Option<Entry<'_, V>> {
        let common = self.cache.common();
        let hash = common.hash(key);
        let Some(piece) = common.index.get(hash, key, &self.guard) else {
            self.stripe.misses.add(1);
            return None;
        };
        let Some((lease, word)) = look(common, piece) else {
            self.stripe.misses.add(1);
            return None;
        };
        if !lease.is_fresh(now) {
            if now >= lease.dead_at() {
                self.stripe.misses.add(1);
                return None;
            }
            self.stripe.stale.add(1);
        }
        piece.node().touch();
        self.stripe.hits.add(1);
        if hash & self.cache.note_mask() == 0 && self.stripe.note(hash) {
            self.cache.tell(self.stripe);
        }
        Some(Entry {
            piece,
            word,
            lease,
            tags: &common.tags,
        })
    }
}

/// Until when an entry may be used, and its value; none where it was purged.
#[inline(always)]
#[expect(clippy::inline_always, reason = "as for `get`")]
fn look<V: Value>(common: &Common<V>, piece: Piece<'_, V>) -> Option<(Lease, Word)> {
    loop {
        let seen = piece.node().glimpse();
        let mut verdict = Verdict::Untouched;
        if piece.node().has_tail() || common.purges.may_concern() {
            verdict = common.verdict(piece);
        }
        let word = piece.word();
        if V::WORD.is_some() && !piece.node().is_still(&seen) {
            continue;
        }
        return match verdict {
            Verdict::Untouched => Some((seen.lease, word)),
            Verdict::Stale(at) => Some((seen.lease.softened(at), word)),
            Verdict::Dead => None,
        };
    }
}
