//! The body of a request of HTTP/3, as it comes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h3::server::RequestStream;
use http_body::{Frame, SizeHint};

use crate::body::BodyError;

/// The half of a stream that a client sends on.
pub(crate) type Receiving = RequestStream<h3_quinn::RecvStream, Bytes>;

/// A body that comes over a stream.
pub(crate) struct Received {
    stream: Receiving,
    /// What was read of it already.
    first: Option<Bytes>,
    /// How many bytes are still to come, where the client said so.
    left: Option<u64>,
    is_over: bool,
}

impl Received {
    pub(crate) const fn new(stream: Receiving, first: Option<Bytes>, length: Option<u64>) -> Self {
        Self {
            stream,
            first,
            left: length,
            is_over: false,
        }
    }

    /// Counts what came. More or less than was said is no valid request (RFC 9114, section 4.1.2).
    fn count(&mut self, came: Option<u64>) -> Result<(), BodyError> {
        let Some(left) = self.left else { return Ok(()) };
        let is_well = match came {
            Some(came) => {
                let less = left.checked_sub(came);
                self.left = less;
                less.is_some()
            }
            None => left == 0,
        };
        if is_well {
            return Ok(());
        }
        self.is_over = true;
        Err("the body is not as long as was said".into())
    }
}

impl http_body::Body for Received {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if this.is_over {
            return Poll::Ready(None);
        }
        let data = if let Some(first) = this.first.take() {
            Some(first)
        } else if let Ok(data) = ready!(this.stream.poll_recv_data(context)) {
            data.map(|mut data| data.copy_to_bytes(data.remaining()))
        } else {
            this.is_over = true;
            return Poll::Ready(Some(Err("the client did not send its body to the end".into())));
        };
        if let Err(error) = this.count(data.as_ref().map(|data| data.len() as u64)) {
            return Poll::Ready(Some(Err(error)));
        }
        this.is_over = data.is_none();
        Poll::Ready(data.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
