//! What is kept of a response that Python made.

use std::borrow::Cow;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AGE, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, COOKIE, DATE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyperweb_cache::{FillToken, Value};
use hyperweb_pack::Encoding;

use crate::codings::Codings;
use crate::compression::{Compression, Wish, mark, vary, wanted};
use crate::conditional::{not_modified, range_applies};
use crate::fields::{fill, write_fields, write_status};
use crate::form::Parts;
use crate::parts::Parts as Pieces;
use crate::path::Target;
use crate::policy::Times;
use crate::range::{Asked, asked};
use crate::responses::{cache_status, settle, strip_internal};

/// Fields that tell of a body, which a 304 has not; and the entity tag, which is the one that was asked about.
const OF_THE_BODY: [&str; 6] = [
    "content-encoding",
    "content-length",
    "content-md5",
    "content-range",
    "etag",
    "transfer-encoding",
];

/// A whole response.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The status line and all fields that do not change, as they are sent to who asks for the whole.
    pub(crate) head: Bytes,
    pub(crate) body: Bytes,
    pub(crate) times: Times,
    /// What it can be purged by.
    pub(crate) tags: Vec<Box<str>>,
    /// What its maker is asked with whether it is still right: fields of a request (RFC 9111, section 4.3.1).
    pub(crate) validators: Vec<(HeaderName, HeaderValue)>,
    /// The request fields it depends on, and the key with their values in the request it was made for.
    pub(crate) varies: Arc<[HeaderName]>,
    pub(crate) variant: Vec<u8>,
    /// What was purged when it was asked for.
    pub(crate) began: FillToken,
    /// The body in codings, where it is compressed, and what is sent before each to who asks for the whole.
    codings: Option<Arc<Codings>>,
    heads: [OnceLock<Bytes>; 4],
}

impl Stored {
    /// Takes a whole response over that was made for a request with these fields; `primary` is the request's key.
    pub(crate) fn new(
        mut parts: http::response::Parts,
        body: Bytes,
        times: Times,
        (tags, varies): (Vec<Box<str>>, Vec<HeaderName>),
        (primary, request): (&[u8], &HeaderMap),
        (began, compression): (FillToken, &Compression),
    ) -> Self {
        let validators = validators(&parts.headers);
        settle(&mut parts.headers, &body);
        let is_coded = compression.of_kept(parts.status, &parts.headers, body.len(), &varies);
        if is_coded {
            vary(&mut parts.headers);
        }
        Self {
            status: parts.status,
            head: encode(parts.status, &parts.headers, body.len()),
            headers: parts.headers,
            body,
            times,
            tags,
            validators,
            variant: variant_key(primary, &varies, request),
            varies: varies.into(),
            began,
            codings: is_coded.then(Arc::default),
            heads: Default::default(),
        }
    }

    /// A response that was kept before, by this edge or another.
    pub(crate) fn restored(parts: Parts, tags: Vec<Box<str>>, began: FillToken, compression: &Compression) -> Self {
        let mut headers = parts.headers;
        let is_coded = compression.of_kept(parts.status, &headers, parts.body.len(), &parts.varies);
        if is_coded {
            vary(&mut headers);
        }
        Self {
            status: parts.status,
            head: encode(parts.status, &headers, parts.body.len()),
            headers,
            body: parts.body,
            times: parts.times,
            tags,
            validators: parts.validators,
            variant: parts.variant,
            varies: parts.varies.into(),
            began,
            codings: is_coded.then(Arc::default),
            heads: Default::default(),
        }
    }

    /// What is kept of it where it outlives the edge; it was kept at this time, in milliseconds since 1970.
    pub(crate) fn parts(&self, kept_at: u64) -> Parts {
        Parts {
            kept_at,
            times: self.times,
            status: self.status,
            headers: self.headers.clone(),
            validators: self.validators.clone(),
            varies: self.varies.to_vec(),
            variant: self.variant.clone(),
            body: self.body.clone(),
        }
    }

