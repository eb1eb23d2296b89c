//! What the edge's threads share, and what each has for itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Instant;

use hyperweb_cache::Coalescer;
use parking_lot::Mutex;
use tokio::sync::mpsc::Receiver;
use tokio::sync::{Semaphore, watch};

use crate::access::{AccessLog, Outcome, Told};
use crate::admission::Admission;
use crate::challenges::Challenges;
use crate::config::Limits;
use crate::forwarded::Trusted;
use crate::learning::Learning;
use crate::log;
use crate::metrics::Metrics;
use crate::network::Network;
use crate::peer::Peer;
use crate::purge::{Purge, parts_of};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::responses::Responses;
use crate::site::Sites;
use crate::store::{Stored, key};
use crate::tiers::Tiers;
use crate::tls::Tls;
use crate::warmer::Cold;

/// What all threads share.
pub(crate) struct Shared {
    pub(crate) sites: Sites,
    pub(crate) responses: Responses,
    /// What is below.
    pub(crate) tiers: Option<Tiers>,
    pub(crate) flights: Coalescer<Arc<Stored>>,
    pub(crate) limits: Limits,
    pub(crate) admission: Admission,
    /// Places for handshakes.
    pub(crate) handshakes: Arc<Semaphore>,
    /// Whose connections begin with a header of the PROXY protocol.
    pub(crate) proxies: Vec<Network>,
    /// Who is believed about the requests that come by them.
    pub(crate) trusted: Trusted,
    /// TLS, where it is set up.
    pub(crate) tls: Option<Tls>,
    pub(crate) measures: bool,
    pub(crate) access: Option<Arc<AccessLog>>,
    /// What a purge by the method PURGE, and the admin listener, have to be asked with.
    pub(crate) token: Option<String>,
    /// What is learned from navigations, where anything is.
    pub(crate) learning: Option<Arc<Learning>>,
    /// Pages to warm, until a thread takes them on.
    pub(crate) warming: Mutex<Option<Receiver<Cold>>>,
    /// Set once, when no further request is to be begun.
    pub(crate) draining: AtomicBool,
    /// The same for who waits for it.
    pub(crate) drain: watch::Sender<bool>,
    /// How long connections on which nothing is under way are kept open then, in milliseconds.
    pub(crate) patience: AtomicU64,
}

impl ThreadState {
    /// Counts a refusal, and tells the operator of it.
    pub(crate) fn refuse(&self, refusal: Refusal, peer: &str) {
        self.metrics.refuse(refusal);
        log::refused(refusal, peer);
    }

    /// When a request came, where that matters to anyone.
    pub(crate) fn begin(&self) -> Option<Instant> {
        (self.shared.measures || self.shared.access.is_some()).then(Instant::now)
    }

    /// Counts an answer, and says it to the access log.
    pub(crate) fn finish<'a>(&self, outcome: &Outcome, told: impl FnOnce() -> Told<'a>) {
        if self.shared.measures {
            self.metrics
                .count(outcome.source, outcome.status, outcome.bytes, outcome.took);
        }
        if let Some(access) = &self.shared.access {
            access.add(self.number, &told(), outcome);
        }
    }
}

impl Shared {
    /// Whom a request is from, where a proxy is believed about it; its host is then the one it was for.
    pub(crate) fn introduce(&self, request: &mut Request, peer: &Arc<Peer>) -> Arc<Peer> {
        if !peer.is_trusted {
            return Arc::clone(peer);
        }
        let headers = &request.headers;
        let fields = |name: &str| headers.get_all(name).into_iter().map(http::HeaderValue::as_bytes);
        let Some(told) = self.trusted.told(fields) else {
            return Arc::clone(peer);
        };
        let (host, client) = (told.host.map(str::to_owned), told.peer(peer));
        if let Some(host) = host {
            request.host = host;
        }
        Arc::new(client)
    }

    /// Writes down what was learned, where anything is.
    pub(crate) fn keep_learned(&self) {
        if let Some(learning) = &self.learning {
            learning.save(&self.responses);
        }
    }

    /// Whether a host may be asked for over a connection: its certificate is for that host too, or none is (RFC 9110,
    /// section 7.4).
    pub(crate) fn may_answer(&self, host: &str, peer: &Peer) -> bool {
        match (&peer.certified, &self.tls) {
            (Some(name), Some(tls)) => tls.certificates.serve_both(name, host),
            _ => true,
        }
    }

    /// What authorities that look are answered, where certificates are fetched.
    pub(crate) fn challenges(&self) -> Option<&Challenges> {
        self.tls.as_ref()?.acme.as_ref().map(|acme| &*acme.challenges)
    }

    /// Forgets what a purge names, in all tiers and on all threads at once; how many responses in memory that were, as
    /// far as is known. It may wait for a disk or a server.
    pub(crate) fn purge(&self, purge: &Purge) -> usize {
        let find = |url: &str| {
            let (host, text) = parts_of(url)?;
            let site = self.sites.find(host);
            let target = site.target(text)?;
            let host = host.to_ascii_lowercase();
            Some(key(&site.name, &host, &target.path, target.query, false))
        };
        if let Some(tiers) = &self.tiers {
            tiers.purge(purge, self.sites.iter().map(|site| &*site.name), find);
        }
        self.responses.purge(purge, find)
    }
}

/// What a thread has for itself.
pub(crate) struct ThreadState {
    pub(crate) shared: Arc<Shared>,
    /// Its number, which is its place in the pools of connections to workers.
    pub(crate) number: usize,
    pub(crate) metrics: Metrics,
}
