//! Watches what a client does with HTTP/2 beside asking: frames that cost it little, and whoever serves it much (RFC 9113,
//! section 10.5).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock;
use crate::config::Limits;
use crate::frames::{CONTINUATION, DATA, Frame, Frames, HEADERS, RST_STREAM, WINDOW_UPDATE};
use crate::http2::PREFACE;
use crate::refusal::Refusal;

/// How long frames are counted together, in milliseconds.
const SPAN: u64 = 10_000;
/// A client that takes what it is sent may say so for each so many bytes, and so often beyond.
const BYTES_OF_UPDATE: u64 = 512;
const FREE_UPDATES: u64 = 2000;

/// Why a connection is ended (section 7).
const ENHANCE_YOUR_CALM: u8 = 0xb;

/// What is seen of a connection from outside of it.
#[derive(Debug)]
pub(crate) struct Watch {
    /// When something last came.
    pub(crate) came: AtomicU64,
    /// When some of an answer was last written.
    pub(crate) written: AtomicU64,
    /// When the field block began that has not ended; nought where there is none.
    pub(crate) block_since: AtomicU64,
    /// Why the connection was ended.
    pub(crate) refused: Mutex<Option<Refusal>>,
}

/// A connection that ends when too much of that comes over it.
pub(crate) struct Guard<S> {
    stream: S,
    watch: Arc<Watch>,
    incoming: Frames,
    outgoing: Frames,
    counts: Counts,
    /// The last stream that the client began.
    last: u32,
}

/// What came since a span began, and how much of it may.
#[derive(Debug)]
struct Counts {
    since: u64,
    resets: u64,
    controls: u64,
    updates: u64,
    sent: u64,
    most_resets: u64,
    most_controls: u64,
}

impl Counts {
    const fn new(limits: &Limits, now: u64) -> Self {
        Self {
            since: now,
            resets: 0,
            controls: 0,
            updates: 0,
            sent: 0,
            most_resets: limits.resets,
            most_controls: limits.control_frames,
        }
    }

    /// Counts a frame; what is said of one too many.
    const fn add(&mut self, frame: &Frame, now: u64) -> Option<Refusal> {
        if now.saturating_sub(self.since) > SPAN {
            self.since = now;
            self.resets = 0;
            self.controls = 0;
            self.updates = 0;
            self.sent = 0;
        }
        match frame.kind {
            DATA if frame.length > 0 || frame.ends_stream() => {}
            HEADERS => {}
            CONTINUATION if frame.length > 0 => {}
            WINDOW_UPDATE => self.updates += 1,
            RST_STREAM => self.resets += 1,
            // Settings, pings, priorities, what is empty, and what nobody knows.
            _ => self.controls += 1,
        }
        if self.resets > self.most_resets {
            Some(Refusal::Resets)
        } else if self.controls > self.most_controls || self.updates > FREE_UPDATES + self.sent / BYTES_OF_UPDATE {
            Some(Refusal::ControlFrames)
        } else {
            None
        }
    }
}

impl<S> Guard<S> {
    pub(crate) fn new(stream: S, limits: &Limits) -> (Self, Arc<Watch>) {
        let now = clock::now();
        let watch = Arc::new(Watch {
            came: AtomicU64::new(now),
            written: AtomicU64::new(now),
            block_since: AtomicU64::new(0),
            refused: Mutex::new(None),
        });
        let guard = Self {
            stream,
            watch: Arc::clone(&watch),
            incoming: Frames::after(PREFACE.len()),
            outgoing: Frames::after(0),
            counts: Counts::new(limits, now),
            last: 0,
        };
        (guard, watch)
    }

    /// Notes what came; why the connection is to end, if it is.
    fn came(&mut self, bytes: &[u8]) -> Option<Refusal> {
        let now = clock::now();
        self.watch.came.store(now, Ordering::Relaxed);
        let (counts, last) = (&mut self.counts, &mut self.last);
        let mut refused = None;
        self.incoming.push(bytes, |frame| {
            if frame.kind == HEADERS {
                *last = frame.stream.max(*last);
            }
            refused = refused.or(counts.add(&frame, now));
        });
        let since = &self.watch.block_since;
        if !self.incoming.is_in_block() {
            since.store(0, Ordering::Relaxed);
        } else if since.load(Ordering::Relaxed) == 0 {
            since.store(now, Ordering::Relaxed);
        }
        refused
    }

