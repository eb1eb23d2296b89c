//! HTTP/3 (RFC 9114): a connection of QUIC, and a request on each of its streams.

use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use h3::error::{Code, ConnectionError, LocalError, StreamError};
use h3::ext::Protocol;
use h3::server::{Connection, RequestResolver};
use http::Method;
use quinn::crypto::rustls::HandshakeData;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::body::RequestBody;
use crate::clock;
use crate::exchange::{Exchange, Unsent, bounded, length};
use crate::http1::note;
use crate::http3_guard::{Guarded, Watch};
use crate::http3_stream::{Answering, Received, Receiving};
use crate::metrics;
use crate::peer::Peer;
use crate::qpack;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::service::head_of;
use crate::shared::ThreadState;
use crate::streams::{Open as OpenStream, Streams};
use crate::thread::Open;
use crate::tunnel;

/// How often it is looked whether a connection is to end.
const BEAT: Duration = Duration::from_millis(200);
/// How long a client may be silent before a connection that has nothing under way is closed, in milliseconds.
const FAREWELL: u64 = 1000;
type Resolver = RequestResolver<Guarded, Bytes>;

/// What the requests of a connection share.
struct Shared {
    state: Arc<ThreadState>,
    peer: Arc<Peer>,
    watch: Arc<Watch>,
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
    builder
        .max_field_section_size(limits.head_bytes as u64)
        .enable_extended_connect(true);
    let watch = Watch::new(quic.clone(), limits);
    let shared = Arc::new(Shared {
        state: Arc::clone(&state),
        peer,
        watch: Arc::clone(&watch),
    });
    let mut connection: Connection<_, Bytes> = match builder.build(Guarded::new(quic.clone(), &watch)).await {
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
                    if let Some(refusal) = watch.refused().or_else(|| fault(&error)) {
                        note(&state, refusal, &shared.peer.address);
                    }
                    return;
                }
            },
            _ = draining.wait_for(|is_draining| *is_draining), if !is_draining => is_draining = true,
            _ = beat.tick() => {}
        }
        let now = clock::now();
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
    let (sending, receiving) = stream.split();
    let sending = Answering::new(sending, Duration::from_millis(limits.write_time));
    let exchange = Exchange::begin(state, &shared.peer, sending, open, request.method());
    let (parts, ()) = request.into_parts();
    if let Some(protocol) = parts.extensions.get::<Protocol>() {
        let is_websocket = protocol.as_str() == qpack::TOLD && length(&parts.headers) == Ok(None);
        // It is for a tunnel alone (RFC 8441, section 4).
        let head = match parts.method {
            Method::CONNECT => head_of(parts, limits, true),
            _ => Err(Refusal::Malformed),
        };
        return tunnel::over_stream(exchange, head, is_websocket, Received::new(receiving, None, None)).await;
    }
    let sent = match taken_over(&shared, parts, receiving).await {
        Ok(taken) => exchange.answer(Ok(taken)).await,
        Err(Some(refusal)) => exchange.answer(Err(refusal)).await,
        Err(None) => Err(Unsent::Reset),
    };
    if matches!(sent, Err(Unsent::Reset)) {
        shared.watch.reset();
    }
}

impl Shared {
    /// Counts a request of which not even the head came as it has to.
    fn unresolved(&self, error: &StreamError) {
        let refusal = match error {
            StreamError::HeaderTooBig { .. } => Refusal::LargeHead,
            StreamError::StreamError { code, .. } if *code != Code::H3_REQUEST_INCOMPLETE => Refusal::Malformed,
            StreamError::StreamError { .. } | StreamError::RemoteTerminate { .. } => return self.watch.reset(),
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
) -> Result<(Request, Option<RequestBody>), Option<Refusal>> {
    let limits = &shared.state.shared.limits;
    let length = length(&parts.headers)?;
    let may_end = matches!(
        parts.method,
        Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS
    );
    let head = head_of(parts, limits, false)?;
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
    let body = Received::new(receiving, first, length);
    Ok((head, Some(bounded(&shared.state, &shared.peer, body))))
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
