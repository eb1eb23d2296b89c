//! The workers of a site: who is given a request, and over which connection.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

use crate::body::{BodyError, Lease};
use crate::config::Limits;

pub(crate) type RequestBody = UnsyncBoxBody<bytes::Bytes, BodyError>;
type Connection = SendRequest<RequestBody>;

/// Idle connections a thread keeps to one worker.
const MOST_IDLE: usize = 64;

/// One worker.
struct Worker {
    socket: PathBuf,
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

/// Why a request got no answer.
#[derive(Debug)]
pub(crate) enum Failed {
    /// There is no worker, and none came in time.
    NoWorker,
    /// The worker went away, or answered nonsense.
    Broken,
    /// The worker took too long to begin.
    TooLate,
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

    /// Sets the workers' sockets. One that stays keeps its connections; one that is gone finishes what it has.
    pub(crate) fn set(&self, sockets: &[PathBuf]) {
        let old = self.workers.load();
        let workers = sockets.iter().map(|socket| {
            old.iter()
                .find(|worker| worker.socket == *socket)
                .cloned()
                .unwrap_or_else(|| {
                    Arc::new(Worker {
                        socket: socket.clone(),
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

    /// Sends a request to the worker that has the fewest. `make` makes it, anew for each try; where `again` is false
    /// there is only one, once anything of it may have been done.
    pub(crate) async fn send(
        &self,
        thread: usize,
        limits: &Limits,
        again: bool,
        mut make: impl FnMut() -> Option<Request<RequestBody>>,
    ) -> Result<(Response<Incoming>, Lease), Failed> {
        let deadline = Instant::now() + Duration::from_millis(limits.no_worker_time);
        let mut tried: Vec<PathBuf> = Vec::new();
        let mut last = Failed::NoWorker;
        loop {
            let Some(worker) = self.pick(&tried, deadline).await else {
                return Err(last);
            };
            let Some(connection) = connection(&worker, thread).await else {
                tried.push(worker.socket.clone());
                continue;
            };
            let Some(request) = make() else { return Err(last) };
            worker.outstanding.fetch_add(1, Ordering::AcqRel);
            let lease = Lease(Arc::clone(&worker.outstanding));
            match exchange(connection, request, &worker, thread, limits).await {
                Ok(response) => return Ok((response, lease)),
                Err(failed) => {
                    let gives_up = !again || matches!(failed, Failed::TooLate) || tried.len() > 4;
                    last = failed;
                    if gives_up {
                        return Err(last);
                    }
                    tried.push(worker.socket.clone());
                }
            }
        }
    }

    /// The worker with the fewest requests, not one that was tried. Where there is none, waits for a new one.
    async fn pick(&self, tried: &[PathBuf], deadline: Instant) -> Option<Arc<Worker>> {
        loop {
            let changed = self.changed.notified();
            let found = {
                let workers = self.workers.load();
                let untried = workers.iter().filter(|worker| !tried.contains(&worker.socket));
                untried
                    .min_by_key(|worker| worker.outstanding.load(Ordering::Relaxed))
                    .cloned()
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

async fn connection(worker: &Arc<Worker>, thread: usize) -> Option<Connection> {
    {
        let mut idle = worker.idle.get(thread)?.lock();
        // The one used last is the likeliest to be open; one whose response is still being read is passed by.
        if let Some(at) = idle.iter().rposition(Connection::is_ready) {
            return Some(idle.swap_remove(at));
        }
        idle.retain(|connection| !connection.is_closed());
    }
    connect(&worker.socket).await
}

async fn connect(socket: &Path) -> Option<Connection> {
    let stream = UnixStream::connect(socket).await.ok()?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(async move {
        // A connection that fails fails the request on it, which is told so.
        let _ = connection.await;
    });
    Some(sender)
}

async fn exchange(
    mut connection: Connection,
    request: Request<RequestBody>,
    worker: &Arc<Worker>,
    thread: usize,
    limits: &Limits,
) -> Result<Response<Incoming>, Failed> {
    let answered = timeout(
        Duration::from_millis(limits.worker_time),
        connection.send_request(request),
    )
    .await;
    match answered {
        Ok(Ok(response)) => {
            keep(connection, worker, thread);
            Ok(response)
        }
        Ok(Err(_)) => Err(Failed::Broken),
        Err(_) => Err(Failed::TooLate),
    }
}

/// Gives a connection back. It can be taken again once its response has been read.
fn keep(connection: Connection, worker: &Worker, thread: usize) {
    if let Some(idle) = worker.idle.get(thread) {
        let mut idle = idle.lock();
        if idle.len() < MOST_IDLE {
            idle.push(connection);
        }
    }
}
