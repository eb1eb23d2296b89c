//! HTTP/3 (RFC 9114): a connection of QUIC, and a request on each of its streams.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes};
use h3::error::{Code, ConnectionError, LocalError, StreamError};
use h3::server::{Connection, RequestResolver, RequestStream};
use http::header::{CONNECTION, CONTENT_LENGTH, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt, Limited};
use quinn::crypto::rustls::HandshakeData;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::access::{Outcome, Told};
use crate::body::{Body, InFlight, RequestBody};
use crate::clock;
use crate::fetch::Fetched;
use crate::http1::note;
use crate::http3_body::{Received, Receiving};
use crate::identity::identify;
use crate::metrics::{self, Source};
use crate::outgoing::dated;
use crate::peer::Peer;
use crate::refusal::Refusal;
use crate::request::Noted;
use crate::service::{head_of, respond};
use crate::shared::ThreadState;
use crate::streams::{Open as OpenStream, Streams};
use crate::thread::Open;
use crate::timed::Timed;

/// How often it is looked whether a connection is to end.
const BEAT: Duration = Duration::from_millis(200);
/// How long a client may be silent before a connection that has nothing under way is closed, in milliseconds.
const FAREWELL: u64 = 1000;
/// How long resets are counted together, in milliseconds.
const SPAN: u64 = 10_000;
/// Fields of a connection, which a request of HTTP/3 may not have (section 4.2).
const OF_CONNECTIONS: [HeaderName; 5] = [
    CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

type Resolver = RequestResolver<h3_quinn::Connection, Bytes>;
type Sending = RequestStream<h3_quinn::SendStream<Bytes>, Bytes>;

/// What the requests of a connection share.
struct Shared {
    state: Arc<ThreadState>,
    peer: Arc<Peer>,
    /// When the span began in which resets are counted, and how many there were.
    since: AtomicU64,
    resets: AtomicU64,
}

impl Shared {
    /// Counts a request that its client gave up.
    fn reset(&self) {
        let now = clock::now();
        if now.saturating_sub(self.since.load(Ordering::Relaxed)) > SPAN {
            self.since.store(now, Ordering::Relaxed);
            self.resets.store(0, Ordering::Relaxed);
        }
        self.resets.fetch_add(1, Ordering::Relaxed);
    }
}

/// Shakes hands with who comes, and serves the connection to its end.
pub(crate) async fn welcome(mut open: Open, incoming: quinn::Incoming, address: IpAddr, place: OwnedSemaphorePermit) {
    let state = Arc::clone(open.state());
    let limits = state.shared.limits;
    let text = address.to_canonical().to_string();
    let Ok(connecting) = incoming.accept() else {
        return note(&state, Refusal::Handshake, &text);
    };
    let quic = match timeout(Duration::from_millis(limits.handshake_time), connecting).await {
        Ok(Ok(quic)) => quic,
        Ok(Err(_)) => return note(&state, Refusal::Handshake, &text),
        Err(_) => return note(&state, Refusal::SlowHandshake, &text),
    };
    drop(place);
    metrics::add(&state.metrics.handshakes, 1);
    // From here on the client is where it says it is, so that nobody is counted for another.
    let is_trusted = state.shared.trusted.contains(address);
    // A proxy has many clients, and is none.
    if !is_trusted && let Err(refusal) = open.admit(address) {
        quic.close(
            code(Code::H3_EXCESSIVE_LOAD),
            b"too many of this address are here at once",
        );
        return note(&state, refusal, &text);
    }
    let agreed = quic
        .handshake_data()
        .and_then(|data| data.downcast::<HandshakeData>().ok());
    let peer = Peer {
        address: text.into(),
        is_secure: true,
        sent_to: None,
        is_trusted,
        certified: Some(agreed.and_then(|agreed| agreed.server_name).unwrap_or_default().into()),
    };
    serve(state, quic, peer.into()).await;
}

fn code(code: Code) -> quinn::VarInt {
    quinn::VarInt::from_u64(code.value()).unwrap_or_default()
}

async fn serve(state: Arc<ThreadState>, quic: quinn::Connection, peer: Arc<Peer>) {
    let _counted = Counted::new(Arc::clone(&state));
    let limits = state.shared.limits;
    let mut builder = h3::server::builder();
    builder.max_field_section_size(limits.head_bytes as u64);
    let shared = Arc::new(Shared {
        state: Arc::clone(&state),
        peer,
        since: AtomicU64::new(clock::now()),
        resets: AtomicU64::new(0),
    });
    let mut connection: Connection<_, Bytes> = match builder.build(h3_quinn::Connection::new(quic.clone())).await {
        Ok(connection) => connection,
        Err(_) => return note(&state, Refusal::Malformed, &shared.peer.address),
    };
    let streams = Streams::new();
    let mut draining = state.shared.drain.subscribe();
    let mut beat = tokio::time::interval(BEAT);
    let mut is_draining = false;
    // When the end was said, and what had come from the client then.
    let mut ending: Option<(u64, u64)> = None;
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Ok(Some(resolver)) if ending.is_some() => drop(tokio::spawn(reject(resolver))),
                Ok(Some(resolver)) => {
                    tokio::spawn(request(Arc::clone(&shared), resolver, streams.begin()));
                }
                // The client has nothing more to ask, and all is answered.
                Ok(None) => return,
                Err(error) => {
                    if let Some(refusal) = fault(&error) {
                        note(&state, refusal, &shared.peer.address);
                    }
                    return;
                }
            },
            _ = draining.wait_for(|is_draining| *is_draining), if !is_draining => is_draining = true,
            _ = beat.tick() => {}
        }
        let now = clock::now();
        if shared.resets.load(Ordering::Relaxed) > limits.resets {
            quic.close(code(Code::H3_EXCESSIVE_LOAD), b"too many requests were given up");
            return note(&state, Refusal::Resets, &shared.peer.address);
        }
        let came = quic.stats().udp_rx.datagrams;
        match &mut ending {
            None => {
                if is_draining || streams.begun() >= limits.requests || streams.quiet(now) > limits.idle_time {
                    // Nothing is begun from then on (section 5.2).
                    if connection.shutdown(1).await.is_err() {
                        return;
                    }
                    ending = Some((now, came));
                }
            }
            Some((since, before)) => {
                if *before != came || streams.is_open() {
                    (*since, *before) = (now, came);
                } else if now.saturating_sub(*since) > FAREWELL {
                    return;
                }
            }
        }
    }
}

