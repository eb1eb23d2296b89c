//! Responses that are sent at once, and what is left of one for which the client has no room.

use std::io;
use std::time::Instant;

use bytes::Bytes;

use crate::access::{Outcome, Told};
use crate::client::Client;
use crate::config::Limits;
use crate::metrics::Source;
use crate::request::Noted;
use crate::shared::ThreadState;
use crate::write::{write_all, write_now};

/// Where a response came from, its status, and the bytes of its body.
pub(crate) type Sent = (Source, u16, u64);

/// What is left of a response.
pub(crate) struct Unsent {
    head: Vec<u8>,
    body: Bytes,
}

impl Unsent {
    /// Sends the parts of a response as far as there is room for them; what is left, where anything is. The body is what
    /// they end with, which `body` has in a form that can be held on to.
    pub(crate) fn send<const N: usize>(
        stream: &Client,
        parts: [&[u8]; N],
        body: impl FnOnce() -> Bytes,
    ) -> io::Result<Option<Self>> {
        let Some(written) = write_now(stream, &parts)? else {
            return Ok(None);
        };
        let body = body();
        let whole: usize = parts.iter().map(|part| part.len()).sum();
        let head = whole.saturating_sub(body.len());
        let bytes = parts.iter().flat_map(|part| part.iter().copied());
        Ok(Some(Self {
            head: bytes.take(head).skip(written).collect(),
            body: body.slice(written.saturating_sub(head).min(body.len())..),
        }))
    }

    /// Sends it as the client takes it.
    pub(crate) async fn finish(self, stream: &Client, limits: &Limits) -> io::Result<()> {
        write_all(stream, [&self.head, &self.body], limits).await
    }
}

/// What is counted and written down of a request once it is answered.
pub(crate) struct Ending {
    started: Instant,
    /// Who asked for what, where there is an access log.
    noted: Option<(Noted, Box<str>)>,
}

impl Ending {
    /// One of a request that came at that time, where that matters to anyone.
    pub(crate) fn new(
        state: &ThreadState,
        started: Option<Instant>,
        noted: impl FnOnce() -> (Noted, Box<str>),
    ) -> Option<Self> {
        Some(Self {
            started: started?,
            noted: state.shared.access.is_some().then(noted),
        })
    }

    pub(crate) fn finish(&self, state: &ThreadState, (source, status, bytes): Sent) {
        let outcome = Outcome {
            source,
            status,
            bytes,
            took: self.started.elapsed(),
        };
        state.finish(&outcome, || match &self.noted {
            Some((noted, peer)) => noted.told(peer, "HTTP/1.1"),
            None => Told::default(),
        });
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn what_there_is_no_room_for_comes_later() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let stream = Client::Plain(listener.accept().await.unwrap().0);
        let body: Bytes = (0..16_u32 << 20).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let (one, two) = (b"one ".as_slice(), b"two ".as_slice());
        let small = Unsent::send(&stream, [one, two], Bytes::new).unwrap();
        assert!(small.is_none());
        // More than sockets hold, so something is left.
        let mut expected = b"one two ".to_vec();
        for _ in 0..2 {
            let left = Unsent::send(&stream, [one, two, &body], || body.clone())
                .unwrap()
                .unwrap();
            let limits = Limits::default();
            let sending = left.finish(&stream, &limits);
            expected.extend_from_slice(&[one, two, &body].concat());
            let mut read = vec![0; expected.len()];
            let (sent, got) = tokio::join!(sending, client.read_exact(&mut read));
            sent.unwrap();
            got.unwrap();
            assert!(read == expected);
            expected.clear();
        }
        while write_now(&stream, &[&body]).unwrap() != Some(0) {}
        let left = Unsent::send(&stream, [one, &body], || body.clone()).unwrap().unwrap();
        assert_eq!((left.head.as_slice(), left.body.len()), (one, body.len()));
    }
}
