//! The bodies of responses.

use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use hyperweb_cache::{Buffer, Pool};
use tokio::io::{AsyncRead, ReadBuf};

use crate::encoder::Encoder;
use crate::incoming::Incoming;
use crate::metrics;
use crate::shared::ThreadState;

/// Why a body ends early.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;
/// The body of a client's request.
pub(crate) type RequestBody = UnsyncBoxBody<Bytes, BodyError>;

/// Bytes read from a file at a time.
const CHUNK: usize = 64 << 10;

/// The buffers of all threads for parts of files.
fn chunks() -> &'static Pool {
    static CHUNKS: OnceLock<Pool> = OnceLock::new();
    CHUNKS.get_or_init(Pool::default)
}

/// What is shown the beginning of a body.
pub(crate) type See = Box<dyn FnOnce(&[u8]) + Send + Sync>;

/// Where the bytes come from.
pub(crate) enum Body {
    Bytes(Option<Bytes>),
    /// A worker's body, passed on as it comes; what was read of it already goes first.
    Worker {
        first: Option<Bytes>,
        rest: Incoming,
    },
    /// A worker's body that is made smaller as it comes; the end of it when there is no encoder any more.
    Coded {
        encoder: Option<Encoder>,
        plain: Box<Self>,
    },
    /// A worker's body, whose beginning is seen by somebody else too.
    Watched {
        see: Option<See>,
        body: Box<Self>,
    },
    /// A part of a file.
    File {
        file: tokio::fs::File,
        left: u64,
        /// The buffer that is being read into.
        buffer: Option<Buffer>,
    },
}

impl Body {
    pub(crate) const fn empty() -> Self {
        Self::Bytes(None)
    }

    /// Shows the beginning of a body as its maker sends it, where it is passed on as it comes.
    pub(crate) fn watch(&mut self, see: See) {
        match self {
            Self::Worker { .. } => {
                let body = Box::new(std::mem::replace(self, Self::empty()));
                *self = Self::Watched { see: Some(see), body };
            }
            Self::Coded { plain, .. } => plain.watch(see),
            Self::Bytes(_) | Self::Watched { .. } | Self::File { .. } => {}
        }
    }

    pub(crate) fn file(file: tokio::fs::File, left: u64) -> Self {
        Self::File {
            file,
            left,
            buffer: None,
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Bytes(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Worker { first, rest } => match first.take().filter(|bytes| !bytes.is_empty()) {
                Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                None => Pin::new(rest).poll_frame(context),
            },
            Self::Coded { encoder, plain } => poll_coded(encoder, Pin::new(plain.as_mut()), context),
            Self::Watched { see, body } => {
                let frame = ready!(Pin::new(body.as_mut()).poll_frame(context));
                if let Some(Ok(frame)) = &frame
                    && let Some(see) = see.take()
                {
                    see(frame.data_ref().map_or(&[], |data| &data[..]));
                }
                Poll::Ready(frame)
            }
            Self::File { file, left, buffer } => {
                if *left == 0 {
                    return Poll::Ready(None);
                }
                let wanted = usize::try_from(*left).unwrap_or(CHUNK).min(CHUNK);
                let mut chunk = buffer.take().unwrap_or_else(|| chunks().take(CHUNK));
                let mut space = ReadBuf::new(chunk.spare_mut().get_mut(..wanted).unwrap_or_default());
                let polled = Pin::new(file).poll_read(context, &mut space);
                let count = space.filled().len();
                match polled {
                    Poll::Pending => {
                        *buffer = Some(chunk);
                        Poll::Pending
                    }
                    Poll::Ready(Err(error)) => Poll::Ready(Some(Err(error.into()))),
                    Poll::Ready(Ok(())) if count == 0 => {
                        Poll::Ready(Some(Err("the file was cut short while it was sent".into())))
                    }
                    Poll::Ready(Ok(())) => {
                        *left -= count as u64;
                        // It goes to the socket as it was read, and back to the pool when it is sent.
                        chunk.advance_mut(count);
                        Poll::Ready(Some(Ok(Frame::data(chunk.freeze()))))
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_none(),
            Self::Worker { first, rest } => first.is_none() && rest.is_end_stream(),
            Self::Coded { encoder, .. } => encoder.is_none(),
            Self::Watched { body, .. } => body.is_end_stream(),
            Self::File { left, .. } => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Bytes(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Coded { .. } => SizeHint::default(),
            Self::Watched { body, .. } => body.size_hint(),
            Self::File { left, .. } => SizeHint::with_exact(*left),
            Self::Worker { first, rest } => {
                let mut hint = rest.size_hint();
                let more = first.as_ref().map_or(0, |bytes| bytes.len() as u64);
                if let Some(exact) = hint.exact() {
                    hint.set_exact(exact + more);
                }
                hint
            }
        }
    }
}

fn poll_coded(
    encoder: &mut Option<Encoder>,
    mut plain: Pin<&mut Body>,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
    loop {
        let frame = ready!(http_body::Body::poll_frame(plain.as_mut(), context));
        let made = match frame {
            Some(Ok(frame)) => match (encoder.as_mut(), frame.into_data()) {
                (Some(encoder), Ok(data)) => encoder.push(&data),
                _ => continue,
            },
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => match encoder.take() {
                Some(encoder) => encoder.finish(b""),
                None => return Poll::Ready(None),
            },
        };
        match made {
            Ok(made) if made.is_empty() => {}
            made => return Poll::Ready(Some(made.map(Frame::data).map_err(Into::into))),
        }
    }
}

/// Counts something for as long as it lives.
pub(crate) struct Lease(pub(crate) Arc<AtomicU64>);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.fetch_sub(1, std::sync::atomic::Ordering::AcqRel);
    }
}

/// One request that is being answered on a thread.
pub(crate) struct InFlight(Arc<ThreadState>);

impl InFlight {
    pub(crate) fn new(state: Arc<ThreadState>) -> Self {
        metrics::add(&state.metrics.in_flight, 1);
        Self(state)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        metrics::sub(&self.0.metrics.in_flight, 1);
    }
}
