//! What is kept of a response that Python made.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};

use crate::policy::Times;

/// A whole response.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) times: Times,
}

/// What stands under a key.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    Response(Arc<Stored>),
    /// The response depends on these request fields; it stands under a key that has their values.
    VariesOn(Arc<[HeaderName]>),
}

/// The key of a request: what every response depends on (RFC 9111, section 2).
pub(crate) fn key(site: &str, host: &str, path: &str, query: Option<&str>) -> Vec<u8> {
    let mut key = path_prefix(site, host, path);
    key.push(b'?');
    key.extend_from_slice(query.unwrap_or("").as_bytes());
    key
}

/// What the keys of all queries of a path begin with.
pub(crate) fn path_prefix(site: &str, host: &str, path: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(site.len() + host.len() + path.len() + 24);
    for part in [site, host, path] {
        key.extend_from_slice(part.as_bytes());
        key.push(0);
    }
    key.pop();
    key
}

/// The key of a response that depends on some request fields (RFC 9111, section 4.1).
pub(crate) fn variant_key(key: &[u8], names: &[HeaderName], request: &HeaderMap) -> Vec<u8> {
    let mut made = key.to_vec();
    for name in names {
        made.push(b'\n');
        made.extend_from_slice(name.as_str().as_bytes());
        for value in request.get_all(name) {
            made.push(b':');
            made.extend(
                value
                    .as_bytes()
                    .iter()
                    .filter(|byte| !byte.is_ascii_whitespace())
                    .map(u8::to_ascii_lowercase),
            );
        }
    }
    made
}
