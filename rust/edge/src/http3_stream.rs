//! A stream of HTTP/3: the body of a request as it comes, and the answer as it goes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use h3::error::{Code, StreamError};
use h3::server::RequestStream;
use http::Response;
use http_body::{Frame, SizeHint};
use tokio::time::timeout;

use crate::body::BodyError;
use crate::exchange::{Sending, Unsent};
use crate::http3_guard::Coming;

/// The half of a stream that a client sends on.
pub(crate) type Receiving = RequestStream<Coming, Bytes>;

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

/// Where the answer goes.
pub(crate) struct Answering {
    stream: RequestStream<h3_quinn::SendStream<Bytes>, Bytes>,
    /// How long the client may take nothing.
    longest: Duration,
}

impl Answering {
    pub(crate) const fn new(stream: RequestStream<h3_quinn::SendStream<Bytes>, Bytes>, longest: Duration) -> Self {
        Self { stream, longest }
    }
}

impl From<StreamError> for Unsent {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::RemoteTerminate { .. } => Self::Reset,
            _ => Self::Gone,
        }
    }
}

/// Waits for something to be sent, for so long.
async fn in_time(longest: Duration, sending: impl Future<Output = Result<(), StreamError>>) -> Result<(), Unsent> {
    match timeout(longest, sending).await {
        Ok(sent) => sent.map_err(Unsent::from),
        Err(tokio::time::error::Elapsed { .. }) => Err(Unsent::Slow),
    }
}

impl Sending for Answering {
    const VERSION: &'static str = "HTTP/3.0";

    async fn inform(&mut self, head: Response<()>) -> Result<(), Unsent> {
        in_time(self.longest, self.stream.send_response(head)).await
    }

    async fn begin(&mut self, head: Response<()>, ends: bool) -> Result<(), Unsent> {
        in_time(self.longest, self.stream.send_response(head)).await?;
        if ends { self.finish().await } else { Ok(()) }
    }

    async fn send(&mut self, data: Bytes, ends: bool) -> Result<(), Unsent> {
        in_time(self.longest, self.stream.send_data(data)).await?;
        if ends { self.finish().await } else { Ok(()) }
    }

    async fn finish(&mut self) -> Result<(), Unsent> {
        in_time(self.longest, self.stream.finish()).await
    }

    fn abort(&mut self, why: &Unsent) {
        match why {
            Unsent::Broken => self.stream.stop_stream(Code::H3_INTERNAL_ERROR),
            Unsent::Slow => self.stream.stop_stream(Code::H3_REQUEST_CANCELLED),
            Unsent::Reset | Unsent::Gone => {}
        }
    }

    async fn gone(&mut self) {
        // It is seen when something is sent.
        std::future::pending::<()>().await;
    }
}
