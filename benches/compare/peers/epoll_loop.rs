//! The limit: a loop on epoll that does only what every HTTP server must. Its CPU time per request is what the kernel
//! asks for a read, a write and a wait, plus a scan for the end of the head and one comparison of the path.
//!
//! `epoll_loop PORT THREADS FOLDER FILE...` answers `GET /FILE` on 127.0.0.1. Level-triggered, one listener with
//! `SO_REUSEPORT` and one epoll per thread, responses encoded before the first request, requests pipelined or not.
//! No crate: the five calls the standard library lacks are declared here, and this is the file for that `unsafe`.
#![deny(unsafe_op_in_unsafe_fn)]

use std::{
    env, fs,
    io::{self, ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    process, thread,
};

const AF_INET: i32 = 2;
const SOCK_STREAM: i32 = 1;
const SOCK_CLOEXEC: i32 = 0o2_000_000;
const SOL_SOCKET: i32 = 1;
const SO_REUSEADDR: i32 = 2;
const SO_REUSEPORT: i32 = 15;
const BACKLOG: i32 = 4096;
const EPOLL_CLOEXEC: i32 = 0o2_000_000;
const EPOLL_CTL_ADD: i32 = 1;
const EPOLL_CTL_DEL: i32 = 2;
const EPOLL_CTL_MOD: i32 = 3;
const EPOLLIN: u32 = 1;
const EPOLLOUT: u32 = 4;

const EVENTS: usize = 256;
const HEAD_LIMIT: usize = 16 * 1024;
const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";

#[repr(C)]
struct SockAddrIn {
    family: u16,
    port: [u8; 2],
    address: [u8; 4],
    zero: [u8; 8],
}

#[repr(C)]
#[cfg_attr(target_arch = "x86_64", repr(packed))]
#[derive(Clone, Copy)]
struct EpollEvent {
    events: u32,
    data: u64,
}

unsafe extern "C" {
    fn socket(domain: i32, kind: i32, protocol: i32) -> i32;
    fn setsockopt(fd: i32, level: i32, name: i32, value: *const i32, length: u32) -> i32;
    fn bind(fd: i32, address: *const SockAddrIn, length: u32) -> i32;
    fn listen(fd: i32, backlog: i32) -> i32;
    fn epoll_create1(flags: i32) -> i32;
    fn epoll_ctl(epoll: i32, operation: i32, fd: i32, event: *mut EpollEvent) -> i32;
    fn epoll_wait(epoll: i32, events: *mut EpollEvent, count: i32, timeout: i32) -> i32;
}

fn checked(result: i32) -> io::Result<i32> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// A listener on 127.0.0.1 that shares its port with the other threads'.
fn listener(port: u16) -> io::Result<TcpListener> {
    // SAFETY: takes no pointers; the descriptor returned is owned by nobody else.
    let owned = unsafe { OwnedFd::from_raw_fd(checked(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))?) };
    let fd = owned.as_raw_fd();
    let on = 1_i32;
    for option in [SO_REUSEADDR, SO_REUSEPORT] {
        // SAFETY: `on` outlives the call and its size is the length given.
        checked(unsafe { setsockopt(fd, SOL_SOCKET, option, &raw const on, 4) })?;
    }
    let address = SockAddrIn {
        family: u16::try_from(AF_INET).unwrap_or_default(),
        port: port.to_be_bytes(),
        address: [127, 0, 0, 1],
        zero: [0; 8],
    };
    // SAFETY: `address` is laid out as `sockaddr_in`, 16 bytes, and outlives the call.
    checked(unsafe { bind(fd, &raw const address, 16) })?;
    // SAFETY: takes no pointers.
    checked(unsafe { listen(fd, BACKLOG) })?;
    Ok(TcpListener::from(owned))
}

struct Epoll(OwnedFd);

impl Epoll {
    fn new() -> io::Result<Self> {
        // SAFETY: takes no pointers; the descriptor returned is owned by nobody else.
        Ok(Self(unsafe {
            OwnedFd::from_raw_fd(checked(epoll_create1(EPOLL_CLOEXEC))?)
        }))
    }

    fn control(&self, operation: i32, fd: RawFd, events: u32) -> io::Result<()> {
        let mut event = EpollEvent {
            events,
            data: u64::from(fd.unsigned_abs()),
        };
        // SAFETY: `event` outlives the call, and the kernel copies it.
        checked(unsafe { epoll_ctl(self.0.as_raw_fd(), operation, fd, &raw mut event) }).map(drop)
    }