    /// The same response, after its maker said by a 304 with these fields that it is still right (RFC 9111, section
    /// 3.2): all of them replace those that are kept, but those that tell of the body.
    pub(crate) fn freshened(&self, fields: &HeaderMap, times: Times, began: FillToken) -> Self {
        let mut headers = self.headers.clone();
        for name in fields.keys().filter(|name| !OF_THE_BODY.contains(&name.as_str())) {
            headers.remove(name);
            for value in fields.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        let tags = crate::policy::tags(fields);
        strip_internal(&mut headers);
        if self.codings.is_some() {
            vary(&mut headers);
        }
        Self {
            status: self.status,
            head: encode(self.status, &headers, self.body.len()),
            headers,
            body: self.body.clone(),
            times,
            tags: if tags.is_empty() { self.tags.clone() } else { tags },
            validators: self.validators.clone(),
            varies: Arc::clone(&self.varies),
            variant: self.variant.clone(),
            began,
            codings: self.codings.clone(),
            heads: Default::default(),
        }
    }

    /// Bytes it takes.
    pub(crate) fn weight(&self) -> u64 {
        let fields = self.headers.iter();
        let fields: usize = fields.map(|(name, value)| name.as_str().len() + value.len() + 64).sum();
        // What is compressed takes about half as much again.
        let coded = if self.codings.is_some() { self.body.len() / 2 } else { 0 };
        (self.body.len() + coded + self.head.len() + fields + self.variant.len() + 256) as u64
    }

    /// The head and the body for who asks for the whole, in the coding that its `Accept-Encoding` likes best.
    pub(crate) fn whole(&self, accept_encoding: Option<&str>) -> (&[u8], Cow<'_, Bytes>) {
        self.coded(|| wanted(accept_encoding))
            .and_then(|(encoding, body)| {
                let head = self.heads.get(encoding as usize)?.get_or_init(|| {
                    let mut headers = self.headers.clone();
                    mark(&mut headers, encoding);
                    encode(self.status, &headers, body.len())
                });
                Some((head.as_ref(), Cow::Owned(body)))
            })
            .unwrap_or_else(|| (&self.head, Cow::Borrowed(&self.body)))
    }

    fn coded(&self, wanted: impl FnOnce() -> Option<Encoding>) -> Option<(Encoding, Bytes)> {
        let codings = self.codings.as_ref()?;
        let encoding = wanted()?;
        Some((encoding, codings.get(encoding, &self.body)?))
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
        // Parts are of the plain body.
        let coded = if request.contains_key(RANGE) {
            None
        } else {
            self.coded(|| Wish::of(request).encoding)
        };
        if let Some((encoding, _)) = &coded {
            mark(response.headers_mut(), *encoding);
        }
        let etag = text(response.headers(), ETAG).unwrap_or_default();
        let time = |name: HeaderName| {
            let time = httpdate::parse_http_date(&text(&self.headers, name)?).ok()?;
            Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs())
        };
        let modified = time(LAST_MODIFIED);
        // Without it the time it was made stands for it (RFC 9111, section 4.3.2), though not for parts.
        let changed = modified.or_else(|| time(DATE)).unwrap_or(0);
        let (none_match, since) = (text(request, IF_NONE_MATCH), text(request, IF_MODIFIED_SINCE));
        if self.status == StatusCode::OK && not_modified(none_match.as_deref(), since.as_deref(), &etag, changed) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            for name in [CONTENT_TYPE, CONTENT_ENCODING] {
                response.headers_mut().remove(name);
            }
            return response;
        }
        let plain = coded.map_or_else(|| self.body.clone(), |(_, body)| body);
        let length = plain.len() as u64;
        let part = text(request, RANGE)
            .filter(|_| self.status == StatusCode::OK && !is_head)
            .filter(|_| range_applies(text(request, IF_RANGE).as_deref(), &etag, modified.unwrap_or(0)))
            .map_or(Asked::Whole, |range| asked(&range, length));
        let body = match part {
            Asked::Whole => plain,
            Asked::Part(start, end) => {
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                let content_range = format!("bytes {start}-{}/{length}", end - 1);
                set(response.headers_mut(), CONTENT_RANGE, &content_range);
                let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(plain.len());
                plain.slice(place(start)..place(end))
            }
            Asked::Nothing => {
                *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
                set(response.headers_mut(), CONTENT_RANGE, &format!("bytes */{length}"));
                Bytes::new()
            }
        };
        response
            .headers_mut()
            .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        if !is_head {
            *response.body_mut() = body;
        }
        response
    }

    /// Whether it answers a request with these fields too (RFC 9111, section 4.1).
    pub(crate) fn is_for(&self, primary: &[u8], request: &HeaderMap) -> bool {
        self.varies.is_empty() || self.variant == variant_key(primary, &self.varies, request)
    }
}

fn encode(status: StatusCode, headers: &HeaderMap, length: usize) -> Bytes {
    let mut fields = headers.clone();
    fields.remove(AGE);
    fields.insert(CONTENT_LENGTH, HeaderValue::from(length));
    let mut head = Vec::with_capacity(1024);
    write_status(&mut head, status);
    write_fields(&mut head, &fields);
    head.into()
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Fields of a response that its maker can compare with what it would answer now, as fields of a request.
fn validators(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let pairs = [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)];
    let found = pairs.map(|(of, asks)| headers.get(of).map(|value| (asks, value.clone())));
    found.into_iter().flatten().collect()
}

