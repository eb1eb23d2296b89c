//! Which rule would have the most hits, by simulating each on a sample of the keys (Waldspurger et al., "Cache modeling
//! and optimization using miniature simulations", USENIX ATC 2017).

use std::cell::Cell;
use std::collections::HashMap;

use super::list::{Record, Records};
use super::order::{Order, Rule};
use crate::node::{MOST_USES, NONE};

/// The rules that are tried. The first is gone by until another proves better: where it is not the best, it is either
/// close to it, or so far behind that this shows soon.
pub(crate) const TRIED: [Rule; 5] = [
    Rule::TinyLfu(150),
    Rule::TinyLfu(10),
    Rule::TinyLfu(300),
    Rule::Lru,
    Rule::S3Fifo,
];
/// Records of a simulation before its sample is halved.
const LARGEST: usize = 4096;
/// Hits are compared after an access for every second record, and this many at least.
const SHORTEST_ROUND: u64 = 128;
/// To change the rule costs hits until what is kept is what the new one would keep: one for each record, shifted right by
/// the price, and some at least. Where another rule would have had so many more by now, it is worth it (as one who skis now and then
/// buys skis when the rent has come to their price; Karlin et al., "Competitive snoopy caching", 1988).
///
/// Each change raises the price, so that rules which take turns are not chased; it sinks again in quiet times.
const LOWEST_PRICE: u32 = 3;
const HIGHEST_PRICE: u32 = 2;
const QUIET_ROUNDS: u32 = 128;
const LEAST_PRICE: u64 = 16;
/// A lead counts only when it is so many standard deviations of a sum that goes up and down as it did by chance: what one
/// burst or one phase of the load has brought is not worth a change, what comes round after round is.
const DEVIATIONS: u64 = 2;

#[derive(Debug, Default)]
struct Mock {
    hash: u64,
    weight: u32,
    prev: Cell<u32>,
    next: Cell<u32>,
    kind: Cell<u8>,
    uses: Cell<u8>,
}

impl Record for Mock {
    fn prev(&self) -> u32 {
        self.prev.get()
    }
    fn next(&self) -> u32 {
        self.next.get()
    }
    fn set_prev(&self, to: u32) {
        self.prev.set(to);
    }
    fn set_next(&self, to: u32) {
        self.next.set(to);
    }
    fn kind(&self) -> u8 {
        self.kind.get()
    }
    fn set_kind(&self, kind: u8) {
        self.kind.set(kind);
    }
    fn weight(&self) -> u32 {
        self.weight
    }
    fn uses(&self) -> u8 {
        self.uses.get()
    }
    fn set_uses(&self, uses: u8) {
        self.uses.set(uses);
    }
}

#[derive(Debug, Default)]
struct Simulated(Vec<Mock>);

impl Records for Simulated {
    type Record = Mock;

    fn at(&self, id: u32) -> Option<&Mock> {
        self.0.get(id as usize)
    }
    fn hash(&self, id: u32) -> u64 {
        self.at(id).map_or(0, |record| record.hash)
    }
}

#[derive(Debug)]
struct Shadow {
    order: Order,
    records: Simulated,
    free: Vec<u32>,
    places: HashMap<u64, u32, foldhash::fast::RandomState>,
    bytes: u64,
    /// Hits of this round.
    hits: u64,
    /// Hits it had more than the rule in force, since it was last level with it.
    ahead: u64,
    /// The squares of how many it had more or less in each round since: the variance of their sum, were they chance.
    variance: u64,
}

impl Shadow {
    fn new(rule: Rule) -> Self {
        Self {
            order: Order::new(rule, false),
            records: Simulated::default(),
            free: Vec::new(),
            places: HashMap::default(),
            bytes: 0,
            hits: 0,
            ahead: 0,
            variance: 0,
        }
    }

