//! Whether and how long a response may be kept by a shared cache: no clock, no socket, no state.
//!
//! RFC 9111 with RFC 5861 (stale-while-revalidate, stale-if-error) and RFC 9213 (targeted fields).

use std::time::{Duration, SystemTime};

use http::header::{
    AGE, AUTHORIZATION, CACHE_CONTROL, DATE, ETAG, EXPIRES, LAST_MODIFIED, PRAGMA, RANGE, SET_COOKIE, VARY,
};
use http::{HeaderMap, HeaderName, Method, StatusCode};

/// The longest time that is kept, in seconds (RFC 9111, section 1.2.2).
const LONGEST: u64 = 1 << 31;
/// How long a response that must be validated is kept for that, in milliseconds.
const VALIDATED_FOR: u64 = 24 * 3600 * 1000;
/// Of the time since it was last changed, a response is taken to stay fresh for one part of this many, and no longer
/// than a day (section 4.2.2).
const HEURISTIC_PART: u64 = 10;
const HEURISTIC_MOST: u64 = 24 * 3600;
/// The fields that speak to this cache before `Cache-Control` does, the most specific first (RFC 9213, section 2.1).
const TARGETED: [&str; 3] = ["hyperweb-cache-control", "cdn-cache-control", "surrogate-control"];
/// What this cache is called by whoever targets it (Edge Architecture Specification, 2001).
pub(crate) const CAPABILITY: &str = "hyperweb=\"Surrogate/1.0\"";
const TARGET: &str = "hyperweb";

/// How long a response may be used, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Times {
    /// Fresh for so long from now.
    pub(crate) ttl: u64,
    /// Stale, but used while a new one is made.
    pub(crate) revalidate: u64,
    /// Stale, but used when making a new one fails.
    pub(crate) if_error: u64,
    /// Stale, but used when nobody can be asked (RFC 9111, section 4.2.4).
    pub(crate) if_gone: u64,
    /// Stale, but kept so that its maker can be asked whether it is still right.
    pub(crate) validate: u64,
    /// How old it is already.
    pub(crate) age: u64,
}

impl Times {
    /// How long it is kept after it is stale.
    pub(crate) fn grace(&self) -> u64 {
        self.revalidate.max(self.if_error).max(self.if_gone).max(self.validate)
    }
}

/// When and from whom a response came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receipt {
    pub(crate) now: SystemTime,
    /// How long it took.
    pub(crate) delay: Duration,
    /// Whether a response that does not say how long it stays fresh may be taken to stay so for a while.
    pub(crate) may_guess: bool,
    /// How long what is stale is used where nobody can be asked, in milliseconds.
    pub(crate) stale: u64,
}

/// What `Cache-Control` says, as far as a shared cache asks (RFC 9111, section 5.2).
#[expect(clippy::struct_excessive_bools, reason = "each is a directive of the RFC")]
#[derive(Debug, Default, Clone, Copy)]
struct Directives {
    no_store: bool,
    no_cache: bool,
    private: bool,
    public: bool,
    must_revalidate: bool,
    must_understand: bool,
    max_age: Option<u64>,
    s_maxage: Option<u64>,
    stale_while_revalidate: Option<u64>,
    stale_if_error: Option<u64>,
}

impl Directives {
    /// Reads the directives that are in force, and whether they are of a field that is for this cache.
    fn of(headers: &HeaderMap) -> (Self, bool) {
        let targeted = TARGETED
            .iter()
            .find_map(|name| Self::read(headers, &HeaderName::from_static(name)));
        match targeted {
            Some(found) => (found, true),
            None => (Self::read(headers, &CACHE_CONTROL).unwrap_or_default(), false),
        }
    }

    /// None where a field says nothing that this cache knows and that is for it: what stands in its place must not be
    /// passed over then, which may be `private`.
    fn read(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let mut found = Self::default();
        let mut any = false;
        for value in headers.get_all(name) {
            // What cannot be read is taken for the most careful (section 4.2.1).
            let Ok(text) = value.to_str() else {
                found.no_store = true;
                any = true;
                continue;
            };
            for item in items(text) {
                any |= found.add(item.trim());
            }
        }
        any.then_some(found)
    }

