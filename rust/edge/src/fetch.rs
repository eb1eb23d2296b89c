//! A response that Python makes: from the cache, from whoever is already making it, or from a worker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use http::header::{CONTENT_LENGTH, CONTENT_LOCATION, LOCATION};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::BodyExt;
use hyperweb_cache::{FillToken, Inserted, Joined, LeaderGuard};

use crate::asked::{Asked, strip_connection};
use crate::body::{Body, RequestBody};
use crate::clock;
use crate::connection::{Failed, SentBody};
use crate::found::{Found, Usable};
use crate::incoming::Incoming;
use crate::learning::Page;
use crate::metrics::Source;
use crate::outgoing::{coded, dated, finished, passed_on, plain};
use crate::policy::{self, Receipt};
use crate::ranged;
use crate::refusal::Refusal;
use crate::responses::{LARGEST, Question};
use crate::shared::ThreadState;
use crate::site::Site;
use crate::store::{Stored, key};
use crate::tiers::{self, Ticket};
use crate::upstream::Sent;

/// How long nobody waits for a key that was found not to be shareable, in milliseconds.
const HIT_FOR_MISS: u64 = 5000;
/// How long one waits for another's response before asking for itself.
pub(crate) const MOST_WAIT: Duration = Duration::from_secs(30);

/// Why a flight failed that was not begun.
const OVERLOADED: &str = "there is too much to do";
/// How often a request looks and waits again, when what it waited for was made for another kind of client.
const MOST_TURNS: usize = 3;

/// A response, and where it came from.
pub(crate) struct Fetched {
    pub(crate) response: Response<Body>,
    pub(crate) source: Source,
}

/// Passes a request on with its body, and the response back, keeping nothing.
pub(crate) async fn pass(state: &Arc<ThreadState>, site: &Site, asked: &Asked, body: Option<RequestBody>) -> Fetched {
    let body = body.map(|body| SentBody {
        is_chunked: !asked.headers.contains_key(CONTENT_LENGTH),
        body,
    });
    let sent = Sent {
        head: &asked.head(body.as_ref().is_some_and(|body| body.is_chunked), site.is_origin()),
        is_head: asked.method == Method::HEAD,
        // What comes once may have been done when it is sent a second time, but for methods that do the same then.
        again: body.is_none() && policy::is_idempotent(&asked.method),
        interim: asked.interim.as_deref(),
        body,
    };
    let sent = forward(state, site, asked, sent).await;
    if let Ok(response) = &sent
        && !policy::is_safe(&asked.method)
        && (response.status().is_success() || response.status().is_redirection())
    {
        invalidate(state, site, asked, response.headers()).await;
    }
    Fetched {
        response: passed_on(sent, site, state.coder(asked), "fwd=bypass"),
        source: Source::Worker,
    }
}

/// Forgets what a request that may have changed something makes doubtful: what is at its own target, and at the places
/// of the same host that the response names (RFC 9111, section 4.4).
async fn invalidate(state: &ThreadState, site: &Site, asked: &Asked, response: &HeaderMap) {
    // What was asked for without TLS is as doubtful as what was asked for with it.
    let both = |path: &str, query: Option<&str>| {
        [false, true].map(|is_secure| key(&site.name, &asked.host, path, query, is_secure))
    };
    let mut doubtful = both(&asked.path, asked.question(site).query).to_vec();
    for name in [LOCATION, CONTENT_LOCATION] {
        let text = response.get(name).and_then(|value| value.to_str().ok());
        if let Some(path_and_query) = text.and_then(|text| same_host(text, asked))
            && let Some(target) = site.target(path_and_query)
        {
            doubtful.extend(both(&target.path, target.query));
        }
    }
    // From the lowest up, or memory could be filled again with what is below.
    tiers::invalidate(&state.shared, site, &doubtful).await;
    for key in doubtful {
        state.shared.responses.invalidate(&key);
    }
}

/// The path and query of a reference, where it is to the host of the request (RFC 3986, section 4.2). One that is
/// relative to the path is none that is worth the while.
fn same_host<'a>(reference: &'a str, asked: &Asked) -> Option<&'a str> {
    let reference = reference.split('#').next()?;
    let after_scheme = reference
        .strip_prefix("http:")
        .or_else(|| reference.strip_prefix("https:"))
        .unwrap_or(reference);
    let Some(rest) = after_scheme.strip_prefix("//") else {
        return reference.starts_with('/').then_some(reference);
    };
    let (authority, path) = rest.split_at(rest.find('/')?);
    authority.eq_ignore_ascii_case(&asked.host).then_some(path)
}

