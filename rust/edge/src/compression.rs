//! Whether what Python or an origin made is compressed, and how (RFC 9110, sections 8.4 and 12.5.3).

use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
    COOKIE, ETAG, SET_COOKIE, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hyperweb_pack::Encoding;
use serde::Deserialize;

use crate::negotiate::{Accepted, PREFERENCE};
use crate::policy;

/// Smaller bodies fit one packet as they are.
const FLOOR: u64 = 1024;

/// What is compressed.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Compression {
    pub enabled: bool,
    /// Bodies of fewer bytes are not.
    pub floor: u64,
    /// Media types that are: one, or with a star at its end all that begin so, or at its beginning all that end so.
    pub types: Vec<String>,
    /// Whether also what is for one client alone: the answer to a request with cookies or credentials that is not kept for
    /// others. Who can have a client ask for what they chose, and see how many bytes come back, can then guess secrets
    /// that stand beside it (BREACH, 2013).
    pub private: bool,
}

impl Default for Compression {
    fn default() -> Self {
        let types = [
            "text/*",
            "*+json",
            "*+xml",
            "application/json",
            "application/javascript",
            "application/xml",
            "application/wasm",
            "font/ttf",
            "font/otf",
        ];
        Self {
            enabled: true,
            floor: FLOOR,
            types: types.map(str::to_owned).to_vec(),
            private: false,
        }
    }
}

impl Compression {
    /// Whether a response may be compressed, by what its head says.
    fn may(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        self.enabled
            && status == StatusCode::OK
            && !headers.contains_key(CONTENT_ENCODING)
            && !policy::list(headers, &CACHE_CONTROL).any(|item| item.eq_ignore_ascii_case("no-transform"))
            && headers
                .get(CONTENT_TYPE)
                .and_then(|value| value.to_str().ok())
                .is_some_and(|value| self.is_of_type(value))
    }

    fn is_of_type(&self, content_type: &str) -> bool {
        let bare = content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        // Its events are short, and each is waited for.
        if bare == "text/event-stream" {
            return false;
        }
        self.types
            .iter()
            .any(|one| match (one.strip_prefix('*'), one.strip_suffix('*')) {
                (Some(end), _) => bare.ends_with(end),
                (None, Some(start)) => bare.starts_with(start),
                (None, None) => bare == *one,
            })
    }

    /// Whether a response that is kept for many is compressed for those who want it. One that is kept for those with one
    /// cookie is kept for one client.
    pub(crate) fn of_kept(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        length: usize,
        varies: &[HeaderName],
    ) -> bool {
        let is_private = varies.contains(&COOKIE) || varies.contains(&AUTHORIZATION);
        length as u64 >= self.floor && (self.private || !is_private) && self.may(status, headers)
    }

    /// How a response that is kept for nobody is compressed for the one who asked.
    pub(crate) fn of_passed(
        &self,
        wish: Wish,
        status: StatusCode,
        headers: &HeaderMap,
        length: Option<u64>,
    ) -> Option<Encoding> {
        let is_private = wish.has_secrets || headers.contains_key(SET_COOKIE);
        let may = (self.private || !is_private)
            && length.is_none_or(|length| length >= self.floor)
            && self.may(status, headers);
        wish.encoding.filter(|_| may)
    }
}

/// What a request says of how its response is to be coded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    /// What it likes best of what there can be; none where that is the plain body.
    pub(crate) encoding: Option<Encoding>,
    /// Whether it brings what is for this client alone.
    has_secrets: bool,
}

impl Wish {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut texts = headers
            .get_all(ACCEPT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let encoding = match (texts.next(), texts.next()) {
            (Some(one), None) => wanted(Some(one)),
            (Some(one), Some(other)) => {
                let all: Vec<&str> = [one, other].into_iter().chain(texts).collect();
                wanted(Some(&all.join(",")))
            }
            (None, _) => None,
        };
        Self {
            encoding,
            has_secrets: headers.contains_key(COOKIE) || headers.contains_key(AUTHORIZATION),
        }
    }
}

/// The coding that a client likes best; none where that is the plain body, or it does not say.
pub(crate) fn wanted(field: Option<&str>) -> Option<Encoding> {
    let accepted = Accepted::parse(Some(field?));
    let mut best = (0, Encoding::Identity);
    for encoding in PREFERENCE {
        let weight = accepted.weight(encoding);
        if weight > best.0 {
            best = (weight, encoding);
        }
    }
    Some(best.1).filter(|encoding| *encoding != Encoding::Identity)
}

