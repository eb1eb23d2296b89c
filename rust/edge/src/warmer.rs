//! Fetches pages into the cache before anybody asks: those that mostly come next, and after a restart those that were hot
//! before it. Visitors come first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::header::{ACCEPT, ACCEPT_ENCODING, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use hyperweb_cache::{Pace, Pacer, WarmupConfig};
use tokio::sync::mpsc;

use crate::asked::Asked;
use crate::clock;
use crate::fetch::fetch;
use crate::hints::{IN_PATH, IN_PATH_AS_IT_STANDS, address};
use crate::identity::identify;
use crate::learning::{Learning, Page};
use crate::peer::Peer;
use crate::shared::ThreadState;
use crate::site::Site;

/// Requests that each worker or origin may have before warming yields.
const AT_EASE: f64 = 2.0;
/// A page that was tried is not tried again for so many minutes; one that could not be kept, for longer.
const PAUSE: u64 = 1;
const LONG_PAUSE: u64 = 60;

/// A page to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cold {
    pub(crate) site: Box<str>,
    pub(crate) host: Box<str>,
    /// As it is looked up, without a query.
    pub(crate) path: Box<str>,
    pub(crate) is_secure: bool,
}

/// Pages that were tried lately: in one word the number of each, and the minute until which it is left alone.
#[derive(Debug)]
pub(crate) struct Tried(Box<[AtomicU64]>);

const TRIED: usize = 4096;
const MINUTE_BITS: u32 = 24;

impl Default for Tried {
    fn default() -> Self {
        Self((0..TRIED).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Tried {
    fn place(&self, page: u64) -> Option<&AtomicU64> {
        self.0.get(usize::try_from(page).unwrap_or(0) % TRIED)
    }

    /// Whether a page may be tried now; it is taken to be, then. `page` has at most 40 bits.
    pub(crate) fn may_try(&self, page: u64, now: u64) -> bool {
        let Some(place) = self.place(page) else { return false };
        let before = place.load(Ordering::Relaxed);
        let minute = minute(now);
        if before >> MINUTE_BITS == page && minute < before & ((1 << MINUTE_BITS) - 1) {
            return false;
        }
        place.store(page << MINUTE_BITS | (minute + PAUSE), Ordering::Relaxed);
        true
    }

    /// Says that it is of no use to try a page soon.
    fn leave(&self, page: u64, now: u64) {
        if let Some(place) = self.place(page) {
            place.store(page << MINUTE_BITS | (minute(now) + LONG_PAUSE), Ordering::Relaxed);
        }
    }
}

const fn minute(now: u64) -> u64 {
    (now / 60_000) & ((1 << (MINUTE_BITS - 1)) - 1)
}

/// Fetches what comes, until nobody sends more; `hot` first.
pub(crate) async fn run(state: Arc<ThreadState>, learning: Arc<Learning>, mut waiting: mpsc::Receiver<Cold>) {
    let config = WarmupConfig {
        rate: learning.config.warm_rate,
        most_time: Duration::MAX,
        ..WarmupConfig::default()
    };
    let mut pacer = Pacer::new(config);
    let started = Instant::now();
    loop {
        let hot = learning.hot.next();
        let cold = match hot {
            Some(cold) => cold,
            None => match waiting.recv().await {
                Some(cold) => cold,
                None => return,
            },
        };
        let Ok(site) = state.shared.sites.by_name(&cold.site).map(Arc::clone) else {
            learning.hot.done();
            continue;
        };
        while let Pace::Pause(time) = pacer.next(started.elapsed(), load(&site)) {
            tokio::time::sleep(time).await;
        }
        warm(&state, &learning, &site, &cold).await;
        learning.hot.done();
    }
}

/// How busy a site is, from 0 to 1: the requests under way as a share of what its workers do at ease. Where there is no
/// worker yet it is as busy as can be.
fn load(site: &Site) -> f64 {
    let number = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    match site.upstream.workers() {
        0 => 1.0,
        workers => number(site.upstream.outstanding()) / (number(workers) * AT_EASE),
    }
}

async fn warm(state: &Arc<ThreadState>, learning: &Learning, site: &Arc<Site>, cold: &Cold) {
    let kept = if site.is_origin() {
        IN_PATH_AS_IT_STANDS
    } else {
        IN_PATH
    };
    let written = address(&cold.path, kept);
    let Some(target) = site.target(&written) else { return };
    if !site.build.load().has_route(&target) {
        return;
    }
    let responses = &state.shared.responses;
    let key = (&*site.name, &*cold.host);
    if responses.hit(key, &target, cold.is_secure, |_, _| ()).is_some() {
        return;
    }
    let peer = Peer {
        is_secure: cold.is_secure,
        ..Peer::local()
    };
    let mut headers = fields();
    identify(&mut headers);
    let asked = Asked::new(Method::GET, headers, &target, &cold.host, &peer);
    let fetched = fetch(state, site, asked).await;
    let is_kept = responses.knows(&site.name, &cold.host, &target, cold.is_secure);
    if is_kept && fetched.response.status() == StatusCode::OK {
        learning.counts.warmed.fetch_add(1, Ordering::Relaxed);
    } else {
        let page = Page {
            site,
            host: &cold.host,
            path: &cold.path,
        };
        learning.tried.leave(learning.number(page), clock::now());
    }
}

/// What an ordinary browser would send, and that nobody looks at the page yet.
fn fields() -> HeaderMap {
    let fixed = [
        (ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8"),
        (ACCEPT_ENCODING, "gzip, deflate, br, zstd"),
        (USER_AGENT, "hyperweb"),
        (HeaderName::from_static("sec-purpose"), "prefetch"),
    ];
    fixed
        .into_iter()
        .map(|(name, value)| (name, HeaderValue::from_static(value)))
        .collect()
}
