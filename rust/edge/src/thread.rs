//! A thread of the edge: a listener and a runtime of its own.

#[cfg(feature = "http3")]
use std::net::UdpSocket;
use std::net::{IpAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
#[cfg(feature = "http3")]
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use crate::direct;
use crate::handshake::{Opened, shake};
use crate::http1::note;
use crate::http2;
use crate::metrics;
use crate::peer::Peer;
use crate::proxy::{self, Header};
use crate::refusal::Refusal;
use crate::shared::ThreadState;
use crate::system_unsafe;
use crate::warmer;

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

/// Where the clients of a thread come in.
pub(crate) struct Doors {
    pub(crate) listeners: Vec<(StdListener, Entrance)>,
    /// Sockets of QUIC, which may come later.
    #[cfg(feature = "http3")]
    pub(crate) quic: UnboundedReceiver<UdpSocket>,
    #[cfg(feature = "http3")]
    pub(crate) speaks: Option<Arc<crate::quic::Quic>>,
    /// The processors it stays on.
    pub(crate) processors: Option<Vec<usize>>,
}

/// Serves on a thread until it is to stop, and then until all that was begun is sent.
pub(crate) fn run(state: &Arc<ThreadState>, doors: Doors) {
    if let Some(processors) = &doors.processors {
        // It runs as well where the system puts it.
        let _ = system_unsafe::stay_on(processors);
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    runtime.block_on(async {
        let mut accepting = Vec::new();
        for (listener, entrance) in doors.listeners {
            if let Ok(listener) = TcpListener::from_std(listener) {
                accepting.push(tokio::spawn(accept(Arc::clone(state), listener, entrance)));
            }
        }
        let warming = state.shared.warming.lock().take();
        if let (Some(learning), Some(waiting)) = (&state.shared.learning, warming) {
            accepting.push(tokio::spawn(warmer::run(
                Arc::clone(state),
                Arc::clone(learning),
                waiting,
            )));
        }
        #[cfg(feature = "http3")]
        accepting.push(tokio::spawn(take_quic(Arc::clone(state), doors.quic, doors.speaks)));
        while !state.shared.draining.load(Ordering::Acquire) {
            tokio::time::sleep(DRAIN_BEAT * 5).await;
        }
        for task in accepting {
            task.abort();
        }
        // Connections that were accepted and have sent nothing yet get the chance to.
        tokio::time::sleep(DRAIN_BEAT).await;
        let metrics = &state.metrics;
        let busy = [&metrics.in_flight, &metrics.http2, &metrics.http3];
        let patience = Duration::from_millis(state.shared.patience.load(Ordering::Acquire));
        let began = Instant::now();
        let may_ask = || began.elapsed() < patience && metrics.connections.load(Ordering::Acquire) > 0;
        while busy.iter().any(|count| count.load(Ordering::Acquire) > 0) || may_ask() {
            tokio::time::sleep(DRAIN_BEAT).await;
        }
    });
}

/// Serves QUIC on the sockets that come.
#[cfg(feature = "http3")]
async fn take_quic(
    state: Arc<ThreadState>,
    mut sockets: UnboundedReceiver<UdpSocket>,
    speaks: Option<Arc<crate::quic::Quic>>,
) {
    let Some(quic) = speaks else { return };
    while let Some(socket) = sockets.recv().await {
        let (state, quic) = (Arc::clone(&state), Arc::clone(&quic));
        tokio::spawn(async move { quic.serve(&state, socket).await });
    }
}

async fn accept(state: Arc<ThreadState>, listener: TcpListener, entrance: Entrance) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(refusal) = state.shared.admission.enter(&state.shared.limits) {
                    turn_away(&state, &stream, refusal, peer.ip(), entrance);
                    continue;
                }
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
    let is_trusted = shared.trusted.contains(client.unwrap_or(address));
    // A proxy has many clients, and is none.
    if let Some(client) = client.filter(|_| !is_trusted)
        && let Err(refusal) = open.admit(client)
    {
        return turn_away(&state, &stream, refusal, client, entrance);
    }
    let mut peer = Peer {
        address: client.unwrap_or(address).to_canonical().to_string().into(),
        is_secure: false,
        sent_to: None,
        is_trusted,
        certified: None,
    };
    // What is seldom has its memory where it is needed, and not in every connection.
    let opened = match entrance {
        Entrance::Plain => Opened::plain(stream, before),
        Entrance::Redirect(port) => {
            peer.sent_to = Some(port);
            Opened::plain(stream, before)
        }
        Entrance::Tls(port) => match Box::pin(shake(&state, stream, before, &mut peer, port)).await {
            Some(opened) => opened,
            None => return,
        },
    };
    if opened.is_http2 {
        return Box::pin(http2::connection(state, opened.client, Bytes::new(), peer.into())).await;
    }
    direct::connection(state, opened.client, peer.into(), opened.before).await;
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
pub(crate) struct Open {
    state: Arc<ThreadState>,
    client: Option<IpAddr>,
}

impl Open {
    /// Counts one that the admission let in.
    pub(crate) fn new(state: Arc<ThreadState>) -> Self {
        metrics::add(&state.metrics.connections, 1);
        Self { state, client: None }
    }

    /// Whose it is, once that is known.
    pub(crate) fn admit(&mut self, client: IpAddr) -> Result<(), Refusal> {
        let shared = &self.state.shared;
        shared.admission.admit(client, &shared.limits)?;
        self.client = Some(client);
        Ok(())
    }

    #[cfg(feature = "http3")]
    pub(crate) const fn state(&self) -> &Arc<ThreadState> {
        &self.state
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
