//! A part of the cache that is written under one lock: its entries' memory, their order of eviction and their ends.

use std::sync::atomic::Ordering;

use crate::arena_unsafe::{Content, Piece};
use crate::common::Common;
use crate::lease::Lease;
use crate::live::Live;
use crate::node::{LOOSE, Node};
use crate::policy::{Order, Records, Rule, Shadows};
use crate::purges::Verdict;
use crate::store_unsafe::{Gone, Store};
use crate::value_unsafe::Value;
use crate::wheel::Wheel;

/// Entries that go out of sight before it is tried to free some, which may cost a system call that interrupts every
/// processor: one for so many that are there, and these at least and at most.
const LIMBO_ENTRIES: usize = 32;
const FEWEST_IN_LIMBO: usize = 64;
const MOST_IN_LIMBO: usize = 1024;
/// Or their bytes: one part of the limit as this many, and so many at least.
const LIMBO_PART: u64 = 128;
const LIMBO_BYTES: u64 = 32 << 10;
/// And after so many inserts in any case, so that little is not kept for long.
const FREE_AFTER: u64 = 2048;
/// Entries evicted for one insert, besides those that its own size asks for.
const EVICT_AT_ONCE: u64 = 256;
const LEAST_ENTRY: u64 = 128;

/// Why an entry goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    Evicted,
    Expired,
    Purged,
}

/// What a partition has done.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) inserts: u64,
    pub(crate) evictions: u64,
    pub(crate) expired: u64,
    pub(crate) purged: u64,
    pub(crate) refused: u64,
    pub(crate) outrun: u64,
}

/// A new entry.
pub(crate) struct New<'a, V> {
    pub(crate) key: &'a [u8],
    pub(crate) hash: u64,
    pub(crate) value: V,
    pub(crate) tags: &'a [u32],
    pub(crate) weight: u32,
    pub(crate) lease: Lease,
    pub(crate) sequence: u64,
}

/// Why a value could not be put in another's place.
pub(crate) enum NotInPlace<'a, V> {
    /// The key has no entry.
    Absent(New<'a, V>),
    /// More has to be done than that.
    Otherwise(New<'a, V>),
}

/// What became of a new entry; the value is handed back so that it is dropped without the lock.
pub(crate) enum Outcome<V> {
    Kept,
    NoRoom(V),
    Outrun(V),
}

/// What each insert writes is together, in this partition's own fields and in those of the order and the store: each line
/// of it moves from processor to processor as they take turns.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Partition<V> {
    bytes: u64,
    /// The last sweep that was made.
    swept: u64,
    pub(crate) counts: Counts,
    order: Order,
    store: Store<V>,
    wheel: Wheel,
    shadows: Option<Box<Shadows>>,
    /// The sweep under way with the chunk it has come to.
    sweeping: Option<(u64, usize)>,
}

