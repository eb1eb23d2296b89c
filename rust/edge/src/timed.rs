//! A body of a request of HTTP/2 or HTTP/3 that is not waited for without end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use crate::body::{BodyError, RequestBody};

/// The client sent nothing for too long.
#[derive(Debug)]
pub(crate) struct TooSlow;

impl std::fmt::Display for TooSlow {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("the client's body did not come in time")
    }
}

impl std::error::Error for TooSlow {}

/// A body, and how long its client may send nothing of it.
pub(crate) struct Timed<F> {
    body: RequestBody,
    quiet: Duration,
    wait: Pin<Box<Sleep>>,
    /// Called when that was too long.
    tell: F,
}

impl<F: Fn() + Unpin> Timed<F> {
    pub(crate) fn new(body: RequestBody, quiet: Duration, tell: F) -> Self {
        Self {
            body,
            quiet,
            wait: Box::pin(sleep(quiet)),
            tell,
        }
    }
}

impl<F: Fn() + Unpin> http_body::Body for Timed<F> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(frame) => {
                let until = Instant::now() + this.quiet;
                this.wait.as_mut().reset(until);
                Poll::Ready(frame)
            }
            Poll::Pending => {
                ready!(this.wait.as_mut().poll(context));
                (this.tell)();
                Poll::Ready(Some(Err(TooSlow.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
