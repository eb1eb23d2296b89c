//! A response that Python makes: from the cache, from whoever is already making it, or from a worker.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{AGE, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, ETAG, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyperweb_cache::{Entry, Inserted, Joined, LeaderGuard, Options};

use crate::body::{Body, Lease};
use crate::clock;
use crate::conditional::not_modified;
use crate::metrics::Source;
use crate::policy::{self, Times};
use crate::shared::ThreadState;
use crate::site::Site;
use crate::store::{Kept, Stored, key, variant_key};
use crate::upstream::{Failed, RequestBody};

/// A larger response is passed on and not kept.
const LARGEST: usize = 8 << 20;
/// How long nobody waits for a key that was found not to be shareable, in milliseconds.
const HIT_FOR_MISS: u64 = 5000;
/// How long one waits for another's response before asking for itself.
const MOST_WAIT: Duration = Duration::from_secs(30);

/// Fields of one connection, never passed on (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 6] = [
    CONNECTION,
    TRANSFER_ENCODING,
    http::header::TE,
    http::header::TRAILER,
    http::header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];
/// Fields only the edge may set: a client's own say nothing.
const FROM_THE_EDGE: [&str; 5] = [
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-real-ip",
    "forwarded",
];

/// A request on its way to a worker.
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// The path and query as the client wrote them.
    pub(crate) target: String,
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) headers: HeaderMap,
}

/// A response, and where it came from.
pub(crate) struct Fetched {
    pub(crate) response: Response<Body>,
    pub(crate) source: Source,
}

impl Asked {
    /// Takes a client's request over: without what belongs to its connection, with what the worker is to know of it.
    pub(crate) fn new(parts: &http::request::Parts, target: &crate::path::Target<'_>, host: &str, peer: &str) -> Self {
        let mut headers = parts.headers.clone();
        strip_connection(&mut headers);
        for name in FROM_THE_EDGE {
            headers.remove(name);
        }
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        set("x-forwarded-for", peer);
        set("x-forwarded-proto", "http");
        set("x-forwarded-host", host);
        set("x-request-id", &request_id());
        set("host", host);
        let target_text = target
            .query
            .map_or_else(|| target.raw.to_owned(), |query| format!("{}?{query}", target.raw));
        Self {
            method: parts.method.clone(),
            target: target_text,
            path: target.path.clone().into_owned(),
            host: host.to_ascii_lowercase(),
            headers,
        }
    }

    fn request(&self, body: RequestBody, method: &Method) -> Option<Request<RequestBody>> {
        let mut request = Request::builder()
            .method(method)
            .uri(&self.target)
            .version(Version::HTTP_11)
            .body(body)
            .ok()?;
        *request.headers_mut() = self.headers.clone();
        Some(request)
    }

    fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }
}

/// A number for a request, to find it again in the logs: time and count, made hard to guess by a random start.
fn request_id() -> String {
    use std::hash::BuildHasher;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    static SEED: OnceLock<std::hash::RandomState> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let seed = SEED.get_or_init(std::hash::RandomState::new);
    format!("{:016x}{:016x}", seed.hash_one((count, 0)), seed.hash_one((count, 1)))
}

fn strip_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Passes a request on with its body, and the response back, keeping nothing.
pub(crate) async fn pass(state: &Arc<ThreadState>, site: &Site, asked: &Asked, body: RequestBody) -> Fetched {
    let mut body = Some(body);
    let make = || asked.request(body.take()?, &asked.method);
    let sent = site
        .upstream
        .send(state.number, &state.shared.limits, false, make)
        .await;
    Fetched {
        response: passed_on(sent, site, "fwd=bypass"),
        source: Source::Worker,
    }
}