/// Says that a response has this coding, and is one of several. Its validator is weak from then on: the bytes are others,
/// and mean the same (RFC 9110, section 8.8.1).
pub(crate) fn mark(headers: &mut HeaderMap, encoding: Encoding) {
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.token()));
    for name in [CONTENT_LENGTH, ACCEPT_RANGES, HeaderName::from_static("content-md5")] {
        headers.remove(name);
    }
    let strong = headers.get(ETAG).filter(|etag| !etag.as_bytes().starts_with(b"W/"));
    if let Some(etag) = strong
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", etag.as_bytes()].concat())
    {
        headers.insert(ETAG, weak);
    }
}

/// Says that a response depends on `Accept-Encoding`.
pub(crate) fn vary(headers: &mut HeaderMap) {
    let says = policy::list(headers, &VARY).any(|name| name == "*" || name.eq_ignore_ascii_case("accept-encoding"));
    if !says {
        headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn text_is_compressed_and_what_is_small_or_coded_or_forbidden_is_not() {
        let compression = Compression::default();
        let kept = |fields: &[(&'static str, &str)], length| {
            compression.of_kept(StatusCode::OK, &headers(fields), length, &[])
        };
        for kind in [
            "text/html; charset=utf-8",
            "TEXT/CSS",
            "application/problem+json",
            "image/svg+xml",
        ] {
            assert!(kept(&[("content-type", kind)], 1024), "{kind}");
        }
        assert!(!kept(&[("content-type", "text/html")], 1023));
        for bad in [
            "image/png",
            "text/event-stream",
            "application/zip",
            "application/jsonx",
            "",
        ] {
            assert!(!kept(&[("content-type", bad)], 5000), "{bad}");
        }
        assert!(!kept(&[], 5000));
        assert!(!kept(
            &[("content-type", "text/html"), ("content-encoding", "gzip")],
            5000
        ));
        assert!(!kept(
            &[("content-type", "text/html"), ("cache-control", "public, No-Transform")],
            5000
        ));
        let html = headers(&[("content-type", "text/html")]);
        assert!(!compression.of_kept(StatusCode::OK, &html, 5000, &[COOKIE]));
        assert!(!compression.of_kept(StatusCode::NOT_FOUND, &html, 5000, &[]));
    }

    #[test]
    fn what_is_for_one_client_is_compressed_only_where_that_is_wanted() {
        let html = headers(&[("content-type", "text/html")]);
        let secret = headers(&[("content-type", "text/html"), ("set-cookie", "a=b")]);
        let passed = |compression: &Compression, request: &[(&'static str, &str)], response: &HeaderMap| {
            compression.of_passed(Wish::of(&headers(request)), StatusCode::OK, response, Some(5000))
        };
        let (guarded, open) = (
            Compression::default(),
            Compression {
                private: true,
                ..Compression::default()
            },
        );
        let gzip = ("accept-encoding", "gzip");
        assert_eq!(passed(&guarded, &[gzip], &html), Some(Encoding::Gzip));
        assert_eq!(passed(&guarded, &[gzip, ("cookie", "a=b")], &html), None);
        assert_eq!(passed(&guarded, &[gzip, ("authorization", "x")], &html), None);
        assert_eq!(passed(&guarded, &[gzip], &secret), None);
        assert_eq!(passed(&open, &[gzip, ("cookie", "a=b")], &secret), Some(Encoding::Gzip));
        assert_eq!(passed(&open, &[], &html), None);
    }

    #[test]
    fn a_coded_response_says_so_and_is_weak() {
        let mut fields = headers(&[("etag", "\"a\""), ("content-length", "5"), ("vary", "Origin")]);
        mark(&mut fields, Encoding::Br);
        vary(&mut fields);
        vary(&mut fields);
        assert_eq!(
            (&fields[ETAG], &fields[CONTENT_ENCODING]),
            (&"W/\"a\"".parse().unwrap(), &"br".parse().unwrap())
        );
        assert!(!fields.contains_key(CONTENT_LENGTH));
        assert_eq!(fields.get_all(VARY).iter().count(), 2);
    }

    #[test]
    fn weights_decide() {
        assert_eq!(wanted(Some("gzip, deflate, br, zstd")), Some(Encoding::Br));
        assert_eq!(wanted(Some("gzip;q=1, br;q=0.5")), Some(Encoding::Gzip));
        assert_eq!(wanted(Some("identity, gzip;q=0.5")), None);
        assert_eq!(wanted(Some("br;q=0")), None);
        assert_eq!(wanted(None), None);
    }
}
