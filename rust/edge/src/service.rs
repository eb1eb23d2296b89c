//! Answers what the direct path does not: everything that is no plain request for a packed response.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, LOCATION};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use tokio::io::AsyncSeekExt;

use crate::access::{Outcome, Told};
use crate::answer::{Answer, Head, Reply, ReplyBody, reply};
use crate::asked::Asked;
use crate::body::{Body, Counted, InFlight, RequestBody};
use crate::config::Limits;
use crate::fetch::{Fetched, fetch, pass};
use crate::identity::identify;
use crate::metrics::Source;
use crate::navigation::Navigation;
use crate::next_page;
use crate::outgoing::{dated, misdirected, plain};
use crate::path::Target;
use crate::peer::Peer;
use crate::policy::request_may_use;
use crate::purge::{Purge, is_allowed};
use crate::redirect::redirect;
use crate::refusal::Refusal;
use crate::request::{Noted, Request, is_host};
use crate::shared::{Shared, ThreadState};
use crate::site::{Build, Site};
use crate::streams::Open;
use crate::timed::Timed;
use crate::tunnel;
use crate::visit::Visit;

/// Answers one request of HTTP/2.
pub(crate) async fn serve(
    state: Arc<ThreadState>,
    mut peer: Arc<Peer>,
    open: Open,
    request: http::Request<Incoming>,
) -> Result<Response<Counted>, Infallible> {
    if tunnel::is_extended(&request) {
        return Ok(tunnel::over_http2(&state, &peer, open, request).await);
    }
    let flight = InFlight::new(Arc::clone(&state));
    let started = state.begin();
    let mut noted = None;
    let Fetched { mut response, source } = match taken_over(&state, &peer, request) {
        Ok((mut request, body)) => {
            peer = state.shared.introduce(&mut request, &peer);
            identify(&mut request.headers);
            noted = started.map(|_| Noted::of(&request));
            respond(&state, &peer, request, body).await
        }
        Err(refusal) => {
            state.refuse(refusal, &peer.address);
            edge(refusal.answer())
        }
    };
    dated(response.headers_mut());
    if let Some(started) = started {
        let outcome = Outcome {
            source,
            status: response.status().as_u16(),
            bytes: http_body::Body::size_hint(response.body()).exact().unwrap_or(0),
            took: started.elapsed(),
        };
        state.finish(&outcome, || {
            let nothing = Told {
                peer: &peer.address,
                ..Told::default()
            };
            noted
                .as_ref()
                .map_or(nothing, |noted| noted.told(&peer.address, "HTTP/2.0"))
        });
    }
    Ok(response.map(|body| Counted::new(body, Some(flight), open)))
}

/// A request of HTTP/2 as one of any version (RFC 9113, section 8.3.1), or why it is refused.
fn taken_over(
    state: &Arc<ThreadState>,
    peer: &Arc<Peer>,
    request: http::Request<Incoming>,
) -> Result<(Request, Option<RequestBody>), Refusal> {
    let limits = &state.shared.limits;
    let (parts, body) = request.into_parts();
    let head = head_of(parts, limits)?;
    let length = http_body::Body::size_hint(&body).lower();
    if length > limits.body_bytes {
        return Err(Refusal::LargeBody);
    }
    let body = (!http_body::Body::is_end_stream(&body)).then(|| {
        let most = usize::try_from(limits.body_bytes).unwrap_or(usize::MAX);
        let body = BodyExt::boxed_unsync(Limited::new(body, most));
        let (state, peer) = (Arc::clone(state), Arc::clone(peer));
        let tell = move || state.refuse(Refusal::SlowBody, &peer.address);
        BodyExt::boxed_unsync(Timed::new(body, Duration::from_millis(limits.body_time), tell))
    });
    Ok((head, body))
}

/// The head of a request of HTTP/2, of which hyper has checked that each part may be there.
pub(crate) fn head_of(parts: http::request::Parts, limits: &Limits) -> Result<Request, Refusal> {
    let is_tunnel = parts.extensions.get::<Protocol>().is_some();
    if parts.method == Method::TRACE || parts.method == Method::CONNECT && !is_tunnel {
        return Err(Refusal::Method);
    }
    if parts.headers.len() > limits.fields {
        return Err(Refusal::ManyFields);
    }
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    let mut fields = parts.headers.get_all(HOST).iter();
    let field = match (fields.next(), fields.next()) {
        (None, _) => None,
        (Some(one), None) => Some(one.to_str().map_err(|_| Refusal::Malformed)?),
        _ => return Err(Refusal::Malformed),
    };
    // Two names are those of two requests to servers in a row.
    let is_one = !matches!((authority, field), (Some(one), Some(other)) if !one.eq_ignore_ascii_case(other));
    let host = authority.or(field).filter(|host| is_one && is_host(host));
    let host = host.ok_or(Refusal::Malformed)?;
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    if target.len() > limits.target_bytes {
        return Err(Refusal::LongTarget);
    }
    Ok(Request {
        target: target.to_owned(),
        host: host.to_owned(),
        method: parts.method,
        headers: parts.headers,
    })
}

