//! A thread of the edge: a listener and a runtime of its own.

use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::direct::connection;
use crate::error::EdgeError;
use crate::http1::note;
use crate::metrics;
use crate::shared::ThreadState;

const BACKLOG: i32 = 4096;
/// How often a thread that is to stop looks whether all is sent.
const DRAIN_BEAT: Duration = Duration::from_millis(10);

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
pub(crate) fn run(state: &Arc<ThreadState>, listeners: Vec<StdListener>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    runtime.block_on(async {
        let mut accepting = Vec::new();
        for listener in listeners {
            if let Ok(listener) = TcpListener::from_std(listener) {
                accepting.push(tokio::spawn(accept(Arc::clone(state), listener)));
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
        while state.metrics.in_flight.load(Ordering::Acquire) > 0 {
            tokio::time::sleep(DRAIN_BEAT).await;
        }
    });
}

async fn accept(state: Arc<ThreadState>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let shared = &state.shared;
                let address = peer.ip();
                let peer: Arc<str> = address.to_string().into();
                if let Err(refusal) = shared.admission.enter(address, &shared.limits) {
                    note(&state, refusal, &peer);
                    // There is room for it in a new connection; who sends much may see a reset in its place.
                    let _ = stream.try_write(refusal.response().as_bytes());
                    continue;
                }
                // Without it a response could wait for an acknowledgement; it is served all the same.
                let _ = stream.set_nodelay(true);
                let state = Arc::clone(&state);
                tokio::spawn(async move {
                    let open = Open::new(Arc::clone(&state), address);
                    connection(state, stream, peer).await;
                    drop(open);
                });
            }
            // Out of descriptors or memory: a pause lets some come back.
            Err(_) => tokio::time::sleep(DRAIN_BEAT).await,
        }
    }
}

/// Counts an open connection.
struct Open(Arc<ThreadState>, IpAddr);

impl Open {
    fn new(state: Arc<ThreadState>, address: IpAddr) -> Self {
        metrics::add(&state.metrics.connections, 1);
        Self(state, address)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::sub(&self.0.metrics.connections, 1);
        self.0.shared.admission.leave(self.1, &self.0.shared.limits);
    }
}
