//! Any tiers, one above the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::heat::Heat;
use super::key_hash;
use super::purge::Purge;
use super::queue::Queue;
use super::record::{Record, Slot, Stamp};
use super::stats::{Count, TieredStats};
use super::tier::{News, Origin, PurgeOrder, Tier};
use super::wall_clock;
use super::worker::Worker;

/// How often a tier does its housekeeping.
const TICK: Duration = Duration::from_millis(50);
/// How long a purge that failed waits until it is tried again.
const PURGE_PAUSE: Duration = Duration::from_millis(50);
/// How long tiers may take to open before purges of other machines are heard without them.
const OPENING: Duration = Duration::from_secs(5);
/// How long what waits may still be written when a cache is dropped.
const FAREWELL: Duration = Duration::from_secs(2);

/// Hears of purges: the memory tier above.
pub trait PurgeListener: Send + Sync + 'static {
    /// Something was purged by another process or machine. When this returns, it must be hidden.
    fn purged(&self, purge: &Purge);
}

impl<F: Fn(&Purge) + Send + Sync + 'static> PurgeListener for F {
    fn purged(&self, purge: &Purge) {
        self(purge);
    }
}

/// When a tier is given a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// When it is put, and again when it is evicted above and not here any more.
    OnPut,
    /// When it is evicted above.
    OnDemotion,
    /// Only when it was found below.
    OnPromotion,
}

/// What a [`TieredCache`] does with one of its tiers.
#[derive(Debug, Clone, Copy)]
pub struct TierRules {
    /// When it is given a record.
    pub writes: Writes,
    /// Reads that find a record below until it is copied up to here; 0 for never.
    pub promote_after: u8,
    /// Records that wait to be written, at most.
    pub queue_records: usize,
    /// Their bytes, at most.
    pub queue_bytes: usize,
}

impl TierRules {
    /// What suits a slot: shared memory and what machines share are written when a record is put, a disk when it is
    /// evicted above.
    pub const fn for_slot(slot: Slot) -> Self {
        Self {
            writes: match slot {
                Slot::Disk => Writes::OnDemotion,
                _ => Writes::OnPut,
            },
            promote_after: match slot {
                Slot::Shared => 1,
                _ => 2,
            },
            queue_records: 4096,
            queue_bytes: 32 << 20,
        }
    }
}

/// How a [`TieredCache`] runs.
#[derive(Debug, Clone, Copy)]
pub struct TieredConfig {
    /// How often news of purges are looked for. That is one read of shared memory for each tier.
    pub poll: Duration,
    /// How long a purge waits for a tier. What is not done by then is done later, and the tier is not read until it is.
    pub purge_patience: Duration,
}

impl Default for TieredConfig {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(10),
            purge_patience: Duration::from_secs(1),
        }
    }
}

/// How far down a read goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Through the tiers of this machine: memory and disk. It may be called where waiting for a network must not happen.
    Machine,
    /// Through all tiers.
    All,
}

/// What became of a purge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purged {
    /// The tiers that could not be told yet. They will be, and are not read by this process until then.
    pub owed: Vec<String>,
}

/// Any tiers, one above the other, with a thread each that writes.
#[derive(Debug)]
pub struct TieredCache {
    shared: Arc<Shared>,
    workers: Vec<Worker>,
}

struct Level {
    tier: Arc<dyn Tier>,
    rules: TierRules,
    queue: Queue,
    /// It could not be opened when purges of other machines began to be heard: it may have missed some.
    late: AtomicBool,
}

struct Shared {
    levels: Vec<Level>,
    config: TieredConfig,
    heat: Heat,
    listener: Arc<dyn PurgeListener>,
    promotions: Count,
    demotions: Count,
    stopped: AtomicBool,
    /// Held while news are passed on, so that they arrive below in their order.
    passing: Mutex<()>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.levels.iter().map(|level| level.tier.name());
        formatter.debug_list().entries(names).finish()
    }
}