/// Answers a GET or HEAD that may be answered from the cache.
pub(crate) async fn fetch(state: &Arc<ThreadState>, site: &Arc<Site>, asked: Asked) -> Fetched {
    let responses = &state.shared.responses;
    let question = asked.question(site);
    let primary = question.key();
    let mut has_looked_below = false;
    for _ in 0..MOST_TURNS {
        let now = clock::now();
        let came = responses.begin();
        let (key, found) = responses.look_up(&primary, &asked.headers, now);
        let stale = match found {
            Some(found) if found.usable == Usable::Fresh => return hit(&found, &question),
            Some(found) if found.usable == Usable::WhileRevalidating => {
                refresh(state, site, &asked, key, Arc::clone(&found.stored));
                return hit(&found, &question);
            }
            stale => stale,
        };
        let wants_part = policy::asks_for_part(&asked.headers);
        if wants_part && let Some(kept) = ranged::kept(state, &asked, &primary) {
            return kept;
        }
        if policy::only_if_cached(&asked.headers) {
            return Fetched {
                response: plain(StatusCode::GATEWAY_TIMEOUT, "Nothing is kept that answers this.\n"),
                source: Source::Edge,
            };
        }
        if wants_part {
            // What is whole may be large: it is left to its maker.
            return ranged::ask(state, site, &asked, &primary).await;
        }
        let old = stale.as_ref().map(|stale| &*stale.stored);
        let fetched = if state.shared.flights.is_hit_for_miss(&key, now) {
            make(state, site, &asked, Place::new(&primary, &key), None, old).await
        } else {
            match state.shared.flights.join(&key).await {
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
                    if !has_looked_below {
                        has_looked_below = true;
                        if tiers::restore(&state.shared, site, &primary, &asked.headers, came).await {
                            let (_, restored) = responses.look_up(&primary, &asked.headers, clock::now());
                            if let Some(restored) = restored.filter(|found| found.usable == Usable::Fresh) {
                                guard.complete(&restored.stored);
                                return hit(&restored, &question);
                            }
                            // It is stale: whether it is used all the same is seen in another turn.
                            continue;
                        }
                    }
                    make(state, site, &asked, Place::new(&primary, &key), Some(guard), old).await
                }
                // What was asked for before a purge is not for who came after it.
                Joined::Value(stored)
                    if stored.began != came && !responses.holds(&primary, &asked.headers, &stored) =>
                {
                    continue;
                }
                Joined::Value(stored) if stored.is_for(&primary, &asked.headers) => {
                    return from_cache(reply(&stored, &asked, "fwd=miss; collapsed"));
                }
                // It was made for other values of the fields it depends on; the key with this request's own is known now.
                Joined::Value(_) => continue,
                Joined::Failed(why) => Err(if &*why == OVERLOADED {
                    Failed::Overloaded
                } else {
                    Failed::Broken
                }),
                Joined::Uncacheable | Joined::TimedOut => {
                    make(state, site, &asked, Place::new(&primary, &key), None, old).await
                }
            }
        };
        let usable = stale.filter(|stale| match stale.usable {
            Usable::IfError => true,
            Usable::IfGone => fetched.is_err(),
            _ => false,
        });
        return match (fetched, usable) {
            (Ok(fetched), _) if !fetched.response.status().is_server_error() => fetched,
            (_, Some(stale)) => hit(&stale, &question),
            (Ok(fetched), None) => fetched,
            (Err(failed), None) => Fetched {
                response: passed_on(Err(failed), site, state.coder(&asked), ""),
                source: Source::Worker,
            },
        };
    }
    Fetched {
        response: passed_on(send(state, site, &asked).await, site, state.coder(&asked), "fwd=miss"),
        source: Source::Worker,
    }
}

fn hit(found: &Found, question: &Question<'_>) -> Fetched {
    from_cache(found.reply(question).map(Body::from))
}

fn from_cache(response: Response<Body>) -> Fetched {
    Fetched {
        response,
        source: Source::Cache,
    }
}

pub(crate) async fn send(state: &ThreadState, site: &Site, asked: &Asked) -> Result<Response<Incoming>, Failed> {
    let sent = Sent {
        head: &asked.head(false, site.is_origin()),
        is_head: asked.method == Method::HEAD,
        body: None,
        again: true,
        interim: asked.interim.as_deref(),
    };
    forward(state, site, asked, sent).await
}

