//! HTTP/2 by prior knowledge (RFC 9113, section 3.3), which hyper reads and writes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use crate::client::Client;
use crate::peer::Peer;
use crate::replay::Replay;
use crate::service::serve;
use crate::shared::ThreadState;

/// What a connection begins with (section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Streams of one connection at a time, and bytes a client may send before they are read.
const STREAMS: u32 = 1000;
const WINDOW: u32 = 2 << 20;

/// Serves a connection to its end; `before` is what was read of it.
pub(crate) async fn connection(state: Arc<ThreadState>, stream: Client, before: Bytes, peer: Arc<Peer>) {
    let limits = state.shared.limits;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(Duration::from_millis(limits.idle_time))
        .auto_date_header(false);
    let shared = Arc::clone(&state.shared);
    let service = service_fn(move |request| serve(Arc::clone(&state), Arc::clone(&peer), request));
    let connection = builder.serve_connection(TokioIo::new(Replay::new(before, stream)), service);
    tokio::pin!(connection);
    let mut beat = tokio::time::interval(Duration::from_millis(200));
    loop {
        tokio::select! {
            // A connection that fails has nobody left to tell.
            _ = connection.as_mut() => return,
            _ = beat.tick() => {
                if shared.draining.load(Ordering::Relaxed) {
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}
