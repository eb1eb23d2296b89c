//! HTTP/2 (RFC 9113), chosen by TLS or known beforehand (section 3), which h2 reads and writes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::ext::Protocol;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Ping, PingPong, Reason, RecvStream};
use http::Method;
use tokio::time::timeout;

use crate::client::Client;
use crate::clock;
use crate::config::Limits;
use crate::exchange::{Exchange, bounded, length};
use crate::guard::{Guard, Watch};
use crate::http1::note;
use crate::http2_stream::{Answering, Received};
use crate::metrics;
use crate::peer::Peer;
use crate::refusal::Refusal;
use crate::replay::Replay;
use crate::service::head_of;
use crate::shared::ThreadState;
use crate::streams::{Open, Streams};
use crate::tunnel;

/// What a connection begins with (section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes a client may send before they are read, of a stream and of all of a connection.
const WINDOW: u32 = 2 << 20;
/// Bytes of a response that are taken over before the client has room for them.
const HELD: usize = 64 << 10;
/// How often it is looked whether a connection is to end.
const BEAT: Duration = Duration::from_millis(200);
/// How long a client that has nothing under way may take to see the end coming when the edge stops, in milliseconds.
const FAREWELL: u64 = 1000;
/// How long a client that sends nothing may take to say that it is still there, in milliseconds.
const SIGN: u64 = 20_000;

type Spoken = Connection<Guard<Replay<Client>>, Bytes>;

/// Serves a connection to its end; `before` is what was read of it.
pub(crate) async fn connection(state: Arc<ThreadState>, stream: Client, before: Bytes, peer: Arc<Peer>) {
    let _counted = Counted::new(Arc::clone(&state));
    let limits = state.shared.limits;
    let (guard, watch) = Guard::new(Replay::new(before, stream), &limits);
    let greeting = builder(&limits).handshake(guard);
    let ended = match timeout(Duration::from_millis(limits.head_time), greeting).await {
        Ok(Ok(connection)) => serve(&state, &peer, connection, &watch).await,
        Ok(Err(error)) => fault(&error),
        Err(_) => Some(Refusal::SlowHead),
    };
    let refused = watch.refused.lock().take();
    if let Some(refusal) = refused.or(ended) {
        note(&state, refusal, &peer.address);
    }
}

/// Takes requests; why the connection ended, where its client is to blame.
async fn serve(state: &Arc<ThreadState>, peer: &Arc<Peer>, mut connection: Spoken, watch: &Watch) -> Option<Refusal> {
    let limits = state.shared.limits;
    let streams = Streams::new();
    let mut pulse = connection.ping_pong().map(Pulse::new);
    let mut draining = state.shared.drain.subscribe();
    let mut is_draining = false;
    let mut beat = tokio::time::interval(BEAT);
    let mut course = Course::new(limits);
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(Ok((asked, answering))) => {
                    let (state, peer) = (Arc::clone(state), Arc::clone(peer));
                    tokio::spawn(request(state, peer, streams.begin(), asked, answering));
                    continue;
                }
                Some(Err(error)) => return fault(&error),
                None => return None,
            },
            _ = draining.wait_for(|is_draining| *is_draining), if !is_draining => is_draining = true,
            _ = beat.tick() => {}
        }
        match course.next(&streams, watch, is_draining) {
            Next::GoesOn => {}
            // No stream is begun from then on, and the connection ends with the last (section 6.8).
            Next::SaysGoodbye => connection.graceful_shutdown(),
            Next::Ends(refusal) => return refusal,
        }
        if pulse
            .as_mut()
            .is_some_and(|pulse| pulse.is_gone(watch, limits.idle_time))
        {
            connection.abrupt_shutdown(Reason::NO_ERROR);
        }
    }
}

fn builder(limits: &Limits) -> Builder {
    let resets = usize::try_from(limits.resets).unwrap_or(usize::MAX);
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(limits.streams)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buffer_size(HELD)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        // Streams that the client's faults reset: it could ask, and have each request given up (CVE-2025-8671).
        .max_local_error_reset_streams(Some(resets))
        .enable_connect_protocol();
    builder
}

