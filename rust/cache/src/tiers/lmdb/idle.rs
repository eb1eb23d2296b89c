//! Things that are made once, used by one thread at a time, and kept meanwhile.

use std::cell::Cell;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// Places for pointers that are taken out and given back without locks. A thread looks at its own place first, which only
/// more threads than there are places share, and then at the others; so no more things are made than are used at once.
#[derive(Debug)]
pub(super) struct Idle<T> {
    places: Box<[Place<T>]>,
}

/// On lines of its own: two threads that read at once do not write to one line.
#[derive(Debug)]
#[repr(align(128))]
struct Place<T>(AtomicPtr<T>);

thread_local! {
    static PREFERRED: Cell<usize> = const { Cell::new(usize::MAX) };
}

fn preferred() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    PREFERRED.with(|preferred| {
        if preferred.get() == usize::MAX {
            preferred.set(NEXT.fetch_add(1, Ordering::Relaxed) & (usize::MAX >> 1));
        }
        preferred.get()
    })
}

impl<T> Idle<T> {
    /// With places for at least so many; a power of two of them.
    pub(super) fn new(places: usize) -> Self {
        Self {
            places: (0..places.next_power_of_two())
                .map(|_| Place(AtomicPtr::new(ptr::null_mut())))
                .collect(),
        }
    }

    fn places(&self) -> impl Iterator<Item = &AtomicPtr<T>> {
        let (first, mask) = (preferred(), self.places.len() - 1);
        (0..self.places.len()).map(move |step| &self.places[(first + step) & mask].0)
    }

    /// Takes one out; it is the caller's alone.
    pub(super) fn take(&self) -> Option<NonNull<T>> {
        self.places().find_map(|place| {
            // Most places that are looked at besides one's own are empty, and looking does not take their line away.
            if place.load(Ordering::Relaxed).is_null() {
                return None;
            }
            NonNull::new(place.swap(ptr::null_mut(), Ordering::Acquire))
        })
    }

    /// Keeps one, or returns it where there is no place.
    pub(super) fn give_back(&self, one: NonNull<T>) -> Option<NonNull<T>> {
        let kept = self.places().any(|place| {
            place
                .compare_exchange(ptr::null_mut(), one.as_ptr(), Ordering::Release, Ordering::Relaxed)
                .is_ok()
        });
        (!kept).then_some(one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_ones_own_and_what_has_no_place_comes_back() {
        let idle = Idle::new(3);
        let mut things = [0_u64; 5];
        let pointers = things.each_mut().map(NonNull::from);
        assert!(idle.take().is_none());
        let returned: Vec<_> = pointers.iter().filter_map(|one| idle.give_back(*one)).collect();
        assert_eq!(returned, [pointers[4]], "there are four places");
        let mut taken: Vec<_> = std::iter::from_fn(|| idle.take()).collect();
        taken.sort();
        let mut given = pointers[..4].to_vec();
        given.sort();
        assert_eq!(taken, given);
    }

    #[test]
    fn threads_never_hold_the_same() {
        let idle = Idle::new(2);
        let things: Vec<AtomicUsize> = (0..2).map(|_| AtomicUsize::new(0)).collect();
        for thing in &things {
            assert!(idle.give_back(NonNull::from(thing)).is_none());
        }
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        let Some(one) = idle.take() else { continue };
                        let number = usize::from(ptr::eq(one.as_ptr(), &raw const things[1]));
                        assert_eq!(things[number].fetch_add(1, Ordering::Relaxed), 0);
                        things[number].fetch_sub(1, Ordering::Relaxed);
                        assert!(idle.give_back(one).is_none());
                    }
                });
            }
        });
    }
}