/// What a connection ended for, where its client is to blame.
fn fault(error: &ConnectionError) -> Option<Refusal> {
    match error {
        ConnectionError::Local {
            error: LocalError::Application { code, .. },
            ..
        } => match *code {
            Code::H3_NO_ERROR => None,
            Code::H3_EXCESSIVE_LOAD => Some(Refusal::Flood),
            _ => Some(Refusal::Malformed),
        },
        _ => None,
    }
}

/// Says that a request is not answered here: it came after the end was said.
async fn reject(resolver: Resolver) {
    if let Ok(Ok((_, mut stream))) = timeout(BEAT, resolver.resolve_request()).await {
        stream.stop_sending(Code::H3_REQUEST_REJECTED);
        stream.stop_stream(Code::H3_REQUEST_REJECTED);
    }
}

/// Answers one request.
async fn request(shared: Arc<Shared>, resolver: Resolver, open: OpenStream) {
    let state = &shared.state;
    let limits = &state.shared.limits;
    let head_time = Duration::from_millis(limits.head_time);
    let (request, stream) = match timeout(head_time, resolver.resolve_request()).await {
        Ok(Ok(resolved)) => resolved,
        Ok(Err(error)) => return shared.unresolved(&error),
        Err(_) => return note(state, Refusal::SlowHead, &shared.peer.address),
    };
    let flight = InFlight::new(Arc::clone(state));
    let started = state.begin();
    let (mut sending, receiving) = stream.split();
    let is_head = request.method() == Method::HEAD;
    let mut noted = None;
    let mut peer = Arc::clone(&shared.peer);
    let (parts, ()) = request.into_parts();
    let taken = taken_over(&shared, parts, receiving).await;
    let Fetched { mut response, source } = match taken {
        Ok((mut request, body)) => {
            peer = state.shared.introduce(&mut request, &peer);
            identify(&mut request.headers);
            noted = started.map(|_| Noted::of(&request));
            respond(state, &peer, request, body).await
        }
        Err(None) => return shared.reset(),
        Err(Some(refusal)) => {
            state.refuse(refusal, &shared.peer.address);
            Fetched {
                response: refusal.answer(),
                source: Source::Edge,
            }
        }
    };
    dated(response.headers_mut());
    let (status, size) = (response.status().as_u16(), response.body().size_hint().exact());
    match send(
        &mut sending,
        response,
        is_head,
        Duration::from_millis(limits.write_time),
    )
    .await
    {
        Ok(()) => {}
        Err(Unsent::Slow) => {
            sending.stop_stream(Code::H3_REQUEST_CANCELLED);
            state.refuse(Refusal::SlowReader, &shared.peer.address);
        }
        Err(Unsent::Broken) => sending.stop_stream(Code::H3_INTERNAL_ERROR),
        Err(Unsent::Reset) => shared.reset(),
        Err(Unsent::Gone) => {}
    }
    if let Some(started) = started {
        let outcome = Outcome {
            source,
            status,
            bytes: size.unwrap_or(0),
            took: started.elapsed(),
        };
        state.finish(&outcome, || {
            let nothing = Told {
                peer: &peer.address,
                ..Told::default()
            };
            let noted = noted.as_ref();
            noted.map_or(nothing, |noted| noted.told(&peer.address, "HTTP/3.0"))
        });
    }
    drop((flight, open));
}

