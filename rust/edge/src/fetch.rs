//! A response that Python makes: from the cache, from whoever is already making it, or from a worker.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::BodyExt;
use hyperweb_cache::{Inserted, Joined, LeaderGuard};

use crate::body::{Body, RequestBody};
use crate::clock;
use crate::connection::{Failed, SentBody, is_empty};
use crate::incoming::Incoming;
use crate::metrics::Source;
use crate::policy;
use crate::responses::{Found, LARGEST, Question, Usable, cache_status, strip_internal};
use crate::shared::ThreadState;
use crate::site::Site;
use crate::store::Stored;
use crate::upstream::Sent;

/// How long nobody waits for a key that was found not to be shareable, in milliseconds.
const HIT_FOR_MISS: u64 = 5000;
/// How long one waits for another's response before asking for itself.
pub(crate) const MOST_WAIT: Duration = Duration::from_secs(30);

/// How often a request looks and waits again, when what it waited for was made for another kind of client.
const MOST_TURNS: usize = 3;

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
const FROM_THE_EDGE: [HeaderName; 2] = [HeaderName::from_static("x-real-ip"), http::header::FORWARDED];
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

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
    pub(crate) fn new(
        method: Method,
        mut headers: HeaderMap,
        target: &crate::path::Target<'_>,
        host: &str,
        peer: &str,
    ) -> Self {
        strip_connection(&mut headers);
        for name in &FROM_THE_EDGE {
            headers.remove(name);
        }
        // What the client said of these is replaced; a value that cannot be one leaves none.
        let mut set = |name: HeaderName, value: Option<HeaderValue>| match value {
            Some(value) => drop(headers.insert(name, value)),
            None => drop(headers.remove(name)),
        };
        let host_value = HeaderValue::from_str(host).ok();
        set(FORWARDED_FOR, HeaderValue::from_str(peer).ok());
        set(FORWARDED_PROTO, Some(HeaderValue::from_static("http")));
        set(FORWARDED_HOST, host_value.clone());
        set(REQUEST_ID, HeaderValue::from_str(&request_id()).ok());
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
        }
    }

    /// The head as it goes to a worker; `is_chunked` where a body follows of which nobody said how long it is.
    fn head(&self, is_chunked: bool) -> Vec<u8> {
        let mut head = Vec::with_capacity(1024);
        for part in [self.method.as_str(), " ", &self.target, " HTTP/1.1\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
        write_fields(&mut head, &self.headers);
        if is_chunked {
            head.extend_from_slice(b"transfer-encoding: chunked\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// The request for the whole response, also where this client wants only its head, or has it: the others may not.
    fn whole(&self) -> Self {
        let mut headers = self.headers.clone();
        for name in [http::header::IF_NONE_MATCH, http::header::IF_MODIFIED_SINCE] {
            headers.remove(name);
        }
        Self {
            method: Method::GET,
            target: self.target.clone(),
            path: self.path.clone(),
            host: self.host.clone(),
            headers,
        }
    }

    fn question<'a>(&'a self, site: &'a Site) -> Question<'a> {
        Question {
            site: &site.name,
            host: &self.host,
            path: &self.path,
            query: self.target.split_once('?').map(|(_, query)| query),
            method: &self.method,
            headers: &self.headers,
        }
    }
}

/// Writes fields as they stand in a head.
pub(crate) fn write_fields(head: &mut Vec<u8>, headers: &HeaderMap) {
    for (name, value) in headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
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
    if headers.contains_key(CONNECTION) {
        strip_named(headers);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
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

/// Passes a request on with its body, and the response back, keeping nothing.
pub(crate) async fn pass(state: &Arc<ThreadState>, site: &Site, asked: &Asked, body: RequestBody) -> Fetched {
    let body = (!is_empty(&body)).then(|| SentBody {
        is_chunked: !asked.headers.contains_key(CONTENT_LENGTH),
        body,
    });
    let sent = Sent {
        head: &asked.head(body.as_ref().is_some_and(|body| body.is_chunked)),
        is_head: asked.method == Method::HEAD,
        body,
        again: false,
    };
    let sent = site.upstream.send(state.number, &state.shared.limits, sent).await;
    Fetched {
        response: passed_on(sent, site, "fwd=bypass"),
        source: Source::Worker,
    }
}

/// Answers a GET or HEAD that may be answered from the cache.
pub(crate) async fn fetch(state: &Arc<ThreadState>, site: &Arc<Site>, asked: Asked) -> Fetched {
    let responses = &state.shared.responses;
    let question = asked.question(site);
    let primary = question.key();
    for _ in 0..MOST_TURNS {
        let now = clock::now();
        let (key, found) = responses.look_up(&primary, &asked.headers, now);
        let stale = match found {
            Some(found) if found.usable == Usable::Fresh => return hit(&found, &question),
            Some(found) if found.usable == Usable::WhileRevalidating => {
                refresh(state, site, &asked, key);
                return hit(&found, &question);
            }
            stale => stale,
        };
        if stale.is_none() && state.shared.flights.is_hit_for_miss(&key, now) {
            break;
        }
        let fetched = match state.shared.flights.join(&key).await {
            Joined::Leader(guard) => {
                // Between the look and the lead another flight may have landed.
                let (again, landed) = responses.look_up(&primary, &asked.headers, clock::now());
                if again != key {
                    continue;
                }
                if let Some(landed) = landed.filter(|found| found.usable == Usable::Fresh) {
                    guard.complete(&landed.stored);
                    return hit(&landed, &question);
                }
                lead(state, site, &asked, &key, guard).await
            }
            Joined::Value(stored) if stored.is_for(&primary, &asked.headers) => {
                let is_head = asked.method == Method::HEAD;
                let reply = stored.reply(&asked.headers, is_head, stored.times.age, "fwd=miss; collapsed");
                return from_cache(reply);
            }
            // It was made for other values of the fields it depends on; the key with this request's own is known now.
            Joined::Value(_) => continue,
            Joined::Failed(_) => Err(Failed::Broken),
            Joined::Uncacheable | Joined::TimedOut => break,
        };
        return match (fetched, stale) {
            (Ok(fetched), _) if !fetched.response.status().is_server_error() => fetched,
            (_, Some(stale)) => hit(&stale, &question),
            (Ok(fetched), None) => fetched,
            (Err(failed), None) => Fetched {
                response: passed_on(Err(failed), site, ""),
                source: Source::Worker,
            },
        };
    }
    Fetched {
        response: alone(state, site, &asked).await,
        source: Source::Worker,
    }
}

fn hit(found: &Found, question: &Question<'_>) -> Fetched {
    from_cache(found.reply(question))
}

fn from_cache(reply: Response<Bytes>) -> Fetched {
    Fetched {
        response: reply.map(Body::from),
        source: Source::Cache,
    }
}

async fn alone(state: &Arc<ThreadState>, site: &Site, asked: &Asked) -> Response<Body> {
    let sent = send(state, site, asked).await;
    passed_on(sent, site, "fwd=miss")
}

async fn send(state: &ThreadState, site: &Site, asked: &Asked) -> Result<Response<Incoming>, Failed> {
    let sent = Sent {
        head: &asked.head(false),
        is_head: asked.method == Method::HEAD,
        body: None,
        again: true,
    };
    site.upstream.send(state.number, &state.shared.limits, sent).await
}

/// Asks a worker for a response that others wait for, and keeps it where it may be kept.
async fn lead(
    state: &Arc<ThreadState>,
    site: &Site,
    asked: &Asked,
    key: &[u8],
    guard: LeaderGuard<Arc<Stored>>,
) -> Result<Fetched, Failed> {
    let token = state.shared.responses.begin();
    let response = match send(state, site, &asked.whole()).await {
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
        let response = passed_on(Ok(response), site, "fwd=miss");
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
    let (parts, _) = finished(kept, site, "").into_parts();
    let primary = asked.question(site).key();
    let stored = Stored::new(parts, body.freeze(), times, &primary, varies, &asked.headers);
    let stored = Arc::new(stored);
    let outcome = state.shared.responses.keep(&primary, key, &stored, tags, token, now);
    guard.complete(&stored);
    let status = if outcome == Inserted::Kept {
        "fwd=miss; stored"
    } else {
        "fwd=miss"
    };
    let reply = stored.reply(&asked.headers, asked.method == Method::HEAD, times.age, status);
    Ok(Fetched {
        response: reply.map(Body::from),
        source: Source::Worker,
    })
}

/// Makes a stale response anew, in the background, unless someone does already.
fn refresh(state: &Arc<ThreadState>, site: &Arc<Site>, asked: &Asked, key: Vec<u8>) {
    let Some(guard) = state.shared.flights.try_lead(&key) else {
        return;
    };
    let (state, site, asked) = (Arc::clone(state), Arc::clone(site), asked.whole());
    tokio::spawn(async move {
        // What it makes is kept by `lead`; nobody waits for what comes back.
        let _ = lead(&state, &site, &asked, &key, guard).await;
    });
}

fn without_body(mut response: Response<Body>, asked: &Asked) -> Response<Body> {
    if asked.method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response
}

/// A worker's response as it goes to the client, or what is said where there is none.
fn passed_on(sent: Result<Response<Incoming>, Failed>, site: &Site, status: &str) -> Response<Body> {
    match sent {
        Ok(response) => finished(response.map(|rest| Body::Worker { first: None, rest }), site, status),
        Err(Failed::TooLate) => plain(StatusCode::GATEWAY_TIMEOUT, "The page took too long to make.\n"),
        Err(Failed::NoWorker) => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "Nobody is here to make this page yet.\n",
        ),
        Err(Failed::Broken) => plain(StatusCode::BAD_GATEWAY, "Making this page failed.\n"),
        Err(Failed::TooLarge) => plain(StatusCode::PAYLOAD_TOO_LARGE, "The request's body is too large.\n"),
        Err(Failed::NoBody) => plain(StatusCode::BAD_REQUEST, "The request's body did not come to its end.\n"),
    }
}

/// Takes off what is not for clients and adds what the site gives every response.
fn finished(mut response: Response<Body>, site: &Site, status: &str) -> Response<Body> {
    let headers = response.headers_mut();
    strip_connection(headers);
    strip_internal(headers);
    for (name, value) in &site.headers {
        if !headers.contains_key(name) {
            headers.insert(name, value.clone());
        }
    }
    cache_status(headers, status);
    response
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
