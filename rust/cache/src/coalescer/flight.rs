//! The flights of one shard: who leads, who waits, and until when. All of it happens under the shard's lock, and
//! nothing here calls anybody.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use super::after;
use super::limits::FlightLimits;
use super::outcomes::Outcomes;
use super::slot::{Answer, Slot};
use crate::sync;

/// What a join came to.
pub(super) enum Arrival<V: Clone, E: Clone> {
    Leads { key: Arc<[u8]>, flight: u64, epoch: u64 },
    Waits(Place<V, E>),
}

/// A place in a queue.
#[derive(Debug)]
pub(super) struct Place<V: Clone, E: Clone> {
    pub(super) key: Arc<[u8]>,
    pub(super) flight: u64,
    pub(super) ticket: u64,
    pub(super) slot: Arc<Slot<V, E>>,
    /// Whether there is any limit of time to watch.
    pub(super) timed: bool,
}

/// What the time brought one who waits.
pub(super) enum Expired<V: Clone, E: Clone> {
    /// Nothing yet: there is an answer on its way, or a later deadline.
    No,
    TimedOut(Answer<V, E>),
    /// It leads in this epoch.
    Leads(Answer<V, E>, u64),
}

/// The end of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Dropped,
    Failed,
}

/// What is to be done at the end of a lead.
pub(super) enum Next<V: Clone, E: Clone> {
    /// Nobody waits, or the lead was another's already.
    Nothing,
    /// This one leads now, in this epoch.
    Lead(Answer<V, E>, u64),
    /// The flight is over, and these are to be told.
    Tell(Waiters<V, E>),
}

/// A lead that a sweep gives to another.
pub(super) struct Lead<V: Clone, E: Clone> {
    pub(super) key: Arc<[u8]>,
    pub(super) flight: u64,
    pub(super) epoch: u64,
    pub(super) answer: Answer<V, E>,
}

/// What a sweep found.
pub(super) struct Due<V: Clone, E: Clone> {
    pub(super) leads: Vec<Lead<V, E>>,
    pub(super) late: Vec<Answer<V, E>>,
}

/// Those who wait, by their numbers: the oldest first, and any of them can leave without a search.
pub(super) type Waiters<V, E> = BTreeMap<u64, Waiter<V, E>>;

#[derive(Debug)]
pub(super) struct Waiter<V: Clone, E: Clone> {
    pub(super) answer: Answer<V, E>,
    until: Option<Instant>,
}

#[derive(Debug)]
struct Flight<V: Clone, E: Clone> {
    /// No two flights of a shard have the same, so that a guard of one that is over changes nothing.
    id: u64,
    /// Counts those who led it: only the last of them may hand it on.
    epoch: u64,
    age: Option<Duration>,
    /// When another may take over from the one who leads.
    until: Option<Instant>,
    retries: u32,
    waiters: Waiters<V, E>,
}

impl<V: Clone, E: Clone> Flight<V, E> {
    fn is_over_age(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// As [`is_over_age`](Self::is_over_age), by the clock, which is looked at only where it matters.
    fn is_over_age_now(&self) -> bool {
        self.until.is_some_and(|until| until <= sync::now())
    }

    fn next_epoch(&mut self) -> u64 {
        self.epoch += 1;
        self.until = after(self.age);
        self.epoch
    }
}

/// Flights by key.
#[derive(Debug)]
pub(super) struct Shard<V: Clone, E: Clone> {
    flights: HashMap<Arc<[u8]>, Flight<V, E>, RandomState>,
    last: u64,
    pub(super) outcomes: Outcomes,
}

impl<V: Clone, E: Clone> Default for Shard<V, E> {
    fn default() -> Self {
        Self {
            flights: HashMap::default(),
            last: 0,
            outcomes: Outcomes::default(),
        }
    }
}

impl<V: Clone, E: Clone> Shard<V, E> {
    pub(super) fn flights(&self) -> usize {
        self.flights.len()
    }

    pub(super) fn waiters(&self) -> usize {
        self.flights.values().map(|flight| flight.waiters.len()).sum()
    }

    pub(super) fn enter(
        &mut self,
        key: &[u8],
        limits: FlightLimits,
        slot: impl FnOnce() -> Slot<V, E>,
    ) -> Arrival<V, E> {
        let Some((kept, _)) = self.flights.get_key_value(key) else {
            let (flight, epoch, key) = self.begin(key, limits);
            return Arrival::Leads { key, flight, epoch };
        };
        let kept = Arc::clone(kept);
        self.last += 1;
        let ticket = self.last;
        let Some(flight) = self.flights.get_mut(key) else {
            // Unreachable: it was there a line ago, under the same lock. To lead is right in any case.
            let (flight, epoch, key) = self.begin(key, limits);
            return Arrival::Leads { key, flight, epoch };
        };
        if flight.is_over_age_now() {
            self.outcomes.taken_over += 1;
            return Arrival::Leads {
                key: kept,
                flight: flight.id,
                epoch: flight.next_epoch(),
            };
        }
        let slot = Arc::new(slot());
        let waiter = Waiter {
            answer: Answer::new(&slot),
            until: after(limits.wait),
        };
        let timed = waiter.until.is_some() || flight.age.is_some();
        flight.waiters.insert(ticket, waiter);
        Arrival::Waits(Place {
            key: kept,
            flight: flight.id,
            ticket,
            slot,
            timed,
        })
    }

    pub(super) fn try_lead(&mut self, key: &[u8], limits: FlightLimits) -> Option<(u64, u64, Arc<[u8]>)> {
        if let Some((kept, _)) = self.flights.get_key_value(key) {
            let kept = Arc::clone(kept);
            let flight = self.flights.get_mut(key).filter(|flight| flight.is_over_age_now())?;
            self.outcomes.taken_over += 1;
            return Some((flight.id, flight.next_epoch(), kept));
        }
        Some(self.begin(key, limits))
    }