impl Shared {
    /// Counts a request of which not even the head came as it has to.
    fn unresolved(&self, error: &StreamError) {
        let refusal = match error {
            StreamError::HeaderTooBig { .. } => Refusal::LargeHead,
            StreamError::StreamError { code, .. } if *code != Code::H3_REQUEST_INCOMPLETE => Refusal::Malformed,
            StreamError::StreamError { .. } | StreamError::RemoteTerminate { .. } => return self.reset(),
            // The connection says it.
            _ => return,
        };
        note(&self.state, refusal, &self.peer.address);
    }
}

/// A request of HTTP/3 as one of any version (section 4.3.1), or why it is refused; none where its client gave it up.
async fn taken_over(
    shared: &Arc<Shared>,
    parts: http::request::Parts,
    mut receiving: Receiving,
) -> Result<(crate::request::Request, Option<RequestBody>), Option<Refusal>> {
    let limits = &shared.state.shared.limits;
    let length = length(&parts.headers)?;
    let may_end = matches!(
        parts.method,
        Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS
    );
    let head = head_of(parts, limits)?;
    if length.is_some_and(|length| length > limits.body_bytes) {
        return Err(Some(Refusal::LargeBody));
    }
    let quiet = Duration::from_millis(limits.body_time);
    let mut first = None;
    if may_end || length == Some(0) {
        // Whether there is a body is known when its first bytes came, or its end.
        let came = timeout(
            quiet,
            poll_fn(|context| {
                receiving
                    .poll_recv_data(context)
                    .map_ok(|data| data.map(|mut data| data.copy_to_bytes(data.remaining())))
            }),
        );
        match came.await {
            Ok(Ok(None)) if length.unwrap_or(0) == 0 => return Ok((head, None)),
            Ok(Ok(Some(data))) => first = Some(data),
            Ok(Ok(None)) => return Err(Some(Refusal::Malformed)),
            Ok(Err(_)) => return Err(None),
            Err(_) => return Err(Some(Refusal::SlowBody)),
        }
    }
    let most = usize::try_from(limits.body_bytes).unwrap_or(usize::MAX);
    let body = Limited::new(Received::new(receiving, first, length), most).boxed_unsync();
    let shared = Arc::clone(shared);
    let tell = move || shared.state.refuse(Refusal::SlowBody, &shared.peer.address);
    Ok((head, Some(Timed::new(body, quiet, tell).boxed_unsync())))
}

/// How long the body is, where that is said; or that the fields are none of HTTP/3 (sections 4.1.2 and 4.2).
fn length(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
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
        (Some(one), None) => crate::framing::number(one.as_bytes())
            .map(Some)
            .ok_or(Refusal::Malformed),
        _ => Err(Refusal::Malformed),
    }
}

/// Why a response was not sent to its end.
enum Unsent {
    /// Its client takes nothing.
    Slow,
    /// What it is made of ended early.
    Broken,
    /// Its client does not want it any more.
    Reset,
    /// The connection is over.
    Gone,
}

impl From<StreamError> for Unsent {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::RemoteTerminate { .. } => Self::Reset,
            _ => Self::Gone,
        }
    }
}

/// Sends a response. Its client may take nothing for so long.
async fn send(sending: &mut Sending, response: Response<Body>, is_head: bool, longest: Duration) -> Result<(), Unsent> {
    let (mut parts, body) = response.into_parts();
    for name in &OF_CONNECTIONS {
        parts.headers.remove(name);
    }
    let has_none = parts.status == StatusCode::NO_CONTENT || parts.status == StatusCode::NOT_MODIFIED;
    if let Some(size) = body.size_hint().exact()
        && !has_none
        && !(is_head && size == 0)
    {
        parts.headers.entry(CONTENT_LENGTH).or_insert(HeaderValue::from(size));
    }
    let mut parts_only = Response::new(());
    *parts_only.status_mut() = parts.status;
    *parts_only.headers_mut() = parts.headers;
    let in_time = |sent: Result<Result<(), StreamError>, _>| match sent {
        Ok(sent) => sent.map_err(Unsent::from),
        Err(tokio::time::error::Elapsed { .. }) => Err(Unsent::Slow),
    };
    in_time(timeout(longest, sending.send_response(parts_only)).await)?;
    if !is_head && !has_none {
        let mut body = pin!(body);
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return Err(Unsent::Broken) };
            let Ok(data) = frame.into_data() else { continue };
            if !data.is_empty() {
                in_time(timeout(longest, sending.send_data(data)).await)?;
            }
        }
    }
    in_time(timeout(longest, sending.finish()).await)
}

/// Counts a connection of HTTP/3 for as long as it is open.
struct Counted(Arc<ThreadState>);

impl Counted {
    fn new(state: Arc<ThreadState>) -> Self {
        metrics::add(&state.metrics.http3, 1);
        Self(state)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::sub(&self.0.metrics.http3, 1);
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
