//! The memory tier.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use foldhash::fast::RandomState;
use parking_lot::{Mutex, MutexGuard};

use crate::common::Common;
use crate::config::{Config, FillToken, Inserted, Options};
use crate::entry::{Entry, Evicted, Owned};
use crate::epoch;
use crate::lease::Lease;
use crate::partition::{New, Outcome, Partition};
use crate::policy::{Policy, Rule, Shadows, TRIED};
use crate::purges::Purges;
use crate::reader::Reader;
use crate::stats::Stats;
use crate::store_unsafe::{Gone, Index};
use crate::stripes::{Stripe, Stripes};
use crate::tags::Tags;
use crate::value_unsafe::Value;

/// Bytes an entry counts for besides its key and value: its node, its place in a table, and what the order of eviction
/// and the timer keep of it.
const OVERHEAD: u64 = 64;
/// Entries that one insert looks at to reclaim what is over or was purged.
const TIDY_AT_ONCE: usize = 16;
/// Where a partition has fewer entries than this, an insert first tells it of the hits of its thread: with few entries
/// it matters that it knows each in time, with many it does not.
const FEW_ENTRIES: usize = 2048;
/// And that one call of `maintain` looks at, in each partition.
const MAINTAIN_AT_ONCE: usize = 4096;
/// No hash has none of these bits, but one in 2^64.
const NO_NOTES: u64 = u64::MAX;

type Hook<V> = Box<dyn Fn(Evicted<'_, V>) + Send + Sync>;

/// A partition on lines of its own.
#[derive(Debug)]
#[repr(align(128))]
struct Locked<V>(Mutex<Partition<V>>);

/// A concurrent map with a limit in bytes, times to live and tags. Reads take no lock.
pub struct Cache<V> {
    common: Common<V>,
    partitions: Box<[Locked<V>]>,
    stripes: Stripes,
    hook: Option<Hook<V>>,
    policy: Policy,
    /// The number of the rule in force among `RULES`.
    rule: AtomicU8,
    /// A hit is noted if the key's hash has none of these bits.
    note_mask: AtomicU64,
    limit: AtomicU64,
    /// What one partition may hold, and the most that one entry may weigh: they follow from the limit, but to divide
    /// for each insert takes long.
    partition_limit: AtomicU64,
    most: AtomicU64,
    largest_part: u64,
    /// Values that were too large, and that were purged before they came to a partition.
    refused: AtomicU64,
}

impl<V> std::fmt::Debug for Cache<V> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Cache")
            .field("policy", &self.policy)
            .field("limit", &self.limit)
            .field("partitions", &self.partitions.len())
            .finish_non_exhaustive()
    }
}

impl<V: Value> Cache<V> {
    /// Makes an empty cache.
    pub fn new(config: Config) -> Self {
        Self::build(config, None)
    }