/// Answers a GET or HEAD that may be answered from the cache.
pub(crate) async fn fetch(state: &Arc<ThreadState>, site: &Arc<Site>, asked: Asked) -> Fetched {
    let now = clock::now();
    let primary = key(&site.name, &asked.host, &asked.path, asked.query());
    let (key, found) = look_up(state, &primary, &asked.headers, now);
    if let Some(entry) = found
        && let Kept::Response(stored) = &entry.value
    {
        if entry.is_fresh(now) {
            return hit(stored, &entry, &asked, now, "hit");
        }
        if now < entry.fresh_until + stored.times.revalidate {
            refresh(state, site, &asked, key);
            return hit(stored, &entry, &asked, now, "hit; fwd=stale; detail=revalidating");
        }
        return match lead_or_wait(state, site, &asked, &key).await {
            Ok(fetched) if !fetched.response.status().is_server_error() => fetched,
            _ if clock::now() < entry.fresh_until + stored.times.if_error => {
                hit(stored, &entry, &asked, now, "hit; fwd=stale; detail=error")
            }
            Ok(fetched) => fetched,
            Err(failed) => Fetched {
                response: passed_on(Err(failed), site, ""),
                source: Source::Worker,
            },
        };
    }
    if state.shared.flights.is_hit_for_miss(&key, now) {
        let (response, source) = (alone(state, site, &asked).await, Source::Worker);
        return Fetched { response, source };
    }
    match lead_or_wait(state, site, &asked, &key).await {
        Ok(fetched) => fetched,
        Err(failed) => Fetched {
            response: passed_on(Err(failed), site, ""),
            source: Source::Worker,
        },
    }
}

fn look_up(state: &ThreadState, primary: &[u8], request: &HeaderMap, now: u64) -> (Vec<u8>, Option<Arc<Entry<Kept>>>) {
    let found = state.shared.cache.get(primary, now);
    match found.as_ref().map(|entry| &entry.value) {
        Some(Kept::VariesOn(names)) => {
            let key = variant_key(primary, names, request);
            let found = state.shared.cache.get(&key, now);
            (key, found)
        }
        _ => (primary.to_vec(), found),
    }
}

/// Asks a worker, or waits for whoever does so already.
async fn lead_or_wait(
    state: &Arc<ThreadState>,
    site: &Arc<Site>,
    asked: &Asked,
    key: &[u8],
) -> Result<Fetched, Failed> {
    let joined = tokio::time::timeout(MOST_WAIT, state.shared.flights.join(key)).await;
    match joined {
        Ok(Joined::Leader(guard)) => lead(state, site, asked, key, guard).await,
        Ok(Joined::Value(stored)) => {
            let response = stored_response(&stored, asked, 0, "hit; collapsed");
            Ok(Fetched {
                response,
                source: Source::Cache,
            })
        }
        Ok(Joined::Failed(_)) => Err(Failed::Broken),
        Ok(Joined::Uncacheable) | Err(_) => Ok(Fetched {
            response: alone(state, site, asked).await,
            source: Source::Worker,
        }),
    }
}

async fn alone(state: &Arc<ThreadState>, site: &Site, asked: &Asked) -> Response<Body> {
    let sent = send(state, site, asked, &asked.method).await;
    passed_on(sent, site, "fwd=miss")
}

async fn send(
    state: &ThreadState,
    site: &Site,
    asked: &Asked,
    method: &Method,
) -> Result<(Response<Incoming>, Lease), Failed> {
    let empty = || Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
    site.upstream
        .send(state.number, &state.shared.limits, true, || {
            asked.request(empty(), method)
        })
        .await
}

