//! Follows the machine while the program runs.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::governor::Governor;
use super::reader::SystemReader;

/// How much sooner the next look comes when memory is short.
const HURRY: u32 = 10;

/// A thread that looks at the machine and sets the limit. Dropped, it ends.
#[derive(Debug)]
pub struct SizeWatch {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl SizeWatch {
    /// Decides once, at once, and then every `interval`, or ten times as often while memory is short.
    ///
    /// `held` says what the cache holds in bytes; `set_limit` is called with each limit that differs from the one
    /// before, and should evict in the background: it is called from this thread, and the first time from the caller's.
    pub fn start(
        reader: SystemReader,
        mut governor: Governor,
        interval: Duration,
        held: impl Fn() -> u64 + Send + 'static,
        set_limit: impl Fn(u64) + Send + 'static,
    ) -> std::io::Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let mut readings = reader.read();
        let (mut limit, _) = governor.decide(held(), &readings);
        set_limit(limit);
        let stopped = Arc::clone(&stop);
        let body = move || {
            let (flag, signal) = &*stopped;
            let mut ended = flag.lock();
            while !*ended {
                let pause = if governor.is_urgent(&readings) {
                    interval / HURRY
                } else {
                    interval
                };
                signal.wait_for(&mut ended, pause);
                if *ended {
                    return;
                }
                readings = reader.read();
                let (next, _) = governor.decide(held(), &readings);
                if next != limit {
                    limit = next;
                    set_limit(limit);
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("hyperweb-memory".to_owned())
            .spawn(body)?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for SizeWatch {
    fn drop(&mut self) {
        *self.stop.0.lock() = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // A closure that panicked has said so.
            let _ = thread.join();
        }
    }
}