impl TieredCache {
    /// Puts tiers one above the other, the first highest. Of two tiers with one slot only the first is kept.
    pub fn new(
        tiers: impl IntoIterator<Item = (Arc<dyn Tier>, TierRules)>,
        config: TieredConfig,
        listener: Arc<dyn PurgeListener>,
    ) -> Self {
        let mut levels: Vec<Level> = Vec::new();
        for (tier, rules) in tiers {
            if levels.iter().all(|level| level.tier.slot() != tier.slot()) {
                levels.push(Level {
                    tier,
                    rules,
                    queue: Queue::new(rules.queue_records, rules.queue_bytes),
                    late: AtomicBool::new(false),
                });
            }
        }
        let shared = Arc::new(Shared {
            levels,
            config,
            heat: Heat::new(),
            listener,
            promotions: Count::default(),
            demotions: Count::default(),
            stopped: AtomicBool::new(false),
            passing: Mutex::new(()),
        });
        let mut workers: Vec<Worker> = (0..shared.levels.len())
            .map(|number| {
                let name = shared.levels[number].tier.name().to_owned();
                let shared = Arc::clone(&shared);
                Worker::start(&name, move || shared.write(number))
            })
            .collect();
        let poller = Arc::clone(&shared);
        workers.push(Worker::start("news", move || poller.listen()));
        Self { shared, workers }
    }

    /// The purges known now. Take it before a value is asked for, and make its [`Record`] with it.
    pub fn stamp(&self) -> Stamp {
        self.shared.stamp(self.shared.levels.len())
    }

    /// Reads a record from the highest tier that has it. `now` is in milliseconds since 1970.
    ///
    /// Where it is kept in a memory tier above, that tier's own fill must have begun before this is called.
    pub fn get(&self, key: &[u8], now: u64, reach: Reach) -> Option<Record> {
        self.shared.get(key, now, reach)
    }

    /// Leaves a new record to be written to all tiers that are written on a put.
    pub fn put(&self, record: &Record) {
        for level in &self.shared.levels {
            if level.rules.writes == Writes::OnPut {
                level.queue.push(record.clone());
            }
        }
    }

    /// Leaves a record that was evicted from memory to be written to the highest tier that takes it and has it not.
    pub fn demote(&self, record: Record) {
        self.shared.demote(0, record);
    }

    /// Hides what is meant in all tiers, from the lowest up, for all processes and machines that share them. Purge the
    /// memory tier above after this returns; other processes' are told through their listeners.
    pub fn purge(&self, purges: &[Purge]) -> Purged {
        self.shared.purge(purges)
    }

    /// Tells the listener at once what other processes of this machine purged. It costs one read of shared memory for
    /// each tier; without it the listener hears within [`TieredConfig::poll`].
    pub fn poll(&self) {
        for level in &self.shared.levels {
            if level.tier.slot() != Slot::Remote {
                for news in level.tier.news(true) {
                    self.shared.listener.purged(&news.purge);
                }
            }
        }
    }

    /// Waits until all that waits has been written; false where it was not in that time.
    pub fn flush(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        self.shared.levels.iter().all(|level| level.queue.drain(until))
    }

    /// Figures of all tiers. A tier may be asked for what it holds, so this is not for every request.
    pub fn stats(&self) -> TieredStats {
        let mut stats = TieredStats {
            promotions: self.shared.promotions.get(),
            demotions: self.shared.demotions.get(),
            ..TieredStats::default()
        };
        for level in &self.shared.levels {
            let (queued, owed) = level.queue.waiting();
            stats.tiers.push((level.tier.name().to_owned(), level.tier.stats()));
            stats.dropped.push(level.queue.dropped());
            stats.queued.push(queued);
            stats.owed.push(owed);
        }
        stats
    }
}