/// Answers one request.
async fn request(
    state: Arc<ThreadState>,
    peer: Arc<Peer>,
    open: Open,
    request: http::Request<RecvStream>,
    answering: SendResponse<Bytes>,
) {
    let (parts, stream) = request.into_parts();
    let exchange = Exchange::begin(&state, &peer, Answering::new(answering), open, &parts.method);
    let limits = &state.shared.limits;
    let length = length(&parts.headers);
    if parts.method == Method::CONNECT
        && let Some(protocol) = parts.extensions.get::<Protocol>()
    {
        let is_websocket = protocol.as_str() == "websocket" && length == Ok(None);
        let head = head_of(parts, limits, true);
        let body = Received::new(stream, None);
        return tunnel::over_stream(exchange, head, is_websocket, body).await;
    }
    let taken = length.and_then(|length| {
        let head = head_of(parts, limits, false)?;
        if length.is_some_and(|length| length > limits.body_bytes) {
            return Err(Refusal::LargeBody);
        }
        let has_body = !stream.is_end_stream();
        Ok((
            head,
            has_body.then(|| bounded(&state, &peer, Received::new(stream, length))),
        ))
    });
    // What the client gave up is counted where its frames are.
    let _ = exchange.answer(taken).await;
}

/// What a connection ended for, where its client is to blame.
fn fault(error: &h2::Error) -> Option<Refusal> {
    if !error.is_go_away() || !error.is_library() {
        return None;
    }
    match error.reason()? {
        Reason::NO_ERROR => None,
        Reason::ENHANCE_YOUR_CALM => Some(Refusal::Flood),
        _ => Some(Refusal::Malformed),
    }
}

/// Asks a client that sends nothing whether it is still there.
struct Pulse {
    pings: PingPong,
    /// When it was asked, and has not answered.
    asked: Option<u64>,
}

impl Pulse {
    const fn new(pings: PingPong) -> Self {
        Self { pings, asked: None }
    }

    /// Whether it did not answer; it is asked once it was silent for so long.
    fn is_gone(&mut self, watch: &Watch, longest: u64) -> bool {
        let (now, came) = (clock::now(), watch.came.load(Ordering::Relaxed));
        let mut context = Context::from_waker(Waker::noop());
        // The answer has to be taken before another ping goes.
        if self.asked.is_some() && self.pings.poll_pong(&mut context).is_ready() {
            self.asked = None;
        }
        if let Some(asked) = self.asked {
            return now.saturating_sub(asked.max(came)) > SIGN;
        }
        if now.saturating_sub(came) > longest && self.pings.send_ping(Ping::opaque()).is_ok() {
            self.asked = Some(now);
        }
        false
    }
}

/// What becomes of a connection.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    GoesOn,
    SaysGoodbye,
    Ends(Option<Refusal>),
}

/// How long a connection lasts.
struct Course {
    limits: Limits,
    /// When its end was said, and whether a client that takes nothing is why.
    ending: Option<(u64, bool)>,
}

impl Course {
    const fn new(limits: Limits) -> Self {
        Self { limits, ending: None }
    }

    fn next(&mut self, streams: &Streams, watch: &Watch, is_draining: bool) -> Next {
        let (now, limits) = (clock::now(), &self.limits);
        let since = watch.block_since.load(Ordering::Relaxed);
        if since > 0 && now.saturating_sub(since) > limits.head_time {
            return Next::Ends(Some(Refusal::SlowHead));
        }
        let Some((since, was_stuck)) = self.ending else {
            let is_stuck = streams.is_stuck(now, limits.write_time);
            let is_over =
                is_stuck || is_draining || streams.begun() >= limits.requests || streams.quiet(now) > limits.idle_time;
            if is_over {
                self.ending = Some((now, is_stuck));
                return Next::SaysGoodbye;
            }
            return Next::GoesOn;
        };
        let moved = watch.written.load(Ordering::Relaxed).max(since);
        let longest = if is_draining && !streams.is_open() {
            FAREWELL
        } else {
            limits.write_time
        };
        if now.saturating_sub(moved) > longest {
            return Next::Ends(was_stuck.then_some(Refusal::SlowReader));
        }
        Next::GoesOn
    }
}

/// Counts a connection of HTTP/2 for as long as it is open.
struct Counted(Arc<ThreadState>);

impl Counted {
    fn new(state: Arc<ThreadState>) -> Self {
        metrics::add(&state.metrics.http2, 1);
        Self(state)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::sub(&self.0.metrics.http2, 1);
    }
}
