//! A thread of the edge: a listener and a runtime of its own.

use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::client::Client;
use crate::direct;
use crate::error::EdgeError;
use crate::http1::note;
use crate::http2;
use crate::metrics;
use crate::peer::Peer;
use crate::proxy::{self, Header};
use crate::refusal::Refusal;
use crate::replay::Replay;
use crate::shared::ThreadState;
use crate::tls::HANDSHAKE;

const BACKLOG: i32 = 4096;
/// How often a thread that is to stop looks whether all is sent.
const DRAIN_BEAT: Duration = Duration::from_millis(10);

/// What is spoken where clients come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entrance {
    Plain,
    /// TLS, on this port.
    Tls(u16),
    /// HTTP, by which clients are sent to this port with TLS.
    Redirect(u16),
}

/// Listens on an address that other threads listen on too.
pub(crate) fn listen(address: SocketAddr) -> Result<StdListener, EdgeError> {
    let work = || -> std::io::Result<StdListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    };
    work().map_err(|source| EdgeError::Listen {
        address: address.to_string(),
        source,
    })
}

/// Finds out whether somebody else listens on an address: threads of one edge share it, and others may not.
pub(crate) fn claim(address: SocketAddr) -> Result<SocketAddr, EdgeError> {
    let work = || -> std::io::Result<SocketAddr> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        let taken = socket
            .local_addr()?
            .as_socket()
            .ok_or(std::io::ErrorKind::AddrNotAvailable)?;
        Ok(taken)
    };
    work().map_err(|source| EdgeError::Listen {
        address: address.to_string(),
        source,
    })
}

/// Serves on a thread until it is to stop, and then until all that was begun is sent.
pub(crate) fn run(state: &Arc<ThreadState>, listeners: Vec<(StdListener, Entrance)>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    runtime.block_on(async {
        let mut accepting = Vec::new();
        for (listener, entrance) in listeners {
            if let Ok(listener) = TcpListener::from_std(listener) {
                accepting.push(tokio::spawn(accept(Arc::clone(state), listener, entrance)));
            }
        }
        while !state.shared.draining.load(Ordering::Acquire) {
            tokio::time::sleep(DRAIN_BEAT * 5).await;
        }
        for task in accepting {
            task.abort();
        }
        // Connections that were accepted and have sent nothing yet get the chance to.
        tokio::time::sleep(DRAIN_BEAT).await;
        let (in_flight, http2) = (&state.metrics.in_flight, &state.metrics.http2);
        while in_flight.load(Ordering::Acquire) > 0 || http2.load(Ordering::Acquire) > 0 {
            tokio::time::sleep(DRAIN_BEAT).await;
        }
    });
}

async fn accept(state: Arc<ThreadState>, listener: TcpListener, entrance: Entrance) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(refusal) = state.shared.admission.enter(&state.shared.limits) {
                    turn_away(&state, &stream, refusal, peer.ip(), entrance);
                    continue;
                }
                // Without it a response could wait for an acknowledgement; it is served all the same.
                let _ = stream.set_nodelay(true);
                let open = Open::new(Arc::clone(&state));
                tokio::spawn(welcome(open, stream, peer.ip(), entrance));
            }
            // Out of descriptors or memory: a pause lets some come back.
            Err(_) => tokio::time::sleep(DRAIN_BEAT).await,
        }
    }
}

/// Finds out whom a connection is from, and serves it.
async fn welcome(mut open: Open, mut stream: TcpStream, address: IpAddr, entrance: Entrance) {
    let state = Arc::clone(&open.state);
    let shared = &state.shared;
    let is_proxy = shared.proxies.iter().any(|network| network.contains(address));
    let (client, before) = if is_proxy {
        let longest = Duration::from_millis(shared.limits.head_time);
        match timeout(longest, introduction(&mut stream)).await {
            Ok(Some((client, before))) => (client, before),
            // Whom it is from is not known, and nobody may be taken for another.
            Ok(None) => return note(&state, Refusal::Malformed, &address.to_string()),
            Err(_) => return note(&state, Refusal::SlowHead, &address.to_string()),
        }
    } else {
        (Some(address), Vec::new())
    };
    if let Some(client) = client {
        if let Err(refusal) = shared.admission.admit(client, &shared.limits) {
            return turn_away(&state, &stream, refusal, client, entrance);
        }
        open.client = Some(client);
    }
    let mut peer = Peer {
        address: client.unwrap_or(address).to_canonical().to_string().into(),
        is_secure: false,
        sent_to: None,
    };
    match entrance {
        Entrance::Plain => {}
        Entrance::Redirect(port) => peer.sent_to = Some(port),
        Entrance::Tls(port) => match secured(&state, stream, before, &mut peer, port).await {
            Some(Opened::Secure(client, true)) => {
                return http2::connection(state, client, Bytes::new(), peer.into()).await;
            }
            Some(Opened::Secure(client, false)) => return direct::connection(state, client, peer.into(), b"").await,
            Some(Opened::Plain(plain, read)) => {
                return direct::connection(state, Client::Plain(plain), peer.into(), &read).await;
            }
            None => return,
        },
    }
    direct::connection(state, Client::Plain(stream), peer.into(), &before).await;
}

