//! When memory that readers may still look at can be used again: epochs (Fraser, "Practical lock-freedom", 2004).
//!
//! A reader notes the epoch it began in, in a place of its own; leaving, it wipes the note. The epoch moves on only
//! when every note is of the present one, so what was taken out of sight in epoch `e` is seen by nobody in `e + 2`.

use parking_lot::Mutex;

use crate::barrier_unsafe;
use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};

/// The low bits of a note count the guards of its thread.
const GUARD_BITS: u32 = 16;
const GUARDS: u64 = (1 << GUARD_BITS) - 1;

/// Where one thread notes the epoch it reads in. On lines of its own.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Note {
    /// Nought, or the epoch shifted left and below it how many guards the thread holds.
    state: AtomicU64,
    /// Whether a thread has it.
    taken: AtomicU32,
    /// Its number: the threads that live have different ones, all small.
    index: usize,
}

impl Note {
    pub(crate) const fn index(&self) -> usize {
        self.index
    }

    /// Begins to read. The note belongs to one thread, so it needs no more than a load and a store.
    #[inline]
    pub(crate) fn enter(&self, domain: &Domain) {
        let state = self.state.load(Ordering::Relaxed);
        if state == 0 {
            let epoch = domain.epoch.load(Ordering::Acquire);
            self.state.store(epoch << GUARD_BITS | 1, Ordering::Relaxed);
            barrier_unsafe::light();
        } else {
            assert!(state & GUARDS < GUARDS, "a thread holds more than 65,534 guards");
            self.state.store(state + 1, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(crate) fn leave(&self) {
        let state = self.state.load(Ordering::Relaxed);
        let left = if state & GUARDS == 1 { 0 } else { state - 1 };
        self.state.store(left, Ordering::Release);
    }
}

/// An epoch, and the notes of those who read.
#[derive(Debug)]
pub(crate) struct Domain {
    epoch: AtomicU64,
    notes: Mutex<Vec<&'static Note>>,
}

impl Domain {
    const fn new() -> Self {
        Self {
            epoch: AtomicU64::new(2),
            notes: Mutex::new(Vec::new()),
        }
    }

    /// Gives out a note that no other thread has.
    pub(crate) fn register(&self) -> &'static Note {
        barrier_unsafe::prepare();
        let mut notes = self.notes.lock();
        if let Some(free) = notes.iter().find(|note| note.taken.load(Ordering::Acquire) == 0) {
            free.taken.store(1, Ordering::Relaxed);
            return free;
        }
        // Never freed: a later thread takes it over.
        let note: &'static Note = Box::leak(Box::new(Note {
            state: AtomicU64::new(0),
            taken: AtomicU32::new(1),
            index: notes.len(),
        }));
        notes.push(note);
        note
    }

    pub(crate) fn give_back(note: &Note) {
        note.taken.store(0, Ordering::Release);
    }

    /// The epoch of what this thread has just taken out of sight.
    pub(crate) fn retired_in(&self) -> u64 {
        // Without it the number could be read before others see what is gone.
        fence(Ordering::SeqCst);
        self.epoch.load(Ordering::SeqCst)
    }

    /// The present epoch. What was retired two epochs before it can be freed.
    pub(crate) fn current(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Moves the epoch on if every reader is in the present one, and returns it. What was retired two epochs before
    /// what is returned can be freed.
    pub(crate) fn advance(&self) -> u64 {
        let Some(notes) = self.notes.try_lock() else {
            return self.epoch.load(Ordering::Acquire);
        };
        let epoch = self.epoch.load(Ordering::SeqCst);
        barrier_unsafe::heavy();
        let all_here = notes.iter().all(|note| {
            let state = note.state.load(Ordering::Acquire);
            state == 0 || state >> GUARD_BITS == epoch
        });
        if !all_here {
            return epoch;
        }
        // Whoever holds the notes is the only one who moves the epoch.
        self.epoch.store(epoch + 1, Ordering::SeqCst);
        epoch + 1
    }
}

pub(crate) use global::{Guard, advance, current, pin, retired_in, thread};

mod global {
    use std::cell::Cell;
    use std::marker::PhantomData;

    use super::{Domain, Note};

    static DOMAIN: Domain = Domain::new();

    struct Owned(&'static Note);

    impl Drop for Owned {
        fn drop(&mut self) {
            NOTE.set(None);
            Domain::give_back(self.0);
        }
    }

    thread_local! {
        // Without a destructor of its own, so that reading it is one load.
        static NOTE: Cell<Option<&'static Note>> = const { Cell::new(None) };
        static OWNED: Owned = Owned(DOMAIN.register());
    }

    /// While one lives, nothing its thread has found is freed.
    #[derive(Debug)]
    pub(crate) struct Guard {
        note: &'static Note,
        /// The thread is ending and has given its own note back.
        borrowed: bool,
        /// It is of one thread.
        thread: PhantomData<*const ()>,
    }

    impl Guard {
        /// The number of the thread among those that live.
        #[inline]
        pub(crate) fn thread(&self) -> usize {
            self.note.index()
        }
    }

    impl Drop for Guard {
        #[inline]
        fn drop(&mut self) {
            self.note.leave();
            if self.borrowed {
                Domain::give_back(self.note);
            }
        }
    }

    #[inline]
    pub(crate) fn pin() -> Guard {
        let (note, borrowed) = NOTE.get().map_or_else(register, |note| (note, false));
        note.enter(&DOMAIN);
        Guard {
            note,
            borrowed,
            thread: PhantomData,
        }
    }

    /// The number of the thread among those that live; none where it is ending.
    #[inline]
    pub(crate) fn thread() -> Option<usize> {
        NOTE.get().or_else(own).map(Note::index)
    }

    /// Gives the thread a note of its own; none where it is ending.
    #[cold]
    fn own() -> Option<&'static Note> {
        let owned = OWNED.try_with(|owned| {
            NOTE.set(Some(owned.0));
            owned.0
        });
        owned.ok()
    }

    #[cold]
    fn register() -> (&'static Note, bool) {
        own().map_or_else(|| (DOMAIN.register(), true), |note| (note, false))
    }

    pub(crate) fn retired_in() -> u64 {
        DOMAIN.retired_in()
    }

    pub(crate) fn current() -> u64 {
        DOMAIN.current()
    }

    pub(crate) fn advance() -> u64 {
        DOMAIN.advance()
    }
}
