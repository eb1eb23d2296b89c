//! What the system is asked for that no safe interface has: descriptors that were passed on, where packets go, and on
//! which processor a thread runs.

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Takes over a descriptor that this process was started with.
///
/// It must be given once: whoever has the result closes it.
pub(crate) fn take(descriptor: RawFd) -> io::Result<OwnedFd> {
    // Below are standard input, output and error, which are always somebody else's.
    if descriptor <= libc::STDERR_FILENO {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: fcntl(2) with these looks at a descriptor by its number, and touches no memory of the process.
    let is_open = unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) } == 0;
    if !is_open {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and the process was started with it for this: nothing else of it knows its number. Each number
    // is taken once, which `Sockets::take` sees to.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Runs this thread on some processors alone. Fails where the process may use none of them.
pub(crate) fn stay_on(processors: &[usize]) -> io::Result<()> {
    // SAFETY: a set of processors is numbers alone, for which nought is valid.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    for processor in processors {
        if *processor >= mem::size_of::<libc::cpu_set_t>() * 8 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: the processor is one of those that the set has a place for.
        unsafe { libc::CPU_SET(*processor, &mut set) };
    }
    // SAFETY: the set lives until the call returns, and its size is its own; 0 is this thread.
    let done = unsafe { libc::sched_setaffinity(0, mem::size_of::<libc::cpu_set_t>(), &raw const set) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The processors this thread may run on.
pub(crate) fn processors() -> Vec<usize> {
    // SAFETY: a set of processors is numbers alone, for which nought is valid.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the set lives until the call returns, and its size is its own; 0 is this thread.
    let done = unsafe { libc::sched_getaffinity(0, mem::size_of::<libc::cpu_set_t>(), &raw mut set) };
    if done != 0 {
        return Vec::new();
    }
    // SAFETY: all of these are numbers that the set has a place for.
    let is_in = |processor: &usize| unsafe { libc::CPU_ISSET(*processor, &set) };
    (0..mem::size_of::<libc::cpu_set_t>() * 8).filter(is_in).collect()
}

/// Sets a number of TCP on a socket (tcp(7)).
pub(crate) fn set_tcp(socket: &impl AsFd, name: libc::c_int, value: u32) -> io::Result<()> {
    let value = libc::c_int::try_from(value).unwrap_or(libc::c_int::MAX);
    let size = libc::socklen_t::try_from(mem::size_of::<libc::c_int>()).map_err(io::Error::other)?;
    let descriptor = socket.as_fd().as_raw_fd();
    // SAFETY: the number lives until the call returns, which copies it, and the size is its own.
    let done = unsafe { libc::setsockopt(descriptor, libc::IPPROTO_TCP, name, (&raw const value).cast(), size) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The number that [`set_tcp`] sets, as the system has it.
#[cfg(test)]
pub(crate) fn get_tcp(socket: &impl AsFd, name: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut size = libc::socklen_t::try_from(mem::size_of::<libc::c_int>()).map_err(io::Error::other)?;
    let descriptor = socket.as_fd().as_raw_fd();
    // SAFETY: the number and its size live until the call returns, which writes no more than the size says.
    let done = unsafe {
        libc::getsockopt(
            descriptor,
            libc::IPPROTO_TCP,
            name,
            (&raw mut value).cast(),
            &raw mut size,
        )
    };
    if done == 0 {
        Ok(value)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Sends bytes of a file, from where it is read, and no more than so many; how many the socket took (sendfile(2)).
pub(crate) fn send_file(socket: BorrowedFd<'_>, file: BorrowedFd<'_>, most: usize) -> io::Result<usize> {
    // SAFETY: both descriptors are open while they are borrowed. Without an offset the call reads from the file's own
    // place, and touches no memory of the process.
    let sent = unsafe { libc::sendfile(socket.as_raw_fd(), file.as_raw_fd(), std::ptr::null_mut(), most) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Whether a part of a file is in memory, as far as its first and last byte tell (preadv2(2)).
pub(crate) fn is_at_hand(file: BorrowedFd<'_>, from: u64, length: u64) -> bool {
    let is_read = |at: u64| {
        let mut byte = 0_u8;
        let space = libc::iovec {
            iov_base: (&raw mut byte).cast(),
            iov_len: 1,
        };
        let Ok(at) = libc::off_t::try_from(at) else {
            return false;
        };
        // SAFETY: the file is open while it is borrowed, and there is one place, for one byte, which lives until the call
        // returns.
        let count = unsafe { libc::preadv2(file.as_raw_fd(), &raw const space, 1, at, libc::RWF_NOWAIT) };
        // At its end there is nothing to wait for.
        count >= 0
    };
    is_read(from) && is_read(from + length.saturating_sub(1))
}

/// Has a part of a file read into memory, and waits for its last byte (`posix_fadvise(2)`).
pub(crate) fn fetch(file: BorrowedFd<'_>, from: u64, length: u64) -> io::Result<()> {
    let (at, size) = (libc::off_t::try_from(from), libc::off_t::try_from(length));
    let (at, size) = (at.map_err(io::Error::other)?, size.map_err(io::Error::other)?);
    // SAFETY: the file is open while it is borrowed; the call touches no memory of the process. Without the advice it is
    // read as well.
    unsafe { libc::posix_fadvise(file.as_raw_fd(), at, size, libc::POSIX_FADV_WILLNEED) };
    let mut byte = 0_u8;
    for place in [at, at.saturating_add(size).saturating_sub(1)] {
        // SAFETY: the file is open while it is borrowed, and the byte lives until the call returns.
        let count = unsafe { libc::pread(file.as_raw_fd(), (&raw mut byte).cast(), 1, place) };
        if count < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Has the packets of a connection of QUIC go to one of the `count` sockets that share an address, by what the first two
/// bytes of its id leave when they are divided by their number (RFC 9000, section 17: an id begins at the second byte of a
/// short header, and at the seventh of a long one).
pub(crate) fn steer(socket: BorrowedFd<'_>, count: u32) -> io::Result<()> {
    const fn step(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
        // All codes have less than sixteen bits.
        #[expect(clippy::cast_possible_truncation, reason = "see above")]
        libc::sock_filter {
            code: code as u16,
            jt,
            jf,
            k,
        }
    }
    let mut program = [
        step(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 0, 2, 0x80),
        step(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, 0, 0, 6),
        step(libc::BPF_JMP | libc::BPF_JA, 0, 0, 1),
        step(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, 0, 0, 1),
        step(libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K, 0, 0, count.max(1)),
        step(libc::BPF_RET | libc::BPF_A, 0, 0, 0),
    ];
    let whole = libc::sock_fprog {
        len: 7,
        filter: program.as_mut_ptr(),
    };
    let size = libc::socklen_t::try_from(mem::size_of::<libc::sock_fprog>()).map_err(io::Error::other)?;
    // SAFETY: the program and what points to it live until the call returns, which copies them; the lengths are theirs.
    let done = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const whole).cast(),
            size,
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::IntoRawFd;

    use super::*;

    #[test]
    fn a_descriptor_is_taken_over_or_refused() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let taken = UdpSocket::from(take(socket.into_raw_fd()).unwrap());
        assert_eq!(taken.local_addr().unwrap(), address);
        for bad in [-1, 0, 2, 1_000_000] {
            assert!(take(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_thread_runs_on_the_processors_it_is_given() {
        let work = || {
            let all = processors();
            let last = *all.last().unwrap();
            stay_on(&all).unwrap();
            assert_eq!(processors(), all);
            stay_on(&[last]).unwrap();
            assert_eq!(processors(), [last]);
            assert!(stay_on(&[1_000_000]).is_err());
            assert!(stay_on(&[]).is_err());
        };
        std::thread::spawn(work).join().unwrap();
    }

    #[test]
    fn packets_go_where_their_id_says() {
        let open = || {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
            socket.set_reuse_port(true).unwrap();
            socket
        };
        let (one, other) = (open(), open());
        let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
        one.bind(&any.into()).unwrap();
        other.bind(&one.local_addr().unwrap()).unwrap();
        steer(one.as_fd(), 2).unwrap();
        let sockets = [UdpSocket::from(one), UdpSocket::from(other)];
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        for number in 0..8_u8 {
            let short = [0x40, 0, number, 1, 1, 1, 1, 1, 1];
            let long = [0xc0, 0, 0, 0, 1, 8, 0, number, 1, 1, 1, 1, 1, 1];
            for packet in [&short[..], &long[..]] {
                client.send_to(packet, sockets[0].local_addr().unwrap()).unwrap();
                let mut space = [0; 64];
                let taker = &sockets[usize::from(number % 2)];
                taker.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
                assert_eq!(taker.recv(&mut space).unwrap(), packet.len());
            }
        }
    }
}
