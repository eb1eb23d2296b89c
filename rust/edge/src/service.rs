//! Answers what the direct path does not: everything that is no plain request for a packed response.

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http::header::{HOST, LOCATION};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use tokio::io::AsyncSeekExt;

use crate::answer::{Answer, Head, Reply, ReplyBody, reply};
use crate::asked::Asked;
use crate::body::{Body, RequestBody};
use crate::config::Limits;
use crate::fetch::{Fetched, fetch, pass};
use crate::interim::Interim;
use crate::metrics::Source;
use crate::navigation::Navigation;
use crate::next_page;
use crate::outgoing::{misdirected, plain};
use crate::path::Target;
use crate::peer::Peer;
use crate::policy::request_may_use;
use crate::purge::{Purge, is_allowed};
use crate::redirect::redirect;
use crate::refusal::Refusal;
use crate::request::{Request, is_host};
use crate::shared::{Shared, ThreadState};
use crate::site::{Build, Site};
use crate::visit::Visit;

/// The head of a request of HTTP/2 or HTTP/3, of which was checked that each part may be there. With CONNECT nothing is
/// asked for but a tunnel of another protocol.
pub(crate) fn head_of(parts: http::request::Parts, limits: &Limits, is_tunnel: bool) -> Result<Request, Refusal> {
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

/// Answers a request of any version, as it came. What may be told before goes to `interim`.
pub(crate) async fn respond(
    state: &Arc<ThreadState>,
    peer: &Peer,
    request: Request,
    body: Option<RequestBody>,
    interim: Option<&Arc<Interim>>,
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
    let mut answering = pin!(found(state, &site, peer, request, (body, interim)));
    let mut fetched = match interim {
        Some(interim) => told_early(interim, visit.as_ref(), answering.as_mut()).await,
        None => answering.await,
    };
    if let Some(visit) = &visit {
        visit.answered(&mut fetched.response, fetched.source);
    }
    if peer.is_secure {
        site.secured(fetched.response.headers_mut());
    }
    fetched
}

/// Waits for an answer; where that takes a while, and is to a navigation, its client is told what the page will need.
pub(crate) async fn told_early(
    interim: &Interim,
    visit: Option<&Visit>,
    mut answering: Pin<&mut impl Future<Output = Fetched>>,
) -> Fetched {
    if let Some(visit) = visit
        && let Some(known) = visit.early()
    {
        match poll_fn(|context| Poll::Ready(answering.as_mut().poll(context))).await {
            Poll::Ready(fetched) => return fetched,
            Poll::Pending => {
                interim.tell(&known.links);
                visit.told_early();
            }
        }
    }
    answering.await
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
    (body, interim): (Option<RequestBody>, Option<&Arc<Interim>>),
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
        let asked = Asked::new(request.method.clone(), headers, &target, &request.host, peer).telling(interim);
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