    /// Makes an empty cache that shows `evicted` each entry that goes because there is no room, after it has gone. It is
    /// called by the thread that inserts, without a lock.
    pub fn with_evicted(config: Config, evicted: impl Fn(Evicted<'_, V>) + Send + Sync + 'static) -> Self {
        Self::build(config, Some(Box::new(evicted)))
    }

    fn build(config: Config, hook: Option<Hook<V>>) -> Self {
        let (shards, partitions) = (config.shard_count(), config.partition_count());
        let is_auto = config.policy == Policy::Auto;
        let rule = rule_of(config.policy);
        let common = Common {
            hasher: RandomState::default(),
            index: Index::new(shards, partitions),
            tags: Tags::new(),
            purges: Purges::new(),
        };
        let partition = |number| {
            // The keys of one partition are a sample of all.
            let shadows = (is_auto && number == 0).then(Shadows::new);
            Locked(Mutex::new(Partition::new(number, rule, shadows, is_auto)))
        };
        let cache = Self {
            partitions: (0..partitions).map(partition).collect(),
            common,
            stripes: Stripes::new(),
            hook,
            policy: config.policy,
            rule: AtomicU8::new(rule.number()),
            note_mask: AtomicU64::new(NO_NOTES),
            limit: AtomicU64::new(0),
            partition_limit: AtomicU64::new(0),
            most: AtomicU64::new(0),
            largest_part: config.largest_part.max(1),
            refused: AtomicU64::new(0),
        };
        cache.store_limit(config.limit_bytes);
        let sample = cache.partitions.first().and_then(|first| first.0.lock().sample());
        cache.set_notes(rule, sample);
        cache
    }

    /// Begins to read. Keep it for one request or one batch, not for longer.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "a reader is put together in registers, and most of it is not needed"
    )]
    pub fn pin(&self) -> Reader<'_, V> {
        let guard = epoch::pin();
        let stripe = self.stripes.of(guard.thread());
        Reader::new(self, stripe, guard)
    }

    /// Copies the value of a key out, fresh or stale, unless it was purged or its time is over. `now` is in
    /// milliseconds.
    pub fn get(&self, key: &[u8], now: u64) -> Option<Owned<V>>
    where
        V: Clone,
    {
        let reader = self.pin();
        reader.get(key, now).map(|entry| Owned {
            value: entry.value().clone(),
            fresh_until: entry.fresh_until(),
            dead_at: entry.dead_at(),
        })
    }

    /// Begins a fill: call it before the value is asked for, and give the token to [`insert`](Self::insert).
    pub fn begin_fill(&self) -> FillToken {
        FillToken {
            sequence: self.common.purges.current(),
        }
    }

    /// Keeps a value, unless it is too large, or was purged since the token was taken. `now` is in milliseconds.
    pub fn insert(&self, key: &[u8], value: V, options: &Options, token: FillToken, now: u64) -> Inserted {
        let tail = 4 * options.tags.len() as u64;
        let weight = options.weight.saturating_add(key.len() as u64 + OVERHEAD + tail);
        let limit = self.partition_limit();
        let most = self.most.load(Ordering::Relaxed);
        let Some(weight) = u32::try_from(weight).ok().filter(|weight| u64::from(*weight) <= most) else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Inserted::TooLarge;
        };
        let tags: Vec<u32> = if options.tags.is_empty() {
            Vec::new()
        } else {
            options.tags.iter().map(|name| self.common.tags.acquire(name)).collect()
        };
        let hash = self.common.hash(key);
        let new = New {
            key,
            hash,
            value,
            tags: &tags,
            weight,
            lease: Lease::new(now.saturating_add(options.ttl), options.grace),
            sequence: token.sequence,
        };
        // Whoever waits for a lock while pinned keeps all from freeing memory, so only who has to is.
        let guard = self.hook.as_ref().map(|_| epoch::pin());
        let mut gone = match &guard {
            Some(guard) => Gone::wanted(guard, &self.common.index),
            None => Gone::unwanted(),
        };
        let number = self.common.index.partition(hash);
        let mut partition = self.lock(number);
        if partition.len() < FEW_ENTRIES
            && self.note_mask() != NO_NOTES
            && let Some(stripe) = epoch::thread().map(|thread| self.stripes.of(thread))
            && !stripe.is_blank()
        {
            drop(partition);
            self.tell(stripe);
            partition = self.lock(number);
        }
        let best = partition.note_new(hash, weight, limit);
        let outcome = match partition.exchange(&self.common, new, limit, now) {
            Ok(()) => None,
            Err(new) => Some(partition.insert(&self.common, new, limit, now, &mut gone)),
        };
        let is_tidy = partition.tidy(&self.common, Some(now), TIDY_AT_ONCE);
        let dropped = if partition.has_to_free(limit) {
            partition.free(&self.common)
        } else {
            Vec::new()
        };
        let sample = partition.sample();
        drop(partition);
        drop(dropped);
        self.adopt(best, sample);
        if is_tidy {
            self.settle_sweep();
        }
        self.show(gone);
        let inserted = match outcome {
            Some(Outcome::Kept) => return Inserted::Kept,
            // The entry has its tags already, which are the same.
            None => Inserted::Kept,
            Some(Outcome::NoRoom(_)) => Inserted::TooLarge,
            Some(Outcome::Outrun(_)) => Inserted::PurgedMeanwhile,
        };
        if !tags.is_empty() {
            self.common.tags.release(&tags);
            self.common.tags.prune_now_and_then();
        }
        inserted
    }

    /// Removes a key. A fill of it that is under way is not kept.
    pub fn purge_key(&self, key: &[u8]) -> bool {
        self.change_key(key, None)
    }

    /// Makes a key stale; it may be used for its grace from `now` on. A fill of it that is under way is not kept.
    pub fn soft_purge_key(&self, key: &[u8], now: u64) -> bool {
        self.change_key(key, Some(now))
    }

    fn change_key(&self, key: &[u8], softly_at: Option<u64>) -> bool {
        let hash = self.common.hash(key);
        self.common.purges.key(hash, self.common.purges.next());
        let number = self.common.index.partition(hash);
        self.lock(number).purge_key(&self.common, key, hash, softly_at)
    }

    /// Hides at once all entries that have one of the tags, and fills of them that are under way. The bytes are given
    /// back as the entries are met.
    pub fn purge_tags<'a>(&self, tags: impl IntoIterator<Item = &'a str>) {
        self.mark_tags(tags, None);
    }

    /// Makes all entries stale that have one of the tags; they may be used for their grace from `now` on.
    pub fn soft_purge_tags<'a>(&self, tags: impl IntoIterator<Item = &'a str>, now: u64) {
        self.mark_tags(tags, Some(now));
    }

    fn mark_tags<'a>(&self, tags: impl IntoIterator<Item = &'a str>, softly_at: Option<u64>) {
        let sequence = self.common.purges.next();
        for tag in tags {
            self.common.tags.purge(tag, sequence, softly_at);
        }
        self.common.purges.leave_to_sweep();
    }

    /// Hides at once all entries that have a tag which a condition holds for, and returns how many tags those are. Of
    /// the fills under way, none that brings tags is kept.
    pub fn purge_tags_where(&self, condition: impl Fn(&str) -> bool) -> usize {
        let count = self.common.tags.purge_where(condition, self.common.purges.next());
        self.common.purges.leave_to_sweep();
        count
    }

    /// Hides at once all keys with a prefix, and fills of them that are under way. The bytes are given back as the
    /// entries are met.
    pub fn purge_prefix(&self, prefix: &[u8]) {
        self.purge_broadly(prefix, None);
    }

    /// Makes all keys with a prefix stale; they may be used for their grace from `now` on.
    pub fn soft_purge_prefix(&self, prefix: &[u8], now: u64) {
        self.purge_broadly(prefix, Some(now));
    }

    /// Hides everything at once, fills under way too.
    pub fn purge_all(&self) {
        self.purge_broadly(b"", None);
    }

    /// Makes everything stale; it may be used for its grace from `now` on.
    pub fn soft_purge_all(&self, now: u64) {
        self.purge_broadly(b"", Some(now));
    }

    fn purge_broadly(&self, prefix: &[u8], softly_at: Option<u64>) {
        if self.common.purges.are_many() {
            self.reclaim();
        }
        self.common.purges.prefix(prefix, softly_at);
    }

    /// Removes all keys that a condition holds for, and returns how many. Fills under way are kept none of: what they
    /// bring might be meant. It looks at every key.
    pub fn purge_where(&self, condition: impl Fn(&[u8]) -> bool) -> usize {
        let sequence = self.common.purges.next();
        self.common.purges.raise_floor(sequence);
        let mut removed = 0;
        for number in 0..self.partitions.len() {
            let mut chunk = 0;
            while let Some(count) = self
                .lock(number)
                .remove_where(&self.common, chunk, sequence, &condition)
            {
                removed += count;
                chunk += 1;
            }
        }
        removed
    }

    /// Removes all that purges have hidden, and returns how many entries that were. It looks at every entry, but locks
    /// no more than a few at a time; without it the same happens little by little.
    pub fn reclaim(&self) -> usize {
        let mut removed = 0;
        for number in 0..self.partitions.len() {
            loop {
                let mut partition = self.lock(number);
                let before = partition.counts.purged;
                let is_tidy = partition.tidy(&self.common, None, MAINTAIN_AT_ONCE);
                removed += partition.counts.purged - before;
                let dropped = partition.free(&self.common);
                drop(partition);
                drop(dropped);
                if is_tidy {
                    break;
                }
            }
        }
        self.settle_sweep();
        usize::try_from(removed).unwrap_or(usize::MAX)
    }

    /// Gives back memory of what is over, was purged, or is more than the limit, a bounded part of it; true where
    /// nothing is left to do. Call it now and then, from any thread. `now` is in milliseconds.
    pub fn maintain(&self, now: u64) -> bool {
        let limit = self.partition_limit();
        let mut is_done = true;
        for number in 0..self.partitions.len() {
            let guard = epoch::pin();
            let mut gone = match &self.hook {
                Some(_) => Gone::wanted(&guard, &self.common.index),
                None => Gone::unwanted(),
            };
            let mut partition = self.lock(number);
            is_done &= partition.tidy(&self.common, Some(now), MAINTAIN_AT_ONCE);
            is_done &= partition.make_room(&self.common, limit, 0, MAINTAIN_AT_ONCE as u64, &mut gone);
            drop(partition);
            self.show(gone);
            drop(guard);
            let dropped = self.lock(number).free(&self.common);
            drop(dropped);
        }
        if is_done {
            self.settle_sweep();
        }
        is_done
    }

    /// Sets the most bytes it may hold. Some of what is over is evicted at once; the rest by inserts and
    /// [`maintain`](Self::maintain).
    pub fn set_limit(&self, bytes: u64) {
        self.store_limit(bytes);
        let limit = self.partition_limit();
        for number in 0..self.partitions.len() {
            let guard = epoch::pin();
            let mut gone = match &self.hook {
                Some(_) => Gone::wanted(&guard, &self.common.index),
                None => Gone::unwanted(),
            };
            let budget = MAINTAIN_AT_ONCE as u64;
            self.lock(number).make_room(&self.common, limit, 0, budget, &mut gone);
            self.show(gone);
        }
    }

    /// The keys that are likely to be asked for again, the likeliest first, and how often each was lately, roughly (at
    /// most 15). It looks at every entry.
    pub fn hottest(&self, most: usize) -> Vec<(Box<[u8]>, u8)> {
        let mut found = Vec::new();
        for number in 0..self.partitions.len() {
            found.extend(self.lock(number).hottest(&self.common, most));
        }
        found.sort_by_key(|(_, frequency)| std::cmp::Reverse(*frequency));
        found.truncate(most);
        found
    }

    /// The policy in force: where it is chosen while running, the one chosen now.
    pub fn policy(&self) -> Policy {
        Rule::numbered(self.rule.load(Ordering::Relaxed)).policy()
    }

    /// What it has done and holds.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats {
            limit: self.limit.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            ..Stats::default()
        };
        for stripe in self.stripes.all() {
            stats.hits += stripe.hits.get();
            stats.stale_hits += stripe.stale.get();
            stats.misses += stripe.misses.get();
        }
        for partition in &self.partitions {
            let partition = partition.0.lock();
            stats.inserts += partition.counts.inserts;
            stats.evictions += partition.counts.evictions;
            stats.expired += partition.counts.expired;
            stats.purged += partition.counts.purged;
            stats.refused += partition.counts.refused;
            stats.outrun += partition.counts.outrun;
            stats.bytes += partition.bytes();
            stats.memory += partition.memory();
            stats.entries += partition.len() as u64;
        }
        stats
    }

    fn show(&self, gone: Gone<'_, V>) {
        if let Some(hook) = &self.hook {
            for (piece, frequency) in gone.into_entries() {
                let entry = Entry {
                    word: piece.word(),
                    lease: piece.node().lease(),
                    piece,
                    tags: &self.common.tags,
                };
                hook(Evicted { entry, frequency });
            }
        }
    }

    /// Where every partition has made the sweep that was wanted, entries need no longer be looked at closely.
    fn settle_sweep(&self) {
        if !self.common.purges.may_concern() {
            return;
        }
        let swept = self.partitions.iter().map(|partition| partition.0.lock().swept()).min();
        if let Some(swept) = swept {
            self.common.purges.are_swept(swept);
        }
    }
}

