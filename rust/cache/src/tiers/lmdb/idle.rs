//! Things that are made once, used by one thread at a time, and kept meanwhile.

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::epoch;

/// Threads that have a place of their own. Each may come to hold a place in LMDB's table of readers; 64 processes of so
/// many fit in the one that is made by default.
const OWN: usize = 16;
/// Places that all other threads share.
const SHARED: usize = 16;

/// Places for pointers. Most threads have one of their own, which they use by plain loads and stores: what must be seen
/// by all at once waits for everything the core has begun, and would cost more than all else here. Places are not wiped
/// when a thread ends: the next one that gets its number takes over what it kept.
#[derive(Debug)]
pub(super) struct Idle<T> {
    own: [Place<T>; OWN],
    shared: [Place<T>; SHARED],
}

/// On lines of its own: two threads that read at once do not write to one line.
#[derive(Debug)]
#[repr(align(128))]
struct Place<T>(AtomicPtr<T>);

impl<T> Place<T> {
    const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
    }
}

impl<T> Idle<T> {
    pub(super) const fn new() -> Self {
        Self {
            own: [const { Place::new() }; OWN],
            shared: [const { Place::new() }; SHARED],
        }
    }

    /// Takes one out; it is the caller's alone.
    pub(super) fn take(&self) -> Option<NonNull<T>> {
        // The number is this thread's until the guard goes.
        let guard = epoch::pin();
        if let Some(Place(own)) = self.own.get(guard.thread()) {
            let found = own.load(Ordering::Relaxed);
            own.store(ptr::null_mut(), Ordering::Relaxed);
            return NonNull::new(found);
        }
        drop(guard);
        // Looking does not take a line away from others.
        let mut full = self.shared.iter().filter(|place| !place.is_empty());
        full.find_map(|place| NonNull::new(place.0.swap(ptr::null_mut(), Ordering::Acquire)))
    }

    /// Keeps one, or returns it where there is no place.
    pub(super) fn give_back(&self, one: NonNull<T>) -> Option<NonNull<T>> {
        let guard = epoch::pin();
        if let Some(own) = self.own.get(guard.thread()) {
            if own.is_empty() {
                own.0.store(one.as_ptr(), Ordering::Relaxed);
                return None;
            }
            return Some(one);
        }
        drop(guard);
        let mut empty = self.shared.iter().filter(|place| place.is_empty());
        let kept = empty.any(|place| {
            place
                .0
                .compare_exchange(ptr::null_mut(), one.as_ptr(), Ordering::Release, Ordering::Relaxed)
                .is_ok()
        });
        (!kept).then_some(one)
    }

    /// Takes everything out, where nobody else uses this any more.
    pub(super) fn empty(&mut self) -> impl Iterator<Item = NonNull<T>> {
        let places = self.own.iter_mut().chain(&mut self.shared);
        places.filter_map(|place| NonNull::new(std::mem::replace(place.0.get_mut(), ptr::null_mut())))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn what_is_taken_is_ones_own_and_what_has_no_place_comes_back() {
        let mut idle = Idle::new();
        let mut things = [0_u64; OWN + SHARED + 2];
        let [one, two, ..] = things.each_mut().map(NonNull::from);
        assert!(idle.take().is_none());
        assert!(idle.give_back(one).is_none());
        assert_eq!(idle.take(), Some(one));
        assert!(idle.take().is_none());
        assert!(idle.give_back(two).is_none());
        assert_eq!(idle.empty().collect::<Vec<_>>(), [two]);
        assert_eq!(idle.empty().count(), 0);
    }

    #[test]
    fn threads_never_hold_the_same_and_keep_no_more_than_there_are_places() {
        let threads = OWN + SHARED + 16;
        let mut idle = Idle::new();
        let users: Vec<AtomicUsize> = (0..threads).map(|_| AtomicUsize::new(0)).collect();
        let start = Barrier::new(threads);
        let dropped = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for user in &users {
                let (idle, users, start, dropped) = (&idle, &users, &start, &dropped);
                scope.spawn(move || {
                    start.wait();
                    for round in 0..2_000 {
                        let one = if round == 0 {
                            Some(NonNull::from(user))
                        } else {
                            idle.take()
                        };
                        let Some(one) = one else { continue };
                        let users = users.iter().find(|user| ptr::eq(*user, one.as_ptr())).unwrap();
                        assert_eq!(users.fetch_add(1, Ordering::Relaxed), 0, "it is taken once");
                        std::thread::yield_now();
                        users.fetch_sub(1, Ordering::Relaxed);
                        if idle.give_back(one).is_some() {
                            dropped.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let kept = idle.empty().count();
        assert_eq!(kept + dropped.load(Ordering::Relaxed), threads, "none is lost");
        assert!(kept <= OWN + SHARED);
    }
}
