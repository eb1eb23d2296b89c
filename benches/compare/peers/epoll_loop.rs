//! The limit: a loop on epoll that does only what every HTTP server must. Its CPU time per request is what the kernel
//! asks for a read, a write and a wait, plus a scan for the end of the head and one comparison of the path.
//!
//! `epoll_loop PORT THREADS FOLDER FILE...` answers `GET /FILE` on 127.0.0.1. Level-triggered, one listener with
//! `SO_REUSEPORT` and one epoll per thread, responses encoded before the first request, requests pipelined or not.
//!
//! With `unix:PATH` in place of the port it listens there, and is the origin that proxies are measured before. A FILE that
//! has a colon in it is a header field that every response carries; what follows a `?` in a path is passed over.

#[expect(dead_code, reason = "each program uses some of it")]
mod epoll_unsafe;

use std::{
    env, fs,
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::net::UnixListener,
    },
    process, thread,
};

use epoll_unsafe::{
    EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLIN, EPOLLOUT, EVENTS, Epoll, EpollEvent, listener,
};

const HEAD_LIMIT: usize = 16 * 1024;
const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";

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
    let known = |path: &[u8]| routes.iter().find(|route| route.path == path);
    path.and_then(|path| known(path).or_else(|| known(path.split(|byte| *byte == b'?').next()?)))
        .map_or(NOT_FOUND, |route| &route.response)
}

fn slot(fd: RawFd) -> usize {
    fd.unsigned_abs() as usize
}

/// Where clients come in: a port, or a Unix socket whose connections are then used as those of TCP are.
enum Listener {
    Port(std::net::TcpListener),
    Socket(UnixListener),
}

impl Listener {
    /// The next connection that waits, ready to be used.
    fn accept(&self) -> Option<TcpStream> {
        let stream = match self {
            Self::Port(listener) => listener.accept().ok()?.0,
            Self::Socket(listener) => TcpStream::from(OwnedFd::from(listener.accept().ok()?.0)),
        };
        stream.set_nonblocking(true).ok()?;
        if matches!(self, Self::Port(_)) {
            stream.set_nodelay(true).ok()?;
        }
        Some(stream)
    }

    fn descriptor(&self) -> io::Result<RawFd> {
        match self {
            Self::Port(listener) => listener.set_nonblocking(true).map(|()| listener.as_raw_fd()),
            Self::Socket(listener) => listener.set_nonblocking(true).map(|()| listener.as_raw_fd()),
        }
    }
}

fn run(listener: &Listener, routes: &[Route]) -> io::Result<()> {
    let listening = listener.descriptor()?;
    let epoll = Epoll::new()?;
    epoll.control(EPOLL_CTL_ADD, listening, EPOLLIN)?;
    // By descriptor: the kernel always gives the lowest number that is free.
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut events = [EpollEvent { events: 0, data: 0 }; EVENTS];
    loop {
        for event in epoll.wait(&mut events)? {
            let (ready, fd) = (event.events, RawFd::try_from(event.data).unwrap_or(-1));
            if fd == listening {
                while let Some(stream) = listener.accept() {
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
    let (fields, names): (Vec<&String>, Vec<&String>) = names.iter().partition(|name| name.contains(':'));
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    names
        .iter()
        .map(|name| {
            let body = fs::read(format!("{folder}/{name}"))?;
            let mut response = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n{fields}\r\n",
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

/// A listener for each thread.
fn listeners(place: &str, threads: usize) -> io::Result<Vec<Listener>> {
    if let Some(path) = place.strip_prefix("unix:") {
        let socket = UnixListener::bind(path)?;
        return (0..threads).map(|_| socket.try_clone().map(Listener::Socket)).collect();
    }
    let port = place.parse().map_err(io::Error::other)?;
    (0..threads).map(|_| listener(port).map(Listener::Port)).collect()
}

fn fail(what: &str, error: &io::Error) -> ! {
    eprintln!("epoll_loop: {what}: {error}");
    process::exit(1);
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [place, threads, folder, names @ ..] = arguments.as_slice() else {
        eprintln!("epoll_loop PORT|unix:PATH THREADS FOLDER FILE...");
        process::exit(2);
    };
    let Ok(threads) = threads.parse::<usize>() else {
        eprintln!("epoll_loop: THREADS is a number");
        process::exit(2);
    };
    let routes: &'static [Route] = match routes(folder, names) {
        Ok(routes) => routes.leak(),
        Err(error) => fail(folder, &error),
    };
    let listeners = listeners(place, threads).unwrap_or_else(|error| fail(place, &error));
    let run = |listener: Listener| thread::spawn(move || run(&listener, routes));
    let running: Vec<_> = listeners.into_iter().map(run).collect();
    for thread in running {
        if let Ok(Err(error)) = thread.join() {
            fail("serving", &error);
        }
    }
}