    /// Returns whether it is a directive this cache knows, and for it.
    fn add(&mut self, item: &str) -> bool {
        // A directive may be for one cache alone; no other has a semicolon outside of a string.
        let (item, target) = item.split_once(';').unwrap_or((item, TARGET));
        if !target.trim().eq_ignore_ascii_case(TARGET) {
            return false;
        }
        let (name, value) = item
            .split_once('=')
            .map_or((item, None), |(name, value)| (name, Some(value)));
        // Neither a space before the sign nor one behind it is allowed (section 5.2): it is another directive then.
        let seconds = || value.map(|text| seconds(unquoted(text)));
        match name.to_ascii_lowercase().as_str() {
            "no-store" => self.no_store = true,
            // With field names it is about those alone, which this cache takes for the whole (sections 5.2.2.4 and 7).
            "no-cache" => self.no_cache = true,
            "private" => self.private = true,
            "public" => self.public = true,
            "must-revalidate" | "proxy-revalidate" => self.must_revalidate = true,
            "must-understand" => self.must_understand = true,
            "max-age" => self.max_age = Some(shorter(self.max_age, seconds())),
            "s-maxage" => self.s_maxage = Some(shorter(self.s_maxage, seconds())),
            "stale-while-revalidate" => self.stale_while_revalidate = seconds(),
            "stale-if-error" => self.stale_if_error = seconds(),
            _ => return false,
        }
        true
    }
}

/// Of a directive that is there twice the shorter time counts (section 4.2.1).
fn shorter(known: Option<u64>, found: Option<u64>) -> u64 {
    let found = found.unwrap_or(0);
    known.map_or(found, |known| known.min(found))
}

/// The items of a list; a comma inside a string is none between them.
fn items(text: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    text.split(move |letter: char| {
        let is_end = letter == ',' && !is_quoted;
        if letter == '"' && !is_escaped {
            is_quoted = !is_quoted;
        }
        is_escaped = letter == '\\' && is_quoted && !is_escaped;
        is_end
    })
}

/// The items of a field that is a list of tokens (RFC 9110, section 5.6.1).
pub(crate) fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let texts = headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    texts
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'))
        .unwrap_or(text)
}

/// A number of seconds; what is no number is none at all, and counts as stale (section 4.2.1).
fn seconds(text: &str) -> u64 {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    text.parse().unwrap_or(LONGEST).min(LONGEST)
}

/// Whether the cache may answer a request at all, or keep what is answered to it.
pub(crate) fn request_may_use(method: &Method, headers: &HeaderMap) -> bool {
    matches!(*method, Method::GET | Method::HEAD) && !asks_for(headers, "no-store")
}

/// Whether a client wants what is there or nothing (section 5.2.1.7).
pub(crate) fn only_if_cached(headers: &HeaderMap) -> bool {
    asks_for(headers, "only-if-cached")
}

fn asks_for(headers: &HeaderMap, directive: &str) -> bool {
    let fields = headers.get_all(CACHE_CONTROL).iter();
    fields
        .filter_map(|value| value.to_str().ok())
        .flat_map(items)
        .any(|item| item.trim().eq_ignore_ascii_case(directive))
}

/// Whether a request asks for a part only.
pub(crate) fn asks_for_part(headers: &HeaderMap) -> bool {
    headers.contains_key(RANGE)
}

/// Whether a method changes nothing (RFC 9110, section 9.2.1).
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// Whether a request that is made twice does what it does once (RFC 9110, section 9.2.2).
pub(crate) fn is_idempotent(method: &Method) -> bool {
    is_safe(method) || matches!(*method, Method::PUT | Method::DELETE)
}

/// Whether a status is one whose response may be kept without being told so (RFC 9110, section 15.1).
fn is_heuristically_cacheable(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// Whether a status is about how this one request was made. It must not become the answer to those that are made well:
/// anyone could have a page replaced by an error with a field that its maker chokes on.
fn blames_the_request(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        400 | 408 | 411 | 412 | 413 | 415 | 416 | 417 | 421 | 422 | 425 | 426 | 428 | 429 | 431
    )
}

