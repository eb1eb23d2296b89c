//! HTTP/2 (RFC 9113), chosen by TLS or known beforehand (section 3), which hyper reads and writes.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use crate::client::{Client, Gathering};
use crate::clock;
use crate::config::Limits;
use crate::guard::{Guard, Watch};
use crate::http1::note;
use crate::metrics;
use crate::peer::Peer;
use crate::refusal::Refusal;
use crate::replay::Replay;
use crate::service::serve;
use crate::shared::ThreadState;
use crate::streams::Streams;

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

/// Serves a connection to its end; `before` is what was read of it.
pub(crate) async fn connection(state: Arc<ThreadState>, stream: Client, before: Bytes, peer: Arc<Peer>) {
    let _counted = Counted::new(Arc::clone(&state));
    let limits = state.shared.limits;
    let streams = Streams::new();
    let (stream, secure) = Gathering::new(stream);
    let (guard, watch) = Guard::new(Replay::new(before, stream), &limits);
    let service = {
        let (state, peer, streams) = (Arc::clone(&state), Arc::clone(&peer), Arc::clone(&streams));
        service_fn(move |request| serve(Arc::clone(&state), Arc::clone(&peer), streams.begin(), request))
    };
    let connection = builder(&limits).serve_connection(TokioIo::new(guard), service);
    tokio::pin!(connection);
    let mut draining = state.shared.drain.subscribe();
    let mut is_draining = false;
    let mut beat = tokio::time::interval(BEAT);
    let mut course = Course::new(limits);
    loop {
        tokio::select! {
            done = poll_fn(|context| match connection.as_mut().poll(context) {
                Poll::Ready(done) => Poll::Ready(done.err()),
                // All answers that were there go out together.
                Poll::Pending => match secure.as_ref().map(|secure| secure.poll_flush(context)) {
                    Some(Poll::Ready(Err(_))) => Poll::Ready(None),
                    _ => Poll::Pending,
                },
            }) => {
                let refusal = watch.refused.lock().take();
                if let Some(refusal) = refusal.or_else(|| done.and_then(|error| fault(&error))) {
                    note(&state, refusal, &peer.address);
                }
                return;
            }
            _ = draining.wait_for(|is_draining| *is_draining), if !is_draining => is_draining = true,
            _ = beat.tick() => {}
        }
        match course.next(&streams, &watch, is_draining) {
            Next::GoesOn => {}
            // No stream is begun from then on, and the connection ends with the last (section 6.8).
            Next::SaysGoodbye => connection.as_mut().graceful_shutdown(),
            Next::Ends(refusal) => {
                if let Some(refusal) = refusal {
                    note(&state, refusal, &peer.address);
                }
                return;
            }
        }
    }
}

fn builder(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let resets = usize::try_from(limits.resets).unwrap_or(usize::MAX);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(HELD)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        // Streams that the client's faults reset: it could ask, and have each request given up (CVE-2025-8671).
        .max_local_error_reset_streams(resets)
        .enable_connect_protocol()
        .keep_alive_interval(Duration::from_millis(limits.idle_time))
        .auto_date_header(false);
    builder
}

/// What a connection ended for, where its client is to blame.
fn fault(error: &hyper::Error) -> Option<Refusal> {
    let error = std::error::Error::source(error)?.downcast_ref::<h2::Error>()?;
    if !error.is_go_away() || !error.is_library() {
        return None;
    }
    match error.reason()? {
        h2::Reason::NO_ERROR => None,
        h2::Reason::ENHANCE_YOUR_CALM => Some(Refusal::Flood),
        _ => Some(Refusal::Malformed),
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
