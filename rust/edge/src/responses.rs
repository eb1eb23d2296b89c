//! The responses of Python that may be used again: found, kept, forgotten. No socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, ETAG};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use hyperweb_cache::tiers::Purge as Order;
use hyperweb_cache::{Cache, Config, Entry, FillToken, Inserted, Options, Stats};

use crate::clock;
use crate::compression::Compression;
use crate::config::Limits;
pub use crate::found::Usable;
use crate::found::{Found, Moment};
use crate::parts::Parts;
use crate::path::Target;
use crate::policy::{self, Receipt, Times};
use crate::purge::{Purge, parts_of};
use crate::store::{Kept, Stored, Variants, is_of_path, key, parts_key, place, variant_key, with_key};
use crate::tiers::{Below, primary_of};

/// A larger response is passed on and not kept.
pub(crate) const LARGEST: usize = 8 << 20;

/// Fields of a worker's response that are not for clients.
const INTERNAL: [&str; 5] = [
    "cache-tag",
    "surrogate-key",
    "surrogate-control",
    "cdn-cache-control",
    "hyperweb-cache-control",
];

/// What of a request decides which response answers it.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub site: &'a str,
    /// Whether it is asked for over TLS.
    pub is_secure: bool,
    pub host: &'a str,
    /// The decoded path.
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
}

impl Question<'_> {
    /// The key of all responses it can have (RFC 9111, section 2).
    pub(crate) fn key(&self) -> Vec<u8> {
        key(self.site, self.host, self.path, self.query, self.is_secure)
    }
}

/// The key of an address, `//HOST/PATH?QUERY`, of a site whose paths are decoded.
pub fn key_of(site: &str, url: &str) -> Option<Vec<u8>> {
    let (host, text) = parts_of(url)?;
    let target = crate::path::target(text)?;
    Some(key(site, &host.to_ascii_lowercase(), &target.path, target.query, false))
}

/// The responses that are kept.
#[derive(Debug)]
pub struct Responses {
    cache: Cache<Kept>,
    /// The last number that was given to the variants of a key.
    last_number: AtomicU64,
    /// Variants of a key that are kept at a time.
    most_variants: u64,
    pub(crate) compression: Compression,
}

impl Responses {
    /// Keeps at most so many bytes.
    pub fn new(limit_bytes: u64) -> Self {
        Self::limited(limit_bytes, Limits::default().variants, Compression::default())
    }

    /// Keeps at most so many bytes, and so many variants of one address.
    pub(crate) fn limited(limit_bytes: u64, most_variants: u64, compression: Compression) -> Self {
        Self {
            cache: Cache::new(Config {
                limit_bytes,
                ..Config::default()
            }),
            last_number: AtomicU64::new(0),
            most_variants: most_variants.max(1),
            compression,
        }
    }

    /// Finds a response, and how it may be used. None too where the request may not be answered from a cache.
    pub fn find(&self, question: &Question<'_>) -> Option<(Usable, Response<Bytes>)> {
        if !policy::request_may_use(question.method, question.headers) {
            return None;
        }
        let (_, found) = self.look_up(&question.key(), question.headers, clock::now());
        let found = found.filter(|found| !matches!(found.usable, Usable::IfGone | Usable::Validated))?;
        Some((found.usable, found.reply(question)))
    }

    /// Begins a fill: call it before the response is asked for.
    pub fn begin(&self) -> FillToken {
        self.cache.begin_fill()
    }

    /// Keeps a whole response where that is allowed, and returns it as it is sent; whether it was kept too.
    pub fn offer(
        &self,
        question: &Question<'_>,
        response: Response<Bytes>,
        token: FillToken,
    ) -> (Response<Bytes>, bool) {
        let (mut parts, body) = response.into_parts();
        let receipt = Receipt {
            now: SystemTime::now(),
            delay: Duration::ZERO,
            may_guess: false,
            stale: 0,
        };
        // Nobody asks about it once it is stale, so it is not kept for that.
        let times = policy::storable(question.headers, parts.status, &parts.headers, &receipt)
            .map(|times| Times { validate: 0, ..times })
            .filter(|times| times.ttl > 0 && body.len() <= LARGEST && question.method == Method::GET);
        let Some(times) = times else {
            strip_internal(&mut parts.headers);
            return (Response::from_parts(parts, body), false);
        };
        let primary = question.key();
        let found = (policy::tags(&parts.headers), policy::varies_on(&parts.headers));
        strip_internal(&mut parts.headers);
        let stored = Arc::new(Stored::new(
            parts,
            body,
            times,
            found,
            (&primary, question.headers),
            (token, &self.compression),
        ));
        let outcome = self.keep(&primary, &primary, &stored, token, clock::now());
        let kept = outcome == Inserted::Kept;
        let status = if kept { "fwd=miss; stored" } else { "fwd=miss" };
        (stored.reply(question.headers, false, times.age, status), kept)
    }

