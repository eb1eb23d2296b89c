//! Watches what a client does with HTTP/3 beside asking: frames and streams that cost it little, and whoever serves it much
//! (RFC 9114, section 10.5). It stands between h3 and quinn.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming, StreamId, WriteBuf};
use parking_lot::Mutex;

use crate::clock;
use crate::config::Limits;
use crate::http3_frames::{Excess, Passage};
use crate::refusal::Refusal;

/// How long frames are counted together, in milliseconds.
const SPAN: u64 = 10_000;
/// Bytes of all requests of a connection whose fields are not whole yet.
const MOST_HELD: usize = 1 << 20;

/// What is seen of a connection from outside of it.
pub(crate) struct Watch {
    quic: quinn::Connection,
    /// When the span began in which is counted, and what asked for nothing in it, and what was given up.
    since: AtomicU64,
    controls: AtomicU64,
    resets: AtomicU64,
    /// Bytes that are held of frames that are not whole.
    held: AtomicUsize,
    limits: Limits,
    /// Why the connection was ended.
    refused: Mutex<Option<Refusal>>,
}

impl Watch {
    pub(crate) fn new(quic: quinn::Connection, limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            quic,
            since: AtomicU64::new(clock::now()),
            controls: AtomicU64::new(0),
            resets: AtomicU64::new(0),
            held: AtomicUsize::new(0),
            limits,
            refused: Mutex::new(None),
        })
    }

    /// Why the connection was ended here, where it was.
    pub(crate) fn refused(&self) -> Option<Refusal> {
        *self.refused.lock()
    }

    /// Counts a request that its client gave up.
    pub(crate) fn reset(&self) {
        self.span();
        if self.resets.fetch_add(1, Ordering::Relaxed) >= self.limits.resets {
            self.end(Refusal::Resets, b"too many requests were given up");
        }
    }

    /// Counts what asks for nothing.
    fn idle(&self, count: u64) {
        if count == 0 {
            return;
        }
        self.span();
        if self.controls.fetch_add(count, Ordering::Relaxed) + count > self.limits.control_frames {
            self.end(Refusal::ControlFrames, b"too many frames ask for nothing");
        }
    }

    fn span(&self) {
        let now = clock::now();
        if now.saturating_sub(self.since.load(Ordering::Relaxed)) > SPAN {
            self.since.store(now, Ordering::Relaxed);
            self.controls.store(0, Ordering::Relaxed);
            self.resets.store(0, Ordering::Relaxed);
        }
    }

    fn end(&self, refusal: Refusal, why: &[u8]) {
        self.refused.lock().get_or_insert(refusal);
        let code = quinn::VarInt::from_u64(Code::H3_EXCESSIVE_LOAD.value()).unwrap_or_default();
        self.quic.close(code, why);
    }

    /// Notes how many bytes are held in place of so many.
    fn hold(&self, before: usize, now: usize) {
        let held = self.held.fetch_add(now, Ordering::Relaxed) + now;
        self.held.fetch_sub(before, Ordering::Relaxed);
        if held.saturating_sub(before) > MOST_HELD {
            self.end(Refusal::LargeHead, b"too many fields come at once");
        }
    }
}

/// A connection that ends when too much of that comes over it.
pub(crate) struct Guarded {
    quic: h3_quinn::Connection,
    watch: Arc<Watch>,
}

impl Guarded {
    pub(crate) fn new(quic: quinn::Connection, watch: &Arc<Watch>) -> Self {
        Self {
            quic: h3_quinn::Connection::new(quic),
            watch: Arc::clone(watch),
        }
    }
}

/// A stream whose bytes pass by here.
pub(crate) struct Passing<R> {
    stream: R,
    passage: Passage,
    held: Held,
}

/// Bytes of a stream that are held, for as long as it is.
struct Held {
    watch: Arc<Watch>,
    bytes: usize,
}

impl Held {
    const fn new(watch: Arc<Watch>) -> Self {
        Self { watch, bytes: 0 }
    }

