//! Reading: no lock, no allocation, and nothing written that another thread writes too.

use crate::cache::Cache;
use crate::entry::Entry;
use crate::epoch::Guard;
use crate::purges::Verdict;
use crate::stripes::Stripe;

/// A thread that reads. What it finds stays as long as it lives, so it should not live long: memory of entries that go
/// meanwhile, by whomever, is kept.
#[derive(Debug)]
pub struct Reader<'c, V> {
    cache: &'c Cache<V>,
    stripe: &'c Stripe,
    guard: Guard,
}

impl<'c, V> Reader<'c, V> {
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
        let mut lease = piece.node().lease();
        if piece.node().has_tail() || common.purges.may_concern() {
            match common.verdict(piece) {
                Verdict::Untouched => {}
                Verdict::Stale(at) => lease = lease.softened(at),
                Verdict::Dead => {
                    self.stripe.misses.add(1);
                    return None;
                }
            }
        }
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
            value: piece.value(),
            piece,
            lease,
            tags: &common.tags,
        })
    }
}