/// Gives a request to who is to answer it, unless they have more than they can do: what is kept is answered all the same,
/// and what is stale is used.
async fn forward(
    state: &ThreadState,
    site: &Site,
    asked: &Asked,
    sent: Sent<'_>,
) -> Result<Response<Incoming>, Failed> {
    let limits = &state.shared.limits;
    if limits.outstanding > 0 && site.upstream.outstanding() >= limits.outstanding {
        state.refuse(Refusal::Overload, asked.peer());
        return Err(Failed::Overloaded);
    }
    site.upstream.send(state.number, limits, sent).await
}

/// Who waits for a response.
type Waiting = Option<LeaderGuard<Arc<Stored>>>;

/// Where a response is kept: the request's key, and the one it stands under as far as is known.
#[derive(Clone, Copy)]
struct Place<'a> {
    primary: &'a [u8],
    key: &'a [u8],
}

impl<'a> Place<'a> {
    const fn new(primary: &'a [u8], key: &'a [u8]) -> Self {
        Self { primary, key }
    }
}

/// Asks a worker for a response, and keeps it where it may be kept. `guard` is of those who wait for it; `stale` is what
/// the worker is asked about.
async fn make(
    state: &Arc<ThreadState>,
    site: &Site,
    asked: &Asked,
    place: Place<'_>,
    mut guard: Waiting,
    stale: Option<&Stored>,
) -> Result<Fetched, Failed> {
    let responses = &state.shared.responses;
    if stale.is_none()
        && let Some(stored) = ranged::complete(state, site, asked, place.primary).await
    {
        return Ok(shared(guard, &stored, asked, "fwd=partial; stored"));
    }
    let token = responses.begin();
    let ticket = tiers::begin(&state.shared, site);
    let began = Instant::now();
    let response = match send(state, site, &asked.whole(stale)).await {
        Ok(answered) => answered,
        Err(failed) => {
            if let Some(guard) = guard {
                guard.fail(without_answer(failed));
            }
            return Err(failed);
        }
    };
    let now = clock::now();
    let receipt = ranged::receipt(site, began);
    if response.status() == StatusCode::NOT_MODIFIED
        && let Some(stale) = stale
    {
        let (stored, may_stay) = freshened((stale, token), response.headers(), &asked.headers, &receipt);
        return Ok(revalidated(
            state,
            asked,
            place,
            guard,
            (Arc::new(stored), may_stay),
            (token, site, ticket),
        ));
    }
    let times = policy::storable(&asked.headers, response.status(), response.headers(), &receipt);
    let declared = response
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let Some(times) = times.filter(|_| declared.is_none_or(|length: usize| length <= LARGEST)) else {
        let_go(guard, now);
        return Ok(from_worker(
            passed_on(Ok(response), site, state.coder(asked), "fwd=miss"),
            asked,
        ));
    };
    if times.ttl == 0 {
        // Each of those who wait has to ask about it for itself.
        let_go(guard.take(), now);
    }
    let (parts, mut incoming) = response.into_parts();
    let mut body = BytesMut::with_capacity(declared.unwrap_or(0));
    while let Some(frame) = incoming.frame().await {
        let Ok(frame) = frame else {
            if let Some(guard) = guard {
                guard.fail("the worker went away in the middle of its answer");
            }
            return Err(Failed::Broken);
        };
        if let Ok(data) = frame.into_data() {
            body.extend_from_slice(&data);
        }
        if body.len() > LARGEST {
            let_go(guard, now);
            let rest = Body::Worker {
                first: Some(body.freeze()),
                rest: incoming,
            };
            let response = coded(
                finished(Response::from_parts(parts, rest), site, "fwd=miss"),
                state.coder(asked),
            );
            return Ok(from_worker(response, asked));
        }
    }
    let found = (policy::tags(&parts.headers), policy::varies_on(&parts.headers));
    let parts = kept_as(parts, asked, site);
    let stored = Stored::new(
        parts,
        body.freeze(),
        times,
        found,
        (place.primary, &asked.headers),
        (token, &responses.compression),
    );
    let stored = Arc::new(stored);
    note(state, site, asked, &stored);
    let outcome = responses.keep(place.primary, place.key, &stored, token, now);
    tiers::keep(&state.shared, site, place.primary, &stored, (ticket, outcome));
    let status = if outcome == Inserted::Kept {
        "fwd=miss; stored"
    } else {
        "fwd=miss"
    };
    Ok(shared(guard, &stored, asked, status))
}

/// Answers with what was made, and those who wait for it.
fn shared(guard: Waiting, stored: &Arc<Stored>, asked: &Asked, status: &str) -> Fetched {
    if let Some(guard) = guard {
        guard.complete(stored);
    }
    from_worker(reply(stored, asked, status), asked)
}

