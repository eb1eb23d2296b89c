//! A request on its way to a worker.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::fields::write_fields;
use crate::interim::Interim;
use crate::peer::Peer;
use crate::policy;
use crate::responses::Question;
use crate::site::Site;
use crate::store::Stored;

/// Fields of one connection, never passed on (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    TRANSFER_ENCODING,
    http::header::TE,
    http::header::TRAILER,
    http::header::UPGRADE,
    http::header::PROXY_AUTHENTICATE,
    http::header::PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authentication-info"),
    HeaderName::from_static("proxy-connection"),
];
/// Fields only the edge may set: a client's own say nothing. Some programs believe them about the address that is asked
/// for, which would let one client decide what others are answered from the cache.
const FROM_THE_EDGE: [HeaderName; 8] = [
    HeaderName::from_static("x-real-ip"),
    http::header::FORWARDED,
    HeaderName::from_static("x-host"),
    HeaderName::from_static("x-original-host"),
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-rewrite-url"),
    HeaderName::from_static("x-http-host-override"),
    HeaderName::from_static("x-client-ip"),
];
const FORWARDED_PREFIX: &str = "x-forwarded-";
/// Fields that make a request one of another method for some programs. A GET is answered as a GET.
const OVERRIDES: [HeaderName; 3] = [
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-method-override"),
];
/// What makes a request one for less than the whole response.
const CONDITIONS: [HeaderName; 6] = [
    http::header::IF_NONE_MATCH,
    http::header::IF_MODIFIED_SINCE,
    http::header::IF_MATCH,
    http::header::IF_UNMODIFIED_SINCE,
    http::header::IF_RANGE,
    http::header::RANGE,
];
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// A request on its way to a worker.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// The path and query as the client wrote them.
    pub(crate) target: String,
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) headers: HeaderMap,
    /// Whether it came over TLS.
    pub(crate) is_secure: bool,
    /// Where goes what its client is told before the answer, where somebody waits for that.
    pub(crate) interim: Option<Arc<Interim>>,
}

impl Asked {
    /// Takes a client's request over, which has been [identified](crate::identity::identify): without what belongs to its connection, with what the worker is to know of it.
    pub(crate) fn new(
        method: Method,
        mut headers: HeaderMap,
        target: &crate::path::Target<'_>,
        host: &str,
        peer: &Peer,
    ) -> Self {
        strip_connection(&mut headers);
        strip_claims(&mut headers, &method);
        // What the client said of these is replaced; a value that cannot be one leaves none.
        let mut set = |name: HeaderName, value: Option<HeaderValue>| match value {
            Some(value) => drop(headers.insert(name, value)),
            None => drop(headers.remove(name)),
        };
        let host_value = HeaderValue::from_str(host).ok();
        set(FORWARDED_FOR, HeaderValue::from_str(&peer.address).ok());
        set(FORWARDED_PROTO, Some(HeaderValue::from_static(peer.scheme())));
        set(FORWARDED_HOST, host_value.clone());
        set(http::header::HOST, host_value);
        let target_text = target
            .query
            .map_or_else(|| target.raw.to_owned(), |query| format!("{}?{query}", target.raw));
        Self {
            method,
            target: target_text,
            path: target.path.clone().into_owned(),
            host: host.to_ascii_lowercase(),
            headers,
            is_secure: peer.is_secure,
            interim: None,
        }
    }

    /// The same request, of a client that can be told something before the answer.
    pub(crate) fn telling(self, interim: Option<&Arc<Interim>>) -> Self {
        Self {
            interim: interim.cloned(),
            ..self
        }
    }

    /// Whom it is from.
    pub(crate) fn peer(&self) -> &str {
        let field = self.headers.get(FORWARDED_FOR);
        field.and_then(|value| value.to_str().ok()).unwrap_or("-")
    }

    /// The head as it goes to a worker; `is_chunked` where a body follows of which nobody said how long it is.
    pub(crate) fn head(&self, is_chunked: bool, is_origin: bool) -> Vec<u8> {
        let mut head = Vec::with_capacity(1024);
        for part in [self.method.as_str(), " ", &self.target, " HTTP/1.1\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
        write_fields(&mut head, &self.headers);
        if is_origin {
            for part in ["surrogate-capability: ", policy::CAPABILITY, "\r\n"] {
                head.extend_from_slice(part.as_bytes());
            }
        }
        if is_chunked {
            head.extend_from_slice(b"transfer-encoding: chunked\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// The request for the whole response, also where this client wants only its head or a part, or has it: the others
    /// may not. `stale` is what is asked about.
    pub(crate) fn whole(&self, stale: Option<&Stored>) -> Cow<'_, Self> {
        let has_condition = self.headers.keys().any(|name| CONDITIONS.contains(name));
        if stale.is_none() && self.method == Method::GET && !has_condition {
            return Cow::Borrowed(self);
        }
        let mut headers = self.headers.clone();
        for name in CONDITIONS {
            headers.remove(name);
        }
        for (name, value) in stale.iter().flat_map(|stale| &stale.validators) {
            headers.insert(name.clone(), value.clone());
        }
        Cow::Owned(Self {
            method: Method::GET,
            target: self.target.clone(),
            path: self.path.clone(),
            host: self.host.clone(),
            headers,
            is_secure: self.is_secure,
            interim: self.interim.clone(),
        })
    }

    pub(crate) fn question<'a>(&'a self, site: &'a Site) -> Question<'a> {
        Question {
            site: &site.name,
            is_secure: self.is_secure,
            host: &self.host,
            path: &self.path,
            query: self.target.split_once('?').map(|(_, query)| query),
            method: &self.method,
            headers: &self.headers,
        }
    }
}

pub(crate) fn strip_connection(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        strip_named(headers);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Takes off what a client has no say in.
fn strip_claims(headers: &mut HeaderMap, method: &Method) {
    for name in &FROM_THE_EDGE {
        headers.remove(name);
    }
    let forwarded = |name: &&HeaderName| name.as_str().starts_with(FORWARDED_PREFIX);
    let named: Vec<HeaderName> = headers.keys().filter(forwarded).cloned().collect();
    for name in &named {
        headers.remove(name);
    }
    if policy::is_safe(method) {
        for name in &OVERRIDES {
            headers.remove(name);
        }
    }
}

/// Takes off the fields that `Connection` names.
fn strip_named(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in &named {
        headers.remove(name);
    }
}
