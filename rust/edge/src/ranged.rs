//! Parts that cannot be cut out of what is kept whole: answered from parts that are kept, or asked for, kept, and put
//! together (RFC 9111, sections 3.3 and 3.4).

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::BodyExt;
use hyperweb_cache::{FillToken, Inserted};

use crate::asked::Asked;
use crate::body::Body;
use crate::clock;
use crate::connection::Failed;
use crate::fetch::{Fetched, kept_as, send};
use crate::incoming::Incoming;
use crate::metrics::Source;
use crate::outgoing::{finished, passed_on};
use crate::parts::{Parts, Span};
use crate::policy::{self, Receipt, Times};
use crate::shared::ThreadState;
use crate::site::Site;
use crate::store::Stored;

/// Conditions that are for who made the response.
const CONDITIONS: [http::HeaderName; 4] = [IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_MATCH, IF_UNMODIFIED_SINCE];

/// The answer to a request for a part, from parts that are kept.
pub(crate) fn kept(state: &ThreadState, asked: &Asked, primary: &[u8]) -> Option<Fetched> {
    if asked.method != Method::GET || CONDITIONS.iter().any(|name| asked.headers.contains_key(name)) {
        return None;
    }
    let (parts, age, left) = state.shared.responses.parts(primary, clock::now())?;
    let response = parts.reply(&asked.headers, age, &format!("hit; ttl={left}"))?;
    Some(Fetched {
        response: response.map(Body::from),
        source: Source::Cache,
    })
}

/// Asks for a part, and keeps what comes where it may be kept.
pub(crate) async fn ask(state: &ThreadState, site: &Site, asked: &Asked, primary: &[u8]) -> Fetched {
    let token = state.shared.responses.begin();
    let began = Instant::now();
    let sent = send(state, site, asked).await;
    let wanted = sent.as_ref().ok().and_then(|response| {
        let found = wanted(&asked.headers, response, &receipt(site, began))?;
        (asked.method == Method::GET).then_some(found)
    });
    let response = match (sent, wanted) {
        (Ok(response), Some((span, times))) => {
            let (parts, incoming) = response.into_parts();
            match collect(incoming, span).await {
                Ok(Collected::Whole(body)) => {
                    let kept = keep(state, (site, asked, primary), (&parts, span, &body), times, token);
                    let status = if kept == Some(Inserted::Kept) {
                        "fwd=miss; stored"
                    } else {
                        "fwd=miss"
                    };
                    finished(Response::from_parts(parts, Body::from(body)), site, status)
                }
                Ok(Collected::More(first, rest)) => {
                    let body = Body::Worker {
                        first: Some(first),
                        rest,
                    };
                    finished(Response::from_parts(parts, body), site, "fwd=miss")
                }
                Err(failed) => passed_on(Err(failed), site, state.coder(asked), ""),
            }
        }
        (sent, _) => passed_on(sent, site, state.coder(asked), "fwd=miss"),
    };
    Fetched {
        response,
        source: Source::Worker,
    }
}

/// Asks for what is missing of a response whose parts are kept, and keeps the whole. None where that does not come to one:
/// then it is asked for as if there were no parts.
pub(crate) async fn complete(state: &ThreadState, site: &Site, asked: &Asked, primary: &[u8]) -> Option<Arc<Stored>> {
    let responses = &state.shared.responses;
    let (before, ..) = responses.parts(primary, clock::now())?;
    let missing = before.missing()?;
    let token = responses.begin();
    let began = Instant::now();
    let mut rest = asked.whole(None).into_owned();
    rest.headers.extend(missing);
    let response = send(state, site, &rest).await.ok()?;
    let Some((span, times)) = wanted(&rest.headers, &response, &receipt(site, began)) else {
        // It is another response by now.
        responses.forget_parts(primary);
        return None;
    };
    let (parts, incoming) = response.into_parts();
    let Ok(Collected::Whole(body)) = collect(incoming, span).await else {
        responses.forget_parts(primary);
        return None;
    };
    let tags = policy::tags(&parts.headers);
    let head = kept_as(parts, asked, site);
    let whole = Parts::new(head.headers.clone(), span, body, times, tags).map(|parts| parts.with(&before));
    let stored = whole.and_then(|parts| put_together(state, (asked, primary), &parts, token));
    if stored.is_none() {
        responses.forget_parts(primary);
    }
    stored.map(|(stored, _)| stored)
}