/// Notes what a page needs that somebody waited for.
fn note(state: &ThreadState, site: &Site, asked: &Asked, stored: &Stored) {
    if let Some(learning) = &state.shared.learning
        && stored.status == StatusCode::OK
        && asked
            .headers
            .get("sec-fetch-mode")
            .is_some_and(|mode| mode == "navigate")
    {
        let page = Page {
            site,
            host: &asked.host,
            path: &asked.path,
        };
        learning.made(page, &stored.headers, &stored.body);
    }
}

/// What those who wait are told when no worker answered.
fn without_answer(failed: Failed) -> &'static str {
    if failed == Failed::Overloaded {
        OVERLOADED
    } else {
        "no worker answered"
    }
}

/// The head of a response as it is kept.
pub(crate) fn kept_as(parts: http::response::Parts, asked: &Asked, site: &Site) -> http::response::Parts {
    let mut kept = Response::from_parts(parts, Body::empty());
    dated(kept.headers_mut());
    let mut kept = finished(kept, site, "");
    if asked.is_secure {
        site.secured(kept.headers_mut());
    }
    kept.into_parts().0
}

/// Keeps a response that its maker said is still right, where it may stay, and answers with it.
fn revalidated(
    state: &ThreadState,
    asked: &Asked,
    place: Place<'_>,
    guard: Waiting,
    (stored, may_stay): (Arc<Stored>, bool),
    (token, site, ticket): (FillToken, &Site, Option<Ticket>),
) -> Fetched {
    let now = clock::now();
    if may_stay {
        let outcome = state
            .shared
            .responses
            .keep(place.primary, place.key, &stored, token, now);
        tiers::keep(&state.shared, site, place.primary, &stored, (ticket, outcome));
    } else {
        state.shared.responses.invalidate(place.key);
    }
    match guard {
        Some(guard) if stored.times.ttl > 0 => guard.complete(&stored),
        guard => let_go(guard, now),
    }
    from_worker(reply(&stored, asked, "hit; fwd=stale; fwd-status=304"), asked)
}

/// The response that its maker said is still right, with the fields it said so with (RFC 9111, section 4.3.4); and
/// whether it may be kept any longer.
fn freshened(
    (stale, token): (&Stored, FillToken),
    answer: &HeaderMap,
    request: &HeaderMap,
    receipt: &Receipt,
) -> (Stored, bool) {
    let mut fields = answer.clone();
    strip_connection(&mut fields);
    dated(&mut fields);
    // What decides is what the kept response says with the fields that were sent now.
    let mut said = fields.clone();
    for (name, value) in &stale.headers {
        if !said.contains_key(name) && *name != http::header::AGE {
            said.append(name.clone(), value.clone());
        }
    }
    let times = policy::storable(request, stale.status, &said, receipt);
    (
        stale.freshened(&fields, times.unwrap_or_default(), token),
        times.is_some(),
    )
}

fn reply(stored: &Stored, asked: &Asked, status: &str) -> Response<Body> {
    let is_head = asked.method == Method::HEAD;
    stored
        .reply(&asked.headers, is_head, stored.times.age, status)
        .map(Body::from)
}

/// Lets those go who wait for what is not for all.
fn let_go(guard: Waiting, now: u64) {
    if let Some(guard) = guard {
        guard.uncacheable(now, HIT_FOR_MISS);
    }
}

fn from_worker(response: Response<Body>, asked: &Asked) -> Fetched {
    Fetched {
        response: without_body(response, asked),
        source: Source::Worker,
    }
}

/// Makes a stale response anew, in the background, unless someone does already.
fn refresh(state: &Arc<ThreadState>, site: &Arc<Site>, asked: &Asked, key: Vec<u8>, stale: Arc<Stored>) {
    let Some(guard) = state.shared.flights.try_lead(&key) else {
        return;
    };
    // Its client was answered, and is told nothing more.
    let (state, site, asked) = (
        Arc::clone(state),
        Arc::clone(site),
        asked.whole(None).into_owned().telling(None),
    );
    tokio::spawn(async move {
        // What it makes is kept; nobody waits for what comes back.
        let primary = asked.question(&site).key();
        let _ = make(
            &state,
            &site,
            &asked,
            Place::new(&primary, &key),
            Some(guard),
            Some(&stale),
        )
        .await;
    });
}

fn without_body(mut response: Response<Body>, asked: &Asked) -> Response<Body> {
    if asked.method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response
}
