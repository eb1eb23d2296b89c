//! Whether this process was forked.

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

static FORKS: AtomicU64 = AtomicU64::new(0);

extern "C" fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// How many forks this process is away from the first that asked: something opened at another number was opened by a
/// parent. It costs a load, where the number of the process would cost a system call.
pub(super) fn forks() -> u64 {
    FORKS.load(Ordering::Relaxed)
}

/// Begins to count.
pub(super) fn count() {
    static COUNT: Once = Once::new();
    COUNT.call_once(|| {
        // SAFETY: the function only adds to an atomic number, which is allowed in a child of a process with threads. It
        // is part of this module for good. Should there be no memory to register it, forks go unnoticed as they would
        // without it.
        unsafe { libc::pthread_atfork(None, None, Some(forked)) };
    });
}
