//! Single flight: of all who ask for one key at once, one does the work and the others are given what it made.
//!
//! Threads wait by [`Coalescer::join_blocking`], tasks by [`Coalescer::join`], and what is neither (an asyncio future,
//! say) by [`Coalescer::join_callback`]. All three wait in one queue, oldest first.

mod callbacks;
mod flight;
mod guard;
mod limits;
mod outcomes;
mod slot;
mod waiting;

use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use crate::marks::Marks;
use crate::sync::{self, Mutex};

pub use guard::LeaderGuard;
pub use limits::FlightLimits;
pub use outcomes::Outcomes;
pub use waiting::Waiting;

use flight::{Arrival, Shard};
use slot::Slot;

const SHARDS: usize = 64;

/// What one who asked is to do. `V` is what is made, `E` says why it could not be.
#[derive(Debug)]
pub enum Joined<V: Clone, E: Clone = Arc<str>> {
    /// Do the work, and tell the guard what became of it.
    Leader(LeaderGuard<V, E>),
    /// This is the value.
    Value(V),
    /// The value cannot be shared: do the work for yourself.
    Uncacheable,
    /// The one who did the work failed, for this reason.
    Failed(E),
    /// The wait limit is over: do the work for yourself, or do without.
    TimedOut,
}

/// What [`Coalescer::join_callback`] has to say at once.
#[derive(Debug)]
pub enum Subscribed<V: Clone, E: Clone = Arc<str>> {
    /// There is nothing to wait for, and the callback is not called.
    Now(Joined<V, E>),
    /// The callback is called once, unless this is dropped before: that leaves the flight.
    Later(Waiting<V, E>),
}

#[derive(Debug)]
struct Inner<V: Clone, E: Clone> {
    shards: Box<[Mutex<Shard<V, E>>]>,
    hasher: RandomState,
    hit_for_miss: Marks,
    limits: FlightLimits,
}

/// Single flight by key, over threads and tasks. A clone is another handle to the same flights.
#[derive(Debug)]
pub struct Coalescer<V: Clone, E: Clone = Arc<str>> {
    inner: Arc<Inner<V, E>>,
}

impl<V: Clone, E: Clone> Clone for Coalescer<V, E> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<V: Clone, E: Clone> Default for Coalescer<V, E> {
    fn default() -> Self {
        Self::with_limits(FlightLimits::default())
    }
}

