//! What a thread keeps for itself.

use std::cell::RefCell;
use std::sync::Arc;

use super::shelf::{Shelf, Tally};

thread_local! {
    /// The thread's own buffers, of each pool it used. There are few pools, most often one.
    static LOCALS: RefCell<Vec<Local>> = const { RefCell::new(Vec::new()) };
}

/// The way back to a pool, counted for each thread apart: were it one for all, each buffer taken would write to a line
/// that the other threads write to.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) shelf: Arc<Shelf>,
}

impl Home {
    pub(super) fn new(shelf: &Arc<Shelf>) -> Self {
        Self {
            shelf: Arc::clone(shelf),
        }
    }
}

/// A thread's own buffers of one pool.
pub(super) struct Local {
    home: Arc<Home>,
    tally: Arc<Tally>,
    stacks: Vec<Vec<Box<[u8]>>>,
}

impl Local {
    fn new(shelf: &Arc<Shelf>) -> Self {
        Self {
            home: Arc::new(Home::new(shelf)),
            tally: shelf.register(),
            stacks: (0..shelf.classes()).map(|_| Vec::new()).collect(),
        }
    }

    pub(super) fn home(&self) -> Arc<Home> {
        Arc::clone(&self.home)
    }

    pub(super) fn take(&mut self, shelf: &Shelf, class: usize) -> Option<Box<[u8]>> {
        let stack = self.stacks.get_mut(class)?;
        let size = shelf.size(class) as u64;
        if stack.is_empty() {
            // Half of what may be kept, so that a thread that only takes asks seldom and one that takes and gives
            // does not give back at once.
            shelf.take(class, shelf.most_of(class).div_ceil(2), stack);
            let found = stack.len() as u64 * size;
            Tally::set(&self.tally.held, |held| held + found);
        }
        let taken = stack.pop();
        if taken.is_some() {
            Tally::set(&self.tally.hits, |hits| hits + 1);
            Tally::set(&self.tally.held, |held| held.saturating_sub(size));
        } else {
            Tally::set(&self.tally.misses, |misses| misses + 1);
        }
        taken
    }

    pub(super) fn put(&mut self, shelf: &Shelf, class: usize, bytes: Box<[u8]>) {
        let Some(stack) = self.stacks.get_mut(class) else {
            return;
        };
        let (size, most) = (bytes.len() as u64, shelf.most_of(class));
        if stack.len() >= most {
            for extra in stack.drain(most / 2..) {
                Tally::set(&self.tally.held, |held| held.saturating_sub(size));
                if !shelf.put(class, extra) {
                    Tally::set(&self.tally.freed, |freed| freed + 1);
                }
            }
        }
        stack.push(bytes);
        Tally::set(&self.tally.held, |held| held + size);
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let shelf = &self.home.shelf;
        for (class, stack) in self.stacks.iter_mut().enumerate() {
            for bytes in stack.drain(..) {
                if !shelf.put(class, bytes) {
                    Tally::set(&self.tally.freed, |freed| freed + 1);
                }
            }
        }
        shelf.retire(&self.tally);
    }
}

/// Calls with the thread's own buffers of a pool; none where the thread is ending and has none any more.
pub(super) fn with_local<R>(shelf: &Arc<Shelf>, action: impl FnOnce(&mut Local) -> R) -> Option<R> {
    let with = |locals: &RefCell<Vec<Local>>| {
        let mut locals = locals.borrow_mut();
        let found = locals.iter().position(|local| Arc::ptr_eq(&local.home.shelf, shelf));
        let place = found.unwrap_or_else(|| {
            // What is left of pools that are gone goes when a new one comes.
            locals.retain(|local| !local.home.shelf.is_closed());
            locals.push(Local::new(shelf));
            locals.len() - 1
        });
        locals.get_mut(place).map(action)
    };
    LOCALS.try_with(with).ok().flatten()
}
