//! Fetches keys, hottest first, at the pacer's pace.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::pacer::{Pace, Pacer, WarmupConfig};

/// What warming did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WarmReport {
    pub fetched: u64,
    pub failed: u64,
    /// Keys that stayed cold, because the time was over or it was stopped.
    pub left: u64,
    /// How often it waited because of the rate or the load.
    pub pauses: u64,
}

impl WarmReport {
    fn count(&mut self, done: bool) {
        if done {
            self.fetched += 1;
        } else {
            self.failed += 1;
        }
    }
}

/// Warms on this thread. `load` says how busy the rest is, from 0 to 1; `fetch` says whether it could; `stop` ends it
/// before the next key.
pub fn warm<K>(
    keys: impl ExactSizeIterator<Item = K>,
    config: WarmupConfig,
    load: impl Fn() -> f64,
    mut fetch: impl FnMut(K) -> bool,
    stop: &AtomicBool,
) -> WarmReport {
    let mut report = WarmReport {
        left: keys.len() as u64,
        ..WarmReport::default()
    };
    let mut pacer = Pacer::new(config);
    let started = Instant::now();
    for key in keys {
        loop {
            if stop.load(Ordering::Relaxed) {
                return report;
            }
            match pacer.next(started.elapsed(), load()) {
                Pace::Fetch => break,
                Pace::Pause(time) => {
                    report.pauses += 1;
                    std::thread::sleep(time);
                }
                Pace::End => return report,
            }
        }
        report.count(fetch(key));
        report.left -= 1;
    }
    report
}

/// As [`warm`], as a task of a tokio runtime with a timer: one fetch at a time. Dropping it stops it.
pub async fn warm_async<K, F: Future<Output = bool>>(
    keys: impl ExactSizeIterator<Item = K>,
    config: WarmupConfig,
    load: impl Fn() -> f64,
    mut fetch: impl FnMut(K) -> F,
) -> WarmReport {
    let mut report = WarmReport {
        left: keys.len() as u64,
        ..WarmReport::default()
    };
    let mut pacer = Pacer::new(config);
    let started = Instant::now();
    for key in keys {
        loop {
            match pacer.next(started.elapsed(), load()) {
                Pace::Fetch => break,
                Pace::Pause(time) => {
                    report.pauses += 1;
                    tokio::time::sleep(time).await;
                }
                Pace::End => return report,
            }
        }
        report.count(fetch(key).await);
        report.left -= 1;
    }
    report
}