/// Asks a worker for a response that others wait for, and keeps it where it may be kept.
async fn lead(
    state: &Arc<ThreadState>,
    site: &Site,
    asked: &Asked,
    key: &[u8],
    guard: LeaderGuard<Arc<Stored>>,
) -> Result<Fetched, Failed> {
    let token = state.shared.cache.begin_fill();
    // The whole response is asked for, also where the client wants only its head: the others may want all of it.
    let (response, lease) = match send(state, site, asked, &Method::GET).await {
        Ok(answered) => answered,
        Err(failed) => {
            guard.fail("no worker answered");
            return Err(failed);
        }
    };
    let now = clock::now();
    let times = policy::storable(&asked.headers, response.status(), response.headers());
    let declared = response
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let Some(times) = times.filter(|_| declared.is_none_or(|length: usize| length <= LARGEST)) else {
        guard.uncacheable(now, HIT_FOR_MISS);
        let response = passed_on(Ok((response, lease)), site, "fwd=miss");
        return Ok(Fetched {
            response: without_body(response, asked),
            source: Source::Worker,
        });
    };
    let (parts, mut incoming) = response.into_parts();
    let mut body = BytesMut::with_capacity(declared.unwrap_or(0));
    while let Some(frame) = incoming.frame().await {
        let Ok(frame) = frame else {
            guard.fail("the worker went away in the middle of its answer");
            return Err(Failed::Broken);
        };
        if let Ok(data) = frame.into_data() {
            body.extend_from_slice(&data);
        }
        if body.len() > LARGEST {
            guard.uncacheable(now, HIT_FOR_MISS);
            let rest = Body::Worker {
                first: Some(body.freeze()),
                rest: incoming,
                lease: Some(lease),
            };
            let response = Response::from_parts(parts, rest);
            let response = without_body(finished(response, site, "fwd=miss"), asked);
            return Ok(Fetched {
                response,
                source: Source::Worker,
            });
        }
    }
    let tags = policy::tags(&parts.headers);
    let varies = policy::varies_on(&parts.headers);
    let kept = Response::from_parts(parts, Body::empty());
    let (mut parts, _) = finished(kept, site, "").into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove("cache-status");
    parts.headers.remove("x-request-id");
    let body = body.freeze();
    if !parts.headers.contains_key(ETAG)
        && let Ok(etag) = HeaderValue::from_str(&etag(&body))
    {
        parts.headers.insert(ETAG, etag);
    }
    let stored = Arc::new(Stored {
        status: parts.status,
        headers: parts.headers,
        body,
        times,
    });
    let outcome = keep(state, site, asked, key, &stored, times, (tags, varies), token, now);
    guard.complete(&stored);
    let status = if outcome == Inserted::Kept {
        "fwd=miss; stored"
    } else {
        "fwd=miss"
    };
    Ok(Fetched {
        response: stored_response(&stored, asked, times.age, status),
        source: Source::Worker,
    })
}

#[expect(
    clippy::too_many_arguments,
    reason = "each is a fact of the one response that is kept"
)]
fn keep(
    state: &ThreadState,
    site: &Site,
    asked: &Asked,
    key: &[u8],
    stored: &Arc<Stored>,
    times: Times,
    (tags, varies): (Vec<Box<str>>, Vec<HeaderName>),
    token: hyperweb_cache::FillToken,
    now: u64,
) -> Inserted {
    let cache = &state.shared.cache;
    let fields: usize = stored
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 64)
        .sum();
    let options = Options {
        weight: (stored.body.len() + fields + 256) as u64,
        ttl: times.ttl,
        grace: times.revalidate.max(times.if_error),
        tags,
    };
    if varies.is_empty() {
        return cache.insert(key, Kept::Response(Arc::clone(stored)), &options, token, now);
    }
    let primary = crate::store::key(&site.name, &asked.host, &asked.path, asked.query());
    let variant = variant_key(&primary, &varies, &asked.headers);
    let marker = Options {
        weight: 256,
        ..options.clone()
    };
    let names: Arc<[HeaderName]> = varies.into();
    cache.insert(&primary, Kept::VariesOn(names), &marker, token, now);
    cache.insert(&variant, Kept::Response(Arc::clone(stored)), &options, token, now)
}

/// Makes a stale response anew, in the background, unless someone does already.
fn refresh(state: &Arc<ThreadState>, site: &Arc<Site>, asked: &Asked, key: Vec<u8>) {
    let Some(guard) = state.shared.flights.try_lead(&key) else {
        return;
    };
    let (state, site) = (Arc::clone(state), Arc::clone(site));
    let mut headers = asked.headers.clone();
    for name in [http::header::IF_NONE_MATCH, http::header::IF_MODIFIED_SINCE] {
        headers.remove(name);
    }
    let asked = Asked {
        method: Method::GET,
        target: asked.target.clone(),
        path: asked.path.clone(),
        host: asked.host.clone(),
        headers,
    };
    tokio::spawn(async move {
        // What it makes is kept by `lead`; nobody waits for what comes back.
        let _ = lead(&state, &site, &asked, &key, guard).await;
    });
}

