//! The body of a worker's response, as it comes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::body::{BodyError, Lease};
use crate::connection::Connection;
use crate::framing::{Framing, Piece};
use crate::upstream::Worker;

/// Bytes that are read at a time, at least and at most.
const LEAST_READ: u64 = 4 << 10;
const MOST_READ: u64 = 64 << 10;

/// What is still to come of a response. When it is over the connection goes back to its worker's idle ones.
pub(crate) struct Incoming {
    connection: Option<Connection>,
    framing: Framing,
    is_reusable: bool,
    worker: Arc<Worker>,
    thread: usize,
    /// Counts the request as its worker's until it is over or given up.
    lease: Option<Lease>,
}

impl Incoming {
    pub(crate) fn new(
        connection: Connection,
        (framing, is_reusable): (Framing, bool),
        worker: Arc<Worker>,
        thread: usize,
        lease: Lease,
    ) -> Self {
        let mut incoming = Self {
            connection: Some(connection),
            framing,
            is_reusable,
            worker,
            thread,
            lease: Some(lease),
        };
        if framing == Framing::End {
            incoming.end();
        }
        incoming
    }

    fn end(&mut self) {
        self.lease.take();
        if let Some(connection) = self.connection.take().filter(|_| self.is_reusable) {
            self.worker.keep(connection, self.thread);
        }
    }

    fn fail(&mut self, why: &'static str) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.is_reusable = false;
        self.framing = Framing::End;
        self.end();
        Poll::Ready(Some(Err(why.into())))
    }
}

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            let this = &mut *self;
            let Some(connection) = this.connection.as_mut() else {
                return Poll::Ready(None);
            };
            match this.framing.next(connection.read()) {
                Ok(Piece::Data(data)) => {
                    if this.framing == Framing::End {
                        this.end();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Ok(Piece::End) => {
                    this.end();
                    return Poll::Ready(None);
                }
                Ok(Piece::More) => {}
                Err(_) => return this.fail("the worker's answer has no end that can be told"),
            }
            let wanted = this.framing.left().unwrap_or(LEAST_READ).clamp(LEAST_READ, MOST_READ);
            let wanted = usize::try_from(wanted).unwrap_or(0);
            match ready!(connection.poll_more(context, wanted)) {
                Ok(0) if this.framing == Framing::Close => {
                    this.framing = Framing::End;
                    this.end();
                    return Poll::Ready(None);
                }
                Ok(0) | Err(_) => return this.fail("the worker went away in the middle of its answer"),
                Ok(_) => {}
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.connection.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.framing.left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