/// Returns how long the response to a request may be kept, or none where it may not (RFC 9111, section 3).
pub(crate) fn storable(
    request: &HeaderMap,
    status: StatusCode,
    response: &HeaderMap,
    receipt: &Receipt,
) -> Option<Times> {
    let (mut directives, is_targeted) = Directives::of(response);
    // A cache that understands the status may keep it in spite of the other (section 5.2.2.3).
    if directives.must_understand {
        directives.no_store = !is_heuristically_cacheable(status);
    }
    // What is said of a part is asked with the status of the whole.
    let is_final = !status.is_informational()
        && !matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED)
        && !blames_the_request(status);
    let varies_on_all = response
        .get_all(VARY)
        .iter()
        .any(|value| value.as_bytes().contains(&b'*'));
    if directives.no_store || directives.private || !is_final || varies_on_all {
        return None;
    }
    // A cookie is for one client; what sets one is kept only for that client, which a shared cache cannot know.
    if response.contains_key(SET_COOKIE) {
        return None;
    }
    // Section 3.5: what was answered to credentials is shared only where the origin says so.
    let for_all = directives.public || directives.s_maxage.is_some() || directives.must_revalidate;
    if request.contains_key(AUTHORIZATION) && !for_all {
        return None;
    }
    let age = age(response, receipt);
    let told = directives.s_maxage.or(directives.max_age);
    let told = told.or_else(|| expires(response, receipt).filter(|_| !is_targeted));
    let has_validator = response.contains_key(ETAG) || response.contains_key(LAST_MODIFIED);
    let lifetime = match told {
        Some(told) => told,
        None if directives.no_cache && has_validator => 0,
        None if receipt.may_guess && (is_heuristically_cacheable(status) || directives.public) => {
            guessed(response, receipt)?
        }
        None => return None,
    };
    let fresh = if directives.no_cache {
        0
    } else {
        lifetime.saturating_sub(age)
    };
    // Section 4.2.4: these forbid any use of what is stale.
    let grace = |named: Option<u64>| {
        if directives.must_revalidate || directives.no_cache {
            0
        } else {
            named.unwrap_or(0) * 1000
        }
    };
    let times = Times {
        ttl: fresh * 1000,
        revalidate: grace(directives.stale_while_revalidate),
        if_error: grace(directives.stale_if_error),
        // Sections 5.2.2.2, 5.2.2.8 and 5.2.2.10: not even then.
        if_gone: if directives.must_revalidate || directives.no_cache || directives.s_maxage.is_some() {
            0
        } else {
            receipt.stale
        },
        validate: if has_validator { VALIDATED_FOR } else { 0 },
        age: age * 1000,
    };
    (times.ttl > 0 || times.validate > 0).then_some(times)
}

/// How old a response is when it comes, in seconds (section 4.2.3).
fn age(response: &HeaderMap, receipt: &Receipt) -> u64 {
    let mut fields = response.get_all(AGE).iter();
    let told = match (fields.next(), fields.next()) {
        (None, _) => 0,
        // Section 5.1 would ignore what is no number, and all but the first of a list. What cannot be told how old it is
        // may be too old, and that is the worse mistake.
        (Some(one), None) => one
            .to_str()
            .ok()
            .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
            .map_or(LONGEST, seconds),
        _ => LONGEST,
    };
    let apparent = date(response, DATE)
        .and_then(|date| receipt.now.duration_since(date).ok())
        // Dates have whole seconds: what was made in this one is not old.
        .map_or(0, |since| since.as_secs());
    apparent.max((told + receipt.delay.as_secs()).min(LONGEST))
}

fn date(response: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    let mut values = response.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    httpdate::parse_http_date(value).ok()
}

fn expires(response: &HeaderMap, receipt: &Receipt) -> Option<u64> {
    if !response.contains_key(EXPIRES) {
        return None;
    }
    // What is no date lies in the past (section 5.3).
    let Some(until) = date(response, EXPIRES) else {
        return Some(0);
    };
    let from = date(response, DATE).unwrap_or(receipt.now);
    Some(until.duration_since(from).map_or(0, |time| time.as_secs()).min(LONGEST))
}

/// How long a response is taken to stay fresh that does not say it, in seconds (section 4.2.2).
fn guessed(response: &HeaderMap, receipt: &Receipt) -> Option<u64> {
    if response.contains_key(PRAGMA) && !response.contains_key(CACHE_CONTROL) {
        return None;
    }
    let changed = date(response, LAST_MODIFIED)?;
    let made = date(response, DATE).unwrap_or(receipt.now);
    let since = made.duration_since(changed).ok()?.as_secs();
    Some((since / HEURISTIC_PART).min(HEURISTIC_MOST))
}

/// The request fields a response depends on, in lower case and in order; those that never matter here are left out.
pub(crate) fn varies_on(response: &HeaderMap) -> Vec<HeaderName> {
    let mut names: Vec<HeaderName> = response
        .get_all(VARY)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .filter_map(|name| name.trim().to_ascii_lowercase().parse().ok())
        .collect();
    names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    names.dedup();
    names
}

