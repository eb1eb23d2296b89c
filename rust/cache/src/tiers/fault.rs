//! What goes wrong in a tier, counted and told once per period.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A kind of fault; each is counted and limited on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// A file was damaged or cut short, and was replaced.
    Damaged,
    /// There was no room on the disk or in the map.
    Full,
    /// A server or a file could not be reached.
    Unreachable,
    /// An answer did not come in time.
    TimedOut,
    /// A record had a wrong checksum or another schema.
    BadRecord,
    /// Purges of others were missed, more than the log holds, and everything was dropped.
    MissedPurges,
    /// Anything else.
    Other,
}

const KINDS: usize = 7;

/// One fault.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The name of the tier.
    pub tier: Arc<str>,
    pub kind: FaultKind,
    /// What happened, for a person.
    pub detail: String,
    /// Faults of this kind in this tier since the last that was told, this one included.
    pub count: u64,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "cache tier {}: {}", self.tier, self.detail)?;
        if self.count > 1 {
            write!(formatter, " ({} times)", self.count)?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

/// Where faults are told. It is called from threads that serve requests, so it must not block.
pub type FaultSink = Arc<dyn Fn(&Fault) + Send + Sync>;

/// The faults of one tier.
pub struct Faults {
    tier: Arc<str>,
    sink: FaultSink,
    period: Duration,
    started: Instant,
    cells: [Cell; KINDS],
}

#[derive(Default)]
struct Cell {
    total: AtomicU64,
    untold: AtomicU64,
    /// Milliseconds after `started` from which on the next is told.
    next: AtomicU64,
}

impl Faults {
    /// Faults of the tier with a name, told to a sink at most once per period and kind.
    pub fn new(tier: &str, period: Duration, sink: FaultSink) -> Self {
        Self {
            tier: tier.into(),
            sink,
            period,
            started: Instant::now(),
            cells: std::array::from_fn(|_| Cell::default()),
        }
    }

    /// Counts a fault, and tells it if none of its kind was told lately.
    pub fn note(&self, kind: FaultKind, detail: impl FnOnce() -> String) {
        let cell = &self.cells[kind as usize];
        cell.total.fetch_add(1, Ordering::Relaxed);
        cell.untold.fetch_add(1, Ordering::Relaxed);
        let now = millis(self.started.elapsed());
        let next = cell.next.load(Ordering::Relaxed);
        let due = now >= next
            && cell
                .next
                .compare_exchange(
                    next,
                    now.saturating_add(millis(self.period)),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok();
        if due {
            let fault = Fault {
                tier: Arc::clone(&self.tier),
                kind,
                detail: detail(),
                count: cell.untold.swap(0, Ordering::Relaxed),
            };
            (self.sink)(&fault);
        }
    }

    /// How many of a kind there were.
    pub fn count(&self, kind: FaultKind) -> u64 {
        self.cells[kind as usize].total.load(Ordering::Relaxed)
    }

    /// How many there were.
    pub fn total(&self) -> u64 {
        self.cells.iter().map(|cell| cell.total.load(Ordering::Relaxed)).sum()
    }

    /// The name of the tier.
    pub fn tier(&self) -> &str {
        &self.tier
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Faults")
            .field("tier", &self.tier)
            .field("total", &self.total())
            .finish_non_exhaustive()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