impl<V: Value> Cache<V> {
    pub(crate) const fn common(&self) -> &Common<V> {
        &self.common
    }

    #[inline]
    pub(crate) fn note_mask(&self) -> u64 {
        self.note_mask.load(Ordering::Relaxed)
    }

    fn partition_limit(&self) -> u64 {
        self.partition_limit.load(Ordering::Relaxed)
    }

    fn store_limit(&self, bytes: u64) {
        let part = bytes / self.partitions.len() as u64;
        self.limit.store(bytes, Ordering::Relaxed);
        self.partition_limit.store(part, Ordering::Relaxed);
        self.most
            .store((bytes / self.largest_part).min(part), Ordering::Relaxed);
    }

    fn lock(&self, number: usize) -> MutexGuard<'_, Partition<V>> {
        // The index numbers no more partitions than there are.
        let mut partition = self.partitions[number].0.lock();
        partition.set_rule(Rule::numbered(self.rule.load(Ordering::Relaxed)));
        partition
    }

    /// Tells the orders of eviction of the hits a thread has noted, as far as they are not being changed just now.
    #[cold]
    pub(crate) fn tell(&self, stripe: &Stripe) {
        let limit = self.partition_limit();
        let (mut best, mut sample) = (None, None);
        let mut held: Option<(usize, MutexGuard<'_, Partition<V>>)> = None;
        for hash in stripe.take() {
            let number = self.common.index.partition(hash);
            if held.as_ref().is_none_or(|(held, _)| *held != number) {
                drop(held.take());
                held = self.partitions[number]
                    .0
                    .try_lock()
                    .map(|partition| (number, partition));
            }
            if let Some((_, partition)) = &mut held {
                let noted = partition.note(&self.common, hash, limit);
                best = noted.or(best);
                sample = partition.sample().or(sample);
            }
        }
        drop(held);
        self.adopt(best, sample);
    }

    /// Goes over to the rule that is best.
    fn adopt(&self, best: Option<Rule>, sample: Option<u64>) {
        if let Some(best) = best {
            self.rule.store(best.number(), Ordering::Relaxed);
            self.set_notes(best, sample);
        }
    }

    fn set_notes(&self, rule: Rule, sample: Option<u64>) {
        let mask = if rule.wants_hits() {
            0
        } else {
            sample.map_or(NO_NOTES, |sample| sample | self.common.index.first_partition())
        };
        if self.note_mask.load(Ordering::Relaxed) != mask {
            self.note_mask.store(mask, Ordering::Relaxed);
        }
    }
}

/// The rule that a policy begins with.
const fn rule_of(policy: Policy) -> Rule {
    match policy {
        Policy::Auto => TRIED[0],
        Policy::S3Fifo => Rule::S3Fifo,
        Policy::TinyLfu => Rule::TinyLfu(10),
        Policy::Lru => Rule::Lru,
        Policy::Lfu => Rule::Lfu,
    }
}