const fn edge(response: Response<Body>) -> Fetched {
    Fetched {
        response,
        source: Source::Edge,
    }
}

/// Answers a request of any version, as it came.
pub(crate) async fn respond(
    state: &Arc<ThreadState>,
    peer: &Peer,
    request: Request,
    body: Option<RequestBody>,
) -> Fetched {
    if let Some(challenges) = state.shared.challenges()
        && let Some(response) = challenges.answer(&request.method, &request.target)
    {
        return edge(response);
    }
    if let Some(port) = peer.sent_to {
        return edge(redirect(&request, port));
    }
    if !state.shared.may_answer(&request.host, peer) {
        return edge(misdirected());
    }
    let site = Arc::clone(state.shared.sites.find(&request.host));
    let visit = visit(state, &site, peer, &request);
    let mut fetched = found(state, &site, peer, request, body).await;
    if let Some(visit) = &visit {
        visit.answered(&mut fetched.response, fetched.source);
    }
    if peer.is_secure {
        site.secured(fetched.response.headers_mut());
    }
    fetched
}

/// What is learned from a request, where it is a navigation.
fn visit(state: &ThreadState, site: &Arc<Site>, peer: &Peer, request: &Request) -> Option<Visit> {
    let learning = state.shared.learning.as_ref()?;
    let navigation = Navigation::of(request)?;
    let target = site.target(&request.target)?;
    let host = (site, request.host.as_str());
    Some(Visit::begin(
        learning,
        navigation,
        host,
        &target,
        peer,
        &request.headers,
    ))
}

/// Finds what answers a request.
async fn found(
    state: &Arc<ThreadState>,
    site: &Arc<Site>,
    peer: &Peer,
    mut request: Request,
    body: Option<RequestBody>,
) -> Fetched {
    if request.method.as_str() == "PURGE"
        && let Some(token) = &state.shared.token
    {
        return edge(purge(&state.shared, &request, token).await);
    }
    let Some(target) = site.target(&request.target) else {
        return edge(plain(StatusCode::BAD_REQUEST, "This path names nothing here.\n"));
    };
    if let Some(learning) = &state.shared.learning
        && next_page::is_asked_for(&target.path)
    {
        let asked = (&request.method, request.host.as_str());
        return edge(next_page::answer(learning, site, asked, &target));
    }
    let build = site.build.load_full();
    let is_get = matches!(request.method, Method::GET | Method::HEAD);
    let field = |name: HeaderName| joined(&request.headers, &name);
    let fields = [
        field(http::header::ACCEPT_ENCODING),
        field(http::header::IF_NONE_MATCH),
        field(http::header::IF_MODIFIED_SINCE),
        field(http::header::RANGE),
        field(http::header::IF_RANGE),
    ];
    let [accept_encoding, if_none_match, if_modified_since, range, if_range] = fields.each_ref().map(Option::as_deref);
    let is_head = request.method == Method::HEAD;
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
        let may_use = request_may_use(&request.method, &request.headers) && body.is_none();
        let headers = std::mem::take(&mut request.headers);
        let asked = Asked::new(request.method.clone(), headers, &target, &request.host, peer);
        if may_use {
            return fetch(state, site, asked).await;
        }
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

/// Forgets what a request with the method PURGE names, where it has the token.
async fn purge(shared: &Arc<Shared>, request: &Request, token: &str) -> Response<Body> {
    if !is_allowed(&request.headers, token) {
        let mut response = plain(StatusCode::UNAUTHORIZED, "The token is missing or wrong.\n");
        response
            .headers_mut()
            .insert(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return response;
    }
    let (shared, purge) = (
        Arc::clone(shared),
        Purge::of(&request.host, &request.target, &request.headers),
    );
    // It looks at every entry, and may wait for a tier.
    let count = tokio::task::spawn_blocking(move || shared.purge(&purge))
        .await
        .unwrap_or(0);
    let mut response = Response::new(Body::from(Bytes::from(format!("{{\"purged\":{count}}}"))));
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
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
    let mut file = tokio::fs::OpenOptions::new()
        .read(true)
        // What somebody put in its place is not followed, and a pipe not waited for.
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(site.files.join(path))
        .await
        .ok()?;
    let found = file.metadata().await.ok()?;
    if !found.is_file() || found.len() < end {
        return None;
    }
    file.seek(std::io::SeekFrom::Start(start)).await.ok()?;
    Some(Body::file(file, end - start))
}
