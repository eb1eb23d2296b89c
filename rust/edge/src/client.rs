//! A client's connection: TCP as it is, or TLS over it.
//!
//! Reading and writing are possible at the same time through a shared reference, as they are with a socket: while a
//! response is made, the connection is watched. All of it happens in one task, so the lock is never waited for.

use std::future::poll_fn;
use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::replay::Replay;

/// A connection.
pub(crate) enum Client {
    Plain(TcpStream),
    Secure(Box<Secure>),
}

/// TLS over a connection, of which the end is said to the client however it comes to it (RFC 8446, section 6.1).
pub(crate) struct Secure(Mutex<TlsStream<Replay<TcpStream>>>);

impl Client {
    pub(crate) fn secure(stream: TlsStream<Replay<TcpStream>>) -> Self {
        Self::Secure(Box::new(Secure(Mutex::new(stream))))
    }

    /// Waits until the client has closed the connection; for ever where it sends more first.
    pub(crate) async fn gone(&self) {
        let has_more = match self {
            Self::Plain(stream) => matches!(stream.peek(&mut [0]).await, Ok(1..)),
            Self::Secure(secure) => {
                poll_fn(|context| {
                    let mut stream = secure.0.lock();
                    let found = ready!(Pin::new(&mut *stream).poll_fill_buf(context));
                    Poll::Ready(found.is_ok_and(|bytes| !bytes.is_empty()))
                })
                .await
            }
        };
        if has_more {
            std::future::pending::<()>().await;
        }
    }

    /// Reads what there is.
    pub(crate) fn poll_read_buf(
        &self,
        context: &mut Context<'_>,
        buffer: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        buffer.reserve(most);
        match self {
            Self::Plain(stream) => loop {
                ready!(stream.poll_read_ready(context))?;
                match stream.try_read_buf(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    other => return Poll::Ready(other),
                }
            },
            Self::Secure(secure) => {
                let mut stream = secure.0.lock();
                let found = ready!(Pin::new(&mut *stream).poll_fill_buf(context))?;
                let count = found.len().min(most);
                buffer.extend_from_slice(found.get(..count).unwrap_or_default());
                Pin::new(&mut *stream).consume(count);
                Poll::Ready(Ok(count))
            }
        }
    }

    /// Writes what there is room for, without waiting for more: what is too much is not said.
    pub(crate) fn write_now(&self, context: &mut Context<'_>, bytes: &[u8]) {
        match self {
            Self::Plain(stream) => drop(stream.try_write(bytes)),
            Self::Secure(secure) => {
                let mut stream = secure.0.lock();
                if Pin::new(&mut *stream).poll_write(context, bytes).is_ready() {
                    // What is not sent now goes with what is written next.
                    let _ = Pin::new(&mut *stream).poll_flush(context);
                }
            }
        }
    }
}

impl Secure {
    /// Writes some of some parts; what was taken is on its way once it is [flushed](Self::poll_flush).
    pub(crate) fn poll_write_parts(&self, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.lock()).poll_write_vectored(context, parts)
    }

    pub(crate) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_flush(context)
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        let (below, session) = self.0.get_mut().get_mut();
        session.send_close_notify();
        // There is room for it, or the client takes nothing any more.
        while session.wants_write()
            && session
                .write_tls(&mut Now(below.get_ref()))
                .is_ok_and(|count| count > 0)
        {}
    }
}

/// Writes what there is room for.
struct Now<'a>(&'a TcpStream);

impl Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Client {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, space: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, space),
            Self::Secure(secure) => Pin::new(secure.0.get_mut()).poll_read(context, space),
        }
    }
}

impl AsyncWrite for Client {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Secure(secure) => Pin::new(secure.0.get_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Secure(secure) => Pin::new(secure.0.get_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Secure(secure) => Pin::new(secure.0.get_mut()).poll_shutdown(context),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            Self::Secure(secure) => Pin::new(secure.0.get_mut()).poll_write_vectored(context, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