/// The tags of a response: `Cache-Tag` between commas, `Surrogate-Key` between spaces.
pub(crate) fn tags(response: &HeaderMap) -> Vec<Box<str>> {
    let texts = |name: &str| {
        response
            .get_all(name)
            .into_iter()
            .filter_map(|value| value.to_str().ok())
    };
    let listed = texts("cache-tag").flat_map(|text| text.split(','));
    let spaced = texts("surrogate-key").flat_map(str::split_whitespace);
    listed
        .chain(spaced)
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
        .map(Into::into)
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn map(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn ttl(request: &[(&'static str, &str)], status: u16, response: &[(&'static str, &str)]) -> Option<u64> {
        times(request, status, response).map(|times| times.ttl / 1000)
    }

    fn times(request: &[(&'static str, &str)], status: u16, response: &[(&'static str, &str)]) -> Option<Times> {
        let receipt = Receipt {
            now: SystemTime::UNIX_EPOCH,
            delay: Duration::ZERO,
            may_guess: true,
            stale: 0,
        };
        storable(
            &map(request),
            StatusCode::from_u16(status).unwrap(),
            &map(response),
            &receipt,
        )
    }

    #[test]
    fn who_may_keep_what_for_how_long() {
        let cc = "cache-control";
        assert_eq!(ttl(&[], 200, &[(cc, "max-age=60")]), Some(60));
        assert_eq!(ttl(&[], 200, &[(cc, "max-age=60, s-maxage=\"90\"")]), Some(90));
        assert_eq!(ttl(&[], 200, &[(cc, "max-age=60"), ("age", "20")]), Some(40));
        assert_eq!(
            ttl(&[], 200, &[(cc, "max-age=60"), ("cdn-cache-control", "max-age=5")]),
            Some(5)
        );
        for refused in [
            "no-store, max-age=9",
            "private, max-age=9",
            "no-cache, max-age=9",
            "max-age=0",
            "max-age=x",
            "max-age=-1",
            "public",
        ] {
            assert_eq!(ttl(&[], 200, &[(cc, refused)]), None, "{refused}");
        }
        assert_eq!(ttl(&[], 200, &[]), None);
        assert_eq!(ttl(&[], 200, &[(cc, "max-age=9"), ("set-cookie", "a=b")]), None);
        assert_eq!(ttl(&[], 200, &[(cc, "max-age=9"), ("vary", "*")]), None);
        assert_eq!(ttl(&[], 500, &[(cc, "max-age=9")]), Some(9));
        assert_eq!(ttl(&[], 206, &[(cc, "max-age=9")]), None);
        assert_eq!(ttl(&[], 400, &[(cc, "max-age=9")]), None);
        assert_eq!(ttl(&[], 404, &[(cc, "max-age=9")]), Some(9));
        assert_eq!(ttl(&[("authorization", "x")], 200, &[(cc, "max-age=9")]), None);
        assert_eq!(
            ttl(&[("authorization", "x")], 200, &[(cc, "public, max-age=9")]),
            Some(9)
        );
        assert_eq!(ttl(&[], 200, &[(cc, "max-age=99999999999999999999")]), Some(LONGEST));
        let (date, until) = ("Tue, 14 Nov 2023 22:13:20 GMT", "Tue, 14 Nov 2023 22:14:20 GMT");
        assert_eq!(ttl(&[], 200, &[("date", date), ("expires", until)]), Some(60));
        assert_eq!(ttl(&[], 200, &[("date", date), ("expires", "0")]), None);
    }

    #[test]
    fn a_field_for_other_caches_does_not_hide_what_is_for_all() {
        let (modified, date) = ("Tue, 14 Nov 2000 22:13:20 GMT", "Tue, 14 Nov 2023 22:13:20 GMT");
        for (name, text) in [
            ("surrogate-control", "max-age=60;another"),
            ("surrogate-control", "content=\"ESI/1.0\""),
            ("cdn-cache-control", "unheard-of"),
        ] {
            let dates = [("last-modified", modified), ("date", date)];
            let with = |said| {
                ttl(
                    &[],
                    200,
                    &[&dates[..], &[(name, text), ("cache-control", said)]].concat(),
                )
            };
            assert_eq!(with("private"), None, "{text}");
            assert_eq!(with("no-store"), None, "{text}");
            assert_eq!(with("max-age=9"), Some(9), "{text}");
        }
        let ours = [
            ("surrogate-control", "max-age=60;hyperweb"),
            ("cache-control", "private"),
        ];
        assert_eq!(ttl(&[], 200, &ours), Some(60));
    }

    #[test]
    fn grace_is_named_and_can_be_forbidden() {
        let times = |text: &str| times(&[], 200, &[("cache-control", text)]).unwrap();
        let found = times("max-age=1, stale-while-revalidate=2, stale-if-error=3");
        assert_eq!((found.revalidate, found.if_error), (2000, 3000));
        let found = times("max-age=1, stale-while-revalidate=2, stale-if-error=3, must-revalidate");
        assert_eq!((found.revalidate, found.if_error), (0, 0));
    }

    proptest! {
        #[test]
        fn no_field_is_too_odd(text in "([a-z-]|max-age|s-maxage|=|,|\"|[0-9]| ){0,40}") {
            let _ = times(&[], 200, &[("cache-control", &text)]);
        }
    }
}
