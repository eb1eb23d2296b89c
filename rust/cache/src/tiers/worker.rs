//! A thread that can be told to end, and is left behind where it does not.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// A thread of a cache.
#[derive(Debug)]
pub(crate) struct Worker {
    ended: Arc<Ended>,
}

#[derive(Debug, Default)]
struct Ended {
    ended: Mutex<bool>,
    changed: Condvar,
}

/// Says that the thread ended, however it did.
struct OnEnd(Arc<Ended>);

impl Drop for OnEnd {
    fn drop(&mut self) {
        *self.0.ended.lock() = true;
        self.0.changed.notify_all();
    }
}

impl Worker {
    /// Starts a thread; where the system allows none, nothing runs and the worker has ended.
    pub(crate) fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Self {
        let ended = Arc::new(Ended::default());
        let on_end = OnEnd(Arc::clone(&ended));
        // Where it cannot be started, the closure is dropped, and with it what says that it ended.
        let _ = thread::Builder::new().name(format!("cache-{name}")).spawn(move || {
            let _on_end = on_end;
            run();
        });
        Self { ended }
    }

    /// Waits for its end; false where it has not ended by then. A thread that a stopped process keeps waiting in the
    /// kernel is left behind: it owns all it uses.
    pub(crate) fn wait(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut ended = self.ended.ended.lock();
        while !*ended {
            if self.ended.changed.wait_until(&mut ended, until).timed_out() {
                break;
            }
        }
        *ended
    }
}
