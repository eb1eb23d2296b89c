//! The workers of a site: who is given a request, and over which connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::Response;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

use crate::body::Lease;
use crate::config::Limits;
use crate::connection::{Begun, Connection, Failed, SentBody};
use crate::incoming::Incoming;
use crate::stream::Address;

/// Idle connections a thread keeps to one worker.
const MOST_IDLE: usize = 64;
/// How many more requests a thread gives to the worker of its own number: two that know each other find their data in
/// the same processor's cache, and wake each other without waking another processor.
const AT_HOME: u64 = 8;

/// One worker.
pub(crate) struct Worker {
    address: Address,
    outstanding: Arc<AtomicU64>,
    /// Idle connections, those of each thread apart: a connection lives on the thread that made it.
    idle: Box<[Mutex<Vec<Connection>>]>,
}

/// The workers of a site.
pub(crate) struct Upstream {
    workers: ArcSwap<Vec<Arc<Worker>>>,
    changed: Notify,
    threads: usize,
    waiting: AtomicU64,
}

/// A request as it goes over a connection.
pub(crate) struct Sent<'a> {
    /// The head, with its framing.
    pub(crate) head: &'a [u8],
    pub(crate) is_head: bool,
    /// What follows the head. A request with a body is sent once only.
    pub(crate) body: Option<SentBody>,
    /// Whether it may be sent again once anything of it may have been done.
    pub(crate) again: bool,
}

impl Upstream {
    pub(crate) fn new(threads: usize) -> Self {
        let workers = ArcSwap::from_pointee(Vec::new());
        Self {
            workers,
            changed: Notify::new(),
            threads,
            waiting: AtomicU64::new(0),
        }
    }

    /// Sets where the workers listen. One that stays keeps its connections; one that is gone finishes what it has.
    pub(crate) fn set(&self, addresses: &[Address]) {
        let old = self.workers.load();
        let workers = addresses.iter().map(|address| {
            old.iter()
                .find(|worker| worker.address == *address)
                .cloned()
                .unwrap_or_else(|| {
                    Arc::new(Worker {
                        address: address.clone(),
                        outstanding: Arc::default(),
                        idle: (0..self.threads).map(|_| Mutex::default()).collect(),
                    })
                })
        });
        self.workers.store(Arc::new(workers.collect()));
        self.changed.notify_waiters();
    }

    pub(crate) fn workers(&self) -> u64 {
        self.workers.load().len() as u64
    }

    /// Requests that workers have, and requests that wait for one.
    pub(crate) fn outstanding(&self) -> u64 {
        let with_workers: u64 = self
            .workers
            .load()
            .iter()
            .map(|one| one.outstanding.load(Ordering::Relaxed))
            .sum();
        with_workers + self.waiting.load(Ordering::Relaxed)
    }

    /// Sends a request to the worker that has the fewest.
    pub(crate) async fn send(
        &self,
        thread: usize,
        limits: &Limits,
        mut sent: Sent<'_>,
    ) -> Result<Response<Incoming>, Failed> {
        let deadline = Instant::now() + Duration::from_millis(limits.no_worker_time);
        let worker_time = Duration::from_millis(limits.worker_time);
        let mut tried: Vec<Arc<Worker>> = Vec::new();
        let mut last = Failed::NoWorker;
        loop {
            let Some(worker) = self.pick(thread, &tried, deadline).await else {
                return Err(last);
            };
            let Some(mut connection) = worker.connection(thread).await else {
                tried.push(worker);
                continue;
            };
            worker.outstanding.fetch_add(1, Ordering::AcqRel);
            let lease = Lease(Arc::clone(&worker.outstanding));
            let exchanged = connection.exchange(sent.head, sent.is_head, sent.body.take());
            match timeout(worker_time, exchanged).await.unwrap_or(Err(Failed::TooLate)) {
                Ok(begun) => return Ok(response(begun, connection, worker, thread, lease)),
                Err(failed) => {
                    let gives_up = !sent.again || failed != Failed::Broken || tried.len() > 4;
                    last = failed;
                    if gives_up {
                        return Err(last);
                    }
                    tried.push(worker);
                }
            }
        }
    }

    /// The worker with the fewest requests, as seen from a thread, and not one that was tried. Where there is none, waits for a new one.
    async fn pick(&self, thread: usize, tried: &[Arc<Worker>], deadline: Instant) -> Option<Arc<Worker>> {
        loop {
            let changed = self.changed.notified();
            let found = {
                let workers = self.workers.load();
                let untried = workers
                    .iter()
                    .filter(|worker| tried.iter().all(|one| !Arc::ptr_eq(one, worker)));
                untried
                    .enumerate()
                    .min_by_key(|(number, worker)| {
                        let is_home = number % self.threads.max(1) == thread;
                        let outstanding = worker.outstanding.load(Ordering::Relaxed);
                        outstanding.saturating_sub(if is_home { AT_HOME } else { 0 })
                    })
                    .map(|(_, worker)| Arc::clone(worker))
            };
            if found.is_some() {
                return found;
            }
            self.waiting.fetch_add(1, Ordering::Relaxed);
            let came = timeout_at(deadline, changed).await;
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            if came.is_err() {
                return None;
            }
        }
    }
}

impl Worker {
    async fn connection(&self, thread: usize) -> Option<Connection> {
        {
            let mut idle = self.idle.get(thread)?.lock();
            // The one used last is the likeliest to be open.
            while let Some(connection) = idle.pop() {
                if connection.is_idle() {
                    return Some(connection);
                }
            }
        }
        Connection::open(&self.address).await.ok()
    }

    /// Takes back a connection whose response has been read.
    pub(crate) fn keep(&self, connection: Connection, thread: usize) {
        if let Some(idle) = self.idle.get(thread) {
            let mut idle = idle.lock();
            if idle.len() < MOST_IDLE {
                idle.push(connection);
            }
        }
    }
}

fn response(
    begun: Begun,
    connection: Connection,
    worker: Arc<Worker>,
    thread: usize,
    lease: Lease,
) -> Response<Incoming> {
    let framing = (begun.framing, begun.is_reusable);
    let mut response = Response::new(Incoming::new(connection, framing, worker, thread, lease));
    *response.status_mut() = begun.status;
    *response.headers_mut() = begun.headers;
    response
}