    fn set(&mut self, bytes: usize) {
        self.watch.hold(self.bytes, bytes);
        self.bytes = bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

impl<R: quic::RecvStream<Buf = Bytes>> quic::RecvStream for Passing<R> {
    type Buf = Bytes;

    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        loop {
            if let Some(bytes) = self.passage.next() {
                return Poll::Ready(Ok(Some(bytes)));
            }
            let Some(bytes) = ready!(self.stream.poll_data(context))? else {
                return Poll::Ready(Ok(None));
            };
            match self.passage.push(bytes) {
                Ok(idle) => self.held.watch.idle(idle),
                Err(Excess::Fields) => self.held.watch.end(Refusal::LargeHead, b"the fields are too long"),
                Err(Excess::Frame) => self.held.watch.end(Refusal::Flood, b"a frame is too long"),
            }
            self.held.set(self.passage.held());
            if self.held.watch.refused().is_some() {
                return Poll::Ready(Err(StreamErrorIncoming::ConnectionErrorIncoming {
                    connection_error: ConnectionErrorIncoming::Undefined(Arc::new(
                        quinn::ConnectionError::LocallyClosed,
                    )),
                }));
            }
        }
    }

    fn stop_sending(&mut self, code: u64) {
        self.stream.stop_sending(code);
    }

    fn recv_id(&self) -> StreamId {
        self.stream.recv_id()
    }
}

impl<R: quic::SendStream<Bytes>> quic::SendStream<Bytes> for Passing<R> {
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.stream.poll_ready(context)
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.stream.send_data(data)
    }

    fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.stream.poll_finish(context)
    }

    fn reset(&mut self, code: u64) {
        self.stream.reset(code);
    }

    fn send_id(&self) -> StreamId {
        self.stream.send_id()
    }
}

/// A stream of a request.
pub(crate) type Both = Passing<h3_quinn::BidiStream<Bytes>>;
/// What comes over a stream.
pub(crate) type Coming = Passing<h3_quinn::RecvStream>;

impl quic::BidiStream<Bytes> for Both {
    type SendStream = h3_quinn::SendStream<Bytes>;
    type RecvStream = Coming;

    fn split(self) -> (Self::SendStream, Self::RecvStream) {
        let (sending, stream) = self.stream.split();
        let coming = Passing {
            stream,
            passage: self.passage,
            held: self.held,
        };
        (sending, coming)
    }
}

impl Guarded {
    fn both(&self, stream: h3_quinn::BidiStream<Bytes>) -> Both {
        // What is encoded is not longer than it is, and something is to be said of what is a little too long.
        let most = 2 * self.watch.limits.head_bytes as u64;
        Passing {
            stream,
            passage: Passage::of_request(most),
            held: Held::new(Arc::clone(&self.watch)),
        }
    }
}

impl quic::OpenStreams<Bytes> for Guarded {
    type BidiStream = Both;
    type SendStream = h3_quinn::SendStream<Bytes>;

    fn poll_open_bidi(&mut self, context: &mut Context<'_>) -> Poll<Result<Both, StreamErrorIncoming>> {
        let stream = ready!(quic::OpenStreams::<Bytes>::poll_open_bidi(&mut self.quic, context))?;
        Poll::Ready(Ok(self.both(stream)))
    }

    fn poll_open_send(&mut self, context: &mut Context<'_>) -> Poll<Result<Self::SendStream, StreamErrorIncoming>> {
        self.quic.poll_open_send(context)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        quic::OpenStreams::<Bytes>::close(&mut self.quic, code, reason);
    }
}

impl quic::Connection<Bytes> for Guarded {
    type RecvStream = Coming;
    type OpenStreams = Self;

    fn poll_accept_recv(&mut self, context: &mut Context<'_>) -> Poll<Result<Coming, ConnectionErrorIncoming>> {
        let stream = ready!(quic::Connection::<Bytes>::poll_accept_recv(&mut self.quic, context))?;
        // Each but the three that there are asks for nothing.
        self.watch.idle(1);
        Poll::Ready(Ok(Passing {
            stream,
            passage: Passage::one_way(),
            held: Held::new(Arc::clone(&self.watch)),
        }))
    }

    fn poll_accept_bidi(&mut self, context: &mut Context<'_>) -> Poll<Result<Both, ConnectionErrorIncoming>> {
        let stream = ready!(quic::Connection::<Bytes>::poll_accept_bidi(&mut self.quic, context))?;
        Poll::Ready(Ok(self.both(stream)))
    }

    fn opener(&self) -> Self {
        Self::new(self.watch.quic.clone(), &self.watch)
    }
}
