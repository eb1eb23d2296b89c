//! A navigation under way: what is told early, and what is learned and told once there is an answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{HeaderMap, Response, StatusCode};

use crate::body::Body;
use crate::early::Known;
use crate::learning::{Learning, Page};
use crate::metrics::Source;
use crate::navigation::Navigation;
use crate::path::Target;
use crate::peer::Peer;
use crate::policy::list;
use crate::site::Site;

/// A navigation to a page.
pub(crate) struct Visit {
    learning: Arc<Learning>,
    navigation: Navigation,
    site: Arc<Site>,
    host: Box<str>,
    path: Box<str>,
    is_secure: bool,
    /// Whether the request says who is asking.
    has_cookie: bool,
    has_credentials: bool,
}

impl Visit {
    /// Begins one; `request` has the fields of the request.
    pub(crate) fn begin(
        learning: &Arc<Learning>,
        navigation: Navigation,
        (site, host): (&Arc<Site>, &str),
        target: &Target<'_>,
        peer: &Peer,
        request: &HeaderMap,
    ) -> Self {
        Self {
            learning: Arc::clone(learning),
            navigation,
            site: Arc::clone(site),
            host: host.into(),
            path: target.path.as_ref().into(),
            is_secure: peer.is_secure,
            has_cookie: request.contains_key(COOKIE),
            has_credentials: request.contains_key(AUTHORIZATION),
        }
    }

    fn page(&self) -> Page<'_> {
        Page {
            site: &self.site,
            host: &self.host,
            path: &self.path,
        }
    }

    /// What the browser may fetch while the page is made.
    pub(crate) fn early(&self) -> Option<Arc<Known>> {
        if !self.learning.config.early_hints || self.navigation.saves {
            return None;
        }
        self.learning.early.get(self.learning.number(self.page()))
    }

    /// Counts an early hint that was sent.
    pub(crate) fn told_early(&self) {
        self.learning.counts.early.fetch_add(1, Ordering::Relaxed);
    }

    /// Learns from the answer, and adds to it what mostly comes next.
    pub(crate) fn answered(&self, response: &mut Response<Body>, source: Source) {
        let headers = response.headers();
        if response.status() != StatusCode::OK || source == Source::Edge || !is_html(headers) {
            return;
        }
        let is_for_all = self.is_for_all(headers, source);
        if self.learning.config.early_hints && source == Source::Worker {
            self.watch(response, is_for_all);
        }
        if !is_for_all {
            return;
        }
        let hints = self.learning.visited(self.page(), &self.navigation, self.is_secure);
        if let Some(hints) = hints {
            hints.add_to(response.headers_mut());
        }
    }

    /// Notes what the page needs, for the next who has to wait for it; of what is kept that is noted where it is kept.
    /// What is for one alone may name what only they may know: of that, what is in the build is noted, and no more.
    fn watch(&self, response: &mut Response<Body>, is_for_all: bool) {
        let number = self.learning.number(self.page());
        let (learning, headers) = (Arc::clone(&self.learning), response.headers().clone());
        let site = Arc::clone(&self.site);
        let see = move |first: &[u8]| {
            let is_open = |address: &str| is_for_all || site.build.load().has(address);
            learning.early.keep(number, &headers, first, is_open);
        };
        response.body_mut().watch(Box::new(see));
    }

    /// Whether an answer is the same for everybody: a path that only one is led to says who they are.
    fn is_for_all(&self, headers: &HeaderMap, source: Source) -> bool {
        if self.has_credentials {
            return false;
        }
        let is_kept = headers.get("cache-status").is_some_and(|value| {
            value.as_bytes().ends_with(b"stored") || value.as_bytes().starts_with(b"hyperweb; hit")
        });
        let is_forbidden = || {
            list(headers, &CACHE_CONTROL).any(|one| {
                ["private", "no-store"]
                    .iter()
                    .any(|word| one.eq_ignore_ascii_case(word))
            })
        };
        matches!(source, Source::Pack | Source::Cache)
            || is_kept
            || !self.has_cookie && !headers.contains_key(SET_COOKIE) && !is_forbidden()
    }
}

/// Whether a body is a page.
pub(crate) fn is_html(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| is_html_type(value.as_bytes()))
}

/// Whether a media type is that of a page.
pub(crate) fn is_html_type(value: &[u8]) -> bool {
    value
        .get(..9)
        .is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/html"))
}
