//! Where connections of QUIC come in (RFC 9000): a socket for each thread, and the kernel gives each packet to the thread
//! that has its connection.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{
    ConnectionId, ConnectionIdGenerator, Endpoint, EndpointConfig, IdleTimeout, ServerConfig, TokioRuntime,
    TransportConfig, VarInt,
};
use rustls::crypto::ring;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::config::Limits;
use crate::edge::Core;
use crate::error::EdgeError;
use crate::http3;
use crate::log::warn;
use crate::shared::ThreadState;
use crate::system_unsafe::steer;
use crate::thread::Open;

/// Bytes a client may send before they are read, of a stream and of all of a connection: as of HTTP/2.
const WINDOW: u32 = 2 << 20;
/// Bytes of responses that are on the way to a client, and not acknowledged.
const HELD: u64 = 1 << 20;
/// Streams in one direction that a client may open: those of HTTP/3 itself (RFC 9114, section 6.2), and some it does not
/// know of.
const ONE_WAY: u32 = 16;
/// Bytes of an id.
const ID: usize = 8;
/// Space for packets that wait to be read or sent.
const SPACE: usize = 2 << 20;
/// The share of `limits.handshakes` from which on a client has to show that it is where it says (RFC 9000, section 8.1).
const QUIET_SHARE: usize = 2;
/// How often it is tried again to listen where an earlier server still does.
const BEAT: Duration = Duration::from_millis(100);

/// What all threads speak by, where QUIC is spoken, and where each gets its sockets from.
type Started = (Option<Arc<Quic>>, Vec<UnboundedReceiver<UdpSocket>>);

/// What all threads speak QUIC by.
#[derive(Clone)]
pub(crate) struct Quic {
    server: ServerConfig,
    endpoint: EndpointConfig,
    addresses: Vec<SocketAddr>,
    threads: usize,
}

impl Quic {
    pub(crate) fn new(
        tls: Arc<rustls::ServerConfig>,
        limits: &Limits,
        addresses: &[SocketAddr],
        threads: usize,
    ) -> Result<Self, EdgeError> {
        let failed = |why: String| EdgeError::Config(format!("HTTP/3 cannot be set up: {why}"));
        let crypto = QuicServerConfig::try_from(tls).map_err(|error| failed(error.to_string()))?;
        let mut server = ServerConfig::with_crypto(Arc::new(crypto));
        let mut transport = TransportConfig::default();
        let idle = IdleTimeout::try_from(Duration::from_millis(limits.idle_time));
        transport
            .max_concurrent_bidi_streams(VarInt::from_u32(limits.streams))
            .max_concurrent_uni_streams(VarInt::from_u32(ONE_WAY))
            .stream_receive_window(VarInt::from_u32(WINDOW))
            .receive_window(VarInt::from_u32(WINDOW))
            .send_window(HELD)
            .datagram_receive_buffer_size(None)
            .max_idle_timeout(Some(idle.map_err(|error| failed(error.to_string()))?));
        server.transport_config(Arc::new(transport));
        Ok(Self {
            server,
            endpoint: EndpointConfig::default(),
            addresses: addresses.to_vec(),
            threads,
        })
    }

    /// What all threads speak by, where QUIC is spoken, and where each gets its sockets from.
    pub(crate) fn start(core: &Core, addresses: &[SocketAddr]) -> Result<Started, EdgeError> {
        let (shared, threads) = (core.shared(), core.threads());
        let (givers, takers): (Vec<_>, Vec<_>) = (0..threads).map(|_| unbounded_channel()).unzip();
        let Some(tls) = shared.tls.as_ref().and_then(|tls| tls.quic.clone()) else {
            return Ok((None, takers));
        };
        let quic = Self::new(tls, &shared.limits, addresses, threads)?;
        let give = move |number: usize, sockets: Vec<UdpSocket>| {
            for socket in sockets {
                // A thread that has stopped needs none.
                let _ = givers.get(number).map(|giver| giver.send(socket));
            }
        };
        match quic.listen()? {
            Some(sockets) => sockets
                .into_iter()
                .enumerate()
                .for_each(|(number, own)| give(number, own)),
            None => quic.listen_later(give)?,
        }
        Ok((Some(Arc::new(quic)), takers))
    }

    /// Opens the sockets of all threads on an address, in their order: the kernel counts them in it.
    fn open(&self, address: SocketAddr) -> std::io::Result<Vec<UdpSocket>> {
        let mut sockets = Vec::new();
        for _ in 0..self.threads {
            let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
            if address.is_ipv6() {
                socket.set_only_v6(true)?;
            }
            if sockets.is_empty() {
                // Fails where another server listens, who would get half of our packets.
                let probe = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
                if address.is_ipv6() {
                    probe.set_only_v6(true)?;
                }
                probe.bind(&address.into())?;
            }
            socket.set_reuse_port(true)?;
            socket.set_nonblocking(true)?;
            // The system may give less.
            let _ = socket.set_recv_buffer_size(SPACE);
            let _ = socket.set_send_buffer_size(SPACE);
            socket.bind(&address.into())?;
            if sockets.is_empty() {
                steer(socket.as_fd(), u32::try_from(self.threads).unwrap_or(1))?;
            }
            sockets.push(socket.into());
        }
        Ok(sockets)
    }

