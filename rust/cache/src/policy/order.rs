//! One order of eviction by changeable rules: over the cache's own entries, or over a simulation's.
//!
//! All rules share the lists, so that to change the rule costs nothing at once: what lies in a list that the new rule
//! does not know moves over a few at a time.

use super::Policy;
use super::ghosts::Ghosts;
use super::list::{List, Record, Records};
use super::sketch::Sketch;

/// What is new: the small queue of S3-FIFO, the window of W-TinyLFU.
const WINDOW: u8 = 0;
/// The main part of S3-FIFO and W-TinyLFU, all of LRU.
const MAIN: u8 = 1;
/// Of LFU: a list for each frequency of 0 to 15.
const LEVELS: u8 = 2;
const LISTS: usize = 18;
/// The share of S3-FIFO's small queue, as one part of this many.
const SMALL_PART: u64 = 10;
/// Uses after which S3-FIFO moves an entry on to the main queue.
const USES_TO_MOVE: u8 = 2;
/// Records that move over at one eviction after a change of rule.
const MOVE_AT_ONCE: usize = 8;

/// How to choose what goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    S3Fifo,
    /// With a window of so many thousandths. Both parts are first in, first out, and what was used meanwhile comes in again
    /// (as a clock has it; Corbató, "A paging experiment with the Multics system", 1968): a hit moves nothing.
    TinyLfu(u16),
    Lru,
    Lfu,
}

impl Rule {
    /// Whether it must be told of every hit.
    pub(crate) const fn wants_hits(self) -> bool {
        matches!(self, Self::Lru | Self::Lfu)
    }

    /// All rules that are used.
    const ALL: [Self; 6] = [
        Self::S3Fifo,
        Self::TinyLfu(10),
        Self::TinyLfu(150),
        Self::TinyLfu(300),
        Self::Lru,
        Self::Lfu,
    ];

    /// Its place among all.
    pub(crate) fn number(self) -> u8 {
        let place = Self::ALL.iter().position(|rule| *rule == self).unwrap_or(0);
        u8::try_from(place).unwrap_or(0)
    }

    pub(crate) fn numbered(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::S3Fifo)
    }

    /// The policy it belongs to.
    pub(crate) const fn policy(self) -> Policy {
        match self {
            Self::S3Fifo => Policy::S3Fifo,
            Self::TinyLfu(_) => Policy::TinyLfu,
            Self::Lru => Policy::Lru,
            Self::Lfu => Policy::Lfu,
        }
    }

    const fn wants_frequency(self) -> bool {
        matches!(self, Self::TinyLfu(_) | Self::Lfu)
    }

    const fn knows(self, list: u8) -> bool {
        match self {
            Self::S3Fifo | Self::TinyLfu(_) => list <= MAIN,
            Self::Lru => list == MAIN,
            Self::Lfu => list >= LEVELS,
        }
    }
}

/// The first lists are beside the length: most evictions and inserts write no other.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Order {
    len: usize,
    lists: [List; LISTS],
    rule: Rule,
    /// Whether a list may have records that the rule does not know.
    is_mixed: bool,
    /// Whether frequencies are counted although the rule does not ask for them.
    keeps_frequency: bool,
    sketch: Sketch,
    ghosts: Ghosts,
}

impl Order {
    pub(crate) fn new(rule: Rule, keeps_frequency: bool) -> Self {
        Self {
            len: 0,
            lists: [List::EMPTY; LISTS],
            rule,
            is_mixed: false,
            keeps_frequency,
            sketch: Sketch::new(),
            ghosts: Ghosts::new(),
        }
    }

