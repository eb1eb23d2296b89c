//! Calls back those who wait in their own way.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::sync::thread_local;

type Job = Box<dyn FnOnce()>;

thread_local! {
    /// What is still to be called, while this thread calls.
    static WAITING: RefCell<Option<VecDeque<Job>>> = const { RefCell::new(None) };
}

/// Calls, or leaves it to the call that is under way: a callback that drops the lead calls the next one, and a queue of
/// thousands of such must not nest.
pub(super) fn call(job: Job) {
    let deferred = WAITING.with(|waiting| match waiting.borrow_mut().as_mut() {
        Some(queue) => {
            queue.push_back(job);
            None
        }
        None => Some(job),
    });
    let Some(mut job) = deferred else { return };
    WAITING.with(|waiting| *waiting.borrow_mut() = Some(VecDeque::new()));
    loop {
        // The others must be told whatever becomes of this one; what panicked has said so by the hook.
        let _ = catch_unwind(AssertUnwindSafe(job));
        let next = WAITING.with(|waiting| {
            let mut waiting = waiting.borrow_mut();
            let next = waiting.as_mut().and_then(VecDeque::pop_front);
            if next.is_none() {
                *waiting = None;
            }
            next
        });
        match next {
            Some(next) => job = next,
            None => return,
        }
    }
}
