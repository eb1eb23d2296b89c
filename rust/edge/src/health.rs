//! Whether an origin is asked: a circuit breaker (M. Nygard, Release It!). No socket, and no clock of its own.
//!
//! After some failures in a row the circuit is open and nothing is asked. When a pause is over, one request is let
//! through as a trial: where it is answered the circuit is closed, and where it fails the next pause is twice as long.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// The longest pause is so many times the first.
const LONGEST: u64 = 16;
/// A trial that was not heard of for so long is over: its client may have left, in milliseconds.
const TRIAL: u64 = 60_000;

/// When an origin is left alone, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
pub struct Breaker {
    /// Failures in a row that open the circuit.
    pub failures: u32,
    /// The first pause, in milliseconds.
    pub pause: u64,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            failures: 3,
            pause: 1000,
        }
    }
}

/// Whether it may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Up,
    /// One request may try it, once it has [begun](Health::begin_trial).
    Trial,
    Down,
}

/// What is known of one origin.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Failures in a row.
    failures: AtomicU32,
    is_open: AtomicBool,
    /// When a trial may begin.
    until: AtomicU64,
    pause: AtomicU64,
}

impl Health {
    pub(crate) fn standing(&self, now: u64) -> Standing {
        if !self.is_open.load(Ordering::Acquire) {
            Standing::Up
        } else if now >= self.until.load(Ordering::Acquire) {
            Standing::Trial
        } else {
            Standing::Down
        }
    }

    /// Begins the one trial; false where another has.
    pub(crate) fn begin_trial(&self, now: u64) -> bool {
        let until = self.until.load(Ordering::Acquire);
        let next = now + TRIAL;
        now >= until
            && self
                .until
                .compare_exchange(until, next, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
    }

    /// Notes an answer; true where the circuit was open.
    pub(crate) fn succeed(&self) -> bool {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        let was_open = self.is_open.load(Ordering::Relaxed) && self.is_open.swap(false, Ordering::AcqRel);
        if was_open {
            self.pause.store(0, Ordering::Relaxed);
        }
        was_open
    }

    /// Notes a failure; true where it opened the circuit.
    pub(crate) fn fail(&self, breaker: &Breaker, now: u64) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        if self.is_open.load(Ordering::Acquire) {
            // Requests that were under way when it opened fail too; only a trial makes the pause longer.
            if self.until.load(Ordering::Acquire) > now + self.pause.load(Ordering::Relaxed) {
                self.rest(breaker, now);
            }
            return false;
        }
        if failures < breaker.failures || self.is_open.swap(true, Ordering::AcqRel) {
            return false;
        }
        self.rest(breaker, now);
        true
    }

    /// Lets the next request be a trial: something says that it may be back.
    pub(crate) fn hint(&self, now: u64) {
        self.until.fetch_min(now, Ordering::AcqRel);
    }

    fn rest(&self, breaker: &Breaker, now: u64) {
        let last = self.pause.load(Ordering::Relaxed);
        let pause = (last * 2).clamp(breaker.pause, breaker.pause.saturating_mul(LONGEST));
        self.pause.store(pause, Ordering::Relaxed);
        self.until.store(now + pause, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BREAKER: Breaker = Breaker {
        failures: 2,
        pause: 100,
    };

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_after_a_trial() {
        let health = Health::default();
        assert!(!health.fail(&BREAKER, 0));
        assert!(!health.succeed());
        assert!(!health.fail(&BREAKER, 0));
        assert!(health.fail(&BREAKER, 0));
        assert_eq!(health.standing(99), Standing::Down);
        assert!(!health.fail(&BREAKER, 50), "it was under way");
        assert_eq!(health.standing(100), Standing::Trial);
        assert!(health.begin_trial(100));
        assert!(!health.begin_trial(100), "there is one trial");
        assert_eq!(health.standing(101), Standing::Down);
        assert!(!health.fail(&BREAKER, 110));
        assert_eq!(health.standing(309), Standing::Down, "the second pause is longer");
        assert!(health.begin_trial(310));
        assert!(health.succeed());
        assert_eq!(health.standing(310), Standing::Up);
        assert!(!health.fail(&BREAKER, 311));
        assert_eq!(health.standing(311), Standing::Up);
    }

    #[test]
    fn a_trial_that_is_never_heard_of_ends_and_a_hint_brings_it_forward() {
        let health = Health::default();
        health.fail(&BREAKER, 0);
        health.fail(&BREAKER, 0);
        assert!(health.begin_trial(100));
        assert_eq!(health.standing(100 + TRIAL), Standing::Trial);
        health.hint(200);
        assert_eq!(health.standing(200), Standing::Trial);
    }

    proptest! {
        #[test]
        fn whatever_happens_it_comes_back(steps in prop::collection::vec((0u8..4, 0u64..500), 0..60)) {
            let health = Health::default();
            let mut now = 0;
            for (what, later) in steps {
                now += later;
                match what {
                    0 => drop(health.fail(&BREAKER, now)),
                    1 => drop(health.succeed()),
                    2 => health.hint(now),
                    _ => drop(health.begin_trial(now)),
                }
            }
            now += TRIAL + BREAKER.pause * LONGEST;
            prop_assert_ne!(health.standing(now), Standing::Down);
            prop_assert!(health.standing(now) == Standing::Up || health.begin_trial(now));
            health.succeed();
            prop_assert_eq!(health.standing(now), Standing::Up);
        }
    }
}