    pub(crate) const fn rule(&self) -> Rule {
        self.rule
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn set_rule(&mut self, rule: Rule) {
        self.is_mixed |= rule != self.rule;
        self.rule = rule;
    }

    /// How often a key was asked for lately, as far as is known.
    pub(crate) fn frequency(&self, hash: u64) -> u8 {
        self.sketch.estimate(hash)
    }

    fn list(&mut self, kind: u8) -> &mut List {
        &mut self.lists[usize::from(kind).min(LISTS - 1)]
    }

    fn push(&mut self, records: &impl Records, id: u32, kind: u8) {
        self.list(kind).push(records, id, kind);
    }

    fn shift(&mut self, records: &impl Records, id: u32, kind: u8) {
        self.list(records.kind(id)).remove(records, id);
        self.push(records, id, kind);
    }

    const fn counts(&self) -> bool {
        self.keeps_frequency || self.rule.wants_frequency()
    }

    /// Counts that a key was asked for.
    pub(crate) fn count(&mut self, hash: u64) {
        if self.counts() {
            self.sketch.add(hash);
        }
    }

    /// Tells the sketch how many entries there are and will be, where that may have changed.
    fn measure(&mut self, limit: u64) {
        if self.counts() && self.len.is_multiple_of(16) {
            let bytes: u64 = self.lists.iter().map(|list| list.bytes).sum();
            let mean = (bytes / self.len.max(1) as u64).max(1);
            let capacity = usize::try_from(limit / mean).unwrap_or(usize::MAX);
            self.sketch
                .make_room(self.len, if self.len < 16 { 16 } else { capacity });
        }
    }

    /// Takes a new record; `limit` is the most bytes that all of them may have.
    pub(crate) fn insert(&mut self, records: &impl Records, id: u32, hash: u64, limit: u64) {
        self.measure(limit);
        self.count(hash);
        let kind = match self.rule {
            Rule::S3Fifo if self.ghosts.take(hash, self.ghost_capacity()) => MAIN,
            Rule::S3Fifo | Rule::TinyLfu(_) => WINDOW,
            Rule::Lru => MAIN,
            Rule::Lfu => self.level(hash),
        };
        self.len += 1;
        self.push(records, id, kind);
        if let Rule::TinyLfu(window) = self.rule {
            self.settle(records, limit, window);
        }
    }

    /// Puts a record in the place of one with the same key, which leaves.
    pub(crate) fn replace(&mut self, records: &impl Records, old: u32, new: u32, hash: u64) {
        let (Some(from), Some(to)) = (records.at(old), records.at(new)) else {
            return;
        };
        let kind = from.kind();
        to.set_kind(kind);
        to.set_uses(from.uses().saturating_add(1).min(crate::node::MOST_USES));
        self.list(kind).replace(records, (old, from), (new, to));
        self.hit(records, new, hash);
    }

    /// Takes note that a record has the value of a write now, and weighs so much more or less.
    #[inline]
    pub(crate) fn rewrite(&mut self, records: &impl Records, id: u32, hash: u64, weight: (u32, u32)) {
        let Some(record) = records.at(id) else {
            return;
        };
        record.set_uses(record.uses().saturating_add(1).min(crate::node::MOST_USES));
        let list = self.list(record.kind());
        list.bytes = list.bytes + u64::from(weight.1) - u64::from(weight.0);
        self.hit(records, id, hash);
    }

    pub(crate) fn remove(&mut self, records: &impl Records, id: u32) {
        self.list(records.kind(id)).remove(records, id);
        self.len -= 1;
    }

    /// Takes note of a hit.
    #[inline]
    pub(crate) fn hit(&mut self, records: &impl Records, id: u32, hash: u64) {
        match self.rule {
            Rule::S3Fifo | Rule::TinyLfu(_) => {}
            Rule::Lru => self.shift(records, id, MAIN),
            Rule::Lfu => {
                self.count(hash);
                let level = self.level(hash);
                self.shift(records, id, level);
            }
        }
    }

    fn level(&self, hash: u64) -> u8 {
        LEVELS + self.sketch.estimate(hash)
    }

    const fn ghost_capacity(&self) -> usize {
        self.len * 9 / 10
    }

    fn main_bytes(&self) -> u64 {
        self.lists[1..].iter().map(|list| list.bytes).sum()
    }

    /// Lets what is over the window go on while there is room behind it.
    fn settle(&mut self, records: &impl Records, limit: u64, window: u16) {
        let most = window_bytes(limit, window);
        while self.lists[WINDOW as usize].bytes > most
            && self.lists[WINDOW as usize].len > 1
            && let Some(oldest) = self.lists[WINDOW as usize].oldest()
            && self.main_bytes() + records.weight(oldest) <= limit - most
        {
            self.shift(records, oldest, MAIN);
        }
    }

    /// Moves a few records over that lie where the rule does not look.
    fn move_over(&mut self, records: &impl Records) {
        for _ in 0..MOVE_AT_ONCE {
            let unknown = (0u8..)
                .zip(&self.lists)
                .find(|(kind, list)| !self.rule.knows(*kind) && list.len > 0);
            let Some(oldest) = unknown.and_then(|(_, list)| list.oldest()) else {
                self.is_mixed = false;
                return;
            };
            let kind = match self.rule {
                Rule::Lfu => self.level(records.hash(oldest)),
                Rule::S3Fifo | Rule::TinyLfu(_) | Rule::Lru => MAIN,
            };
            self.shift(records, oldest, kind);
        }
    }

    /// Takes the record out that is to go next, where one of `incoming` bytes comes, and returns it with its hash; none
    /// where there is none.
    pub(crate) fn evict(&mut self, records: &impl Records, limit: u64, incoming: u64) -> Option<(u32, u64)> {
        if self.is_mixed {
            self.move_over(records);
        }
        if self.rule == Rule::S3Fifo
            && let Some((id, is_new)) = self.evict_s3_fifo(records, limit)
        {
            let hash = records.hash(id);
            if is_new {
                let capacity = self.ghost_capacity();
                self.ghosts.add(hash, capacity);
            }
            self.remove(records, id);
            return Some((id, hash));
        }
        let id = match self.rule {
            Rule::S3Fifo => None,
            Rule::TinyLfu(window) => self.evict_tiny_lfu(records, limit, incoming, window),
            Rule::Lru => self.lists[MAIN as usize].oldest(),
            Rule::Lfu => self.evict_lfu(records),
        };
        let id = id.or_else(|| self.lists.iter().find_map(List::oldest))?;
        let hash = records.hash(id);
        self.remove(records, id);
        Some((id, hash))
    }

    /// What is to go next, and whether it was in the small queue.
    fn evict_s3_fifo(&mut self, records: &impl Records, limit: u64) -> Option<(u32, bool)> {
        loop {
            let (small, main) = (self.lists[WINDOW as usize], self.lists[MAIN as usize]);
            let from_small = small.len > 0 && (main.len == 0 || small.bytes * SMALL_PART >= limit);
            if from_small {
                let oldest = small.oldest()?;
                let uses = records.uses(oldest);
                if uses < USES_TO_MOVE {
                    return Some((oldest, true));
                }
                self.fold(records, oldest, uses);
                records.set_uses(oldest, 0);
                self.shift(records, oldest, MAIN);
            } else {
                let oldest = main.oldest()?;
                let uses = records.uses(oldest);
                if uses == 0 {
                    return Some((oldest, false));
                }
                self.fold(records, oldest, 1);
                records.set_uses(oldest, uses - 1);
                self.shift(records, oldest, MAIN);
            }
        }
    }

    /// Counts uses that were noted at the record alone.
    fn fold(&mut self, records: &impl Records, id: u32, uses: u8) {
        if uses > 0 && self.counts() {
            let hash = records.hash(id);
            (0..uses).for_each(|_| self.count(hash));
        }
    }

    fn evict_tiny_lfu(&mut self, records: &impl Records, limit: u64, incoming: u64, window: u16) -> Option<u32> {
        // The window has room for what comes, however small it is.
        let most = window_bytes(limit, window).max(incoming);
        while self.lists[WINDOW as usize].bytes + incoming > most
            && let Some(candidate) = self.lists[WINDOW as usize].oldest()
        {
            self.fold(records, candidate, records.uses(candidate));
            records.set_uses(candidate, 0);
            if self.main_bytes() + records.weight(candidate) <= limit - most {
                self.shift(records, candidate, MAIN);
                continue;
            }
            let Some(victim) = self.last_unused(records) else {
                return Some(candidate);
            };
            let (asked, kept) = (records.hash(candidate), records.hash(victim));
            // One more may be chance, or only that a candidate was counted last: it has just been asked for. While all
            // that is known is of one time, the first things to come are to be replaced quickly, though.
            let lead = u8::from(self.sketch.has_faded());
            let is_better = self.sketch.estimate(asked) > self.sketch.estimate(kept) + lead;
            return Some(if is_better { victim } else { candidate });
        }
        self.last_unused(records)
    }

    /// The oldest of the main part that was not used since it last was the oldest; those that were come in again.
    fn last_unused(&mut self, records: &impl Records) -> Option<u32> {
        loop {
            let oldest = self.lists[MAIN as usize].oldest()?;
            let uses = records.uses(oldest);
            if uses == 0 {
                return Some(oldest);
            }
            self.fold(records, oldest, 1);
            records.set_uses(oldest, uses - 1);
            self.shift(records, oldest, MAIN);
        }
    }

    fn evict_lfu(&mut self, records: &impl Records) -> Option<u32> {
        // What was counted high long ago fades: the oldest of the highest list that is worth less now moves down.
        if let Some(high) = self.lists.iter().rev().find_map(List::oldest) {
            let level = self.level(records.hash(high));
            if level < records.kind(high) {
                self.shift(records, high, level);
            }
        }
        self.lists[LEVELS as usize..].iter().find_map(List::oldest)
    }

    /// Records from the one that would go last, as far as the lists tell.
    pub(crate) fn last_to_go<'a>(&'a self, records: &'a impl Records) -> impl Iterator<Item = u32> + 'a {
        let lists = [MAIN, WINDOW].into_iter().map(usize::from);
        let lists = (LEVELS as usize..LISTS).rev().chain(lists);
        lists.flat_map(|list| {
            std::iter::successors(self.lists[list].newest(), |id| {
                Some(records.next(*id)).filter(|next| *next != crate::node::NONE)
            })
        })
    }
}

fn window_bytes(limit: u64, window: u16) -> u64 {
    limit / 1000 * u64::from(window)
}
