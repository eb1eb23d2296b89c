//! The workers of a site, or the origins: who is given a request, and over which connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{Response, StatusCode};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

use crate::body::Lease;
use crate::check;
use crate::clock;
use crate::config::{self, Limits};
use crate::connection::{Begun, Connection, Failed, SentBody};
use crate::error::EdgeError;
use crate::health::{Health, Standing};
use crate::incoming::Incoming;
use crate::interim::Interim;
use crate::log;
use crate::metrics::OriginStats;
use crate::origin_tls::{self, OriginTls, OriginTlsConfig};
use crate::stream::Address;

/// Idle connections a thread keeps to one worker.
const MOST_IDLE: usize = 64;
/// How many more requests a thread gives to the worker of its own number: two that know each other find their data in
/// the same processor's cache, and wake each other without waking another processor.
const AT_HOME: u64 = 8;
/// Others that a request is tried with.
const MOST_TRIES: usize = 4;
/// How long a connection may take to be made.
const MOST_CONNECTING: Duration = Duration::from_secs(5);

/// One worker, or one origin.
pub(crate) struct Worker {
    address: Address,
    /// How it is spoken to, where that is by TLS.
    tls: Option<OriginTls>,
    outstanding: Arc<AtomicU64>,
    /// Idle connections, those of each thread apart: a connection lives on the thread that made it.
    idle: Box<[Mutex<Vec<Connection>>]>,
    health: Health,
    /// What it was given, and what of that failed.
    requests: AtomicU64,
    failures: AtomicU64,
}

/// The workers of a site, or its origins.
pub(crate) struct Upstream {
    workers: ArcSwap<Vec<Arc<Worker>>>,
    changed: Notify,
    threads: usize,
    waiting: AtomicU64,
    /// How it is known that origins are well. Of workers the supervisor knows it.
    origins: Option<config::Health>,
    /// How TLS is spoken to origins.
    tls: OriginTlsConfig,
    /// Where the search for an origin begins, so that those with equally few take turns.
    turn: AtomicUsize,
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
    /// Where goes what is said before the response.
    pub(crate) interim: Option<&'a Interim>,
}

impl Upstream {
    pub(crate) fn new(threads: usize, origins: Option<config::Health>, tls: OriginTlsConfig) -> Self {
        let workers = ArcSwap::from_pointee(Vec::new());
        Self {
            workers,
            changed: Notify::new(),
            threads,
            waiting: AtomicU64::new(0),
            origins,
            tls,
            turn: AtomicUsize::new(0),
        }
    }

    /// How it is known that they are well, where they are origins.
    pub(crate) const fn health(&self) -> Option<&config::Health> {
        self.origins.as_ref()
    }

