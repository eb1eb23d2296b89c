//! Where a worker or an origin listens, and a connection to it.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use crate::error::EdgeError;
use crate::origin_tls::OriginTls;

/// Where one listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// The path of a Unix socket.
    Unix(PathBuf),
    /// A host and a port.
    Tcp(String),
    /// The same with TLS, and the host alone.
    Tls(String, String),
}

impl Address {
    /// Reads an address: `http://HOST[:PORT]`, `https://HOST[:PORT]`, `unix:PATH`, or a path.
    pub(crate) fn read(text: &str) -> Result<Self, EdgeError> {
        let secure = text.strip_prefix("https://");
        if let Some(rest) = secure.or_else(|| text.strip_prefix("http://")) {
            let authority = rest.strip_suffix('/').unwrap_or(rest);
            let parsed = authority.parse::<http::uri::Authority>().ok();
            let host = parsed.filter(|found| !found.host().is_empty() && !authority.contains('@'));
            let host = host.ok_or_else(|| EdgeError::Config(format!("{text} is not the address of an origin")))?;
            let usual = if secure.is_some() { 443 } else { 80 };
            let address = format!("{}:{}", host.host(), host.port_u16().unwrap_or(usual));
            return Ok(if secure.is_some() {
                Self::Tls(address, host.host().to_owned())
            } else {
                Self::Tcp(address)
            });
        }
        if text.contains("://") {
            return Err(EdgeError::Config(format!(
                "{text} cannot be an origin: give http://HOST:PORT, https://HOST or unix:PATH"
            )));
        }
        Ok(Self::Unix(text.strip_prefix("unix:").unwrap_or(text).into()))
    }

    /// What stands in the Host field of a request that is for the origin itself.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Unix(_) => "localhost",
            Self::Tcp(address) | Self::Tls(address, _) => address,
        }
    }

    pub(crate) const fn is_secure(&self) -> bool {
        matches!(self, Self::Tls(..))
    }

    pub(crate) async fn connect(&self, tls: Option<&OriginTls>) -> io::Result<Stream> {
        match self {
            Self::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix),
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Tls(address, host) => {
                // It is there wherever an address has it.
                let tls = tls.ok_or(io::ErrorKind::Unsupported)?;
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tls(Box::new(tls.connect(host, stream).await?)))
            }
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
            Self::Tcp(address) => write!(out, "http://{address}"),
            Self::Tls(address, _) => write!(out, "https://{address}"),
        }
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Whether it is open, and nothing came that was not read.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let waits = |found: io::Result<usize>| found.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        match self {
            Self::Unix(stream) => waits(stream.try_read(&mut [0])),
            Self::Tcp(stream) => waits(stream.try_read(&mut [0])),
            // What TLS itself says between requests, such as tickets, is taken by the way.
            Self::Tls(stream) => {
                let mut context = Context::from_waker(Waker::noop());
                let mut space = [0];
                Pin::new(stream)
                    .poll_read(&mut context, &mut ReadBuf::new(&mut space))
                    .is_pending()
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, space: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_read(context, space),
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, space),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, space),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            // Sockets hold nothing back.
            Self::Unix(_) | Self::Tcp(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused() {
        let tcp = |text: &str| Address::Tcp(text.to_owned());
        assert_eq!(Address::read("http://localhost:8000").unwrap(), tcp("localhost:8000"));
        assert_eq!(Address::read("http://[::1]/").unwrap(), tcp("[::1]:80"));
        assert_eq!(
            Address::read("unix:/run/a b").unwrap(),
            Address::Unix("/run/a b".into())
        );
        assert_eq!(Address::read("/run/a").unwrap(), Address::Unix("/run/a".into()));
        assert_eq!(
            Address::read("https://a.example").unwrap(),
            Address::Tls("a.example:443".to_owned(), "a.example".to_owned())
        );
        for bad in [
            "https://",
            "http://",
            "http://a@b",
            "http://a/b",
            "http://a b",
            "ftp://x",
        ] {
            assert!(Address::read(bad).is_err(), "{bad}");
        }
    }
}
