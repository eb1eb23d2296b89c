//! An open loop of requests: each is due at a time that does not depend on the answers before it.
//!
//! `open_loop PORT PATH THREADS CONNECTIONS RATE SECONDS` asks 127.0.0.1 for one path, RATE times a second in all, over
//! connections that are kept. What a request took is counted from when it was due, and not from when a connection was free
//! to send it: a server that stalls is charged for all who would have come meanwhile (no coordinated omission). With a
//! RATE of 0 each connection asks again as soon as it was answered, which finds out how much the server can do.
//!
//! Prints one line: requests answered, seconds, and the latencies below which 50, 90, 99 and 99.9 per cent were, in
//! microseconds. Any answer but a 200 with a length, and any broken connection, ends it with status 1.

#[path = "peers/epoll_unsafe.rs"]
#[expect(dead_code, reason = "each program uses some of it")]
mod epoll_unsafe;

use std::{
    collections::VecDeque,
    env,
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    os::fd::AsRawFd,
    process, thread,
    time::{Duration, Instant},
};

use epoll_unsafe::{EPOLL_CTL_ADD, EPOLLIN, EVENTS, Epoll, EpollEvent, wake_in_time};

const SPACE: usize = 128 * 1024;
/// How long what is under way at the end is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often that is looked at.
const BEAT: Duration = Duration::from_millis(100);

#[derive(Clone)]
struct Plan {
    port: u16,
    request: Vec<u8>,
    connections: usize,
    /// Between two requests of a thread; none where each follows the answer before it.
    every: Option<Duration>,
    /// When the first request of the thread is due, after the start.
    offset: Duration,
    length: Duration,
}

struct Connection {
    stream: TcpStream,
    /// When the request under way was due.
    due: Option<Instant>,
    /// Bytes of the answer still to come; none while its head is not whole.
    left: Option<usize>,
    head: Vec<u8>,
}

impl Connection {
    fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            due: None,
            left: None,
            head: Vec::new(),
        })
    }

    fn ask(&mut self, request: &[u8], due: Instant) -> io::Result<()> {
        self.due = Some(due);
        self.left = None;
        // A request is small, and the one before was read: there is room for it.
        match self.stream.write(request)? {
            count if count == request.len() => Ok(()),
            _ => Err(ErrorKind::WriteZero.into()),
        }
    }

    /// Reads what there is; true once the answer is whole.
    fn read(&mut self, space: &mut [u8]) -> io::Result<bool> {
        loop {
            let count = match self.stream.read(space) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            };
            let left = match self.left {
                Some(left) => left.checked_sub(count),
                None => {
                    self.head.extend_from_slice(&space[..count]);
                    match self.head.windows(4).position(|four| four == b"\r\n\r\n") {
                        None => continue,
                        Some(end) => {
                            let length = length(&self.head[..end])?;
                            let read = self.head.len() - end - 4;
                            self.head.clear();
                            length.checked_sub(read)
                        }
                    }
                }
            };
            let left = left.ok_or_else(|| io::Error::other("more came than was asked for"))?;
            self.left = Some(left);
            if left == 0 {
                return Ok(true);
            }
            if count < space.len() {
                return Ok(false);
            }
        }
    }
}

/// The length of the body that a head announces.
fn length(head: &[u8]) -> io::Result<usize> {
    let text = str::from_utf8(head).map_err(io::Error::other)?;
    let (status, fields) = text.split_once("\r\n").unwrap_or((text, ""));
    if !status.starts_with("HTTP/1.1 200") {
        return Err(io::Error::other(format!("answered: {status}")));
    }
    let mut fields = fields.lines().filter_map(|line| line.split_once(':'));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let (_, length) = length.ok_or_else(|| io::Error::other("an answer without a length"))?;
    length.trim().parse().map_err(io::Error::other)
}

