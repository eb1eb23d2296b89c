//! Answers what the direct path does not: everything that is no plain request for a packed response.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use http::header::{HOST, LOCATION};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::io::AsyncSeekExt;

use crate::answer::{Answer, Head, Reply, ReplyBody, reply};
use crate::body::{Body, Counted, InFlight};
use crate::fetch::{Asked, Fetched, dated, fetch, pass, plain};
use crate::metrics::Source;
use crate::path::Target;
use crate::policy::request_may_use;
use crate::shared::ThreadState;
use crate::site::{Build, Site};

/// Answers one request.
pub(crate) async fn serve(
    state: Arc<ThreadState>,
    peer: Arc<str>,
    request: Request<Incoming>,
) -> Result<Response<Counted>, Infallible> {
    let flight = InFlight::new(Arc::clone(&state));
    let started = state.shared.measures.then(Instant::now);
    let Fetched { mut response, source } = respond(&state, &peer, request).await;
    dated(response.headers_mut());
    if let Some(started) = started {
        let bytes = http_body::Body::size_hint(response.body()).exact().unwrap_or(0);
        state
            .metrics
            .count(source, response.status().as_u16(), bytes, started.elapsed());
    }
    Ok(response.map(|body| Counted {
        body,
        flight: Some(flight),
    }))
}

async fn respond(state: &Arc<ThreadState>, peer: &str, request: Request<Incoming>) -> Fetched {
    let edge = |response| Fetched {
        response,
        source: Source::Edge,
    };
    let (mut parts, body) = request.into_parts();
    let Some(host) = host(&parts) else {
        return edge(plain(StatusCode::BAD_REQUEST, "The request names no host.\n"));
    };
    let text = parts.uri.path_and_query().map_or("/", |both| both.as_str());
    let site = state.shared.sites.find(&host);
    let Some(target) = site.target(text) else {
        return edge(plain(StatusCode::BAD_REQUEST, "This path names nothing here.\n"));
    };
    let build = site.build.load_full();
    let is_get = matches!(parts.method, Method::GET | Method::HEAD);
    let field = |name: HeaderName| joined(&parts.headers, &name);
    let fields = [
        field(http::header::ACCEPT_ENCODING),
        field(http::header::IF_NONE_MATCH),
        field(http::header::IF_MODIFIED_SINCE),
        field(http::header::RANGE),
        field(http::header::IF_RANGE),
    ];
    let [accept_encoding, if_none_match, if_modified_since, range, if_range] = fields.each_ref().map(Option::as_deref);
    let is_head = parts.method == Method::HEAD;
    let head = Head {
        is_head,
        accept_encoding,
        if_none_match,
        if_modified_since,
        range,
        if_range,
    };
    let packed = build.answer(&target, &head);
    if is_get && !matches!(packed, Answer::Missing) {
        return Fetched {
            response: packed_response(&build, &packed, &target, &head, site).await,
            source: Source::Pack,
        };
    }
    if build.has_route(&target) {
        let may_use = request_may_use(&parts.method, &parts.headers) && http_body::Body::is_end_stream(&body);
        let headers = std::mem::take(&mut parts.headers);
        let asked = Asked::new(parts.method.clone(), headers, &target, &host, peer);
        if may_use {
            return fetch(state, site, asked).await;
        }
        let limit = state.shared.limits.body_bytes;
        if http_body::Body::size_hint(&body).lower() > limit {
            return edge(plain(
                StatusCode::PAYLOAD_TOO_LARGE,
                "The request's body is too large.\n",
            ));
        }
        let body = Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX));
        let body = BodyExt::boxed_unsync(body);
        return pass(state, site, &asked, body).await;
    }
    if !is_get {
        return edge(not_allowed(&packed));
    }
    match build.not_found(&head) {
        Some(page) => Fetched {
            response: packed_response(&build, &page, &target, &head, site).await,
            source: Source::Pack,
        },
        None => edge(plain(StatusCode::NOT_FOUND, "There is nothing at this address.\n")),
    }
}

fn not_allowed(packed: &Answer<'_>) -> Response<Body> {
    if matches!(packed, Answer::Missing) {
        return plain(StatusCode::NOT_FOUND, "There is nothing at this address.\n");
    }
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "This address can only be read.\n");
    response
        .headers_mut()
        .insert(http::header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// The host a request is for: its target's, or else its one Host field (RFC 9112, section 3.2).
fn host(parts: &http::request::Parts) -> Option<String> {
    if let Some(authority) = parts.uri.authority() {
        return Some(authority.as_str().to_owned());
    }
    let mut fields = parts.headers.get_all(HOST).iter();
    let host = match (fields.next(), fields.next()) {
        (Some(one), None) => one.to_str().ok()?,
        // Only HTTP/1.0 may leave it out.
        (None, None) if parts.version == http::Version::HTTP_10 => "localhost",
        _ => return None,
    };
    let plain = host
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]~%!$&'()*+,;=".contains(&byte));
    plain.then(|| host.to_owned())
}

/// A field's values as one (RFC 9110, section 5.3).
fn joined<'a>(headers: &'a http::HeaderMap, name: &HeaderName) -> Option<Cow<'a, str>> {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let first = values.next()?;
    Some(values.fold(Cow::Borrowed(first), |all, one| Cow::Owned(format!("{all}, {one}"))))
}

async fn packed_response(
    build: &Build,
    answer: &Answer<'_>,
    target: &Target<'_>,
    head: &Head<'_>,
    site: &Site,
) -> Response<Body> {
    if !build.may_send(answer) {
        return plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "This page is damaged where it is kept.\n",
        );
    }
    let Some(Reply { status, headers, body }) = reply(answer, target, head) else {
        return plain(StatusCode::NOT_FOUND, "There is nothing at this address.\n");
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            response.headers_mut().append(name, value);
        }
    }
    if response.headers().contains_key(LOCATION) {
        response
            .headers_mut()
            .entry(http::header::CONTENT_LENGTH)
            .or_insert(HeaderValue::from_static("0"));
    }
    match body {
        ReplyBody::Bytes(bytes) => *response.body_mut() = Body::from(bytes),
        ReplyBody::File(path, start, end) => match open(site, &path, start, end).await {
            Some(body) => *response.body_mut() = body,
            None => {
                return plain(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "The file is missing from this build.\n",
                );
            }
        },
    }
    response
}

/// Opens a file that was too large for the pack. Its name is its hash, so it is never another build's.
async fn open(site: &Site, path: &str, start: u64, end: u64) -> Option<Body> {
    let mut file = tokio::fs::File::open(site.files.join(path)).await.ok()?;
    let found = file.metadata().await.ok()?;
    if !found.is_file() || found.len() < end {
        return None;
    }
    file.seek(std::io::SeekFrom::Start(start)).await.ok()?;
    Some(Body::file(file, end - start))
}