/// Where the part of an answer is, and how long it may be kept; none where it is none, or may not be.
fn wanted(request: &HeaderMap, response: &Response<Incoming>, receipt: &Receipt) -> Option<(Span, Times)> {
    let headers = response.headers();
    let span = Span::of(headers).filter(|_| response.status() == StatusCode::PARTIAL_CONTENT)?;
    let declared = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length != span.bytes())
        || headers.contains_key(CONTENT_ENCODING)
        || !policy::varies_on(headers).is_empty()
    {
        return None;
    }
    // A part may be kept where the whole may be (section 3.3).
    let times = policy::storable(request, StatusCode::OK, headers, receipt).filter(|times| times.ttl > 0)?;
    Some((span, times))
}

/// When and from whom an answer came that was asked for at a time.
pub(crate) fn receipt(site: &Site, began: Instant) -> Receipt {
    Receipt {
        now: SystemTime::now(),
        delay: began.elapsed(),
        may_guess: site.is_origin(),
        stale: site.stale,
    }
}

/// What came of a body.
enum Collected {
    /// All of it.
    Whole(Bytes),
    /// More than it should have; what came, and what is to come.
    More(Bytes, Incoming),
}

async fn collect(mut incoming: Incoming, span: Span) -> Result<Collected, Failed> {
    let most = usize::try_from(span.bytes()).unwrap_or(usize::MAX);
    let mut body = BytesMut::with_capacity(most);
    while let Some(frame) = incoming.frame().await {
        if let Ok(data) = frame.map_err(|_| Failed::Broken)?.into_data() {
            body.extend_from_slice(&data);
        }
        if body.len() > most {
            return Ok(Collected::More(body.freeze(), incoming));
        }
    }
    Ok(Collected::Whole(body.freeze()))
}

/// Keeps a part, with those that are there; or the whole, where none is missing.
fn keep(
    state: &ThreadState,
    (site, asked, primary): (&Site, &Asked, &[u8]),
    (head, span, body): (&http::response::Parts, Span, &Bytes),
    times: Times,
    token: FillToken,
) -> Option<Inserted> {
    let responses = &state.shared.responses;
    let mut fields = Response::new(());
    fields.headers_mut().clone_from(&head.headers);
    let kept = kept_as(fields.into_parts().0, asked, site);
    let new = Parts::new(kept.headers, span, body.clone(), times, policy::tags(&head.headers))?;
    let now = clock::now();
    let parts = match responses.parts(primary, now) {
        Some((before, ..)) => new.with(&before),
        None => new,
    };
    if let Some((_, outcome)) = put_together(state, (asked, primary), &parts, token) {
        return Some(outcome);
    }
    Some(responses.keep_parts(primary, parts, token, now))
}

/// Keeps the whole response that parts make up, where none is missing.
fn put_together(
    state: &ThreadState,
    (asked, primary): (&Asked, &[u8]),
    parts: &Parts,
    token: FillToken,
) -> Option<(Arc<Stored>, Inserted)> {
    let responses = &state.shared.responses;
    let body = parts.whole()?;
    let mut head = Response::new(());
    head.headers_mut().clone_from(&parts.headers);
    let stored = Arc::new(Stored::new(
        head.into_parts().0,
        body,
        parts.times,
        (parts.tags.clone(), Vec::new()),
        (primary, &asked.headers),
        (token, &responses.compression),
    ));
    let outcome = responses.keep(primary, primary, &stored, token, clock::now());
    responses.forget_parts(primary);
    Some((stored, outcome))
}