impl<V: Clone> Coalescer<V> {
    /// Makes one without limits, whose errors are texts.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<V: Clone, E: Clone> Coalescer<V, E> {
    /// Makes one whose flights have these limits where a join does not name its own.
    pub fn with_limits(limits: FlightLimits) -> Self {
        let inner = Inner {
            shards: (0..SHARDS).map(|_| Mutex::new(Shard::default())).collect(),
            hasher: RandomState::default(),
            hit_for_miss: Marks::new(),
            limits,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Joins the flight of a key: as its leader where there is none, else waiting for what the leader makes.
    ///
    /// Dropping the future leaves the flight; if it had been made the leader just then, the next one is. Where there
    /// are limits of time it needs a tokio runtime with a timer.
    pub async fn join(&self, key: &[u8]) -> Joined<V, E> {
        self.join_within(key, self.inner.limits).await
    }

    /// As [`join`](Self::join), with limits of its own. Age and retries are the flight's, and count where it begins
    /// with this; the wait is for this one alone.
    pub async fn join_within(&self, key: &[u8], limits: FlightLimits) -> Joined<V, E> {
        let mut waiting = match self.enter(key, limits, Slot::new) {
            Ok(joined) => return joined,
            Err(waiting) => waiting,
        };
        loop {
            let Some(until) = waiting.deadline() else {
                return waiting.await;
            };
            match tokio::time::timeout_at(until.into(), &mut waiting).await {
                Ok(joined) => return joined,
                Err(_) => {
                    if let Some(joined) = waiting.expire(sync::now()) {
                        return joined;
                    }
                }
            }
        }
    }

    /// As [`join`](Self::join), for a thread: it sleeps until there is an answer.
    pub fn join_blocking(&self, key: &[u8]) -> Joined<V, E> {
        self.join_blocking_within(key, self.inner.limits)
    }

    /// As [`join_within`](Self::join_within), for a thread.
    pub fn join_blocking_within(&self, key: &[u8], limits: FlightLimits) -> Joined<V, E> {
        match self.enter(key, limits, Slot::new) {
            Ok(joined) => joined,
            Err(mut waiting) => waiting.block(),
        }
    }

    /// As [`join`](Self::join), for what waits in its own way: `callback` is called with the answer, once, by whichever
    /// thread has it. It should do no more than pass it on.
    ///
    /// Nothing here watches the clock for it: [`sweep`](Self::sweep) must be called from time to time where there are
    /// limits.
    pub fn join_callback(&self, key: &[u8], callback: impl FnOnce(Joined<V, E>) + Send + 'static) -> Subscribed<V, E>
    where
        V: 'static,
        E: 'static,
    {
        self.join_callback_within(key, self.inner.limits, callback)
    }

    /// As [`join_callback`](Self::join_callback), with limits of its own.
    pub fn join_callback_within(
        &self,
        key: &[u8],
        limits: FlightLimits,
        callback: impl FnOnce(Joined<V, E>) + Send + 'static,
    ) -> Subscribed<V, E>
    where
        V: 'static,
        E: 'static,
    {
        let callback = Box::new(move |joined| callbacks::call(Box::new(move || callback(joined))));
        match self.enter(key, limits, || Slot::calling(callback)) {
            Ok(joined) => Subscribed::Now(joined),
            Err(waiting) => Subscribed::Later(waiting),
        }
    }

    /// Becomes the leader of a key that nobody works on, and else returns at once: for refreshing in the background.
    pub fn try_lead(&self, key: &[u8]) -> Option<LeaderGuard<V, E>> {
        let (flight, epoch, key) = self.inner.shard(key).lock().try_lead(key, self.inner.limits)?;
        Some(LeaderGuard::new(Arc::clone(&self.inner), key, flight, epoch))
    }

    /// Returns the old value, and has `start` make a new one unless someone does already (RFC 5861, section 3).
    ///
    /// `start` should spawn the work and return: the caller waits for it.
    pub fn stale_while_revalidate<T>(&self, key: &[u8], old: T, start: impl FnOnce(LeaderGuard<V, E>)) -> T {
        if let Some(guard) = self.try_lead(key) {
            start(guard);
        }
        old
    }

    /// Whether the key was found uncacheable a short while ago: then nobody should wait for anybody. `now` is the
    /// caller's clock, in milliseconds.
    pub fn is_hit_for_miss(&self, key: &[u8], now: u64) -> bool {
        self.inner
            .hit_for_miss
            .is_until(self.inner.hasher.hash_one(key), seconds(now))
    }

    /// Ends the waits and leads that are over at `now`, and returns when there will be something to end next.
    ///
    /// Tasks and threads watch their own limits; this is for those who wait by callback, and frees what leaders that
    /// never came back left behind. It looks at every flight.
    pub fn sweep(&self, now: Instant) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for shard in &self.inner.shards {
            let (due, soonest) = shard.lock().sweep(now);
            next = next.into_iter().chain(soonest).min();
            for lead in due.leads {
                let guard = LeaderGuard::new(Arc::clone(&self.inner), lead.key, lead.flight, lead.epoch);
                // Given back where nobody waits there any more: dropping it hands over to the next.
                drop(lead.answer.send(Joined::Leader(guard)));
            }
            for answer in due.late {
                drop(answer.send(Joined::TimedOut));
            }
        }
        next
    }

    /// Keys that are worked on now.
    pub fn flights(&self) -> usize {
        self.inner.shards.iter().map(|shard| shard.lock().flights()).sum()
    }

    /// Those who wait now.
    pub fn waiters(&self) -> usize {
        self.inner.shards.iter().map(|shard| shard.lock().waiters()).sum()
    }

    /// How the joins ended since this was made.
    pub fn outcomes(&self) -> Outcomes {
        self.inner.shards.iter().map(|shard| shard.lock().outcomes).sum()
    }

    /// Takes the lead, or stands in the queue.
    fn enter(
        &self,
        key: &[u8],
        limits: FlightLimits,
        slot: impl FnOnce() -> Slot<V, E>,
    ) -> Result<Joined<V, E>, Waiting<V, E>> {
        let arrival = self.inner.shard(key).lock().enter(key, limits, slot);
        match arrival {
            Arrival::Leads { key, flight, epoch } => {
                let guard = LeaderGuard::new(Arc::clone(&self.inner), key, flight, epoch);
                Ok(Joined::Leader(guard))
            }
            Arrival::Waits(place) => Err(Waiting::new(Arc::clone(&self.inner), place)),
        }
    }
}

impl<V: Clone, E: Clone> Inner<V, E> {
    fn shard(&self, key: &[u8]) -> &Mutex<Shard<V, E>> {
        let number = usize::try_from(self.hasher.hash_one(key) >> 48).unwrap_or(0) % SHARDS;
        &self.shards[number]
    }
}

/// The end of a limit that begins now.
fn after(limit: Option<Duration>) -> Option<Instant> {
    // A limit that is beyond what the clock can say is none.
    limit.and_then(|limit| sync::now().checked_add(limit))
}

fn seconds(milliseconds: u64) -> u32 {
    u32::try_from(milliseconds / 1000).unwrap_or(u32::MAX)
}
