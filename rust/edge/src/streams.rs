//! The streams of one connection of HTTP/2 or HTTP/3: how many there are, and for how long each has waited for its client.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::clock;

/// The client is not waited for.
const NOT_NOW: u64 = u64::MAX;

/// The streams of a connection.
#[derive(Debug)]
pub(crate) struct Streams {
    begun: AtomicU64,
    open: AtomicU64,
    /// When the last was over.
    quiet_since: AtomicU64,
    waiting: Mutex<Vec<Arc<AtomicU64>>>,
}

/// One of them, for as long as it is open.
#[derive(Debug)]
pub(crate) struct Open {
    streams: Arc<Streams>,
    /// Since when the client is waited for, that it takes more of its response.
    since: Arc<AtomicU64>,
}

impl Streams {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            begun: AtomicU64::new(0),
            open: AtomicU64::new(0),
            quiet_since: AtomicU64::new(clock::now()),
            waiting: Mutex::new(Vec::new()),
        })
    }

    pub(crate) fn begin(self: &Arc<Self>) -> Open {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        let since = Arc::new(AtomicU64::new(NOT_NOW));
        Open {
            streams: Arc::clone(self),
            since,
        }
    }

    /// How many there were.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// How long there has been none, in milliseconds; nought where there is one.
    pub(crate) fn quiet(&self, now: u64) -> u64 {
        if self.is_open() {
            return 0;
        }
        now.saturating_sub(self.quiet_since.load(Ordering::Relaxed))
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }

    /// Whether the client of one has taken nothing for so long.
    pub(crate) fn is_stuck(&self, now: u64, longest: u64) -> bool {
        let mut waiting = self.waiting.lock();
        waiting.retain(|since| Arc::strong_count(since) > 1);
        waiting
            .iter()
            .any(|since| now.saturating_sub(since.load(Ordering::Relaxed)) > longest)
    }
}

impl Open {
    /// Says that a body goes over it.
    pub(crate) fn sends(&self) {
        self.streams.waiting.lock().push(Arc::clone(&self.since));
    }

    /// Says that the client was given more, and is waited for.
    pub(crate) fn waits(&self) {
        self.since.store(clock::now(), Ordering::Relaxed);
    }

    /// Says that there is nothing for the client yet.
    pub(crate) fn waits_not(&self) {
        self.since.store(NOT_NOW, Ordering::Relaxed);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.streams.open.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.streams.quiet_since.store(clock::now(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_takes_nothing_is_found() {
        let streams = Streams::new();
        let now = clock::now();
        let (one, other) = (streams.begin(), streams.begin());
        one.sends();
        other.sends();
        assert!(!streams.is_stuck(now + 10_000, 1000), "nothing is there for it yet");
        one.waits();
        assert!(!streams.is_stuck(now + 500, 1000) && streams.is_stuck(now + 10_000, 1000));
        one.waits_not();
        other.waits();
        drop(other);
        assert!(!streams.is_stuck(now + 10_000, 1000));
        assert!((streams.begun(), streams.quiet(now + 10_000)) == (2, 0));
        drop(one);
        assert!(streams.quiet(now + 10_000) >= 9000 && !streams.is_open());
    }
}
