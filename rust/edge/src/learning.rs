//! Which page mostly comes after which, learned from navigations, and what is made of it.
//!
//! What is kept is paths and counts: no address, no cookie, no query, and no path of an answer that is not for all. It is
//! bounded and decays. Only navigations pay for it, and none of them waits.

use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderMap;
use hyperweb_cache::{Markov, MarkovConfig, Prediction, SnapshotError};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::clock;
use crate::config::LearningConfig;
use crate::early::EarlyLinks;
use crate::hints::{Hints, IN_PATH, IN_PATH_AS_IT_STANDS, address};
use crate::hot::Hot;
use crate::log::warn;
use crate::navigation::Navigation;
use crate::path::Target;
use crate::responses::Responses;
use crate::site::Site;
use crate::visit::{is_html, is_html_type};
use crate::warmer::{Cold, Tried};

/// Pages that a browser is told of at a time.
const MOST_HINTS: usize = 3;
/// How long browsers are told nothing of a page at a time.
///
/// Where a browser fetched a page ahead, its step there is never seen, while those to other pages are: the model would
/// unlearn what it is right about. So steps from a page are counted only while browsers are told nothing of it: below the
/// threshold always, above it in one span of some.
const SPAN: u64 = 10 * 60 * 1000;
/// Pages that may wait to be warmed.
const MOST_WAITING: usize = 1024;

/// What is learned, and what for.
pub(crate) struct Learning {
    pub(crate) config: LearningConfig,
    pub(crate) model: Markov,
    pub(crate) early: EarlyLinks,
    pub(crate) tried: Tried,
    pub(crate) hot: Hot,
    /// Pages that are likely and cold.
    cold: mpsc::Sender<Cold>,
    pub(crate) counts: Counts,
}

/// Figures. They are of navigations, of which there are few: all threads share them.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) steps: AtomicU64,
    pub(crate) hinted: AtomicU64,
    pub(crate) early: AtomicU64,
    pub(crate) warmed: AtomicU64,
}

/// Figures of what was learned.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub struct LearningStats {
    /// Steps from one page to another that were learned.
    pub steps: u64,
    /// Pages that were sent with what mostly comes next.
    pub hinted: u64,
    /// Early hints (103) that were sent.
    pub early: u64,
    /// Pages that were fetched into the cache before anybody asked.
    pub warmed: u64,
}

impl Counts {
    pub(crate) fn stats(&self) -> LearningStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LearningStats {
            steps: get(&self.steps),
            hinted: get(&self.hinted),
            early: get(&self.early),
            warmed: get(&self.warmed),
        }
    }
}

/// A page by its site and path, and by its host where a site has no build: there hosts may be sites of their own.
#[derive(Clone, Copy)]
pub(crate) struct Page<'a> {
    pub(crate) site: &'a Site,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
}

impl Page<'_> {
    fn prefix(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(64 + self.path.len());
        key.extend_from_slice(self.site.name.as_bytes());
        key.push(0);
        if self.site.is_origin() {
            key.extend(self.host.bytes().map(|byte| byte.to_ascii_lowercase()));
        }
        key.push(0);
        key
    }

    pub(crate) fn key(&self) -> Vec<u8> {
        let mut key = self.prefix();
        key.extend_from_slice(self.path.as_bytes());
        key
    }

    /// Its path as it stands in an address.
    pub(crate) fn written(&self) -> String {
        address(
            self.path,
            if self.site.is_origin() {
                IN_PATH_AS_IT_STANDS
            } else {
                IN_PATH
            },
        )
    }

    /// Whether it is in the pack, and HTML.
    pub(crate) fn is_packed_html(&self) -> bool {
        let build = self.site.build.load();
        let entry = build.pack.as_ref().and_then(|pack| pack.get(self.path.as_bytes()));
        entry.is_some_and(|entry| is_html_type(entry.content_type().as_bytes()))
    }

    fn is_packed(&self) -> bool {
        self.site.build.load().has(self.path)
    }

    fn is_there(&self) -> bool {
        self.is_packed()
            || self
                .site
                .target(&self.written())
                .is_some_and(|target| self.site.build.load().has_route(&target))
    }

    /// The path that a key of the same site and host is of.
    fn path_of<'k>(&self, key: &'k [u8]) -> Option<&'k str> {
        std::str::from_utf8(key.strip_prefix(self.prefix().as_slice())?).ok()
    }
}

