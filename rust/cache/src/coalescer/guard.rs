//! The right and the duty to do the work.

use std::hash::BuildHasher;
use std::sync::Arc;

use super::flight::{End, Next};
use super::{Inner, Joined, seconds};

/// The one who does the work for a key. Dropped without a word, it hands over to exactly one of those who wait.
#[derive(Debug)]
#[must_use = "dropping it hands the work over to the next"]
pub struct LeaderGuard<V: Clone, E: Clone = Arc<str>> {
    inner: Arc<Inner<V, E>>,
    key: Arc<[u8]>,
    flight: u64,
    epoch: u64,
    done: bool,
}

impl<V: Clone, E: Clone> LeaderGuard<V, E> {
    pub(super) fn new(inner: Arc<Inner<V, E>>, key: Arc<[u8]>, flight: u64, epoch: u64) -> Self {
        Self {
            inner,
            key,
            flight,
            epoch,
            done: false,
        }
    }

    /// The key to work on.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Gives the value to all who wait, also when another has taken over meanwhile.
    pub fn complete(mut self, value: &V) {
        self.inner.hit_for_miss.clear(self.inner.hasher.hash_one(&*self.key));
        self.settle(true, || Joined::Value(value.clone()));
    }

    /// Lets all who wait work for themselves, and marks the key so that for `ttl` milliseconds nobody waits. `now` is
    /// the caller's clock, in milliseconds.
    pub fn uncacheable(mut self, now: u64, ttl: u64) {
        let until = seconds(now.saturating_add(ttl)).saturating_add(1);
        self.inner
            .hit_for_miss
            .set_until(self.inner.hasher.hash_one(&*self.key), until);
        self.settle(false, || Joined::Uncacheable);
    }

    /// Says that it failed: to all who wait, or to nobody while the flight's retries last, and then the next one tries.
    pub fn fail(mut self, reason: impl Into<E>) {
        self.done = true;
        if let Some(waiters) = self.hand_over(End::Failed) {
            let reason = reason.into();
            for (_, waiter) in waiters {
                drop(waiter.answer.send(Joined::Failed(reason.clone())));
            }
        }
    }

    fn settle(&mut self, shared: bool, joined: impl Fn() -> Joined<V, E>) {
        self.done = true;
        let waiters = {
            let mut shard = self.inner.shard(&self.key).lock();
            shard.settle(&self.key, self.flight, self.epoch, shared)
        };
        for (_, waiter) in waiters {
            // One who no longer waits needs nothing.
            drop(waiter.answer.send(joined()));
        }
    }

    /// Gives the lead to the first who still waits; returns those who are to be told where it is given to none.
    fn hand_over(&self, end: End) -> Option<super::flight::Waiters<V, E>> {
        let mut epoch = self.epoch;
        let mut end = end;
        loop {
            let next = {
                let mut shard = self.inner.shard(&self.key).lock();
                shard.hand_over(&self.key, self.flight, epoch, end)
            };
            let (answer, next_epoch) = match next {
                Next::Nothing => return None,
                Next::Tell(waiters) => return Some(waiters),
                Next::Lead(answer, epoch) => (answer, epoch),
            };
            let guard = Self::new(Arc::clone(&self.inner), Arc::clone(&self.key), self.flight, next_epoch);
            match answer.send(Joined::Leader(guard)) {
                Ok(()) => return None,
                // It no longer waits: its guard must not hand over in its turn, the loop does.
                Err(Joined::Leader(mut guard)) => guard.done = true,
                Err(_) => return None,
            }
            self.inner.shard(&self.key).lock().refused();
            epoch = next_epoch;
            // The failure was counted; this one did not try.
            end = End::Dropped;
        }
    }
}

impl<V: Clone, E: Clone> Drop for LeaderGuard<V, E> {
    fn drop(&mut self) {
        if !self.done {
            self.hand_over(End::Dropped);
        }
    }
}
