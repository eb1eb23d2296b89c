//! Where the answer for one who waits is put.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::Joined;
use crate::sync::Mutex;

pub(super) type Callback<V, E> = Box<dyn FnOnce(Joined<V, E>) + Send>;

enum State<V: Clone, E: Clone> {
    Waiting(Option<Waker>),
    Calling(Callback<V, E>),
    Answered(Joined<V, E>),
    /// The answer was taken, or nobody will.
    Over,
}

/// The place of one who waits.
pub(super) struct Slot<V: Clone, E: Clone>(Mutex<State<V, E>>);

impl<V: Clone, E: Clone> fmt::Debug for Slot<V, E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Slot").finish_non_exhaustive()
    }
}

impl<V: Clone, E: Clone> Slot<V, E> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State::Waiting(None)))
    }

    pub(super) fn calling(callback: Callback<V, E>) -> Self {
        Self(Mutex::new(State::Calling(callback)))
    }

    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<Joined<V, E>> {
        let mut state = self.0.lock();
        match &mut *state {
            State::Answered(_) => match std::mem::replace(&mut *state, State::Over) {
                State::Answered(joined) => Poll::Ready(joined),
                _ => Poll::Pending,
            },
            State::Waiting(waker) => {
                match waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    None => *waker = Some(context.waker().clone()),
                }
                Poll::Pending
            }
            State::Calling(_) | State::Over => Poll::Pending,
        }
    }

    /// Nobody waits here any more. What was put here already is given back, to be dropped where no lock is held.
    pub(super) fn leave(&self) -> Option<Joined<V, E>> {
        let before = std::mem::replace(&mut *self.0.lock(), State::Over);
        match before {
            State::Answered(joined) => Some(joined),
            _ => None,
        }
    }
}

/// The right to answer one who waits, once. Dropped without an answer, it lets that one go.
#[derive(Debug)]
pub(super) struct Answer<V: Clone, E: Clone>(Option<Arc<Slot<V, E>>>);

impl<V: Clone, E: Clone> Answer<V, E> {
    pub(super) fn new(slot: &Arc<Slot<V, E>>) -> Self {
        Self(Some(Arc::clone(slot)))
    }

    /// Answers; gives the answer back where nobody waits for it. No lock may be held: this runs callbacks.
    pub(super) fn send(mut self, joined: Joined<V, E>) -> Result<(), Joined<V, E>> {
        self.put(joined)
    }

    /// The one who waits has its answer already, and takes it itself.
    pub(super) fn disarm(mut self) {
        self.0 = None;
    }

    fn put(&mut self, joined: Joined<V, E>) -> Result<(), Joined<V, E>> {
        let Some(slot) = self.0.take() else {
            return Err(joined);
        };
        let mut state = slot.0.lock();
        match std::mem::replace(&mut *state, State::Over) {
            State::Waiting(waker) => {
                *state = State::Answered(joined);
                drop(state);
                if let Some(waker) = waker {
                    waker.wake();
                }
                Ok(())
            }
            State::Calling(callback) => {
                drop(state);
                callback(joined);
                Ok(())
            }
            // Only one has the right to answer, so it was not answered before.
            State::Answered(_) | State::Over => Err(joined),
        }
    }
}

impl<V: Clone, E: Clone> Drop for Answer<V, E> {
    fn drop(&mut self) {
        drop(self.put(Joined::Uncacheable));
    }
}