/// What stands under a key.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    /// A response, and when it was stored, in milliseconds.
    Response(Arc<Stored>, u64),
    /// Parts of a response, and when the last came, in milliseconds.
    Parts(Arc<Pieces>, u64),
    /// The response depends on some request fields; it stands under a key that has their values.
    VariesOn(Arc<Variants>),
}

impl Value for Kept {}

/// The responses under one key that depends on request fields.
#[derive(Debug)]
pub(crate) struct Variants {
    /// The fields.
    pub(crate) names: Arc<[HeaderName]>,
    /// A part of the key of each. When all that stands under the key is purged, or they are too many, the next number is
    /// another.
    pub(crate) number: u64,
    /// How many were kept with this number.
    pub(crate) count: AtomicU64,
}

/// The key of a request: what every response depends on (RFC 9111, section 2).
///
/// The parts end with a zero byte, which none of them holds: a decoded path may well hold a question mark. Keys of one
/// path begin alike, whatever the query and the host, so that a path is purged by its start. That it was asked for over
/// TLS stands last, so that a purge of an address finds both.
pub(crate) fn key(site: &str, host: &str, path: &str, query: Option<&str>, is_secure: bool) -> Vec<u8> {
    let query = query.unwrap_or("");
    let mut key = Vec::with_capacity(site.len() + host.len() + path.len() + query.len() + 6);
    for part in [site, path, query, host] {
        key.extend_from_slice(part.as_bytes());
        key.push(0);
    }
    if is_secure {
        key.extend_from_slice(b"s\0");
    }
    key
}

/// Does something with the key of a target. Only one that is long is put together in memory of its own.
pub(crate) fn with_key<T>(
    site: &str,
    host: &str,
    target: &Target<'_>,
    is_secure: bool,
    use_it: impl FnOnce(&[u8]) -> T,
) -> T {
    let query = target.query.unwrap_or("");
    let ends: [&[u8]; 2] = if is_secure { [b"\0", b"s\0"] } else { [b"\0", b""] };
    let [zero, end] = ends;
    let parts = [
        site.as_bytes(),
        zero,
        target.path.as_bytes(),
        zero,
        query.as_bytes(),
        zero,
        host.as_bytes(),
        zero,
        end,
    ];
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut space = [0; 512];
    if let Some(space) = space.get_mut(..length) {
        fill(space, &parts);
        return use_it(space);
    }
    use_it(&key(site, host, &target.path, target.query, is_secure))
}

/// Whether a key is of a path, or with `whole` false of one that begins so.
pub(crate) fn is_of_path(key: &[u8], path: &str, whole: bool) -> bool {
    let Some(found) = key.split(|byte| *byte == 0).nth(1) else {
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
/// Lists are compared as such, whatever spaces and lines they come in (section 4.1), and languages, codings and types in
/// any order and case. Cookies and credentials are compared as they are: in those all of it matters.
pub(crate) fn variant_key(key: &[u8], names: &[HeaderName], request: &HeaderMap) -> Vec<u8> {
    let mut made = key.to_vec();
    for name in names {
        made.push(b'\n');
        made.extend_from_slice(name.as_str().as_bytes());
        let values = request.get_all(name).iter().map(HeaderValue::as_bytes);
        if *name == COOKIE || *name == AUTHORIZATION {
            // No value holds a line break, so no value can look like two, or like another field.
            values.for_each(|value| add(&mut made, value));
            continue;
        }
        let items = values.flat_map(|value| value.split(|byte| *byte == b','));
        let mut items: Vec<Vec<u8>> = items
            .map(|item| item.trim_ascii().to_vec())
            .filter(|item| !item.is_empty())
            .collect();
        if [ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE].contains(name) {
            for item in &mut items {
                item.make_ascii_lowercase();
            }
            items.sort_unstable();
        }
        for item in &items {
            add(&mut made, item);
        }
    }
    made
}

fn add(key: &mut Vec<u8>, value: &[u8]) {
    key.push(b'\r');
    key.extend_from_slice(value.trim_ascii());
}

/// Where parts of the response to a request stand. No key of a variant has this in it.
pub(crate) fn parts_key(key: &[u8]) -> Vec<u8> {
    [key, b"\r206"].concat()
}

/// Where a response stands that depends on request fields.
pub(crate) fn place(mut variant: Vec<u8>, number: u64) -> Vec<u8> {
    variant.push(b'\n');
    variant.extend_from_slice(&number.to_le_bytes());
    variant
}