    /// Forgets what a purge names, and returns how many responses that removed at once, or made stale. Of a soft purge by
    /// tags or of everything that is not known. `find` takes an address apart: the site of a host, and the path and query.
    pub fn purge(&self, purge: &Purge, find: impl Fn(&str) -> Option<Vec<u8>>) -> usize {
        // What earlier purges hid does not count for this one.
        self.cache.reclaim();
        let softly_at = purge.soft.then(clock::now);
        if purge.all {
            let start = purge
                .site
                .as_deref()
                .map_or_else(Vec::new, |site| [site.as_bytes(), &[0]].concat());
            return self.purge_start(&start, softly_at);
        }
        let tags = purge.tags.iter().map(String::as_str);
        match softly_at {
            Some(now) => self.cache.soft_purge_tags(tags, now),
            None => self.cache.purge_tags(tags),
        }
        let mut count = if purge.tags.is_empty() { 0 } else { self.cache.reclaim() };
        for key in purge.urls.iter().filter_map(|url| find(url)) {
            // The variants stand under keys that begin with this one.
            count += self.purge_start(&key, softly_at);
        }
        // A path's keys begin with site and host, which a purge does not name: every entry is looked at.
        let ends = purge.paths.iter().map(|path| (path.as_str(), true));
        for (path, whole) in ends.chain(purge.prefix.iter().map(|prefix| (prefix.as_str(), false))) {
            count += self.purge_paths(path, whole, softly_at);
        }
        count
    }

    /// Does what was purged below memory by another; softly at a time, or as the order says.
    pub(crate) fn obey(&self, order: &Order, now: u64, softly: Option<u64>) {
        let text = |tag| std::str::from_utf8(tag).ok();
        match (order, softly) {
            (Order::Key(key), None) => self.invalidate(primary_of(key)),
            (Order::Key(key), Some(at)) => {
                self.cache.soft_purge_key(primary_of(key), at);
                self.forget_parts(primary_of(key));
            }
            (Order::Prefix(start), None) => self.cache.purge_prefix(start),
            (Order::Prefix(start), Some(at)) => self.cache.soft_purge_prefix(start, at),
            (Order::Tag(tag), None) => self.cache.purge_tags(text(tag)),
            (Order::Tag(tag), Some(at)) => self.cache.soft_purge_tags(text(tag), at),
            (Order::All, None) => self.cache.purge_all(),
            (Order::All, Some(at)) => self.cache.soft_purge_all(at),
            (Order::Soft { purge, .. }, _) => self.obey(purge, now, Some(now)),
        }
    }

    /// Keeps a response that was found below memory; `token` is from before it was looked for.
    pub(crate) fn restore(&self, primary: &[u8], mut below: Below, token: FillToken) {
        let kept_at = below.settle(clock::now());
        let stored = Arc::new(Stored::restored(below.parts, below.tags, token, &self.compression));
        self.keep(primary, primary, &stored, token, kept_at);
    }

    /// Purges all keys that begin so.
    fn purge_start(&self, start: &[u8], softly_at: Option<u64>) -> usize {
        if let Some(now) = softly_at {
            self.cache.soft_purge_prefix(start, now);
            return 0;
        }
        if start.is_empty() {
            let count = usize::try_from(self.cache.stats().entries).unwrap_or(0);
            self.cache.purge_all();
            return count;
        }
        self.cache.purge_prefix(start);
        self.cache.reclaim()
    }

    fn purge_paths(&self, path: &str, whole: bool, softly_at: Option<u64>) -> usize {
        let Some(now) = softly_at else {
            return self.cache.purge_where(|key| is_of_path(key, path, whole));
        };
        // Nothing is removed here, but fills that are under way are not kept.
        let found = parking_lot::Mutex::new(Vec::new());
        self.cache.purge_where(|key| {
            if is_of_path(key, path, whole) {
                found.lock().push(key.to_vec());
            }
            false
        });
        let keys = found.into_inner();
        keys.iter().filter(|key| self.cache.soft_purge_key(key, now)).count()
    }

    /// Whether this very response is what answers a request now.
    pub(crate) fn holds(&self, primary: &[u8], request: &HeaderMap, stored: &Arc<Stored>) -> bool {
        let (_, found) = self.look_up(primary, request, clock::now());
        found.is_some_and(|found| Arc::ptr_eq(&found.stored, stored))
    }

