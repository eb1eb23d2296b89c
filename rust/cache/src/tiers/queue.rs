//! What waits to be written to one tier, and the purges it has to obey.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::purge::Purge;
use super::record::Record;
use super::tier::{Origin, PurgeOrder};

/// Purges that wait; more become one purge of everything. They are never dropped.
const PURGES: usize = 4096;
/// What is written at once.
const BATCH_RECORDS: usize = 256;
const BATCH_BYTES: usize = 4 << 20;

/// A bounded queue. Putting never waits: a write that finds it full is dropped and counted.
#[derive(Debug)]
pub(crate) struct Queue {
    most_records: usize,
    most_bytes: usize,
    inner: Mutex<Inner>,
    wake: Condvar,
    drained: Condvar,
    dropped: AtomicU64,
    overdue: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    records: VecDeque<Record>,
    bytes: usize,
    purges: Vec<(PurgeOrder, Option<Arc<Ticket>>)>,
    /// After a fault purges wait for a moment before they are tried again.
    purges_not_before: Option<Instant>,
    busy: bool,
    stopped: bool,
}

/// Work for the thread that writes.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) purges: Vec<(PurgeOrder, Option<Arc<Ticket>>)>,
    pub(crate) records: Vec<Record>,
    pub(crate) stopped: bool,
}

/// Where one waits for a purge.
#[derive(Debug, Default)]
pub(crate) struct Ticket {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Waiting,
    Done(u64),
    /// It failed, and is tried again without anyone waiting.
    Owed,
}

impl Ticket {
    pub(crate) fn complete(&self, number: u64) {
        self.set(State::Done(number));
    }

    fn set(&self, state: State) {
        *self.state.lock() = state;
        self.changed.notify_all();
    }

    /// The number the purge got, or none where it has not been obeyed by then.
    pub(crate) fn wait(&self, until: Instant) -> Option<u64> {
        let mut state = self.state.lock();
        while *state == State::Waiting {
            if self.changed.wait_until(&mut state, until).timed_out() {
                break;
            }
        }
        match *state {
            State::Done(number) => Some(number),
            State::Waiting | State::Owed => None,
        }
    }
}

impl Queue {
    pub(crate) fn new(most_records: usize, most_bytes: usize) -> Self {
        Self {
            most_records,
            most_bytes,
            inner: Mutex::new(Inner::default()),
            wake: Condvar::new(),
            drained: Condvar::new(),
            dropped: AtomicU64::new(0),
            overdue: AtomicBool::new(false),
        }
    }

    /// Leaves a record to be written, unless the queue is full.
    pub(crate) fn push(&self, record: Record) -> bool {
        let size = record.encoded_len();
        {
            let mut inner = self.inner.lock();
            if !inner.stopped && inner.records.len() < self.most_records && inner.bytes + size <= self.most_bytes {
                inner.bytes += size;
                inner.records.push_back(record);
                drop(inner);
                self.wake.notify_one();
                return true;
            }
        }
        self.dropped.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// Leaves purges to be obeyed, before any write that waits.
    pub(crate) fn order(&self, orders: impl IntoIterator<Item = PurgeOrder>) -> Vec<Arc<Ticket>> {
        let mut inner = self.inner.lock();
        let tickets = orders
            .into_iter()
            .map(|order| {
                let ticket = Arc::new(Ticket::default());
                inner.purges.push((order, Some(Arc::clone(&ticket))));
                ticket
            })
            .collect();
        drop(inner);
        self.wake.notify_one();
        tickets
    }

    /// Takes purges back that could not be obeyed; they are tried again.
    pub(crate) fn put_back(&self, mut purges: Vec<(PurgeOrder, Option<Arc<Ticket>>)>, pause: Duration) {
        self.overdue.store(true, Ordering::Release);
        let mut inner = self.inner.lock();
        purges.append(&mut inner.purges);
        if purges.len() > PURGES {
            let heard = purges.iter().filter_map(|(order, _)| match order.origin {
                Origin::Heard(number) => Some(number),
                _ => None,
            });
            let origin = heard.max().map_or(Origin::Here, Origin::Heard);
            let purge = Some(Purge::All);
            purges = vec![(PurgeOrder { purge, origin }, None)];
        }
        for (_, ticket) in &purges {
            if let Some(ticket) = ticket {
                ticket.set(State::Owed);
            }
        }
        inner.purges = purges;
        inner.purges_not_before = Some(Instant::now() + pause);
    }

    /// Says that a purge was not obeyed in time; until it is, the tier is not read.
    pub(crate) fn set_overdue(&self) {
        let inner = self.inner.lock();
        if inner.busy || !inner.purges.is_empty() {
            self.overdue.store(true, Ordering::Release);
        }
    }

    pub(crate) fn is_overdue(&self) -> bool {
        self.overdue.load(Ordering::Acquire)
    }

    /// Takes what there is to do, or waits for it for a while.
    pub(crate) fn take(&self, patience: Duration) -> Work {
        let until = Instant::now() + patience;
        let mut inner = self.inner.lock();
        inner.busy = false;
        loop {
            let purges_due = inner.purges_not_before.is_none_or(|at| at <= Instant::now());
            if inner.purges.is_empty() {
                self.overdue.store(false, Ordering::Release);
            }
            if inner.stopped || !inner.records.is_empty() || (purges_due && !inner.purges.is_empty()) {
                break;
            }
            self.drained.notify_all();
            if self.wake.wait_until(&mut inner, until).timed_out() {
                break;
            }
        }
        let mut work = Work {
            stopped: inner.stopped && inner.records.is_empty(),
            ..Work::default()
        };
        if inner.purges_not_before.is_none_or(|at| at <= Instant::now()) {
            inner.purges_not_before = None;
            work.purges = std::mem::take(&mut inner.purges);
        }
        let mut bytes = 0;
        while work.records.len() < BATCH_RECORDS && bytes < BATCH_BYTES {
            let Some(record) = inner.records.pop_front() else {
                break;
            };
            bytes += record.encoded_len();
            work.records.push(record);
        }
        inner.bytes -= bytes;
        inner.busy = !work.purges.is_empty() || !work.records.is_empty();
        work
    }

    /// Waits until all that waited has been written; false where it was not by then.
    pub(crate) fn drain(&self, until: Instant) -> bool {
        let mut inner = self.inner.lock();
        while inner.busy || !inner.records.is_empty() || !inner.purges.is_empty() {
            if self.drained.wait_until(&mut inner, until).timed_out() {
                return false;
            }
        }
        true
    }

    /// Lets the thread that writes end when it has written what waits; what comes from now on is dropped.
    pub(crate) fn stop(&self) {
        self.inner.lock().stopped = true;
        self.wake.notify_all();
    }

    /// Gives up what waits.
    pub(crate) fn clear(&self) {
        let mut inner = self.inner.lock();
        inner.records.clear();
        inner.bytes = 0;
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Writes and purges that wait.
    pub(crate) fn waiting(&self) -> (u64, u64) {
        let inner = self.inner.lock();
        (inner.records.len() as u64, inner.purges.len() as u64)
    }
}
