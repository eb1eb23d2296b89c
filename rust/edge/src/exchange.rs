//! A request that came over a stream of its own, and its answer over the same: HTTP/2 and HTTP/3.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt, Limited};

use crate::access::{Outcome, Told};
use crate::body::{Body, BodyError, InFlight, RequestBody};
use crate::fetch::Fetched;
use crate::framing::number;
use crate::identity::identify;
use crate::interim::{Interim, Step};
use crate::metrics::Source;
use crate::outgoing::dated;
use crate::peer::Peer;
use crate::refusal::Refusal;
use crate::request::{Noted, Request};
use crate::service::respond;
use crate::shared::ThreadState;
use crate::streams::Open;
use crate::timed::Timed;

/// Fields of a connection, which a message of HTTP/2 or HTTP/3 may not have (RFC 9113, section 8.2.2; RFC 9114, section
/// 4.2).
const OF_CONNECTIONS: [HeaderName; 5] = [
    CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// The half of a stream that answers go over.
pub(crate) trait Sending: Send {
    /// The version as the access log names it.
    const VERSION: &'static str;

    /// Sends a head that is not the answer's yet.
    fn inform(&mut self, head: Response<()>) -> impl Future<Output = Result<(), Unsent>> + Send;
    /// Sends the answer's head, and that nothing follows where it `ends` with it.
    fn begin(&mut self, head: Response<()>, ends: bool) -> impl Future<Output = Result<(), Unsent>> + Send;
    /// Sends some of the body, and that it was the last where it `ends` with it.
    fn send(&mut self, data: Bytes, ends: bool) -> impl Future<Output = Result<(), Unsent>> + Send;
    /// Says that the body is over.
    fn finish(&mut self) -> impl Future<Output = Result<(), Unsent>> + Send;
    /// Ends the stream where the body is not whole.
    fn abort(&mut self, why: &Unsent);
    /// Waits until the client gives the request up, where that can be seen.
    fn gone(&mut self) -> impl Future<Output = ()> + Send;
}

/// Why an answer was not sent to its end.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// Its client takes nothing.
    Slow,
    /// What it is made of ended early.
    Broken,
    /// Its client does not want it any more.
    Reset,
    /// The connection is over.
    Gone,
}

/// A request under way.
pub(crate) struct Exchange<S> {
    pub(crate) state: Arc<ThreadState>,
    pub(crate) peer: Arc<Peer>,
    pub(crate) sending: S,
    pub(crate) open: Open,
    is_head: bool,
    flight: Option<InFlight>,
    started: Option<Instant>,
    noted: Option<Noted>,
}

impl<S: Sending> Exchange<S> {
    pub(crate) fn begin(state: &Arc<ThreadState>, peer: &Arc<Peer>, sending: S, open: Open, method: &Method) -> Self {
        Self {
            state: Arc::clone(state),
            peer: Arc::clone(peer),
            sending,
            open,
            is_head: *method == Method::HEAD,
            flight: Some(InFlight::new(Arc::clone(state))),
            started: state.begin(),
            noted: None,
        }
    }

    /// Notes who asks for what, and gives the request a name.
    pub(crate) fn introduce(&mut self, request: &mut Request) {
        self.peer = self.state.shared.introduce(request, &self.peer);
        identify(&mut request.headers);
        self.noted = self.started.map(|_| Noted::of(request));
    }

    /// Answers the request, or says why it is refused.
    pub(crate) async fn answer(mut self, taken: Result<(Request, Option<RequestBody>), Refusal>) -> Result<(), Unsent> {
        let Fetched { response, source } = match taken {
            Ok((request, body)) => self.made(request, body).await?,
            Err(refusal) => self.refused(refusal),
        };
        self.reply(response, source).await
    }

    /// What a request is answered whose head already is too much.
    pub(crate) fn refused(&self, refusal: Refusal) -> Fetched {
        self.state.refuse(refusal, &self.peer.address);
        Fetched {
            response: refusal.answer(),
            source: Source::Edge,
        }
    }

    /// Waits for the answer, and tells its client before it what is known early.
    async fn made(&mut self, mut request: Request, body: Option<RequestBody>) -> Result<Fetched, Unsent> {
        self.introduce(&mut request);
        let interim = Arc::new(Interim::default());
        let (state, peer) = (Arc::clone(&self.state), Arc::clone(&self.peer));
        let mut answering = pin!(respond(&state, &peer, request, body, Some(&interim)));
        loop {
            let step = tokio::select! {
                biased;
                step = interim.next(answering.as_mut()) => step,
                () = self.sending.gone() => return Err(Unsent::Reset),
            };
            match step {
                Step::Answer(fetched) => return Ok(fetched),
                Step::Tell(links) => self.sending.inform(crate::interim::response(&links)).await?,
            }
        }
    }