    /// Finds what answers a GET of the whole without conditions, where that is all there is to say: it is fresh, a 200, and
    /// depends on no request field.
    ///
    /// It is used where it stands: who counted their use of it would write to one place from all threads.
    pub(crate) fn hit<T>(
        &self,
        (site, host): (&str, &str),
        target: &Target<'_>,
        is_secure: bool,
        use_it: impl FnOnce(&Stored, Moment) -> T,
    ) -> Option<T> {
        if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let now = clock::now();
        let reader = self.cache.pin();
        let entry = with_key(site, host, target, is_secure, |key| reader.get(key, now))?;
        let (usable, stored, moment) = Found::judge(&entry, now)?;
        (usable == Usable::Fresh && stored.status == StatusCode::OK).then(|| use_it(stored, moment))
    }

    /// Whether anything is kept for an address.
    pub(crate) fn knows(&self, site: &str, host: &str, target: &Target<'_>, is_secure: bool) -> bool {
        let key = key(site, host, &target.path, target.query, is_secure);
        self.cache.pin().get(&key, clock::now()).is_some()
    }

    /// The keys that are likely to be asked for again, and how often each was lately, roughly.
    pub(crate) fn hottest(&self, most: usize) -> Vec<(Box<[u8]>, u8)> {
        self.cache.hottest(most)
    }

    /// Bytes it holds, once what is over was given back.
    pub(crate) fn held(&self) -> u64 {
        self.cache.maintain(clock::now());
        self.cache.stats().bytes
    }

    /// Keeps at most so many bytes from now on.
    pub(crate) fn set_limit(&self, bytes: u64) {
        self.cache.set_limit(bytes);
    }

    pub(crate) fn stats(&self) -> Stats {
        self.cache.stats()
    }

    /// Returns the key a request's response stands under, as far as is known, and the response.
    pub(crate) fn look_up(&self, primary: &[u8], request: &HeaderMap, now: u64) -> (Vec<u8>, Option<Found>) {
        let mut key = primary.to_vec();
        let reader = self.cache.pin();
        let mut found = reader.get(primary, now);
        if let Some(Kept::VariesOn(variants)) = found.as_ref().map(Entry::value) {
            key = place(variant_key(primary, &variants.names, request), variants.number);
            found = reader.get(&key, now);
        }
        let found = found.and_then(|entry| Found::new(&entry, now));
        (key, found)
    }

    pub(crate) fn keep(
        &self,
        primary: &[u8],
        key: &[u8],
        stored: &Arc<Stored>,
        token: FillToken,
        now: u64,
    ) -> Inserted {
        let options = Options {
            weight: stored.weight(),
            ttl: stored.times.ttl,
            grace: stored.times.grace(),
            tags: stored.tags.clone(),
        };
        let response = Kept::Response(Arc::clone(stored), now);
        if stored.varies.is_empty() {
            return self.cache.insert(key, response, &options, token, now);
        }
        let marker = Options {
            weight: 256,
            ..options.clone()
        };
        let variants = self.variants(primary, &stored.varies, now);
        let place = place(stored.variant.clone(), variants.number);
        if self.cache.pin().get(&place, now).is_none() {
            variants.count.fetch_add(1, Ordering::Relaxed);
        }
        let names = Kept::VariesOn(variants);
        self.cache.insert(primary, names, &marker, token, now);
        self.cache.insert(&place, response, &options, token, now)
    }

    /// The variants of a key: those that are there, or none yet. Anyone may ask with values that nobody else has, so when
    /// they are too many they are begun anew; the old ones are found no more, and go as what nobody asks for.
    fn variants(&self, primary: &[u8], names: &Arc<[HeaderName]>, now: u64) -> Arc<Variants> {
        let reader = self.cache.pin();
        match reader.get(primary, now).as_ref().map(Entry::value) {
            Some(Kept::VariesOn(known))
                if known.names == *names && known.count.load(Ordering::Relaxed) < self.most_variants =>
            {
                Arc::clone(known)
            }
            _ => Arc::new(Variants {
                names: Arc::clone(names),
                number: self.last_number.fetch_add(1, Ordering::Relaxed) + 1,
                count: AtomicU64::new(0),
            }),
        }
    }

