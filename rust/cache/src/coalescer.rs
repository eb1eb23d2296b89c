//! Single flight: of all who ask for one key at once, one does the work and the others are given what it made.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::marks::Marks;

const SHARDS: usize = 64;

/// What one who asked is to do.
#[derive(Debug)]
pub enum Joined<V: Clone> {
    /// Do the work, and tell the guard what became of it.
    Leader(LeaderGuard<V>),
    /// This is the value.
    Value(V),
    /// The value cannot be shared: do the work for yourself.
    Uncacheable,
    /// The one who did the work failed, for this reason.
    Failed(Arc<str>),
}

#[derive(Debug)]
enum Outcome<V: Clone> {
    Lead(LeaderGuard<V>),
    Value(V),
    Uncacheable,
    Failed(Arc<str>),
}

type Flights<V> = HashMap<Box<[u8]>, VecDeque<oneshot::Sender<Outcome<V>>>, RandomState>;

#[derive(Debug)]
struct Inner<V: Clone> {
    shards: Box<[Mutex<Flights<V>>]>,
    hasher: RandomState,
    hit_for_miss: Marks,
}

/// Single flight by key, over threads and tasks.
#[derive(Debug)]
pub struct Coalescer<V: Clone> {
    inner: Arc<Inner<V>>,
}

impl<V: Clone> Clone for Coalescer<V> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<V: Clone> Default for Coalescer<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: Clone> Coalescer<V> {
    pub fn new() -> Self {
        let inner = Inner {
            shards: (0..SHARDS).map(|_| Mutex::new(Flights::default())).collect(),
            hasher: RandomState::default(),
            hit_for_miss: Marks::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Joins the flight of a key: as its leader where there is none, else waiting for what the leader makes.
    ///
    /// Dropping the future leaves the flight; if it had been made the leader just then, the next one is.
    pub async fn join(&self, key: &[u8]) -> Joined<V> {
        let waiting = {
            let mut flights = self.inner.shard(key).lock();
            let Some(waiters) = flights.get_mut(key) else {
                flights.insert(key.into(), VecDeque::new());
                return Joined::Leader(LeaderGuard {
                    inner: Arc::clone(&self.inner),
                    key: key.into(),
                    done: false,
                });
            };
            // Those who no longer wait are let go whenever the queue would grow.
            if waiters.len() == waiters.capacity() {
                waiters.retain(|waiter| !waiter.is_closed());
            }
            let (sender, receiver) = oneshot::channel();
            waiters.push_back(sender);
            receiver
        };
        match waiting.await {
            Ok(Outcome::Lead(guard)) => Joined::Leader(guard),
            Ok(Outcome::Value(value)) => Joined::Value(value),
            Ok(Outcome::Failed(reason)) => Joined::Failed(reason),
            Ok(Outcome::Uncacheable) | Err(_) => Joined::Uncacheable,
        }
    }

    /// Becomes the leader of a key that nobody works on, and else returns at once: for refreshing in the background.
    pub fn try_lead(&self, key: &[u8]) -> Option<LeaderGuard<V>> {
        let mut flights = self.inner.shard(key).lock();
        if flights.contains_key(key) {
            return None;
        }
        flights.insert(key.into(), VecDeque::new());
        Some(LeaderGuard {
            inner: Arc::clone(&self.inner),
            key: key.into(),
            done: false,
        })
    }

    /// Whether the key was found uncacheable a short while ago: then nobody should wait for anybody.
    pub fn is_hit_for_miss(&self, key: &[u8], now: u64) -> bool {
        self.inner
            .hit_for_miss
            .is_until(self.inner.hasher.hash_one(key), seconds(now))
    }

    /// Keys that are worked on now.
    pub fn flights(&self) -> usize {
        self.inner.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Those who wait now.
    pub fn waiters(&self) -> usize {
        let count = |flights: &Flights<V>| {
            flights
                .values()
                .map(|one| one.iter().filter(|w| !w.is_closed()).count())
                .sum::<usize>()
        };
        self.inner.shards.iter().map(|shard| count(&shard.lock())).sum()
    }
}

impl<V: Clone> Inner<V> {
    fn shard(&self, key: &[u8]) -> &Mutex<Flights<V>> {
        let number = usize::try_from(self.hasher.hash_one(key) >> 48).unwrap_or(0) % SHARDS;
        &self.shards[number]
    }
}

/// The one who does the work for a key. Dropped without a word, it hands over to exactly one of those who wait.
#[derive(Debug)]
pub struct LeaderGuard<V: Clone> {
    inner: Arc<Inner<V>>,
    key: Box<[u8]>,
    done: bool,
}

impl<V: Clone> LeaderGuard<V> {
    /// Gives the value to all who wait.
    pub fn complete(mut self, value: &V) {
        self.inner.hit_for_miss.clear(self.inner.hasher.hash_one(&*self.key));
        self.end(|| Outcome::Value(value.clone()));
    }

    /// Lets all who wait work for themselves, and marks the key so that for `ttl` milliseconds nobody waits.
    pub fn uncacheable(mut self, now: u64, ttl: u64) {
        let until = seconds(now.saturating_add(ttl)).saturating_add(1);
        self.inner
            .hit_for_miss
            .set_until(self.inner.hasher.hash_one(&*self.key), until);
        self.end(|| Outcome::Uncacheable);
    }

    /// Tells all who wait that it failed.
    pub fn fail(mut self, reason: &str) {
        let reason: Arc<str> = reason.into();
        self.end(|| Outcome::Failed(Arc::clone(&reason)));
    }

    fn end(&mut self, outcome: impl Fn() -> Outcome<V>) {
        self.done = true;
        let waiters = self.inner.shard(&self.key).lock().remove(&self.key);
        for waiter in waiters.into_iter().flatten() {
            // One who no longer waits needs nothing.
            let _ = waiter.send(outcome());
        }
    }
}

impl<V: Clone> Drop for LeaderGuard<V> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        loop {
            let next = {
                let mut flights = self.inner.shard(&self.key).lock();
                if let Some(waiter) = flights.get_mut(&self.key).and_then(VecDeque::pop_front) {
                    waiter
                } else {
                    flights.remove(&self.key);
                    return;
                }
            };
            let guard = LeaderGuard {
                inner: Arc::clone(&self.inner),
                key: self.key.clone(),
                done: false,
            };
            match next.send(Outcome::Lead(guard)) {
                Ok(()) => return,
                // It no longer waits: its guard must not hand over in its turn, the loop does.
                Err(Outcome::Lead(mut guard)) => guard.done = true,
                Err(_) => {}
            }
        }
    }
}

fn seconds(milliseconds: u64) -> u32 {
    u32::try_from(milliseconds / 1000).unwrap_or(u32::MAX)
}