impl Learning {
    /// Takes up what was learned before. Returns with it the pages to warm, as they come.
    pub(crate) fn open(config: &LearningConfig) -> (Self, mpsc::Receiver<Cold>) {
        let shape = MarkovConfig {
            // Who led to a page says so itself; no client is followed.
            clients: 1,
            ..MarkovConfig::default()
        };
        let model = Markov::load(&config.model(), shape).unwrap_or_else(|error| {
            if !matches!(&error, SnapshotError::Io(error) if error.kind() == std::io::ErrorKind::NotFound) {
                warn(&format!("{}: {error}; it is learned anew", config.model().display()));
            }
            Markov::new(shape)
        });
        let (cold, waiting) = mpsc::channel(MOST_WAITING);
        let learning = Self {
            config: config.clone(),
            model,
            early: EarlyLinks::default(),
            tried: Tried::default(),
            hot: if config.warm {
                Hot::load(&config.hot())
            } else {
                Hot::default()
            },
            cold,
            counts: Counts::default(),
        };
        (learning, waiting)
    }

    /// What comes after a page with a probability of at least `least`, and can be had: the likeliest first.
    pub(crate) fn next(&self, page: Page<'_>, least: f64, most: usize) -> Vec<(String, f64)> {
        let key = page.key();
        let found = self.model.predict(&key, least, usize::MAX);
        let named = found.into_iter().filter_map(|Prediction { key, probability }| {
            let next = Page {
                path: page.path_of(&key)?,
                ..page
            };
            // It may have been of a build before this one.
            next.is_there().then(|| (next.path.to_owned(), probability))
        });
        named.take(most).collect()
    }

    /// Learns that somebody came to a page, which is HTML and for all, and says what their browser is told of it.
    pub(crate) fn visited(&self, page: Page<'_>, navigation: &Navigation, is_secure: bool) -> Option<Hints> {
        let now = clock::now();
        if let Some(from) = navigation.from.as_deref().and_then(|raw| page.site.target(raw)) {
            self.step(page, &from, now);
        }
        let next = self.next(page, self.config.threshold, MOST_HINTS);
        if self.config.warm {
            for (path, _) in &next {
                self.warm(page, path, is_secure, now);
            }
        }
        if next.is_empty() || navigation.saves || !self.config.prefetch || self.is_apart(&page.key(), now) {
            return None;
        }
        self.counts.hinted.fetch_add(1, Ordering::Relaxed);
        Some(Hints::new(page, &next, navigation.takes_rules))
    }

    /// Notes what a page needs that was made, and is kept, for the next who has to wait for it.
    pub(crate) fn made(&self, page: Page<'_>, headers: &HeaderMap, body: &[u8]) {
        if self.config.early_hints && is_html(headers) {
            self.early.keep(self.number(page), headers, body, |_| true);
        }
    }

    fn step(&self, page: Page<'_>, from: &Target<'_>, now: u64) {
        let before = Page {
            path: &from.path,
            ..page
        };
        let key = before.key();
        if self.config.prefetch
            && !self.is_apart(&key, now)
            && !self.model.predict(&key, self.config.threshold, 1).is_empty()
        {
            return;
        }
        self.model.feed(&key, &page.key());
        self.counts.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether browsers are told nothing of a page now.
    fn is_apart(&self, key: &[u8], now: u64) -> bool {
        self.config.control > 0 && (now / SPAN + self.model.number(key)).is_multiple_of(self.config.control)
    }

    /// Has a page fetched that is made at run time, unless it was lately.
    fn warm(&self, page: Page<'_>, path: &str, is_secure: bool, now: u64) {
        let wanted = Page { path, ..page };
        if wanted.is_packed() || !self.tried.may_try(self.number(wanted), now) {
            return;
        }
        // Where too many wait, those that come now are as well left cold.
        let _ = self.cold.try_send(Cold {
            site: page.site.name.as_str().into(),
            host: page.host.to_ascii_lowercase().into(),
            path: path.into(),
            is_secure,
        });
    }

    /// The number of a page in what is learned.
    pub(crate) fn number(&self, page: Page<'_>) -> u64 {
        self.model.number(&page.key())
    }

    /// Writes down what was learned, and what is hot.
    pub(crate) fn save(&self, responses: &Responses) {
        let saved = std::fs::create_dir_all(&self.config.folder)
            .map_err(SnapshotError::from)
            .and_then(|()| self.model.save(&self.config.model()))
            .and_then(|()| {
                if self.config.warm {
                    self.hot.save(&self.config.hot(), responses)
                } else {
                    Ok(())
                }
            });
        if let Err(error) = saved {
            warn(&format!("{}: {error}", self.config.folder.display()));
        }
    }
}
