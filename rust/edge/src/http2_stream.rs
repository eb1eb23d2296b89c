//! A stream of HTTP/2: the body of a request as it comes, and the answer as it goes.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::Response;
use http_body::{Frame, SizeHint};

use crate::body::BodyError;
use crate::exchange::{Sending, Unsent};

/// Bytes of an answer that are handed over at a time: they stay in memory until the client has room for them.
const PIECE: usize = 64 << 10;

/// The body of a request.
pub(crate) struct Received {
    stream: RecvStream,
    /// How many bytes are still to come, where the client said so; h2 holds it to that.
    left: Option<u64>,
    is_over: bool,
}

impl Received {
    pub(crate) const fn new(stream: RecvStream, length: Option<u64>) -> Self {
        Self {
            stream,
            left: length,
            is_over: false,
        }
    }
}

impl http_body::Body for Received {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        match ready!(self.stream.poll_data(context)) {
            Some(Ok(data)) => {
                // The client may send as much again (section 6.9). Where the stream has ended it will not.
                let _ = self.stream.flow_control().release_capacity(data.len());
                self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Some(Err(_)) => {
                self.is_over = true;
                Poll::Ready(Some(Err("the client did not send its body to the end".into())))
            }
            None => {
                self.is_over = true;
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// Where the answer goes. Who takes nothing of it is noticed by the connection.
pub(crate) struct Answering {
    head: SendResponse<Bytes>,
    body: Option<SendStream<Bytes>>,
}

impl Answering {
    pub(crate) const fn new(head: SendResponse<Bytes>) -> Self {
        Self { head, body: None }
    }
}

impl From<h2::Error> for Unsent {
    fn from(error: h2::Error) -> Self {
        if error.is_reset() { Self::Reset } else { Self::Gone }
    }
}

impl Sending for Answering {
    const VERSION: &'static str = "HTTP/2.0";

    async fn inform(&mut self, head: Response<()>) -> Result<(), Unsent> {
        Ok(self.head.send_informational(head)?)
    }

    async fn begin(&mut self, head: Response<()>, ends: bool) -> Result<(), Unsent> {
        self.body = Some(self.head.send_response(head, ends)?);
        Ok(())
    }

    async fn send(&mut self, mut data: Bytes, ends: bool) -> Result<(), Unsent> {
        let Some(body) = &mut self.body else {
            return Err(Unsent::Gone);
        };
        while !data.is_empty() {
            let piece = data.split_to(data.len().min(PIECE));
            // No more is asked for than shows that there is room: what one stream was promised and does not use, others
            // of the connection wait for.
            body.reserve_capacity(1);
            while body.capacity() == 0 {
                match poll_fn(|context| body.poll_capacity(context)).await {
                    Some(room) => drop(room?),
                    None => return Err(Unsent::Reset),
                }
            }
            body.send_data(piece, ends && data.is_empty())?;
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Unsent> {
        let Some(body) = &mut self.body else {
            return Err(Unsent::Gone);
        };
        Ok(body.send_data(Bytes::new(), true)?)
    }

    fn abort(&mut self, why: &Unsent) {
        let reason = match why {
            Unsent::Broken => Reason::INTERNAL_ERROR,
            Unsent::Slow => Reason::CANCEL,
            Unsent::Reset | Unsent::Gone => return,
        };
        match &mut self.body {
            Some(body) => body.send_reset(reason),
            None => self.head.send_reset(reason),
        }
    }

    async fn gone(&mut self) {
        let gone = poll_fn(|context| match &mut self.body {
            Some(body) => body.poll_reset(context),
            None => self.head.poll_reset(context),
        });
        // Whatever came of it, nobody waits any more.
        let _ = gone.await;
    }
}