    fn wait<'e>(&self, events: &'e mut [EpollEvent; EVENTS]) -> io::Result<&'e [EpollEvent]> {
        loop {
            // SAFETY: the kernel writes at most `EVENTS` entries into an array of as many.
            match checked(unsafe { epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), EVENTS as i32, -1) }) {
                Ok(count) => return Ok(&events[..count.unsigned_abs() as usize]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// A path and its whole response, head and body in one piece.
struct Route {
    path: Vec<u8>,
    response: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    filled: usize,
    /// What the socket's buffer had no room for.
    output: Vec<u8>,
}

enum Next {
    Read,
    Write,
    Close,
}

impl Connection {
    /// Reads once, answers every whole request read, and says what to wait for.
    fn serve(&mut self, routes: &[Route]) -> Next {
        match self.stream.read(&mut self.input[self.filled..]) {
            Ok(0) => return Next::Close,
            Ok(count) => self.filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Next::Read,
            Err(_) => return Next::Close,
        }
        let mut start = 0;
        while let Some(length) = self.input[start..self.filled]
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
        {
            let response = find(&self.input[start..start + length], routes);
            start += length + 4;
            if !self.output.is_empty() {
                self.output.extend_from_slice(response);
                continue;
            }
            match self.stream.write(response) {
                Ok(count) => self.output.extend_from_slice(&response[count..]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.output.extend_from_slice(response),
                Err(_) => return Next::Close,
            }
        }
        self.input.copy_within(start..self.filled, 0);
        self.filled -= start;
        if self.filled == self.input.len() {
            return Next::Close;
        }
        if self.output.is_empty() {
            Next::Read
        } else {
            Next::Write
        }
    }

    /// Writes what was left over. No request is read meanwhile, so the rest stays bounded.
    fn flush(&mut self) -> Next {
        match self.stream.write(&self.output) {
            Ok(count) => drop(self.output.drain(..count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return Next::Close,
        }
        if self.output.is_empty() {
            Next::Read
        } else {
            Next::Write
        }
    }
}

/// The response to a request head: its path is compared with each of a few.
fn find<'r>(head: &[u8], routes: &'r [Route]) -> &'r [u8] {
    let path = head
        .strip_prefix(b"GET ")
        .and_then(|rest| rest.split(|byte| *byte == b' ').next());
    path.and_then(|path| routes.iter().find(|route| route.path == path))
        .map_or(NOT_FOUND, |route| &route.response)
}

fn slot(fd: RawFd) -> usize {
    fd.unsigned_abs() as usize
}

fn run(port: u16, routes: &[Route]) -> io::Result<()> {
    let listener = listener(port)?;
    listener.set_nonblocking(true)?;
    let listening = listener.as_raw_fd();
    let epoll = Epoll::new()?;
    epoll.control(EPOLL_CTL_ADD, listening, EPOLLIN)?;
    // By descriptor: the kernel always gives the lowest number that is free.
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut events = [EpollEvent { events: 0, data: 0 }; EVENTS];
    loop {
        for event in epoll.wait(&mut events)? {
            let (ready, fd) = (event.events, RawFd::try_from(event.data).unwrap_or(-1));
            if fd == listening {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    epoll.control(EPOLL_CTL_ADD, stream.as_raw_fd(), EPOLLIN)?;
                    let slot = slot(stream.as_raw_fd());
                    if connections.len() <= slot {
                        connections.resize_with(slot + 1, || None);
                    }
                    let input = vec![0; HEAD_LIMIT];
                    connections[slot] = Some(Connection {
                        stream,
                        input,
                        filled: 0,
                        output: Vec::new(),
                    });
                }
                continue;
            }
            let Some(Some(connection)) = connections.get_mut(slot(fd)) else {
                continue;
            };
            let writing = ready & EPOLLOUT != 0;
            match if writing {
                connection.flush()
            } else {
                connection.serve(routes)
            } {
                Next::Read if writing => epoll.control(EPOLL_CTL_MOD, fd, EPOLLIN)?,
                Next::Write if !writing => epoll.control(EPOLL_CTL_MOD, fd, EPOLLOUT)?,
                Next::Read | Next::Write => {}
                Next::Close => {
                    epoll.control(EPOLL_CTL_DEL, fd, 0)?;
                    connections[slot(fd)] = None;
                }
            }
        }
    }
}

fn routes(folder: &str, names: &[String]) -> io::Result<Vec<Route>> {
    names
        .iter()
        .map(|name| {
            let body = fs::read(format!("{folder}/{name}"))?;
            let mut response = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\r\n",
                body.len()
            )
            .into_bytes();
            response.extend_from_slice(&body);
            Ok(Route {
                path: format!("/{name}").into_bytes(),
                response,
            })
        })
        .collect()
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [port, threads, folder, names @ ..] = arguments.as_slice() else {
        eprintln!("epoll_loop PORT THREADS FOLDER FILE...");
        process::exit(2);
    };
    let (Ok(port), Ok(threads)) = (port.parse::<u16>(), threads.parse::<usize>()) else {
        eprintln!("epoll_loop: PORT and THREADS are numbers");
        process::exit(2);
    };
    let routes: &'static [Route] = match routes(folder, names) {
        Ok(routes) => routes.leak(),
        Err(error) => {
            eprintln!("epoll_loop: {folder}: {error}");
            process::exit(1);
        }
    };
    let running: Vec<_> = (0..threads).map(|_| thread::spawn(move || run(port, routes))).collect();
    for thread in running {
        if let Ok(Err(error)) = thread.join() {
            eprintln!("epoll_loop: {error}");
            process::exit(1);
        }
    }
}