impl Drop for TieredCache {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        for level in &self.shared.levels {
            level.queue.stop();
        }
        let until = Instant::now() + FAREWELL;
        for worker in &self.workers {
            if !worker.wait(until.saturating_duration_since(Instant::now())) {
                self.shared.levels.iter().for_each(|level| level.queue.clear());
            }
        }
    }
}

impl Shared {
    /// The purges known now in the tiers above a level.
    fn stamp(&self, above: usize) -> Stamp {
        let mut stamp = Stamp::default();
        for level in self.levels.iter().take(above) {
            stamp.set(level.tier.slot(), level.tier.generation());
        }
        stamp
    }

    fn get(&self, key: &[u8], now: u64, reach: Reach) -> Option<Record> {
        for (number, level) in self.levels.iter().enumerate() {
            if level.queue.is_overdue() || (reach == Reach::Machine && level.tier.slot() == Slot::Remote) {
                continue;
            }
            // Before the tier is read: a purge goes through it first and through those above later.
            let above = self.stamp(number);
            if let Some(mut record) = level.tier.get(key, now) {
                record.frequency = record.frequency.saturating_add(1);
                self.restamp(&mut record, number, above);
                if number > 0 {
                    self.promote(number, &record);
                }
                return Some(record);
            }
        }
        None
    }

    /// Makes the stamp of a record that was read what holds here. What another machine wrote says nothing of ours.
    fn restamp(&self, record: &mut Record, number: usize, above: Stamp) {
        for (other, level) in self.levels.iter().enumerate() {
            let slot = level.tier.slot();
            if other < number {
                record.stamp.set(slot, above.get(slot));
            } else if other > number && self.levels[number].tier.slot() == Slot::Remote {
                record.stamp.set(slot, 0);
            }
        }
    }

    fn promote(&self, number: usize, record: &Record) {
        let uses = self.heat.touch(key_hash(record.key()));
        let mut promoted = false;
        for level in self.levels.iter().take(number) {
            let after = level.rules.promote_after;
            if after > 0 && uses >= after {
                promoted |= level.queue.push(record.clone());
            }
        }
        if promoted {
            self.promotions.one();
        }
    }

    fn demote(&self, from: usize, record: Record) {
        let now = wall_clock();
        for level in self.levels.iter().skip(from) {
            let takes = match level.rules.writes {
                Writes::OnPut => level.tier.slot() != Slot::Remote && !level.tier.contains(record.key(), now),
                Writes::OnDemotion => true,
                Writes::OnPromotion => false,
            };
            if takes {
                if level.queue.push(record) {
                    self.demotions.one();
                }
                return;
            }
            if level.rules.writes == Writes::OnPut {
                // It is there already, and goes further down when it is evicted there.
                return;
            }
        }
    }

    fn purge(&self, purges: &[Purge]) -> Purged {
        let mut purged = Purged::default();
        let mut origins = vec![Origin::Here; purges.len()];
        for level in self.levels.iter().rev() {
            let orders = purges.iter().zip(&origins).map(|(purge, origin)| PurgeOrder {
                purge: Some(purge.clone()),
                origin: *origin,
            });
            let numbers = self.order(level, orders);
            if numbers.iter().any(Option::is_none) {
                purged.owed.push(level.tier.name().to_owned());
            } else if level.tier.slot() == Slot::Remote {
                origins = numbers.into_iter().flatten().map(Origin::Sent).collect();
            }
        }
        purged
    }

    /// Gives a tier purges, and waits for the numbers they get.
    fn order(&self, level: &Level, orders: impl Iterator<Item = PurgeOrder>) -> Vec<Option<u64>> {
        let until = Instant::now() + self.config.purge_patience;
        let tickets = level.queue.order(orders);
        let numbers: Vec<_> = tickets.iter().map(|ticket| ticket.wait(until)).collect();
        if numbers.iter().any(Option::is_none) {
            level.queue.set_overdue();
        }
        numbers
    }

