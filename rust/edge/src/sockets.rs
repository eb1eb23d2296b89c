//! The sockets the edge listens on: opened here, or passed on by whoever started it.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use serde::Deserialize;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use crate::error::EdgeError;
use crate::system_unsafe;

/// How TCP is spoken. Nought of a time or number leaves it as the system has it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default)]
pub struct Tcp {
    /// Connections that wait to be taken, on each thread.
    pub backlog: i32,
    /// Connections whose first bytes come with their first packet, at a time (RFC 7413).
    pub fast_open: u32,
    /// Seconds that a connection may take until it says something, before it is taken: the system tells of it then.
    pub defer_accept: u32,
    /// Whether small pieces are sent at once.
    pub no_delay: bool,
    /// Seconds of silence after which it is looked whether the other side is still there.
    pub keep_alive: u64,
    /// Whether each thread stays on a processor of its own.
    pub pin: bool,
}

impl Default for Tcp {
    fn default() -> Self {
        Self {
            backlog: 4096,
            fast_open: 0,
            defer_accept: 0,
            no_delay: true,
            keep_alive: 60,
            pin: false,
        }
    }
}

/// What was passed on, and is not used yet.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    passed: Vec<(SocketAddr, TcpListener)>,
}

impl Sockets {
    /// Takes over the listening sockets that this process was started with, by the numbers of their descriptors.
    pub(crate) fn take(descriptors: &[RawFd]) -> Result<Self, EdgeError> {
        let mut numbers = descriptors.to_vec();
        numbers.sort_unstable();
        numbers.dedup();
        let take = |number: RawFd| {
            let work = || -> std::io::Result<_> {
                let socket = Socket::from(system_unsafe::take(number)?);
                let address = socket.local_addr()?.as_socket();
                let is_fit = socket.is_listener()? && socket.r#type()? == Type::STREAM;
                let address = address.filter(|_| is_fit).ok_or(std::io::ErrorKind::InvalidInput)?;
                socket.set_nonblocking(true)?;
                Ok((address, TcpListener::from(socket)))
            };
            work().map_err(|error| {
                EdgeError::Config(format!(
                    "descriptor {number} was passed on, and is no socket that listens by TCP: {error}"
                ))
            })
        };
        Ok(Self {
            passed: numbers.into_iter().map(take).collect::<Result<_, _>>()?,
        })
    }

    /// Those that were passed on for an address; port 0 is that of the first that is left.
    pub(crate) fn passed(&mut self, wanted: SocketAddr) -> Vec<TcpListener> {
        let is_same = |found: SocketAddr, port| found.ip() == wanted.ip() && found.port() == port;
        let port = match wanted.port() {
            0 => self
                .passed
                .iter()
                .find(|(found, _)| found.ip() == wanted.ip())
                .map(|(found, _)| found.port()),
            port => Some(port),
        };
        let Some(port) = port else { return Vec::new() };
        let (taken, left) = std::mem::take(&mut self.passed)
            .into_iter()
            .partition(|(found, _)| is_same(*found, port));
        self.passed = left;
        let taken: Vec<(SocketAddr, TcpListener)> = taken;
        taken.into_iter().map(|(_, listener)| listener).collect()
    }

    /// Says that nothing is left: what nobody takes connections from would leave its clients waiting.
    pub(crate) fn is_used_up(&self) -> Result<(), EdgeError> {
        match self.passed.first() {
            None => Ok(()),
            Some((address, _)) => Err(EdgeError::Config(format!(
                "a socket on {address} was passed on, and no setting listens there: set `serve.host` and `serve.port` to it"
            ))),
        }
    }
}

/// A listener for each of some threads, on one address. What was passed on is used up: of more sockets than threads some
/// threads have several, and of fewer some have the same.
pub(crate) fn listeners(
    wanted: SocketAddr,
    passed: &[TcpListener],
    threads: usize,
    tcp: &Tcp,
) -> Result<(SocketAddr, Vec<(usize, TcpListener)>), EdgeError> {
    let work = || -> std::io::Result<_> {
        if let Some(first) = passed.first() {
            let address = first.local_addr()?;
            for listener in passed {
                tune(&Socket::from(listener.try_clone()?), tcp)?;
            }
            let all = (0..threads.max(passed.len())).map(|number| {
                let listener = passed.get(number % passed.len()).unwrap_or(first);
                Ok((number % threads, listener.try_clone()?))
            });
            return Ok((address, all.collect::<std::io::Result<_>>()?));
        }
        let address = claim(wanted)?;
        let all = (0..threads).map(|number| Ok((number, listen(address, tcp)?)));
        Ok((address, all.collect::<std::io::Result<_>>()?))
    };
    work().map_err(|source| EdgeError::Listen {
        address: wanted.to_string(),
        source,
    })
}