    /// The parts of the response to a request that are fresh, how old they are in milliseconds, and for how many seconds
    /// they stay so.
    pub(crate) fn parts(&self, primary: &[u8], now: u64) -> Option<(Arc<Parts>, u64, u64)> {
        let reader = self.cache.pin();
        let entry = reader.get(&parts_key(primary), now)?;
        let Kept::Parts(parts, at) = entry.value() else {
            return None;
        };
        let left = entry.fresh_until().saturating_sub(now) / 1000;
        let age = parts.times.age + now.saturating_sub(*at);
        entry.is_fresh(now).then(|| (Arc::clone(parts), age, left))
    }

    /// Keeps parts in place of those that were there.
    pub(crate) fn keep_parts(&self, primary: &[u8], parts: Parts, token: FillToken, now: u64) -> Inserted {
        let options = Options {
            weight: parts.weight(),
            ttl: parts.times.ttl,
            grace: 0,
            tags: parts.tags.clone(),
        };
        let kept = Kept::Parts(Arc::new(parts), now);
        self.cache.insert(&parts_key(primary), kept, &options, token, now)
    }

    /// Forgets the parts of a response.
    pub(crate) fn forget_parts(&self, primary: &[u8]) {
        self.cache.purge_key(&parts_key(primary));
    }

    /// Forgets what answers a path and query, after a request that may have changed it (RFC 9111, section 4.4).
    pub(crate) fn invalidate(&self, key: &[u8]) {
        self.cache.purge_key(key);
        self.forget_parts(key);
    }
}

/// Takes off what a worker says to the edge alone.
pub(crate) fn strip_internal(headers: &mut HeaderMap) {
    for name in INTERNAL {
        headers.remove(name);
    }
}

/// Says what the cache did (RFC 9211).
pub(crate) fn cache_status(headers: &mut HeaderMap, status: &str) {
    if let Ok(value) = HeaderValue::from_str(&format!("hyperweb; {status}"))
        && !status.is_empty()
    {
        headers.insert("cache-status", value);
    }
}