    /// The thread that writes to a tier.
    fn write(&self, number: usize) {
        let level = &self.levels[number];
        let mut next_tick = Instant::now();
        loop {
            let work = level.queue.take(next_tick.saturating_duration_since(Instant::now()));
            if !work.purges.is_empty() {
                let orders: Vec<_> = work.purges.iter().map(|(order, _)| order.clone()).collect();
                match level.tier.purge(&orders) {
                    Ok(numbers) => {
                        for ((_, ticket), number) in work.purges.iter().zip(numbers) {
                            if let Some(ticket) = ticket {
                                ticket.complete(number);
                            }
                        }
                    }
                    Err(_) if work.stopped => {}
                    Err(_) => level.queue.put_back(work.purges, PURGE_PAUSE),
                }
            }
            let mut evicted = Vec::new();
            if !work.records.is_empty() {
                level
                    .tier
                    .write(&work.records, wall_clock(), &mut |record| evicted.push(record));
            }
            if Instant::now() >= next_tick {
                level.tier.maintain(wall_clock(), &mut |record| evicted.push(record));
                next_tick = Instant::now() + TICK;
            }
            for record in evicted {
                self.demote(number + 1, record);
            }
            if work.stopped {
                return;
            }
        }
    }

    /// The thread that hears what others purged.
    fn listen(&self) {
        let mut resumed = false;
        let patience = Instant::now() + OPENING;
        while !self.stopped.load(Ordering::Acquire) {
            resumed = resumed || self.resume(Instant::now() >= patience);
            for number in 0..self.levels.len() {
                self.pass_on(number);
            }
            std::thread::sleep(self.config.poll);
        }
    }

    /// Tells tiers that machines share up to where their purges were obeyed here before. False where a tier is not open
    /// yet that knows; after a while it is done without.
    fn resume(&self, anyway: bool) -> bool {
        let is_remote = |level: &&Level| level.tier.slot() == Slot::Remote;
        for level in self.levels.iter().filter(|level| !is_remote(level)) {
            let closed = level.tier.generation() == 0;
            if closed && !anyway {
                return false;
            }
            level.late.store(closed, Ordering::Release);
        }
        let heard = self
            .levels
            .iter()
            .filter(|level| level.tier.slot() != Slot::Remote)
            .map(|level| level.tier.heard())
            .filter(|heard| *heard > 0)
            .min()
            .unwrap_or(0);
        self.levels
            .iter()
            .filter(is_remote)
            .all(|level| level.tier.resume(heard))
    }

    fn pass_on(&self, number: usize) {
        let _in_order = self.passing.lock();
        let level = &self.levels[number];
        // Read before the news are taken: all up to this number are among them, or were before.
        let sequence = level.tier.generation();
        let news = level.tier.news(true);
        if level.tier.slot() == Slot::Remote {
            if !news.is_empty() {
                for above in self.levels.iter().take(number).rev() {
                    let orders = news.iter().map(|News { purge, sequence }| PurgeOrder {
                        purge: Some(purge.clone()),
                        origin: Origin::Heard(*sequence),
                    });
                    self.order(above, orders);
                }
            }
            self.mark(number, sequence);
        }
        for news in &news {
            self.listener.purged(&news.purge);
        }
    }

    /// Notes in tiers that are new up to where the purges of machines are known: they hold nothing from before. One that
    /// came late may hold what was purged meanwhile, and is emptied.
    fn mark(&self, remote: usize, sequence: u64) {
        for level in self.levels.iter().take(remote) {
            if sequence == 0 || level.tier.generation() == 0 {
                continue;
            }
            let late = level.late.swap(false, Ordering::AcqRel);
            if late || level.tier.heard() == 0 {
                let order = PurgeOrder {
                    purge: late.then_some(Purge::All),
                    origin: Origin::Heard(sequence),
                };
                self.order(level, std::iter::once(order));
            }
        }
    }
}