    fn went(&mut self, parts: &[io::IoSlice<'_>], mut count: usize) {
        let answers = |frame: &Frame| matches!(frame.kind, DATA | HEADERS | CONTINUATION);
        // What answers nothing, such as a ping, is no sign that the client takes what it asked for.
        let mut answered = self.outgoing.now().is_some_and(answers);
        self.counts.sent = self.counts.sent.saturating_add(count as u64);
        for part in parts {
            let taken = part.get(..count.min(part.len())).unwrap_or_default();
            count -= taken.len();
            self.outgoing.push(taken, |frame| answered |= answers(&frame));
        }
        if answered {
            self.watch.written.store(clock::now(), Ordering::Relaxed);
        }
    }
}

impl<S: AsyncWrite + Unpin> Guard<S> {
    /// Tells the client to go away (section 6.8), where that would not stand in the middle of something else.
    fn send_away(&mut self, context: &mut Context<'_>) {
        if !self.outgoing.is_between() {
            return;
        }
        let [a, b, c, d] = self.last.to_be_bytes();
        let frame = [0, 0, 8, 7, 0, 0, 0, 0, 0, a, b, c, d, 0, 0, 0, ENHANCE_YOUR_CALM];
        // It may not read it.
        if Pin::new(&mut self.stream).poll_write(context, &frame).is_ready() {
            let _ = Pin::new(&mut self.stream).poll_flush(context);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guard<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        let refused = this.came(buffer.filled().get(before..).unwrap_or_default());
        let Some(refusal) = refused else {
            return Poll::Ready(Ok(()));
        };
        *this.watch.refused.lock() = Some(refusal);
        this.send_away(context);
        Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[io::IoSlice::new(bytes)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let count = ready!(Pin::new(&mut this.stream).poll_write_vectored(context, parts))?;
        this.went(parts, count);
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        let mut made = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
        made.resize(made.len() + usize::from(length), 0);
        made
    }

    fn comes(bytes: &[u8], sent: u64) -> Option<Refusal> {
        let limits = Limits {
            resets: 3,
            control_frames: 5,
            ..Limits::default()
        };
        let (mut guard, _) = Guard::new((), &limits);
        guard.incoming = Frames::after(0);
        guard.counts.sent = sent;
        guard.came(bytes)
    }

    #[test]
    fn what_is_cheap_is_counted() {
        let all = Refusal::ControlFrames;
        for (one, most, refusal) in [
            (frame(RST_STREAM, 0, 4), 3, Refusal::Resets),
            (frame(4, 0, 0), 5, all),
            (frame(6, 0, 8), 5, all),
            (frame(2, 0, 5), 5, all),
            (frame(DATA, 0, 0), 5, all),
            (frame(CONTINUATION, 0, 0), 5, all),
            (frame(200, 0, 3), 5, all),
            (frame(WINDOW_UPDATE, 0, 4), 2000, all),
        ] {
            assert_eq!(comes(&one.repeat(most), 0), None, "{one:?}");
            assert_eq!(comes(&one.repeat(most + 1), 0), Some(refusal), "{one:?}");
        }
        for one in [
            frame(DATA, 1, 0),
            frame(DATA, 0, 1),
            frame(HEADERS, 4, 0),
            frame(CONTINUATION, 0, 1),
        ] {
            assert_eq!(comes(&one.repeat(9000), 0), None, "{one:?}");
        }
        assert_eq!(comes(&frame(WINDOW_UPDATE, 0, 4).repeat(3000), 1 << 20), None);
    }

    #[test]
    fn a_new_span_begins_anew() {
        let limits = Limits {
            resets: 1,
            ..Limits::default()
        };
        let mut counts = Counts::new(&limits, 0);
        let mut add = |now| {
            let mut found = None;
            Frames::after(0).push(&frame(RST_STREAM, 0, 4), |frame| found = counts.add(&frame, now));
            found
        };
        assert_eq!(
            [add(1), add(SPAN), add(SPAN + 1), add(SPAN + 2)],
            [None, Some(Refusal::Resets), None, Some(Refusal::Resets)]
        );
    }
}
