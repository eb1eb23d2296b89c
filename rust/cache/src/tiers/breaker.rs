//! A circuit breaker: what failed is left alone for a while, and then tried by one.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Opens after a few failures in a row. While it is open nothing is tried; when its time is over one call is let through,
/// and its outcome closes it or opens it for twice as long, up to a limit.
#[derive(Debug)]
pub(crate) struct Breaker {
    started: Instant,
    threshold: u32,
    shortest: Duration,
    longest: Duration,
    failures: AtomicU32,
    /// Milliseconds after `started` from which on one may try; 0 where it is closed.
    open_until: AtomicU64,
    openings: AtomicU64,
}

impl Breaker {
    pub(crate) fn new(threshold: u32, shortest: Duration, longest: Duration) -> Self {
        Self {
            started: Instant::now(),
            threshold: threshold.max(1),
            shortest,
            longest,
            failures: AtomicU32::new(0),
            open_until: AtomicU64::new(0),
            openings: AtomicU64::new(0),
        }
    }

    /// Whether a call may be made. Where the time of an open breaker is over, only one caller hears yes.
    pub(crate) fn allows(&self) -> bool {
        let until = self.open_until.load(Ordering::Acquire);
        if until == 0 {
            return true;
        }
        let now = self.now();
        // The one that tries pushes the time on, so that the others wait for its outcome.
        now >= until
            && self
                .open_until
                .compare_exchange(until, now + self.pause(), Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open_until.load(Ordering::Acquire) != 0
    }

    pub(crate) fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
            self.open_until.store(0, Ordering::Release);
        }
    }

    pub(crate) fn failed(&self) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let opens = failures >= self.threshold
            && self
                .open_until
                .swap((self.now() + self.pause()).max(1), Ordering::AcqRel)
                == 0;
        if opens {
            self.openings.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often it opened.
    pub(crate) fn openings(&self) -> u64 {
        self.openings.load(Ordering::Relaxed)
    }

    fn pause(&self) -> u64 {
        let over = self
            .failures
            .load(Ordering::Relaxed)
            .saturating_sub(self.threshold)
            .min(16);
        let pause = self.shortest.saturating_mul(1 << over).min(self.longest);
        u64::try_from(pause.as_millis()).unwrap_or(u64::MAX).max(1)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