    /// Sends an answer, and says to the log what became of it.
    pub(crate) async fn reply(mut self, mut response: Response<Body>, source: Source) -> Result<(), Unsent> {
        dated(response.headers_mut());
        let status = response.status();
        let took = self.started.map(|started| started.elapsed());
        let mut bytes = 0;
        let sent = self.send(response, &mut bytes).await;
        if let Err(why) = &sent {
            self.sending.abort(why);
            if matches!(why, Unsent::Slow) {
                self.state.refuse(Refusal::SlowReader, &self.peer.address);
            }
        }
        self.finish(status, source, bytes, took);
        sent
    }

    /// Tells the figures and the log of an answer that took so long to begin.
    pub(crate) fn finish(&self, status: StatusCode, source: Source, bytes: u64, took: Option<Duration>) {
        let Some(took) = took else { return };
        let outcome = Outcome {
            source,
            status: status.as_u16(),
            bytes,
            took,
        };
        self.state.finish(&outcome, || {
            let nothing = Told {
                peer: &self.peer.address,
                ..Told::default()
            };
            let noted = self.noted.as_ref();
            noted.map_or(nothing, |noted| noted.told(&self.peer.address, S::VERSION))
        });
    }

    /// How long it is since the request came, where anybody wants to know.
    pub(crate) fn elapsed(&self) -> Option<Duration> {
        self.started.map(|started| started.elapsed())
    }

    /// Says that the request is answered though its stream goes on: a drain waits for it no more.
    pub(crate) fn landed(&mut self) {
        self.flight = None;
    }

    async fn send(&mut self, response: Response<Body>, bytes: &mut u64) -> Result<(), Unsent> {
        let (parts, body) = response.into_parts();
        let has_none = parts.status == StatusCode::NO_CONTENT || parts.status == StatusCode::NOT_MODIFIED;
        let mut head = Response::new(());
        *head.status_mut() = parts.status;
        *head.headers_mut() = parts.headers;
        strip(head.headers_mut());
        if let Some(size) = body.size_hint().exact()
            && !has_none
            && !(self.is_head && size == 0)
        {
            head.headers_mut()
                .entry(CONTENT_LENGTH)
                .or_insert(HeaderValue::from(size));
        }
        let ends = self.is_head || has_none || body.is_end_stream();
        self.sending.begin(head, ends).await?;
        if ends {
            return Ok(());
        }
        self.open.sends();
        let mut body = pin!(body);
        loop {
            let frame = tokio::select! {
                biased;
                frame = body.frame() => frame,
                () = self.sending.gone() => return Err(Unsent::Reset),
            };
            let Some(frame) = frame else { break };
            let Ok(data) = frame.map_err(|_| Unsent::Broken)?.into_data() else {
                continue;
            };
            if data.is_empty() {
                continue;
            }
            let ends = body.is_end_stream();
            *bytes += data.len() as u64;
            self.open.waits();
            self.sending.send(data, ends).await?;
            self.open.waits_not();
            if ends {
                return Ok(());
            }
        }
        self.sending.finish().await
    }
}

/// Takes off what is of another version's connections.
pub(crate) fn strip(headers: &mut HeaderMap) {
    for name in &OF_CONNECTIONS {
        headers.remove(name);
    }
    headers.remove(TE);
}

/// A body as it comes, no larger and no slower than may be.
pub(crate) fn bounded<B>(state: &Arc<ThreadState>, peer: &Arc<Peer>, body: B) -> RequestBody
where
    B: http_body::Body<Data = Bytes, Error = BodyError> + Send + 'static,
{
    let limits = &state.shared.limits;
    let most = usize::try_from(limits.body_bytes).unwrap_or(usize::MAX);
    let body = Limited::new(body, most).boxed_unsync();
    let (state, peer) = (Arc::clone(state), Arc::clone(peer));
    let tell = move || state.refuse(Refusal::SlowBody, &peer.address);
    Timed::new(body, Duration::from_millis(limits.body_time), tell).boxed_unsync()
}

/// How long the body is, where that is said; or that the fields are none of a request (RFC 9113, sections 8.1.1 and 8.2.2;
/// RFC 9114, sections 4.1.2 and 4.2).
pub(crate) fn length(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let is_of_connection = OF_CONNECTIONS.iter().any(|name| headers.contains_key(name));
    let is_te_odd = headers
        .get_all(TE)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"trailers"));
    if is_of_connection || is_te_odd || headers.contains_key("content_length") {
        return Err(Refusal::Malformed);
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    match (lengths.next(), lengths.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => number(one.as_bytes()).map(Some).ok_or(Refusal::Malformed),
        _ => Err(Refusal::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_connection_are_none_of_a_request() {
        let read = |fields: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            length(&headers)
        };
        assert_eq!(read(&[("te", "trailers")]), Ok(None));
        assert_eq!(read(&[("content-length", "5")]), Ok(Some(5)));
        for bad in [
            &[("connection", "close")][..],
            &[("transfer-encoding", "chunked")],
            &[("te", "gzip")],
            &[("upgrade", "x")],
            &[("content-length", "+5")],
            &[("content-length", "5"), ("content-length", "5")],
        ] {
            assert_eq!(read(bad), Err(Refusal::Malformed), "{bad:?}");
        }
    }
}