impl<V: Value> Partition<V> {
    pub(crate) fn new(number: usize, rule: Rule, shadows: Option<Shadows>, keeps_frequency: bool) -> Self {
        Self {
            store: Store::new(number),
            order: Order::new(rule, keeps_frequency),
            wheel: Wheel::new(),
            shadows: shadows.map(Box::new),
            bytes: 0,
            swept: 0,
            sweeping: None,
            counts: Counts::default(),
        }
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of memory that entries have, and that lie idle between them.
    pub(crate) const fn memory(&self) -> u64 {
        self.store.arena_bytes() as u64
    }

    pub(crate) const fn len(&self) -> usize {
        self.order.len()
    }

    pub(crate) const fn swept(&self) -> u64 {
        self.swept
    }

    pub(crate) fn set_rule(&mut self, rule: Rule) {
        if rule != self.order.rule() {
            self.order.set_rule(rule);
        }
    }

    /// The bits of a hash that keys which the simulations want to be told of have none of; none where there are no
    /// simulations.
    #[inline]
    pub(crate) fn sample(&self) -> Option<u64> {
        self.shadows.as_ref().map(|shadows| shadows.mask())
    }

    /// Takes note of a hit on a key of this hash, and returns the rule that would be best.
    pub(crate) fn note(&mut self, common: &Common<V>, hash: u64, limit: u64) -> Option<Rule> {
        let store = &self.store;
        let node = store.find_similar(&common.index, hash)?.node();
        if node.kind() < LOOSE && self.order.rule().wants_hits() {
            self.order.hit(&Live { store, common }, node.handle(), hash);
        }
        Some(self.shadows.as_mut()?.access(hash, node.weight(), limit))
    }

    /// Tells the simulations of a miss, and returns the rule that would be best.
    #[inline]
    pub(crate) fn note_new(&mut self, hash: u64, weight: u32, limit: u64) -> Option<Rule> {
        Some(self.shadows.as_mut()?.access(hash, weight, limit))
    }

    /// Puts a value in the place of one with the same key and tags, where that is all there is to do; hands it back where
    /// not.
    #[inline]
    pub(crate) fn exchange<'n>(
        &mut self,
        common: &Common<V>,
        new: New<'n, V>,
        limit: u64,
        now: u64,
    ) -> Result<(), NotInPlace<'n, V>> {
        let Some(is_word) = V::WORD else {
            return Err(NotInPlace::Otherwise(new));
        };
        if fill_verdict(common, &new) != Verdict::Untouched {
            return Err(NotInPlace::Otherwise(new));
        }
        let mut is_absent = true;
        let fits = |piece: Piece<'_, V>| {
            is_absent = false;
            let given_back = u64::from(piece.node().weight());
            // To compare nothing with nothing by a call takes longer than the whole rest.
            let is_tagged_so = if new.tags.is_empty() {
                piece.tags().is_empty()
            } else {
                piece.tags() == new.tags
            };
            self.bytes + u64::from(new.weight) <= limit + given_back && is_tagged_so
        };
        let place = (new.hash, new.key);
        let (lease, weight) = (new.lease, new.weight);
        let told = (lease, weight, new.sequence);
        let (handle, given_back, filed) =
            match self
                .store
                .exchange(&common.index, place, is_word, fits, new.value, told)
            {
                Ok(before) => before,
                Err(value) if is_absent => return Err(NotInPlace::Absent(New { value, ..new })),
                Err(value) => return Err(NotInPlace::Otherwise(New { value, ..new })),
            };
        self.counts.inserts += 1;
        self.bytes = self.bytes + u64::from(weight) - u64::from(given_back);
        let store = &self.store;
        self.order
            .rewrite(&Live { store, common }, handle, new.hash, (given_back, weight));
        // Where it is filed under an earlier time, it is filed anew when that comes.
        if lease.dead_at() < filed.dead_at() {
            self.file(handle, lease, now);
        }
        Ok(())
    }

    /// Puts a new entry in, making room for it.
    pub(crate) fn insert(
        &mut self,
        common: &Common<V>,
        new: NotInPlace<'_, V>,
        limit: u64,
        now: u64,
        evicted: &mut Gone<'_, V>,
    ) -> Outcome<V> {
        let (new, is_absent) = match new {
            NotInPlace::Absent(new) => (new, true),
            NotInPlace::Otherwise(new) => (new, false),
        };
        let lease = match fill_verdict(common, &new) {
            Verdict::Untouched => new.lease,
            Verdict::Stale(at) => new.lease.softened(at),
            Verdict::Dead => {
                self.counts.outrun += 1;
                return Outcome::Outrun(new.value);
            }
        };
        let weight = u64::from(new.weight);
        let (mut old, mut given_back) = (None, 0);
        if !is_absent && let Some(piece) = self.store.find(&common.index, new.hash, new.key) {
            let node = piece.node();
            self.store.prefetch(node.prev.load(Ordering::Relaxed));
            self.store.prefetch(node.next.load(Ordering::Relaxed));
            old = Some((node.handle(), piece.pointer()));
            given_back = u64::from(node.weight());
        }
        if self.bytes + weight > limit + given_back {
            let budget = EVICT_AT_ONCE + weight / LEAST_ENTRY;
            let mut has_room = self.make_room(common, limit, weight.saturating_sub(given_back), budget, evicted);
            old = old.filter(|(old, _)| self.store.node(*old).is_some_and(|node| node.kind() < LOOSE));
            if old.is_none() {
                given_back = 0;
                // To make room, the very entry may have gone that was to be replaced.
                has_room = has_room && self.make_room(common, limit, weight, budget, evicted);
            }
            if !has_room {
                self.counts.refused += 1;
                return Outcome::NoRoom(new.value);
            }
        }
        let content = Content {
            key: new.key,
            value: new.value,
            tags: new.tags,
        };
        let occupy = |node: &Node, key_len, has_tail| node.occupy(lease, new.weight, new.sequence, key_len, has_tail);
        let pointer = old.map(|(_, pointer)| pointer);
        let published = self
            .store
            .publish(&common.index, new.hash, pointer, content, occupy, |key| {
                common.hash(key)
            });
        let handle = match published {
            Ok(handle) => handle,
            Err(value) => {
                self.counts.refused += 1;
                return Outcome::NoRoom(value);
            }
        };
        self.counts.inserts += 1;
        self.bytes += weight;
        let store = &self.store;
        if let Some((old, _)) = old {
            self.order.replace(&Live { store, common }, old, handle, new.hash);
            self.store.retire(old);
            self.bytes -= given_back;
        } else {
            self.order.insert(&Live { store, common }, handle, new.hash, limit);
        }
        self.file(handle, lease, now);
        Outcome::Kept
    }

    /// Files an entry under the time it is over.
    #[inline]
    fn file(&mut self, handle: u32, lease: Lease, now: u64) {
        if lease.dead_at() != u64::MAX {
            self.wheel.add(handle, lease.dead_at(), now);
        }
        if self.wheel.len() > 2 * self.order.len() + 64 {
            self.rewind(now);
        }
    }

    /// Evicts until `incoming` bytes fit, but no more than `budget` entries; whether they fit.
    pub(crate) fn make_room(
        &mut self,
        common: &Common<V>,
        limit: u64,
        incoming: u64,
        mut budget: u64,
        evicted: &mut Gone<'_, V>,
    ) -> bool {
        while self.bytes + incoming > limit {
            if budget == 0 || incoming > limit {
                return false;
            }
            budget -= 1;
            let store = &self.store;
            let Some(victim) = self.order.evict(&Live { store, common }, limit, incoming) else {
                return false;
            };
            self.leave(common, victim.0, victim.1, Why::Evicted, evicted);
        }
        true
    }

    /// Removes the entry of a key, or makes it stale at a time; whether there was one that could be seen.
    pub(crate) fn purge_key(&mut self, common: &Common<V>, key: &[u8], hash: u64, softly_at: Option<u64>) -> bool {
        let Some(piece) = self.store.find(&common.index, hash, key) else {
            return false;
        };
        let is_seen = common.verdict(piece) != Verdict::Dead;
        let handle = piece.node().handle();
        match softly_at {
            Some(now) => self.soften(handle, now),
            None => self.remove(common, handle, Why::Purged),
        }
        is_seen
    }

    fn soften(&mut self, handle: u32, now: u64) {
        if let Some(node) = self.store.node(handle) {
            let lease = node.lease().softened(now);
            if lease != node.lease() {
                node.set_lease(lease);
                self.wheel.add(handle, lease.dead_at(), now);
            }
        }
    }

    /// Takes an entry out that is in a list.
    fn remove(&mut self, common: &Common<V>, handle: u32, why: Why) {
        let live = Live {
            store: &self.store,
            common,
        };
        let hash = live.hash(handle);
        self.order.remove(&live, handle);
        self.leave(common, handle, hash, why, &mut Gone::unwanted());
    }

    /// Takes an entry out of sight that is in no list any more.
    fn leave(&mut self, common: &Common<V>, handle: u32, hash: u64, why: Why, evicted: &mut Gone<'_, V>) {
        let Some(piece) = self.store.piece(handle) else {
            return;
        };
        let weight = u64::from(piece.node().weight());
        if why == Why::Evicted && evicted.is_wanted() {
            let uses = piece.node().uses().max(self.order.frequency(hash));
            evicted.push(&self.store, handle, uses);
        }
        if self.store.hide(&common.index, hash, handle) {
            self.bytes -= weight;
            match why {
                Why::Evicted => self.counts.evictions += 1,
                Why::Expired => self.counts.expired += 1,
                Why::Purged => self.counts.purged += 1,
            }
        }
    }

    /// Lets go what is over or was purged, looking at no more than `budget` entries of each kind; true where nothing of
    /// it is left.
    #[inline]
    pub(crate) fn tidy(&mut self, common: &Common<V>, now: Option<u64>, budget: usize) -> bool {
        let is_swept = self.swept == common.purges.sweep() || self.sweep(common, budget);
        let is_turned = now.is_none_or(|now| self.wheel.is_at(now) || self.turn(common, now, budget));
        is_swept && is_turned
    }

    fn turn(&mut self, common: &Common<V>, now: u64, budget: usize) -> bool {
        let mut over = Vec::new();
        let store = &self.store;
        let is_turned = self.wheel.turn(now, budget, |handle| {
            let node = store.node(handle).filter(|node| node.kind() < LOOSE)?;
            let dead_at = node.lease().dead_at();
            if dead_at > now {
                return Some(dead_at);
            }
            over.push(handle);
            None
        });
        for handle in over {
            // Filed twice where it was made stale: the first time took it out.
            if self.store.node(handle).is_some_and(|node| node.kind() < LOOSE) {
                self.remove(common, handle, Why::Expired);
            }
        }
        is_turned
    }

    /// Files every entry anew.
    fn rewind(&mut self, now: u64) {
        self.wheel.clear();
        let mut number = 0;
        while let Some(handles) = self.store.chunk(number) {
            for handle in handles {
                if let Some(node) = self.store.node(handle).filter(|node| node.kind() < LOOSE) {
                    self.wheel.add(handle, node.lease().dead_at(), now);
                }
            }
            number += 1;
        }
    }

    fn sweep(&mut self, common: &Common<V>, budget: usize) -> bool {
        let wanted = common.purges.sweep();
        if self.swept == wanted {
            return true;
        }
        let (sweep, mut number) = self.sweeping.unwrap_or((wanted, 0));
        let mut looked_at = 0;
        while looked_at < budget {
            let Some(handles) = self.store.chunk(number) else {
                self.swept = sweep;
                self.sweeping = None;
                return sweep == wanted;
            };
            number += 1;
            for handle in handles {
                looked_at += 1;
                self.judge(common, handle);
            }
        }
        self.sweeping = Some((sweep, number));
        false
    }

    fn judge(&mut self, common: &Common<V>, handle: u32) {
        let Some(piece) = self.store.piece(handle).filter(|piece| piece.node().kind() < LOOSE) else {
            return;
        };
        match common.verdict(piece) {
            Verdict::Dead => self.remove(common, handle, Why::Purged),
            Verdict::Stale(at) => self.soften(handle, at),
            Verdict::Untouched => piece.node().keep_recent(common.purges.current()),
        }
    }

    /// Removes the entries of one chunk that a condition holds for and that are from before a purge; none past the
    /// last chunk.
    pub(crate) fn remove_where(
        &mut self,
        common: &Common<V>,
        number: usize,
        before: u64,
        condition: &impl Fn(&[u8]) -> bool,
    ) -> Option<usize> {
        let handles = self.store.chunk(number)?;
        let mut removed = 0;
        for handle in handles {
            let piece = self.store.piece(handle).filter(|piece| piece.node().kind() < LOOSE);
            let is_meant =
                |piece: Piece<'_, V>| piece.node().sequence(common.purges.current()) < before && condition(piece.key());
            if let Some(piece) = piece.filter(|piece| is_meant(*piece)) {
                removed += usize::from(common.verdict(piece) != Verdict::Dead);
                self.remove(common, handle, Why::Purged);
            }
        }
        Some(removed)
    }

    /// Whether it is worth while to look for memory that can be freed.
    #[inline]
    pub(crate) fn has_to_free(&self, limit: u64) -> bool {
        let (count, bytes) = self.store.open();
        let most = (self.len() / LIMBO_ENTRIES).clamp(FEWEST_IN_LIMBO, MOST_IN_LIMBO);
        let is_time = self.counts.inserts.is_multiple_of(FREE_AFTER) && self.store.has_limbo();
        count >= most || bytes > (limit / LIMBO_PART).max(LIMBO_BYTES) || is_time
    }

    /// Frees what nobody can see any more. The values are to be dropped without the lock.
    pub(crate) fn free(&mut self, common: &Common<V>) -> Vec<V> {
        self.store.free(|piece| common.tags.release(piece.tags()))
    }

    /// Keys from the one that would go last, and how often each was asked for lately, roughly.
    pub(crate) fn hottest(&self, common: &Common<V>, most: usize) -> Vec<(Box<[u8]>, u8)> {
        let store = &self.store;
        let live = Live { store, common };
        let pieces = self.order.last_to_go(&live).filter_map(|handle| store.piece(handle));
        let mut found: Vec<_> = pieces
            .filter(|piece| common.verdict(*piece) != Verdict::Dead)
            .map(|piece| {
                let frequency = self.order.frequency(common.hash(piece.key()));
                (piece, piece.node().uses().max(frequency))
            })
            .collect();
        found.sort_by_key(|(_, frequency)| std::cmp::Reverse(*frequency));
        found.truncate(most);
        found
            .into_iter()
            .map(|(piece, frequency)| (piece.key().into(), frequency))
            .collect()
    }
}

/// What became of a new entry while it was made.
#[inline]
fn fill_verdict<V>(common: &Common<V>, new: &New<'_, V>) -> Verdict {
    let verdict = common.purges.fill_verdict(new.sequence, new.key, new.hash);
    if new.tags.is_empty() {
        return verdict;
    }
    if new.sequence < common.tags.floor() {
        return Verdict::Dead;
    }
    verdict.and(common.tag_verdict(new.tags, new.sequence))
}
