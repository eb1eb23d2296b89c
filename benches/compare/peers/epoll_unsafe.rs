//! The calls of Linux that the standard library lacks: listening on a shared port, and epoll. No crate: they are declared
//! here, and this is the file for that `unsafe`.
#![deny(unsafe_op_in_unsafe_fn)]

use std::{
    io::{self, ErrorKind},
    net::TcpListener,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    ptr,
    time::Duration,
};

const AF_INET: i32 = 2;
const SOCK_STREAM: i32 = 1;
const SOCK_CLOEXEC: i32 = 0o2_000_000;
const SOL_SOCKET: i32 = 1;
const SO_REUSEADDR: i32 = 2;
const SO_REUSEPORT: i32 = 15;
const BACKLOG: i32 = 4096;
const EPOLL_CLOEXEC: i32 = 0o2_000_000;
const PR_SET_TIMERSLACK: i32 = 29;
pub const EPOLL_CTL_ADD: i32 = 1;
pub const EPOLL_CTL_DEL: i32 = 2;
pub const EPOLL_CTL_MOD: i32 = 3;
pub const EPOLLIN: u32 = 1;
pub const EPOLLOUT: u32 = 4;

/// How many events are taken at a time.
pub const EVENTS: usize = 256;

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
pub struct EpollEvent {
    pub events: u32,
    pub data: u64,
}

#[repr(C)]
struct TimeSpec {
    seconds: i64,
    nanoseconds: i64,
}

unsafe extern "C" {
    fn socket(domain: i32, kind: i32, protocol: i32) -> i32;
    fn setsockopt(fd: i32, level: i32, name: i32, value: *const i32, length: u32) -> i32;
    fn bind(fd: i32, address: *const SockAddrIn, length: u32) -> i32;
    fn listen(fd: i32, backlog: i32) -> i32;
    fn epoll_create1(flags: i32) -> i32;
    fn epoll_ctl(epoll: i32, operation: i32, fd: i32, event: *mut EpollEvent) -> i32;
    fn epoll_wait(epoll: i32, events: *mut EpollEvent, count: i32, timeout: i32) -> i32;
    fn epoll_pwait2(epoll: i32, events: *mut EpollEvent, count: i32, timeout: *const TimeSpec, mask: *const u8) -> i32;
    fn prctl(option: i32, value: u64, ...) -> i32;
}

fn checked(result: i32) -> io::Result<i32> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// A listener on 127.0.0.1 that shares its port with the other threads'.
pub fn listener(port: u16) -> io::Result<TcpListener> {
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

/// An epoll.
pub struct Epoll(OwnedFd);

impl Epoll {
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes no pointers; the descriptor returned is owned by nobody else.
        Ok(Self(unsafe {
            OwnedFd::from_raw_fd(checked(epoll_create1(EPOLL_CLOEXEC))?)
        }))
    }

    pub fn control(&self, operation: i32, fd: RawFd, events: u32) -> io::Result<()> {
        self.add(operation, fd, events, u64::from(fd.unsigned_abs()))
    }

    /// As `control`, with a number of the caller's that comes back with each event.
    pub fn add(&self, operation: i32, fd: RawFd, events: u32, data: u64) -> io::Result<()> {
        let mut event = EpollEvent { events, data };
        // SAFETY: `event` outlives the call, and the kernel copies it.
        checked(unsafe { epoll_ctl(self.0.as_raw_fd(), operation, fd, &raw mut event) }).map(drop)
    }

    /// Waits for events.
    pub fn wait<'e>(&self, events: &'e mut [EpollEvent; EVENTS]) -> io::Result<&'e [EpollEvent]> {
        loop {
            // SAFETY: the kernel writes at most `EVENTS` entries into an array of as many.
            match checked(unsafe { epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), EVENTS as i32, -1) }) {
                Ok(count) => return Ok(&events[..count.unsigned_abs() as usize]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for events for so long.
    pub fn wait_for<'e>(
        &self,
        events: &'e mut [EpollEvent; EVENTS],
        longest: Duration,
    ) -> io::Result<&'e [EpollEvent]> {
        let timeout = TimeSpec {
            seconds: longest.as_secs() as i64,
            nanoseconds: i64::from(longest.subsec_nanos()),
        };
        // SAFETY: the kernel writes at most `EVENTS` entries into an array of as many, and reads `timeout`, laid out as
        // `timespec`, which outlives the call; without a mask none is read.
        let count = unsafe {
            let (epoll, events) = (self.0.as_raw_fd(), events.as_mut_ptr());
            epoll_pwait2(epoll, events, EVENTS as i32, &raw const timeout, ptr::null())
        };
        match checked(count) {
            Ok(count) => Ok(&events[..count.unsigned_abs() as usize]),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(&[]),
            Err(error) => Err(error),
        }
    }
}

/// Has waits of this thread end when they are to, and not up to 50 microseconds later.
pub fn wake_in_time() {
    // SAFETY: takes no pointers. Where it fails, waits end a little later.
    let _ = unsafe { prctl(PR_SET_TIMERSLACK, 1_u64) };
}