/// Their descriptors, to be passed on.
pub(crate) fn descriptors<'l>(listeners: impl Iterator<Item = &'l TcpListener>) -> Vec<RawFd> {
    listeners.map(AsRawFd::as_raw_fd).collect()
}

fn open(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// Listens on an address that other threads listen on too.
fn listen(address: SocketAddr, tcp: &Tcp) -> std::io::Result<TcpListener> {
    let socket = open(address)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    tune(&socket, tcp)?;
    socket.listen(tcp.backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Sets what connections have from their listener (tcp(7)), so that nothing is to be set on each.
fn tune(socket: &Socket, tcp: &Tcp) -> std::io::Result<()> {
    socket.set_tcp_nodelay(tcp.no_delay)?;
    socket.set_keepalive(tcp.keep_alive > 0)?;
    if tcp.keep_alive > 0 {
        let every = Duration::from_secs(tcp.keep_alive);
        socket.set_tcp_keepalive(
            &TcpKeepalive::new()
                .with_time(every)
                .with_interval(every / 4 + Duration::from_secs(1)),
        )?;
    }
    system_unsafe::set_tcp(socket, libc::TCP_FASTOPEN, tcp.fast_open)?;
    system_unsafe::set_tcp(socket, libc::TCP_DEFER_ACCEPT, tcp.defer_accept)
}

/// Finds out whether somebody else listens on an address: threads of one edge share it, and others may not.
fn claim(address: SocketAddr) -> std::io::Result<SocketAddr> {
    let socket = open(address)?;
    socket.bind(&address.into())?;
    let taken = socket.local_addr()?.as_socket();
    taken.ok_or_else(|| std::io::ErrorKind::AddrNotAvailable.into())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::fd::IntoRawFd;

    use super::*;

    fn any() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[test]
    fn each_thread_has_a_socket_of_its_own() {
        let tcp = Tcp {
            fast_open: 16,
            defer_accept: 2,
            ..Tcp::default()
        };
        let (address, all) = listeners(any(), &[], 3, &tcp).unwrap();
        assert_eq!(all.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1, 2]);
        for (_, listener) in &all {
            assert_eq!(listener.local_addr().unwrap(), address);
            let socket = Socket::from(listener.try_clone().unwrap());
            assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
            assert_eq!(system_unsafe::get_tcp(&socket, libc::TCP_FASTOPEN).unwrap(), 16);
            assert!(system_unsafe::get_tcp(&socket, libc::TCP_DEFER_ACCEPT).unwrap() >= 2);
        }
        assert!(
            listeners(address, &[], 1, &tcp).is_err(),
            "another server may not share it"
        );
    }

    #[test]
    fn what_is_passed_on_is_used_to_the_last() {
        for (sockets, threads) in [(1, 1), (1, 3), (4, 2), (2, 2)] {
            let (address, all) = listeners(any(), &[], sockets, &Tcp::default()).unwrap();
            let numbers: Vec<_> = all.into_iter().map(|(_, listener)| listener.into_raw_fd()).collect();
            let mut taken = Sockets::take(&numbers).unwrap();
            assert!(taken.is_used_up().is_err());
            let passed = taken.passed(address);
            taken.is_used_up().unwrap();
            let (found, all) = listeners(address, &passed, threads, &Tcp::default()).unwrap();
            assert_eq!((found, all.len()), (address, threads.max(sockets)));
            for thread in 0..threads {
                assert!(all.iter().any(|(number, _)| *number == thread));
            }
        }
    }

    #[test]
    fn what_is_no_listener_is_refused() {
        let socket = std::net::UdpSocket::bind(any()).unwrap();
        let error = Sockets::take(&[socket.into_raw_fd()]).unwrap_err().to_string();
        assert!(error.contains("no socket that listens by TCP"), "{error}");
        assert!(Sockets::take(&[999_999]).is_err());
    }
}