    fn begin(&mut self, key: &[u8], limits: FlightLimits) -> (u64, u64, Arc<[u8]>) {
        self.last += 1;
        self.outcomes.led += 1;
        let key: Arc<[u8]> = key.into();
        let flight = Flight {
            id: self.last,
            epoch: 0,
            age: limits.age,
            until: after(limits.age),
            retries: limits.retries,
            waiters: BTreeMap::new(),
        };
        self.flights.insert(Arc::clone(&key), flight);
        (self.last, 0, key)
    }

    fn flight(&mut self, key: &[u8], id: u64) -> Option<&mut Flight<V, E>> {
        self.flights.get_mut(key).filter(|flight| flight.id == id)
    }

    /// When one who waits should look at the clock again; none where its answer is on its way.
    pub(super) fn deadline(&mut self, key: &[u8], id: u64, ticket: u64) -> Option<Instant> {
        let flight = self.flight(key, id)?;
        let waiter = flight.waiters.get(&ticket)?;
        flight.until.into_iter().chain(waiter.until).min()
    }

    /// What `now` means for one who waits: it takes over from a leader that is over age, or has waited too long.
    pub(super) fn expire(&mut self, key: &[u8], id: u64, ticket: u64, now: Instant) -> Expired<V, E> {
        let Some(flight) = self.flight(key, id) else {
            return Expired::No;
        };
        let over_age = flight.is_over_age(now);
        let waited = |waiter: &Waiter<V, E>| waiter.until.is_some_and(|until| until <= now);
        if !over_age && !flight.waiters.get(&ticket).is_some_and(waited) {
            return Expired::No;
        }
        let Some(waiter) = flight.waiters.remove(&ticket) else {
            return Expired::No;
        };
        if over_age {
            let epoch = flight.next_epoch();
            self.outcomes.taken_over += 1;
            Expired::Leads(waiter.answer, epoch)
        } else {
            self.outcomes.timed_out += 1;
            Expired::TimedOut(waiter.answer)
        }
    }

    /// Takes one who waits out of the queue; none where it was taken out already, to be answered.
    pub(super) fn leave(&mut self, key: &[u8], id: u64, ticket: u64) -> Option<Answer<V, E>> {
        let left = self.flight(key, id)?.waiters.remove(&ticket)?;
        self.outcomes.cancelled += 1;
        Some(left.answer)
    }

    /// Ends a flight whose value is known, whoever of its leaders brings it: what came late is as good.
    pub(super) fn settle(&mut self, key: &[u8], id: u64, epoch: u64, shared: bool) -> Waiters<V, E> {
        let current = self.flight(key, id).map(|flight| flight.epoch);
        if current != Some(epoch) {
            self.outcomes.late += 1;
        }
        if current.is_none() {
            return BTreeMap::new();
        }
        let waiters = self
            .flights
            .remove(key)
            .map(|flight| flight.waiters)
            .unwrap_or_default();
        let count = waiters.len() as u64;
        if shared {
            self.outcomes.shared += count;
        } else {
            self.outcomes.uncacheable += count;
        }
        waiters
    }

    /// Ends a lead that brought nothing. Only the last of a flight's leaders decides what becomes of it.
    pub(super) fn hand_over(&mut self, key: &[u8], id: u64, epoch: u64, end: End) -> Next<V, E> {
        let Some(flight) = self.flight(key, id).filter(|flight| flight.epoch == epoch) else {
            self.outcomes.late += 1;
            return Next::Nothing;
        };
        if end == End::Failed && flight.retries == 0 {
            let waiters = self
                .flights
                .remove(key)
                .map(|flight| flight.waiters)
                .unwrap_or_default();
            self.outcomes.failed += waiters.len() as u64;
            return Next::Tell(waiters);
        }
        let Some((_, waiter)) = flight.waiters.pop_first() else {
            self.flights.remove(key);
            if end == End::Dropped {
                self.outcomes.abandoned += 1;
            }
            return Next::Nothing;
        };
        if end == End::Failed {
            flight.retries -= 1;
        }
        let epoch = flight.next_epoch();
        self.outcomes.handed_over += 1;
        Next::Lead(waiter.answer, epoch)
    }

    /// One who was to lead had left just then.
    pub(super) fn refused(&mut self) {
        self.outcomes.handed_over -= 1;
        self.outcomes.cancelled += 1;
    }

    /// Takes out all whose time is over, and says when the next one's is.
    pub(super) fn sweep(&mut self, now: Instant) -> (Due<V, E>, Option<Instant>) {
        let mut due = Due {
            leads: Vec::new(),
            late: Vec::new(),
        };
        let mut next: Option<Instant> = None;
        let outcomes = &mut self.outcomes;
        self.flights.retain(|key, flight| {
            if flight.is_over_age(now) {
                let Some((_, waiter)) = flight.waiters.pop_first() else {
                    outcomes.abandoned += 1;
                    return false;
                };
                outcomes.taken_over += 1;
                due.leads.push(Lead {
                    key: Arc::clone(key),
                    flight: flight.id,
                    epoch: flight.next_epoch(),
                    answer: waiter.answer,
                });
            }
            let late = flight
                .waiters
                .extract_if(.., |_, waiter| waiter.until.is_some_and(|until| until <= now));
            let before = due.late.len();
            due.late.extend(late.map(|(_, waiter)| waiter.answer));
            outcomes.timed_out += (due.late.len() - before) as u64;
            let waits = flight.waiters.values().filter_map(|waiter| waiter.until).min();
            next = next.into_iter().chain(waits).chain(flight.until).min();
            true
        });
        (due, next)
    }
}