/// Asks as planned, and returns what each request took, in nanoseconds.
fn drive(plan: &Plan, start: Instant) -> io::Result<Vec<u64>> {
    let epoll = Epoll::new()?;
    let mut connections = Vec::with_capacity(plan.connections);
    for number in 0..plan.connections {
        let connection = Connection::open(plan.port)?;
        epoll.add(EPOLL_CTL_ADD, connection.stream.as_raw_fd(), EPOLLIN, number as u64)?;
        connections.push(connection);
    }
    let mut free: VecDeque<usize> = (0..plan.connections).collect();
    let mut events = [EpollEvent { events: 0, data: 0 }; EVENTS];
    let mut space = vec![0; SPACE];
    let mut took = Vec::with_capacity(1 << 20);
    thread::sleep(start.saturating_duration_since(Instant::now()));
    let end = start + plan.length;
    let mut due = start + plan.offset;
    loop {
        let now = Instant::now();
        if plan.every.is_none() {
            due = now;
        }
        while due <= now && due < end {
            let Some(number) = free.pop_front() else { break };
            connections[number].ask(&plan.request, due)?;
            due += plan.every.unwrap_or_default();
        }
        let is_over = due >= end;
        if is_over && free.len() == connections.len() {
            return Ok(took);
        }
        if now > end + PATIENCE {
            return Err(io::Error::other("requests are not answered"));
        }
        let is_waiting = is_over || free.is_empty();
        let wait = if is_waiting {
            BEAT
        } else {
            due.saturating_duration_since(now)
        };
        for event in epoll.wait_for(&mut events, wait)? {
            let number = event.data as usize;
            let connection = &mut connections[number];
            if connection.read(&mut space)? {
                let due = connection.due.take().unwrap_or(now);
                took.push(u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX));
                free.push_back(number);
            }
        }
    }
}

fn quantile(sorted: &[u64], per_mille: usize) -> f64 {
    let place = (sorted.len() * per_mille).div_ceil(1000).clamp(1, sorted.len()) - 1;
    sorted[place] as f64 / 1000.0
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let usage = || -> ! {
        eprintln!("open_loop PORT PATH THREADS CONNECTIONS RATE SECONDS");
        process::exit(2)
    };
    let [port, path, threads, connections, rate, seconds] = arguments.as_slice() else {
        usage()
    };
    let (Ok(port), Ok(threads), Ok(connections)) = (port.parse(), threads.parse::<u32>(), connections.parse::<usize>())
    else {
        usage()
    };
    let (Ok(rate), Ok(seconds)) = (rate.parse::<f64>(), seconds.parse::<f64>()) else {
        usage()
    };
    let every = (rate > 0.0).then(|| Duration::from_secs_f64(f64::from(threads) / rate));
    // The connections are there before the first request is due.
    let start = Instant::now() + Duration::from_millis(200);
    let running: Vec<_> = (0..threads)
        .map(|number| {
            let plan = Plan {
                port,
                request: format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").into_bytes(),
                connections: connections.div_ceil(threads as usize),
                every,
                offset: every.map_or(Duration::ZERO, |every| every * number / threads),
                length: Duration::from_secs_f64(seconds),
            };
            thread::spawn(move || {
                wake_in_time();
                drive(&plan, start)
            })
        })
        .collect();
    let mut took = Vec::new();
    for thread in running {
        match thread.join() {
            Ok(Ok(some)) => took.extend(some),
            Ok(Err(error)) => {
                eprintln!("open_loop: {error}");
                process::exit(1);
            }
            Err(_) => process::exit(1),
        }
    }
    let lasted = start.elapsed().as_secs_f64();
    took.sort_unstable();
    if took.is_empty() {
        eprintln!("open_loop: nothing was answered");
        process::exit(1);
    }
    let [p50, p90, p99, p999] = [500, 900, 990, 999].map(|per_mille| quantile(&took, per_mille));
    println!(
        "requests {} seconds {lasted:.3} p50 {p50:.1} p90 {p90:.1} p99 {p99:.1} p99.9 {p999:.1}",
        took.len()
    );
}
