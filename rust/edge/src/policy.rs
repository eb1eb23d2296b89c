//! Whether and how long a response may be kept by a shared cache: no clock, no socket, no state.
//!
//! RFC 9111 with RFC 5861 (stale-while-revalidate, stale-if-error) and RFC 9213 (CDN-Cache-Control).

use http::header::{AGE, AUTHORIZATION, CACHE_CONTROL, EXPIRES, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, Method, StatusCode};

/// The longest time that is kept, in seconds (RFC 9111, section 1.2.2).
const LONGEST: u64 = 1 << 31;

/// How long a response may be used, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    /// Fresh for so long from now.
    pub(crate) ttl: u64,
    /// Stale, but used while a new one is made.
    pub(crate) revalidate: u64,
    /// Stale, but used when making a new one fails.
    pub(crate) if_error: u64,
    /// How old it is already.
    pub(crate) age: u64,
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
    max_age: Option<u64>,
    s_maxage: Option<u64>,
    stale_while_revalidate: Option<u64>,
    stale_if_error: Option<u64>,
}

impl Directives {
    fn read(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let mut found = Self::default();
        let mut any = false;
        for value in headers.get_all(name) {
            any = true;
            // What cannot be read is taken for the most careful (section 4.2.1).
            let Ok(text) = value.to_str() else {
                found.no_store = true;
                continue;
            };
            for item in text.split(',') {
                found.add(item.trim());
            }
        }
        any.then_some(found)
    }

    fn add(&mut self, item: &str) {
        let (name, value) = item
            .split_once('=')
            .map_or((item, None), |(name, value)| (name, Some(value)));
        let seconds = || value.map(|text| seconds(text.trim().trim_matches('"')));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" => self.no_store = true,
            "no-cache" => self.no_cache = true,
            "private" => self.private = true,
            "public" => self.public = true,
            "must-revalidate" | "proxy-revalidate" => self.must_revalidate = true,
            "max-age" => self.max_age = Some(seconds().unwrap_or(0)),
            "s-maxage" => self.s_maxage = Some(seconds().unwrap_or(0)),
            "stale-while-revalidate" => self.stale_while_revalidate = seconds(),
            "stale-if-error" => self.stale_if_error = seconds(),
            _ => {}
        }
    }
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
    matches!(*method, Method::GET | Method::HEAD) && !headers.contains_key(http::header::RANGE)
}

/// Returns how long the response to a request may be kept, or none where it may not (RFC 9111, section 3).
pub(crate) fn storable(request: &HeaderMap, status: StatusCode, response: &HeaderMap) -> Option<Times> {
    let targeted = HeaderName::from_static("cdn-cache-control");
    let directives = Directives::read(response, &targeted)
        .or_else(|| Directives::read(response, &CACHE_CONTROL))
        .unwrap_or_default();
    let understood = matches!(
        status.as_u16(),
        200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    );
    let varies_on_all = response
        .get_all(VARY)
        .iter()
        .any(|value| value.as_bytes().contains(&b'*'));
    if directives.no_store || directives.private || directives.no_cache || !understood || varies_on_all {
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
    let age = response
        .get(AGE)
        .and_then(|value| value.to_str().ok())
        .map_or(0, seconds);
    let lifetime = directives
        .s_maxage
        .or(directives.max_age)
        .or_else(|| expires(response))?;
    // Section 4.2.4: these forbid any use of what is stale; so does s-maxage (section 5.2.2.10) where no grace is named.
    let grace = |named: Option<u64>| {
        if directives.must_revalidate {
            0
        } else {
            named.unwrap_or(0)
        }
    };
    let times = Times {
        ttl: lifetime.saturating_sub(age) * 1000,
        revalidate: grace(directives.stale_while_revalidate) * 1000,
        if_error: grace(directives.stale_if_error) * 1000,
        age: age * 1000,
    };
    (times.ttl > 0).then_some(times)
}

fn expires(response: &HeaderMap) -> Option<u64> {
    let date = |name| {
        let value = response.get(name)?.to_str().ok()?;
        httpdate::parse_http_date(value).ok()
    };
    let until = date(EXPIRES)?;
    let from = date(http::header::DATE).unwrap_or_else(std::time::SystemTime::now);
    Some(until.duration_since(from).map_or(0, |time| time.as_secs()).min(LONGEST))
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

/// The tags of a response: `Cache-Tag`, between commas.
pub(crate) fn tags(response: &HeaderMap) -> Vec<Box<str>> {
    let fields = response
        .get_all("cache-tag")
        .iter()
        .filter_map(|value| value.to_str().ok());
    fields
        .flat_map(|text| text.split(','))
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
        storable(&map(request), StatusCode::from_u16(status).unwrap(), &map(response)).map(|times| times.ttl / 1000)
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
        assert_eq!(ttl(&[], 500, &[(cc, "max-age=9")]), None);
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
    fn grace_is_named_and_can_be_forbidden() {
        let times = |text: &str| storable(&map(&[]), StatusCode::OK, &map(&[("cache-control", text)])).unwrap();
        let found = times("max-age=1, stale-while-revalidate=2, stale-if-error=3");
        assert_eq!((found.revalidate, found.if_error), (2000, 3000));
        let found = times("max-age=1, stale-while-revalidate=2, stale-if-error=3, must-revalidate");
        assert_eq!((found.revalidate, found.if_error), (0, 0));
    }

    proptest! {
        #[test]
        fn no_field_is_too_odd(text in "([a-z-]|max-age|s-maxage|=|,|\"|[0-9]| ){0,40}") {
            let _ = storable(&map(&[]), StatusCode::OK, &map(&[("cache-control", &text)]));
        }
    }
}
