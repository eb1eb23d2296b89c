//! The body of a client's request of HTTP/1.1, as it comes (RFC 9112, sections 6 and 7).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::{Instant, Sleep, sleep};

use crate::body::BodyError;
use crate::client::Client;
use crate::framing::{Framing, Piece};
use crate::refusal::Refusal;

const READ: usize = 16 << 10;

/// What of a connection's bytes is not used yet, and how far the body is.
pub(crate) struct Rest {
    pub(crate) read: BytesMut,
    pub(crate) framing: Framing,
    /// Why the body does not come to its end.
    pub(crate) failed: Option<Refusal>,
}

impl Rest {
    /// Whether the body is over, what is there of it already passed by.
    pub(crate) fn is_over(&mut self) -> bool {
        loop {
            match self.framing.next(&mut self.read) {
                Ok(Piece::End) => return true,
                Ok(Piece::Data(_)) => {}
                Ok(Piece::More) | Err(_) => return false,
            }
        }
    }
}

/// A body that comes over a connection.
pub(crate) struct Upload {
    stream: Arc<Client>,
    rest: Arc<Mutex<Rest>>,
    /// Whether the client waits to be told that its body is wanted (RFC 9110, section 10.1.1).
    awaits_continue: bool,
    /// How many bytes may still come.
    allowed: u64,
    quiet: Duration,
    wait: Pin<Box<Sleep>>,
}

impl Upload {
    /// A body of at most `allowed` bytes, whose client may send nothing for so long.
    pub(crate) fn new(
        stream: Arc<Client>,
        rest: Arc<Mutex<Rest>>,
        awaits_continue: bool,
        allowed: u64,
        quiet: Duration,
    ) -> Self {
        Self {
            stream,
            rest,
            awaits_continue,
            allowed,
            quiet,
            wait: Box::pin(sleep(quiet)),
        }
    }

    fn fail(&self, why: Refusal) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.rest.lock().failed = Some(why);
        Poll::Ready(Some(Err("the client's body did not come to its end".into())))
    }

    /// Reads what there is. The lock is never held over a wait: who holds it is this task.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut rest = self.rest.lock();
        self.stream.poll_read_buf(context, &mut rest.read, READ)
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            let piece = {
                let rest = &mut *self.rest.lock();
                rest.framing.next(&mut rest.read)
            };
            match piece {
                Ok(Piece::End) => return Poll::Ready(None),
                Ok(Piece::Data(data)) => {
                    let Some(allowed) = self.allowed.checked_sub(data.len() as u64) else {
                        return self.fail(Refusal::LargeBody);
                    };
                    self.allowed = allowed;
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Ok(Piece::More) => {}
                Err(_) => return self.fail(Refusal::Malformed),
            }
            if std::mem::take(&mut self.awaits_continue) {
                // Nothing was written since the last response was taken, so there is room for it.
                self.stream.write_now(context, b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            match self.poll_more(context) {
                Poll::Pending => {
                    ready!(self.wait.as_mut().poll(context));
                    return self.fail(Refusal::SlowBody);
                }
                Poll::Ready(Ok(0) | Err(_)) => return self.fail(Refusal::Malformed),
                Poll::Ready(Ok(_)) => {
                    let until = Instant::now() + self.quiet;
                    self.wait.as_mut().reset(until);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.lock().framing == Framing::End
    }

    fn size_hint(&self) -> SizeHint {
        self.rest
            .lock()
            .framing
            .left()
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
