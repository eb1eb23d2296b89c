//! Where a worker or an origin listens, and a connection to it.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::error::EdgeError;

/// Where one listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// The path of a Unix socket.
    Unix(PathBuf),
    /// A host and a port.
    Tcp(String),
}

impl Address {
    /// Reads an address: `http://HOST[:PORT]`, `unix:PATH`, or a path.
    pub(crate) fn read(text: &str) -> Result<Self, EdgeError> {
        if let Some(rest) = text.strip_prefix("http://") {
            let authority = rest.strip_suffix('/').unwrap_or(rest);
            let parsed = authority.parse::<http::uri::Authority>().ok();
            let host = parsed.filter(|found| !found.host().is_empty() && !authority.contains('@'));
            let host = host.ok_or_else(|| EdgeError::Config(format!("{text} is not the address of an origin")))?;
            return Ok(Self::Tcp(format!("{}:{}", host.host(), host.port_u16().unwrap_or(80))));
        }
        if text.contains("://") {
            return Err(EdgeError::Config(format!(
                "{text} cannot be an origin: give http://HOST:PORT or unix:PATH"
            )));
        }
        Ok(Self::Unix(text.strip_prefix("unix:").unwrap_or(text).into()))
    }

    /// What stands in the Host field of a request that is for the origin itself.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Unix(_) => "localhost",
            Self::Tcp(address) => address,
        }
    }

    pub(crate) async fn connect(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix),
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
            Self::Tcp(address) => write!(out, "http://{address}"),
        }
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    pub(crate) fn try_read(&self, space: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.try_read(space),
            Self::Tcp(stream) => stream.try_read(space),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, space: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_read(context, space),
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, space),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Sockets hold nothing back.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
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
        for bad in [
            "https://x",
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