fn hit(stored: &Stored, entry: &Entry<Kept>, asked: &Asked, now: u64, status: &str) -> Fetched {
    let age = stored.times.age + now.saturating_sub(entry.stored_at);
    let left = (entry.fresh_until / 1000).checked_sub(now / 1000);
    let status = left.map_or_else(|| status.to_owned(), |left| format!("{status}; ttl={left}"));
    Fetched {
        response: stored_response(stored, asked, age, &status),
        source: Source::Cache,
    }
}

/// A response of the cache: with its age, and only the head where that is all the client wants or needs.
fn stored_response(stored: &Stored, asked: &Asked, age: u64, status: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = stored.status;
    response.headers_mut().clone_from(&stored.headers);
    response.headers_mut().insert(AGE, HeaderValue::from(age / 1000));
    cache_status(response.headers_mut(), status);
    let field = |name: HeaderName| asked.headers.get(name).and_then(|value| value.to_str().ok());
    let etag = stored
        .headers
        .get(ETAG)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let conditions = (
        field(http::header::IF_NONE_MATCH),
        field(http::header::IF_MODIFIED_SINCE),
    );
    let modified = stored
        .headers
        .get(http::header::LAST_MODIFIED)
        .and_then(|value| value.to_str().ok());
    let modified = modified.and_then(|text| httpdate::parse_http_date(text).ok());
    let modified = modified
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or(0, |time| time.as_secs());
    if stored.status == StatusCode::OK && not_modified(conditions.0, conditions.1, etag, modified) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        for name in [http::header::CONTENT_TYPE, http::header::CONTENT_ENCODING] {
            response.headers_mut().remove(name);
        }
        return response;
    }
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(stored.body.len()));
    if asked.method != Method::HEAD {
        *response.body_mut() = Body::from(stored.body.clone());
    }
    response
}

fn without_body(mut response: Response<Body>, asked: &Asked) -> Response<Body> {
    if asked.method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response
}

/// A worker's response as it goes to the client, or what is said where there is none.
fn passed_on(sent: Result<(Response<Incoming>, Lease), Failed>, site: &Site, status: &str) -> Response<Body> {
    match sent {
        Ok((response, lease)) => {
            let (parts, rest) = response.into_parts();
            let body = Body::Worker {
                first: None,
                rest,
                lease: Some(lease),
            };
            finished(Response::from_parts(parts, body), site, status)
        }
        Err(Failed::TooLate) => plain(StatusCode::GATEWAY_TIMEOUT, "The page took too long to make.\n"),
        Err(Failed::NoWorker) => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "Nobody is here to make this page yet.\n",
        ),
        Err(Failed::Broken) => plain(StatusCode::BAD_GATEWAY, "Making this page failed.\n"),
    }
}

/// Takes off what is not for clients and adds what the site gives every response.
fn finished(mut response: Response<Body>, site: &Site, status: &str) -> Response<Body> {
    let headers = response.headers_mut();
    strip_connection(headers);
    for name in ["cache-tag", "surrogate-key", "cdn-cache-control", "server"] {
        headers.remove(name);
    }
    for (name, value) in &site.headers {
        if !headers.contains_key(name) {
            headers.insert(name, value.clone());
        }
    }
    cache_status(headers, status);
    response
}

/// Says what the cache did (RFC 9211).
fn cache_status(headers: &mut HeaderMap, status: &str) {
    if status.is_empty() {
        return;
    }
    if let Ok(value) = HeaderValue::from_str(&format!("hyperweb; {status}")) {
        headers.insert("cache-status", value);
    }
}

/// A short answer of the edge's own.
pub(crate) fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    if matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT
    ) {
        headers.insert(http::header::RETRY_AFTER, HeaderValue::from_static("2"));
    }
    response
}

/// An entity tag for a body whose maker gave it none.
fn etag(body: &[u8]) -> String {
    let hash = blake3::hash(body).to_hex();
    format!("\"{}\"", hash.get(..24).unwrap_or(""))
}