/// Makes a response's fields those that are kept: none that belong to one request, and an entity tag in any case.
pub(crate) fn settle(headers: &mut HeaderMap, body: &[u8]) {
    headers.remove(CONTENT_LENGTH);
    headers.remove("cache-status");
    headers.remove("x-request-id");
    if !headers.contains_key(ETAG) {
        let hash = blake3::hash(body).to_hex();
        if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", hash.get(..24).unwrap_or(""))) {
            headers.insert(ETAG, etag);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn ask<'a>(path: &'a str, headers: &'a HeaderMap) -> Question<'a> {
        Question {
            site: "s",
            is_secure: false,
            host: "h",
            path,
            query: None,
            method: &Method::GET,
            headers,
        }
    }

    fn made(fields: &[(&str, &str)], body: &'static str) -> Response<Bytes> {
        let mut builder = Response::builder();
        for (name, value) in fields {
            builder = builder.header(*name, *value);
        }
        builder.body(Bytes::from_static(body.as_bytes())).unwrap()
    }

    #[test]
    fn what_may_be_kept_is_found_until_it_is_purged() {
        let responses = Responses::new(1 << 20);
        let none = HeaderMap::new();
        let question = ask("/a", &none);
        let fields = [("cache-control", "max-age=60"), ("cache-tag", "x, y")];
        let (sent, kept) = responses.offer(&question, made(&fields, "one"), responses.begin());
        assert!(kept && !sent.headers().contains_key("cache-tag") && sent.headers().contains_key(ETAG));
        let (usable, found) = responses.find(&question).unwrap();
        assert_eq!((usable, found.body().as_ref()), (Usable::Fresh, b"one".as_ref()));
        let purge = Purge {
            tags: vec!["y".into()],
            ..Purge::default()
        };
        assert_eq!(responses.purge(&purge, |_| None), 1);
        assert!(responses.find(&question).is_none());
    }

    #[test]
    fn a_part_is_cut_out_where_the_condition_names_the_very_response() {
        let responses = Responses::new(1 << 20);
        let none = HeaderMap::new();
        let date = "Tue, 14 Nov 2023 22:13:20 GMT";
        let fields = [
            ("cache-control", "max-age=60000000000"),
            ("etag", "\"x\""),
            ("date", date),
        ];
        responses.offer(&ask("/a", &none), made(&fields, "0123456789"), responses.begin());
        let part = |condition: Option<&str>| {
            let mut headers = HeaderMap::from_iter([(http::header::RANGE, "bytes=2-4".parse().unwrap())]);
            headers.extend(condition.map(|text| (http::header::IF_RANGE, text.parse().unwrap())));
            let (_, found) = responses.find(&ask("/a", &headers)).unwrap();
            (found.status().as_u16(), found.into_body())
        };
        let (whole, cut) = (Bytes::from_static(b"0123456789"), Bytes::from_static(b"234"));
        assert_eq!(part(None), (206, cut.clone()));
        assert_eq!(part(Some("\"x\"")), (206, cut));
        assert_eq!(part(Some("\"y\"")), (200, whole.clone()));
        // When it was made is not when it was changed.
        assert_eq!(part(Some(date)), (200, whole));
    }

    #[test]
    fn a_purge_during_a_fill_wins() {
        let responses = Responses::new(1 << 20);
        let none = HeaderMap::new();
        let token = responses.begin();
        let purge = Purge {
            paths: vec!["/a".into()],
            ..Purge::default()
        };
        responses.purge(&purge, |_| None);
        let (_, kept) = responses.offer(
            &ask("/a", &none),
            made(&[("cache-control", "max-age=60")], "old"),
            token,
        );
        assert!(!kept && responses.find(&ask("/a", &none)).is_none());
    }

    #[test]
    fn a_response_that_varies_answers_only_its_own_kind() {
        let responses = Responses::new(1 << 20);
        let language = |value: &str| HeaderMap::from_iter([(http::header::ACCEPT_LANGUAGE, value.parse().unwrap())]);
        let (english, german) = (language("en"), language("de"));
        let fields = [("cache-control", "max-age=60"), ("vary", "accept-language")];
        responses.offer(&ask("/a", &english), made(&fields, "hello"), responses.begin());
        assert!(responses.find(&ask("/a", &german)).is_none());
        responses.offer(&ask("/a", &german), made(&fields, "hallo"), responses.begin());
        assert_eq!(
            responses.find(&ask("/a", &english)).unwrap().1.body().as_ref(),
            b"hello"
        );
        assert_eq!(responses.find(&ask("/a", &german)).unwrap().1.body().as_ref(), b"hallo");
    }

    #[test]
    fn keys_of_different_requests_differ() {
        let responses = Responses::new(1 << 20);
        let none = HeaderMap::new();
        let fields = [("cache-control", "max-age=60")];
        let odd = ask("/a?b=1", &none);
        responses.offer(&odd, made(&fields, "a path with a question mark"), responses.begin());
        let asked = Question {
            query: Some("b=1"),
            ..ask("/a", &none)
        };
        assert!(responses.find(&asked).is_none());
        let cookie = |value: &str| HeaderMap::from_iter([(http::header::COOKIE, value.parse().unwrap())]);
        let (one, other) = (cookie("token=aB c"), cookie("token=ABc"));
        let fields = [("cache-control", "max-age=60"), ("vary", "cookie")];
        responses.offer(&ask("/c", &one), made(&fields, "mine"), responses.begin());
        assert!(responses.find(&ask("/c", &one)).is_some() && responses.find(&ask("/c", &other)).is_none());
    }

    #[test]
    fn purges_reach_what_they_name_and_nothing_else() {
        let responses = Responses::new(1 << 20);
        let none = HeaderMap::new();
        let fields = [("cache-control", "max-age=60")];
        let elsewhere = Question {
            site: "other",
            ..ask("/b/c", &none)
        };
        for question in [ask("/a", &none), ask("/ab", &none), ask("/b/c", &none), elsewhere] {
            responses.offer(&question, made(&fields, "x"), responses.begin());
        }
        let path = Purge {
            paths: vec!["/a".into()],
            ..Purge::default()
        };
        assert_eq!(responses.purge(&path, |_| None), 1);
        let site = Purge {
            all: true,
            site: Some("s".into()),
            ..Purge::default()
        };
        assert_eq!(responses.purge(&site, |_| None), 2);
        assert!(responses.find(&elsewhere).is_some());
        let prefix = Purge {
            prefix: Some("/b/".into()),
            ..Purge::default()
        };
        assert_eq!(responses.purge(&prefix, |_| None), 1);
    }

    #[test]
    fn a_client_that_has_it_is_told_so() {
        let responses = Responses::new(1 << 20);
        let none = HeaderMap::new();
        let (sent, _) = responses.offer(
            &ask("/a", &none),
            made(&[("cache-control", "max-age=60")], "one"),
            responses.begin(),
        );
        let has = HeaderMap::from_iter([(http::header::IF_NONE_MATCH, sent.headers()[ETAG].clone())]);
        let (_, found) = responses.find(&ask("/a", &has)).unwrap();
        assert_eq!(
            (found.status(), found.body().len()),
            (http::StatusCode::NOT_MODIFIED, 0)
        );
    }
}
