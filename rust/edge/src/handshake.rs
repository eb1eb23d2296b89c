//! The beginning of a connection where TLS is spoken.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::Client;
use crate::http1::note;
use crate::metrics;
use crate::peer::Peer;
use crate::refusal::Refusal;
use crate::replay::Replay;
use crate::shared::ThreadState;
use crate::tls::{Agreed, HANDSHAKE, Tls};

/// A connection over which requests can come.
pub(crate) struct Opened {
    pub(crate) client: Client,
    /// What was read of it.
    pub(crate) before: Vec<u8>,
    /// Whether HTTP/2 was chosen; otherwise what comes first tells.
    pub(crate) is_http2: bool,
}

impl Opened {
    pub(crate) const fn plain(stream: TcpStream, before: Vec<u8>) -> Self {
        Self {
            client: Client::Plain(stream),
            before,
            is_http2: false,
        }
    }
}

/// What somebody begins with.
enum Began {
    /// A handshake that came to its end.
    Tls(Agreed),
    /// HTTP.
    Plain(TcpStream, Vec<u8>),
    /// Nothing, and is gone again: who only looks whether somebody listens.
    Nothing,
}

/// Shakes hands with who comes to `port`. Who speaks HTTP there is to be sent there anew, with TLS; none where nothing comes
/// of it.
pub(crate) async fn shake(
    state: &ThreadState,
    stream: TcpStream,
    before: Vec<u8>,
    peer: &mut Peer,
    port: u16,
) -> Option<Opened> {
    let tls = state.shared.tls.as_ref()?;
    let longest = Duration::from_millis(state.shared.limits.handshake_time);
    let handshakes = &state.shared.handshakes;
    let beginning = async {
        let _place = handshakes.acquire().await.map_err(io::Error::other)?;
        begin(tls, stream, before).await
    };
    let refusal = match timeout(longest, beginning).await {
        Ok(Ok(Began::Tls(agreed))) => {
            metrics::add(&state.metrics.handshakes, 1);
            metrics::add(&state.metrics.resumed, u64::from(agreed.is_resumed));
            if agreed.is_proof {
                return None;
            }
            peer.is_secure = true;
            peer.certified = Some(agreed.name);
            return Some(Opened {
                client: agreed.client,
                before: Vec::new(),
                is_http2: agreed.is_http2,
            });
        }
        Ok(Ok(Began::Plain(stream, read))) => {
            peer.sent_to = Some(port);
            return Some(Opened::plain(stream, read));
        }
        Ok(Ok(Began::Nothing)) => return None,
        Ok(Err(_)) => Refusal::Handshake,
        Err(_) => Refusal::SlowHandshake,
    };
    note(state, refusal, &peer.address);
    None
}

async fn begin(tls: &Tls, stream: TcpStream, before: Vec<u8>) -> io::Result<Began> {
    let mut first = [0];
    let begins = match before.first() {
        Some(first) => *first,
        None if matches!(stream.peek(&mut first).await, Ok(1..)) => first[0],
        None => return Ok(Began::Nothing),
    };
    if begins.is_ascii_uppercase() {
        return Ok(Began::Plain(stream, before));
    }
    if begins != HANDSHAKE {
        return Err(io::ErrorKind::InvalidData.into());
    }
    tls.accept(Replay::new(before.into(), stream)).await.map(Began::Tls)
}
