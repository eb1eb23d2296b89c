//! What is kept of a response that Python made.

use std::sync::Arc;

use std::time::UNIX_EPOCH;

use bytes::Bytes;
use http::header::{
    AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::conditional::not_modified;
use crate::policy::Times;
use crate::responses::{cache_status, settle};

/// A whole response.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) times: Times,
    /// The request fields it depends on, and the key with their values in the request it was made for.
    pub(crate) varies: Arc<[HeaderName]>,
    pub(crate) variant: Vec<u8>,
}

impl Stored {
    /// Takes a whole response over that was made for a request with these fields; `primary` is the request's key.
    pub(crate) fn new(
        mut parts: http::response::Parts,
        body: Bytes,
        times: Times,
        primary: &[u8],
        varies: Vec<HeaderName>,
        request: &HeaderMap,
    ) -> Self {
        settle(&mut parts.headers, &body);
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
            times,
            variant: variant_key(primary, &varies, request),
            varies: varies.into(),
        }
    }

    /// Bytes it takes.
    pub(crate) fn weight(&self) -> u64 {
        let fields = self.headers.iter();
        let fields: usize = fields.map(|(name, value)| name.as_str().len() + value.len() + 64).sum();
        (self.body.len() + fields + self.variant.len() + 256) as u64
    }

    /// The response as it is sent: with its age in milliseconds as seconds, and only the head where that is all the
    /// client wants or needs.
    pub(crate) fn reply(&self, request: &HeaderMap, is_head: bool, age: u64, status: &str) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = self.status;
        response.headers_mut().clone_from(&self.headers);
        response.headers_mut().insert(AGE, HeaderValue::from(age / 1000));
        cache_status(response.headers_mut(), status);
        let text = |headers: &HeaderMap, name: HeaderName| headers.get(name)?.to_str().ok().map(str::to_owned);
        let etag = text(&self.headers, ETAG).unwrap_or_default();
        let modified = text(&self.headers, LAST_MODIFIED)
            .and_then(|text| httpdate::parse_http_date(&text).ok()?.duration_since(UNIX_EPOCH).ok())
            .map_or(0, |time| time.as_secs());
        let (none_match, since) = (text(request, IF_NONE_MATCH), text(request, IF_MODIFIED_SINCE));
        if self.status == StatusCode::OK && not_modified(none_match.as_deref(), since.as_deref(), &etag, modified) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            for name in [CONTENT_TYPE, CONTENT_ENCODING] {
                response.headers_mut().remove(name);
            }
            return response;
        }
        response
            .headers_mut()
            .insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        if !is_head {
            *response.body_mut() = self.body.clone();
        }
        response
    }

    /// Whether it answers a request with these fields too (RFC 9111, section 4.1).
    pub(crate) fn is_for(&self, primary: &[u8], request: &HeaderMap) -> bool {
        self.varies.is_empty() || self.variant == variant_key(primary, &self.varies, request)
    }
}

/// What stands under a key.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    /// A response, and when it was stored, in milliseconds.
    Response(Arc<Stored>, u64),
    /// The response depends on these request fields; it stands under a key that has their values.
    VariesOn(Arc<[HeaderName]>),
}

/// The key of a request: what every response depends on (RFC 9111, section 2).
///
/// The parts end with a zero byte, which none of them holds: a decoded path may well hold a question mark.
pub(crate) fn key(site: &str, host: &str, path: &str, query: Option<&str>) -> Vec<u8> {
    let query = query.unwrap_or("");
    let mut key = Vec::with_capacity(site.len() + host.len() + path.len() + query.len() + 4);
    for part in [site, host, path, query] {
        key.extend_from_slice(part.as_bytes());
        key.push(0);
    }
    key
}

/// Whether a key is of a path, or with `whole` false of one that begins so.
pub(crate) fn is_of_path(key: &[u8], path: &str, whole: bool) -> bool {
    let Some(found) = key.split(|byte| *byte == 0).nth(2) else {
        return false;
    };
    if whole {
        found == path.as_bytes()
    } else {
        found.starts_with(path.as_bytes())
    }
}

/// The key of a response that depends on some request fields (RFC 9111, section 4.1).
///
/// Values are compared as they are: in a cookie or a token, case and spaces matter.
pub(crate) fn variant_key(key: &[u8], names: &[HeaderName], request: &HeaderMap) -> Vec<u8> {
    let mut made = key.to_vec();
    for name in names {
        made.push(b'\n');
        made.extend_from_slice(name.as_str().as_bytes());
        for value in request.get_all(name) {
            // No value holds a line break, so no value can look like two, or like another field.
            made.push(b'\r');
            made.extend(value.as_bytes().trim_ascii());
        }
    }
    made
}
