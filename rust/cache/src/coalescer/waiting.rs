//! One who waits.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use super::flight::{Expired, Place};
use super::guard::LeaderGuard;
use super::{Inner, Joined};
use crate::sync::{self, Thread};

/// A place in the queue of a flight. Dropped, it leaves the flight and nothing of it stays.
#[derive(Debug)]
#[must_use = "dropping it leaves the flight"]
pub struct Waiting<V: Clone, E: Clone> {
    inner: Arc<Inner<V, E>>,
    place: Place<V, E>,
    /// The answer was taken, so that there is nothing to leave.
    done: bool,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl<V: Clone, E: Clone> Waiting<V, E> {
    pub(super) fn new(inner: Arc<Inner<V, E>>, place: Place<V, E>) -> Self {
        Self {
            inner,
            place,
            done: false,
        }
    }

    /// When to look at the clock again: at the age limit of the one who leads, or at this one's own limit.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if !self.place.timed {
            return None;
        }
        let Place {
            key, flight, ticket, ..
        } = &self.place;
        self.inner.shard(key).lock().deadline(key, *flight, *ticket)
    }

    /// What the time brought; none where it is not over, or an answer is on its way.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Joined<V, E>> {
        let Place {
            key, flight, ticket, ..
        } = &self.place;
        let expired = self.inner.shard(key).lock().expire(key, *flight, *ticket, now);
        self.done = !matches!(expired, Expired::No);
        match expired {
            Expired::No => None,
            Expired::TimedOut(answer) => {
                answer.disarm();
                Some(Joined::TimedOut)
            }
            Expired::Leads(answer, epoch) => {
                answer.disarm();
                let guard = LeaderGuard::new(Arc::clone(&self.inner), Arc::clone(key), *flight, epoch);
                Some(Joined::Leader(guard))
            }
        }
    }

    /// Sleeps until there is an answer.
    pub(super) fn block(&mut self) -> Joined<V, E> {
        let waker = Waker::from(Arc::new(Unpark(sync::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(joined) = Pin::new(&mut *self).poll(&mut context) {
                return joined;
            }
            let Some(until) = self.deadline() else {
                sync::park();
                continue;
            };
            let now = sync::now();
            if let Some(left) = until.checked_duration_since(now).filter(|left| !left.is_zero()) {
                sync::park_timeout(left);
            } else if let Some(joined) = self.expire(now) {
                return joined;
            }
        }
    }
}

impl<V: Clone, E: Clone> Future for Waiting<V, E> {
    type Output = Joined<V, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.place.slot.poll(context);
        self.done |= polled.is_ready();
        polled
    }
}

impl<V: Clone, E: Clone> Drop for Waiting<V, E> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let Place {
            key,
            flight,
            ticket,
            slot,
            ..
        } = &self.place;
        let left = self.inner.shard(key).lock().leave(key, *flight, *ticket);
        if let Some(answer) = left {
            answer.disarm();
        }
        // A lead that was put there just before is dropped here, which hands it over to the next.
        drop(slot.leave());
    }
}