    /// Opens all sockets, those of each thread together. Where another server that is to stop still listens, `None`.
    pub(crate) fn listen(&self) -> Result<Option<Vec<Vec<UdpSocket>>>, EdgeError> {
        let mut by_thread: Vec<Vec<UdpSocket>> = (0..self.threads).map(|_| Vec::new()).collect();
        for address in &self.addresses {
            match self.open(*address) {
                Ok(sockets) => {
                    for (of_thread, socket) in by_thread.iter_mut().zip(sockets) {
                        of_thread.push(socket);
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => return Ok(None),
                Err(source) => {
                    return Err(EdgeError::Listen {
                        address: format!("{address} (UDP)"),
                        source,
                    });
                }
            }
        }
        Ok(Some(by_thread))
    }

    /// Waits until the sockets can be opened, on a thread of its own, and gives each thread its own.
    pub(crate) fn listen_later(&self, give: impl Fn(usize, Vec<UdpSocket>) + Send + 'static) -> Result<(), EdgeError> {
        let quic = self.clone();
        let work = move || {
            loop {
                std::thread::sleep(BEAT);
                match quic.listen() {
                    Ok(Some(sockets)) => {
                        for (number, sockets) in sockets.into_iter().enumerate() {
                            give(number, sockets);
                        }
                        return;
                    }
                    Ok(None) => {}
                    Err(error) => return warn(&format!("HTTP/3 is not served: {error}")),
                }
            }
        };
        let spawned = std::thread::Builder::new().name("edge-quic".to_owned()).spawn(work);
        spawned.map(drop).map_err(|source| EdgeError::Io {
            doing: "starting a thread",
            source,
        })
    }

    /// Takes connections on a thread's socket until no more are taken; then those that are there go on.
    pub(crate) async fn serve(&self, state: &Arc<ThreadState>, socket: UdpSocket) {
        let (number, threads) = (state.number, self.threads);
        let mut config = self.endpoint.clone();
        config.cid_generator(move || Box::new(Ids { number, threads }));
        let runtime = Arc::new(TokioRuntime);
        let endpoint = match Endpoint::new(config, Some(self.server.clone()), socket, runtime) {
            Ok(endpoint) => endpoint,
            Err(error) => return warn(&format!("HTTP/3 is not served: {error}")),
        };
        let mut draining = state.shared.drain.subscribe();
        loop {
            tokio::select! {
                incoming = endpoint.accept() => match incoming {
                    Some(incoming) => take(state, incoming),
                    None => break,
                },
                _ = draining.wait_for(|is_draining| *is_draining) => {
                    // What is under way goes on for as long as the endpoint is there.
                    endpoint.set_server_config(None);
                    break;
                }
            }
        }
        endpoint.wait_idle().await;
    }
}

/// Takes a connection, or has its client show that it is where it says, or leaves it.
fn take(state: &Arc<ThreadState>, incoming: quinn::Incoming) {
    let limits = &state.shared.limits;
    let handshakes = &state.shared.handshakes;
    let is_busy = limits.handshakes > 0 && handshakes.available_permits() < limits.handshakes / QUIET_SHARE;
    if is_busy && !incoming.remote_address_validated() {
        // It costs nothing to ask, and who is not there does not come back.
        let _ = incoming.retry();
        return;
    }
    let Ok(place) = Arc::clone(handshakes).try_acquire_owned() else {
        // Its client comes again, by and by.
        return incoming.ignore();
    };
    let address = incoming.remote_address().ip();
    if let Err(refusal) = state.shared.admission.enter(limits) {
        state.refuse(refusal, &address.to_string());
        return incoming.refuse();
    }
    let open = Open::new(Arc::clone(state));
    tokio::spawn(http3::welcome(open, incoming, address, place));
}

/// Makes ids that say whose they are.
struct Ids {
    number: usize,
    threads: usize,
}

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut bytes = [0; ID];
        // A system that has no random numbers could not have begun the handshake.
        let _ = ring::default_provider().secure_random.fill(&mut bytes);
        let threads = self.threads.max(1);
        let random = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
        let least = random - random % threads;
        let owned = if least + self.number > usize::from(u16::MAX) {
            least - threads + self.number
        } else {
            least + self.number
        };
        let [first, second] = u16::try_from(owned).unwrap_or(0).to_be_bytes();
        bytes[0] = first;
        bytes[1] = second;
        ConnectionId::new(&bytes)
    }

    fn cid_len(&self) -> usize {
        ID
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_whose_it_is() {
        for threads in [1, 2, 3, 7, 64, 1000] {
            for number in [0, threads / 2, threads - 1] {
                let mut ids = Ids { number, threads };
                let made: Vec<_> = (0..200).map(|_| ids.generate_cid()).collect();
                assert!(made.iter().all(|id| {
                    let begins = u16::from_be_bytes([id[0], id[1]]);
                    usize::from(begins) % threads == number
                }));
                assert!(
                    made.iter()
                        .all(|id| made.iter().filter(|other| id == *other).count() == 1)
                );
            }
        }
    }
}
