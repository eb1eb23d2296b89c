//! What a tier can do.

use super::fault::Fault;
use super::purge::Purge;
use super::record::{Record, Slot};
use super::stats::TierStats;

/// A purge that someone else made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    pub purge: Purge,
    /// Its number in the tier it was heard from.
    pub sequence: u64,
}

/// Where a purge comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere else: it was made here.
    Here,
    /// It was made here, and sent to the machines that share a tier under a number; it will be heard again.
    Sent(u64),
    /// It was heard from a tier that machines share, under a number. It is obeyed once, however many processes of this
    /// machine hear it.
    Heard(u64),
}

/// A purge to be obeyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeOrder {
    /// What to hide; none where only the number is to be noted.
    pub purge: Option<Purge>,
    pub origin: Origin,
}

/// A place that keeps records. Everything may be called from any thread; nothing panics and no fault is returned to a
/// reader: it is a miss, counted and told by the tier itself.
pub trait Tier: Send + Sync + 'static {
    /// Its name, for figures and faults.
    fn name(&self) -> &str;

    /// Its place in stamps.
    fn slot(&self) -> Slot;

    /// The number of the last purge: what a fill that begins now is stamped with.
    fn generation(&self) -> u64;

    /// Reads a record, fresh or stale, that is neither dead nor purged. `now` is in milliseconds since 1970.
    fn get(&self, key: &[u8], now: u64) -> Option<Record>;

    /// Whether [`get`](Self::get) would find something.
    fn contains(&self, key: &[u8], now: u64) -> bool {
        self.get(key, now).is_some()
    }

    /// Keeps records, and gives those that had to go for them to `evicted`. Called by one thread at a time.
    fn write(&self, records: &[Record], now: u64, evicted: &mut dyn FnMut(Record));

    /// Hides what is meant, for everyone who shares the tier, and returns the number each purge got. Called by the
    /// thread that writes.
    fn purge(&self, orders: &[PurgeOrder]) -> Result<Vec<u64>, Fault>;

    /// Takes the purges that others made since the last call. `look` asks the tier; without it only what reads came
    /// upon is returned, which costs nothing.
    fn news(&self, look: bool) -> Vec<News>;

    /// The number of the last purge heard that was obeyed, kept beside the records; 0 where none was.
    fn heard(&self) -> u64 {
        0
    }

    /// Tells a tier that machines share up to which number its purges were obeyed here before. Those after it become
    /// news; where they cannot be known any more, a purge of everything does. Returns false while it cannot be asked.
    fn resume(&self, _heard: u64) -> bool {
        true
    }

    /// A slice of its housekeeping: expiry, what was purged, room, recovery. Called by the thread that writes.
    fn maintain(&self, now: u64, evicted: &mut dyn FnMut(Record));

    /// Its figures.
    fn stats(&self) -> TierStats;
}