/// What came in where TLS is spoken.
enum Opened {
    /// It is TLS, and HTTP/2 over it, or not.
    Secure(Client, bool),
    /// It is not TLS; so much was read.
    Plain(TcpStream, Vec<u8>),
}

/// Shakes hands with who comes to `port`. Who speaks no TLS there is sent there anew, with it; none where nothing comes of
/// it.
async fn secured(
    state: &ThreadState,
    stream: TcpStream,
    before: Vec<u8>,
    peer: &mut Peer,
    port: u16,
) -> Option<Opened> {
    let tls = state.shared.tls.as_ref()?;
    let longest = Duration::from_millis(state.shared.limits.handshake_time);
    let opening = async {
        let mut first = [0];
        let begins = match before.first() {
            Some(first) => *first,
            // Who only looks whether somebody listens says nothing.
            None if matches!(stream.peek(&mut first).await, Ok(1..)) => first[0],
            None => return Ok(None),
        };
        if begins.is_ascii_uppercase() {
            return Ok(Some(Err((stream, before))));
        }
        if begins != HANDSHAKE {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        let agreed = tls.accept(Replay::new(before.into(), stream)).await;
        agreed.map(|agreed| Some(Ok(agreed)))
    };
    match timeout(longest, opening).await {
        Ok(Ok(Some(Ok(agreed)))) => {
            metrics::add(&state.metrics.handshakes, 1);
            metrics::add(&state.metrics.resumed, u64::from(agreed.is_resumed));
            peer.is_secure = true;
            Some(Opened::Secure(agreed.client, agreed.is_http2))
        }
        Ok(Ok(Some(Err((stream, read))))) => {
            peer.sent_to = Some(port);
            Some(Opened::Plain(stream, read))
        }
        Ok(Ok(None)) => None,
        Ok(Err(_)) => {
            note(state, Refusal::Handshake, &peer.address);
            None
        }
        Err(_) => {
            note(state, Refusal::SlowHandshake, &peer.address);
            None
        }
    }
}

/// Reads what a proxy says of a connection: whom it is from, where the proxy tells, and what was read after it.
async fn introduction(stream: &mut TcpStream) -> Option<(Option<IpAddr>, Vec<u8>)> {
    let mut read = Vec::with_capacity(1024);
    loop {
        match proxy::read(&read) {
            Header::Whole { source, used } => return Some((source, read.split_off(used))),
            Header::Bad => return None,
            Header::More => {
                if stream.read_buf(&mut read).await.ok()? == 0 {
                    return None;
                }
            }
        }
    }
}

fn turn_away(state: &ThreadState, stream: &TcpStream, refusal: Refusal, address: IpAddr, entrance: Entrance) {
    note(state, refusal, &address.to_string());
    if matches!(entrance, Entrance::Tls(_)) {
        // It could not read what is not TLS.
        return;
    }
    // There is room for it in a new connection; who sends much may see a reset in its place.
    let _ = stream.try_write(refusal.response().as_bytes());
}

/// Counts an open connection, and with it its client's.
struct Open {
    state: Arc<ThreadState>,
    client: Option<IpAddr>,
}

impl Open {
    fn new(state: Arc<ThreadState>) -> Self {
        metrics::add(&state.metrics.connections, 1);
        Self { state, client: None }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::sub(&self.state.metrics.connections, 1);
        let shared = &self.state.shared;
        shared.admission.leave();
        if let Some(client) = self.client {
            shared.admission.dismiss(client, &shared.limits);
        }
    }
}