    /// Sets where the workers listen. One that stays keeps its connections; one that is gone finishes what it has.
    pub(crate) fn set(&self, addresses: &[Address]) -> Result<(), EdgeError> {
        let is_secure = addresses.iter().any(Address::is_secure);
        let tls = is_secure.then(|| OriginTls::new(&self.tls)).transpose()?;
        let old = self.workers.load();
        let workers = addresses.iter().map(|address| {
            old.iter()
                .find(|worker| worker.address == *address)
                .cloned()
                .unwrap_or_else(|| {
                    Arc::new(Worker {
                        address: address.clone(),
                        tls: tls.clone().filter(|_| address.is_secure()),
                        outstanding: Arc::default(),
                        idle: (0..self.threads).map(|_| Mutex::default()).collect(),
                        health: Health::default(),
                        requests: AtomicU64::new(0),
                        failures: AtomicU64::new(0),
                    })
                })
        });
        self.workers.store(Arc::new(workers.collect()));
        self.changed.notify_waiters();
        Ok(())
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

    /// The origins, with their figures; none where they are workers.
    pub(crate) fn origins(&self) -> Vec<OriginStats> {
        if self.origins.is_none() {
            return Vec::new();
        }
        let now = clock::now();
        let workers = self.workers.load();
        let figures = workers.iter().map(|one| OriginStats {
            address: one.address.to_string(),
            is_up: one.health.standing(now) == Standing::Up,
            outstanding: one.outstanding.load(Ordering::Relaxed),
            requests: one.requests.load(Ordering::Relaxed),
            failures: one.failures.load(Ordering::Relaxed),
        });
        figures.collect()
    }

    /// Asks all origins whether they are well.
    pub(crate) async fn check(&self) {
        let Some(health) = &self.origins else { return };
        let longest = Duration::from_millis(health.interval.max(1000));
        let workers = self.workers.load_full();
        let checks = workers.iter().map(|worker| async {
            let is_down = worker.health.standing(clock::now()) != Standing::Up;
            match health.path.as_deref() {
                // What takes connections may answer: the next request is a trial.
                None if is_down && check::is_well(worker, None, longest).await => worker.health.hint(clock::now()),
                None => {}
                Some(path) if check::is_well(worker, Some(path), longest).await => self.succeeded(worker),
                Some(_) => self.failed(worker),
            }
        });
        futures_of(checks).await;
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
            let Some(worker) = self.pick(thread, &tried, sent.again, deadline).await else {
                return Err(last);
            };
            worker.requests.fetch_add(1, Ordering::Relaxed);
            worker.outstanding.fetch_add(1, Ordering::AcqRel);
            let lease = Lease(Arc::clone(&worker.outstanding));
            let Some(mut connection) = worker.connection(thread, worker_time).await else {
                self.failed(&worker);
                tried.push(worker);
                continue;
            };
            let exchanged = connection.exchange(sent.head, sent.is_head, sent.body.take(), sent.interim);
            match timeout(worker_time, exchanged).await.unwrap_or(Err(Failed::TooLate)) {
                Ok(begun) => {
                    // Where there is a path to ask for, what it says counts: one that answers pages may still be ill.
                    if !self.has_path() || worker.health.standing(clock::now()) == Standing::Up {
                        self.succeeded(&worker);
                    }
                    if sent.again && self.others_may_do_better(begun.status, &worker, &tried) {
                        tried.push(worker);
                        continue;
                    }
                    return Ok(response(begun, connection, worker, thread, lease));
                }
                Err(failed) => {
                    match failed {
                        Failed::TooLate => self.failed(&worker),
                        // One request may make it hang up; that must not keep it from answering the others.
                        Failed::Broken => drop(worker.failures.fetch_add(1, Ordering::Relaxed)),
                        Failed::NoWorker | Failed::Overloaded | Failed::NoBody | Failed::TooLarge | Failed::TooSlow => {
                        }
                    }
                    let gives_up = !sent.again || failed != Failed::Broken || tried.len() >= MOST_TRIES;
                    last = failed;
                    if gives_up {
                        return Err(last);
                    }
                    tried.push(worker);
                }
            }
        }
    }

    /// Opens a connection of its own to a worker, and reads the head of the answer to this one. It is not asked again.
    pub(crate) async fn open(
        &self,
        thread: usize,
        limits: &Limits,
        head: &[u8],
    ) -> Result<(Begun, Connection, (Arc<Worker>, Lease)), Failed> {
        let deadline = Instant::now() + Duration::from_millis(limits.no_worker_time);
        let worker_time = Duration::from_millis(limits.worker_time);
        let mut tried = Vec::new();
        loop {
            let worker = self.pick(thread, &tried, false, deadline).await;
            let worker = worker.ok_or(Failed::NoWorker)?;
            worker.requests.fetch_add(1, Ordering::Relaxed);
            worker.outstanding.fetch_add(1, Ordering::AcqRel);
            let lease = Lease(Arc::clone(&worker.outstanding));
            let opening = timeout(worker_time.min(MOST_CONNECTING), worker.open());
            let Ok(Ok(mut connection)) = opening.await else {
                self.failed(&worker);
                tried.push(worker);
                continue;
            };
            let exchanged = timeout(worker_time, connection.exchange(head, false, None, None)).await;
            let begun = exchanged.unwrap_or(Err(Failed::TooLate))?;
            return Ok((begun, connection, (worker, lease)));
        }
    }

