//! How likely something must be to be fetched ahead: as much as it takes that what is fetched is mostly used.

use std::sync::atomic::{AtomicU64, Ordering};

/// The bar never sinks below this: what is less likely costs more than a miss.
const LOWEST: f64 = 0.05;
const HIGHEST: f64 = 0.95;
/// After so many questions with nothing fetched the bar sinks a little, to see whether it pays by now.
const PATIENCE: u64 = 1000;
/// Fetches between two looks at what became of them.
const WINDOW: u64 = 64;

/// Raises and lowers the bar for prefetching by what its fetches come to. Tell it of each fetch, and of each first use
/// of what was fetched; where clients' ways cannot be foretold it closes by itself.
#[derive(Debug)]
pub struct PrefetchGate {
    /// The part of the bytes fetched ahead that is to be used.
    target: f64,
    fetched: AtomicU64,
    used: AtomicU64,
    fetches: AtomicU64,
    asked: AtomicU64,
    bar: AtomicU64,
}

impl PrefetchGate {
    /// Makes one that wants `target` of the bytes it lets be fetched to be used, between 0 and 1.
    pub fn new(target: f64) -> Self {
        Self {
            target: target.clamp(0.0, 1.0),
            fetched: AtomicU64::new(0),
            used: AtomicU64::new(0),
            fetches: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            bar: AtomicU64::new(0.3f64.to_bits()),
        }
    }

    /// The least probability with which something should be fetched now.
    pub fn least(&self) -> f64 {
        if self.asked.fetch_add(1, Ordering::Relaxed) >= PATIENCE {
            self.asked.store(0, Ordering::Relaxed);
            self.move_bar(0.97);
        }
        self.bar()
    }

    /// Something of so many bytes is fetched ahead.
    pub fn fetched(&self, bytes: u64) {
        self.asked.store(0, Ordering::Relaxed);
        let fetched = self.fetched.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if self.fetches.fetch_add(1, Ordering::Relaxed) + 1 < WINDOW {
            return;
        }
        self.fetches.store(0, Ordering::Relaxed);
        let used = self.used.load(Ordering::Relaxed);
        let part = share(used, fetched);
        if part < self.target {
            self.move_bar(1.1);
        } else if part > self.target * 1.2 {
            self.move_bar(0.95);
        }
        // What is older counts less.
        self.fetched.store(fetched / 2, Ordering::Relaxed);
        self.used.store(used / 2, Ordering::Relaxed);
    }

    /// Something of so many bytes that was fetched ahead was asked for.
    pub fn used(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    fn bar(&self) -> f64 {
        f64::from_bits(self.bar.load(Ordering::Relaxed))
    }

    fn move_bar(&self, by: f64) {
        // Two threads that move it at once move it once, which does as well.
        let next = (self.bar() * by).clamp(LOWEST, HIGHEST);
        self.bar.store(next.to_bits(), Ordering::Relaxed);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio of bytes needs no more than 52 bits")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / (whole as f64).max(1.0)
}
