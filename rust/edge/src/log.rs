//! What an operator is told while the edge runs: lines on standard error, and no flood of them.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock;
use crate::refusal::Refusal;

/// How long one line of a kind stands for all of its kind, in milliseconds.
const QUIET: u64 = 10_000;

/// One kind of line.
#[derive(Debug)]
struct Kind {
    /// When the next may be written.
    next: AtomicU64,
    /// How many were not written since the last.
    held: AtomicU64,
}

impl Kind {
    const fn new() -> Self {
        Self {
            next: AtomicU64::new(0),
            held: AtomicU64::new(0),
        }
    }

    /// Returns how many were held back, if one may be written now.
    fn may_write(&self, now: u64) -> Option<u64> {
        let next = self.next.load(Ordering::Relaxed);
        let wins = now >= next
            && self
                .next
                .compare_exchange(next, now + QUIET, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if wins {
            return Some(self.held.swap(0, Ordering::Relaxed));
        }
        self.held.fetch_add(1, Ordering::Relaxed);
        None
    }
}

static REFUSALS: [Kind; Refusal::COUNT] = [const { Kind::new() }; Refusal::COUNT];

/// Says that a client was refused.
pub(crate) fn refused(refusal: Refusal, peer: &str) {
    let held = REFUSALS
        .get(refusal as usize)
        .and_then(|kind| kind.may_write(clock::now()));
    if let Some(held) = held {
        let others = if held == 0 {
            String::new()
        } else {
            format!(" ({held} more since the last such line)")
        };
        warn(&format!("{peer} {}{others}", refusal.deed()));
    }
}

static UNWRITTEN: Kind = Kind::new();

/// Says that lines of the access log could not be written.
pub(crate) fn unwritten(error: &std::io::Error) {
    if UNWRITTEN.may_write(clock::now()).is_some() {
        warn(&format!("lines of the access log are lost: {error}"));
    }
}

static UNSAFE: Kind = Kind::new();

/// Says that TLS to an origin came to nothing.
pub(crate) fn unsafe_origin(text: &str) {
    if UNSAFE.may_write(clock::now()).is_some() {
        warn(text);
    }
}

/// Writes a line as the rest of hyperweb does.
pub(crate) fn warn(text: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(std::io::stderr(), "WARNING hyperweb.edge: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_stands_for_many() {
        let kind = Kind::new();
        assert_eq!(kind.may_write(1), Some(0));
        assert_eq!(kind.may_write(2), None);
        assert_eq!(kind.may_write(QUIET), None);
        assert_eq!(kind.may_write(QUIET + 1), Some(2));
        assert_eq!(kind.may_write(2 * QUIET + 1), Some(0));
    }
}