    fn access(&mut self, hash: u64, weight: u32, limit: u64) {
        if let Some(id) = self.places.get(&hash) {
            self.hits += 1;
            let uses = self.records.uses(*id);
            self.records.set_uses(*id, (uses + 1).min(MOST_USES));
            self.order.hit(&self.records, *id, hash);
            return;
        }
        while self.bytes + u64::from(weight) > limit {
            let Some((victim, _)) = self.order.evict(&self.records, limit, u64::from(weight)) else {
                return;
            };
            self.forget(victim);
        }
        let record = Mock {
            hash,
            weight,
            prev: Cell::new(NONE),
            next: Cell::new(NONE),
            ..Mock::default()
        };
        let id = if let Some(id) = self.free.pop() {
            self.records.0[id as usize] = record;
            id
        } else {
            self.records.0.push(record);
            u32::try_from(self.records.0.len() - 1).unwrap_or(NONE)
        };
        self.places.insert(hash, id);
        self.bytes += u64::from(weight);
        self.order.insert(&self.records, id, hash, limit);
    }

    fn forget(&mut self, id: u32) {
        self.places.remove(&self.records.hash(id));
        self.bytes -= self.records.weight(id);
        self.free.push(id);
    }

    fn keep_only(&mut self, mask: u64) {
        let gone: Vec<u32> = self
            .places
            .iter()
            .filter(|(hash, _)| *hash & mask != 0)
            .map(|(_, id)| *id)
            .collect();
        for id in gone {
            self.order.remove(&self.records, id);
            self.forget(id);
        }
    }
}

/// The simulations.
#[derive(Debug)]
pub(crate) struct Shadows {
    trials: Vec<Shadow>,
    /// Keys whose hash has none of these bits are in the sample.
    mask: u64,
    shift: u32,
    accesses: u64,
    chosen: usize,
    price: u32,
    quiet: u32,
}

impl Shadows {
    pub(crate) fn new() -> Self {
        Self {
            trials: TRIED.into_iter().map(Shadow::new).collect(),
            mask: 0,
            shift: 0,
            accesses: 0,
            chosen: 0,
            price: LOWEST_PRICE,
            quiet: 0,
        }
    }

    /// Bits that the hash of a key in the sample has none of.
    pub(crate) const fn mask(&self) -> u64 {
        self.mask
    }

    /// Tells of an access where the whole may have `limit` bytes, and returns the rule to go by.
    pub(crate) fn access(&mut self, hash: u64, weight: u32, limit: u64) -> Rule {
        if hash & self.mask == 0 {
            let limit = limit >> self.shift;
            for shadow in &mut self.trials {
                shadow.access(hash, weight, limit);
            }
            self.accesses += 1;
            let most = self.trials.iter().map(|shadow| shadow.places.len()).max().unwrap_or(0);
            if most > LARGEST {
                self.thin_out();
            }
            if self.accesses >= (most as u64 / 2).max(SHORTEST_ROUND) {
                self.judge(most as u64);
            }
        }
        TRIED[self.chosen]
    }

    fn thin_out(&mut self) {
        self.shift += 1;
        // High bits, which choose neither the shard nor the slot.
        self.mask |= 1 << (63 - self.shift.min(15));
        for shadow in &mut self.trials {
            shadow.keep_only(self.mask);
        }
    }

    fn judge(&mut self, records: u64) {
        self.accesses = 0;
        let in_force = self.trials[self.chosen].hits;
        for shadow in &mut self.trials {
            shadow.ahead = (shadow.ahead + shadow.hits).saturating_sub(in_force);
            let square = shadow.hits.abs_diff(in_force).pow(2);
            shadow.variance = if shadow.ahead == 0 { 0 } else { shadow.variance + square };
            shadow.hits = 0;
        }
        let best = (0..self.trials.len()).max_by_key(|number| self.trials[*number].ahead);
        if let Some(best) = best
            && self.trials[best].ahead > (records >> self.price).max(LEAST_PRICE)
            && self.trials[best].ahead.pow(2) > DEVIATIONS.pow(2) * self.trials[best].variance
        {
            self.chosen = best;
            self.price = (self.price - 1).max(HIGHEST_PRICE);
            self.quiet = 0;
            for shadow in &mut self.trials {
                (shadow.ahead, shadow.variance) = (0, 0);
            }
        }
        self.quiet += 1;
        if self.quiet >= QUIET_ROUNDS {
            self.quiet = 0;
            self.price = (self.price + 1).min(LOWEST_PRICE);
        }
    }
}