    /// Whether an origin says that it cannot answer now, and there is one that was not asked yet.
    fn others_may_do_better(&self, status: StatusCode, worker: &Arc<Worker>, tried: &[Arc<Worker>]) -> bool {
        let is_unable = matches!(
            status,
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
        );
        is_unable && self.origins.is_some() && tried.len() < MOST_TRIES && {
            let now = clock::now();
            self.workers.load().iter().any(|one| {
                !Arc::ptr_eq(one, worker)
                    && tried.iter().all(|other| !Arc::ptr_eq(one, other))
                    && one.health.standing(now) == Standing::Up
            })
        }
    }

    fn has_path(&self) -> bool {
        self.origins.as_ref().is_some_and(|health| health.path.is_some())
    }

    fn succeeded(&self, worker: &Worker) {
        if worker.health.succeed() && self.origins.is_some() {
            log::warn(&format!("the origin {} answers again", worker.address));
        }
    }

    fn failed(&self, worker: &Worker) {
        worker.failures.fetch_add(1, Ordering::Relaxed);
        if let Some(origins) = &self.origins
            && worker.health.fail(&origins.breaker, clock::now())
        {
            log::warn(&format!(
                "the origin {} does not answer, and is left alone for a while",
                worker.address
            ));
        }
    }

    /// The worker with the fewest requests, as seen from a thread, and not one that was tried. Where there is none, waits
    /// for a new one; no new origin comes.
    async fn pick(
        &self,
        thread: usize,
        tried: &[Arc<Worker>],
        may_try: bool,
        deadline: Instant,
    ) -> Option<Arc<Worker>> {
        loop {
            let changed = self.changed.notified();
            // Before any is named, which the first clients of a start may see, there is nobody to be down.
            if self.origins.is_some() && !self.workers.load().is_empty() {
                return self.pick_origin(tried, may_try);
            }
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

    /// The origin with the fewest requests of those that are up and were not tried. One whose pause is over is given a
    /// request that can be sent again, since it may fail.
    fn pick_origin(&self, tried: &[Arc<Worker>], may_try: bool) -> Option<Arc<Worker>> {
        let workers = self.workers.load();
        let now = clock::now();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % workers.len().max(1);
        let (before, after) = workers.split_at(turn.min(workers.len()));
        let untried = || {
            let all = after.iter().chain(before);
            all.filter(|worker| tried.iter().all(|one| !Arc::ptr_eq(one, worker)))
        };
        let trial =
            |worker: &&Arc<Worker>| worker.health.standing(now) == Standing::Trial && worker.health.begin_trial(now);
        if may_try
            && !self.has_path()
            && let Some(found) = untried().find(trial)
        {
            return Some(Arc::clone(found));
        }
        let up = untried().filter(|worker| worker.health.standing(now) == Standing::Up);
        let found = up.min_by_key(|worker| worker.outstanding.load(Ordering::Relaxed));
        // Where none is up, there is nothing to lose.
        found.or_else(|| untried().find(trial)).map(Arc::clone)
    }
}

/// Waits for all of some things at once.
async fn futures_of<F: Future<Output = ()>>(all: impl Iterator<Item = F>) {
    let mut waiting: Vec<_> = all.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        waiting.retain_mut(|one| one.as_mut().poll(context).is_pending());
        if waiting.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

impl Worker {
    pub(crate) const fn address(&self) -> &Address {
        &self.address
    }

    /// Opens a connection of its own.
    pub(crate) async fn open(&self) -> std::io::Result<Connection> {
        let opened = Connection::open(&self.address, self.tls.as_ref()).await;
        if let Err(error) = &opened
            && let Some(why) = origin_tls::hint(error)
        {
            log::unsafe_origin(&format!("the origin {} cannot be asked: {why}", self.address));
        }
        opened
    }

    async fn connection(&self, thread: usize, longest: Duration) -> Option<Connection> {
        {
            let mut idle = self.idle.get(thread)?.lock();
            // The one used last is the likeliest to be open.
            while let Some(mut connection) = idle.pop() {
                if connection.is_idle() {
                    return Some(connection);
                }
            }
        }
        // A machine that is gone refuses nothing.
        let longest = longest.min(MOST_CONNECTING);
        timeout(longest, self.open()).await.ok()?.ok()
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

/// A response whose head has come, and whose body comes over its connection.
pub(crate) fn response(
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
