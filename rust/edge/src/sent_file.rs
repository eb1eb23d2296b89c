//! A part of a file that goes to a socket without passing through the memory of this process (sendfile(2)).

use std::io::{self, Seek};
use std::os::fd::AsFd;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::task::{spawn_blocking, yield_now};

use crate::config::Limits;
use crate::system_unsafe::{fetch, is_at_hand, send_file};
use crate::write::in_time;

/// Bytes that are sent before others on the thread have their turn.
const PIECE: u64 = 512 << 10;

/// Sends so many bytes from where the file is read. A file that is cut short meanwhile is an error: its end is not made up.
pub(crate) async fn send(stream: &TcpStream, file: tokio::fs::File, mut left: u64, limits: &Limits) -> io::Result<()> {
    let longest = Duration::from_millis(limits.write_time);
    let mut file = file.into_std().await;
    let mut at = file.stream_position()?;
    while left > 0 {
        let piece = left.min(PIECE);
        if !is_at_hand(file.as_fd(), at, piece) {
            // The thread serves others, and does not wait for a disk.
            file = spawn_blocking(move || fetch(file.as_fd(), at, piece).map(|()| file))
                .await
                .map_err(io::Error::other)??;
        }
        let mut rest = usize::try_from(piece).map_err(io::Error::other)?;
        while rest > 0 {
            match stream.try_io(Interest::WRITABLE, || send_file(stream.as_fd(), file.as_fd(), rest)) {
                Ok(0) => return Err(io::Error::other("the file was cut short while it was sent")),
                Ok(count) => rest -= count.min(rest),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => in_time(longest, stream.writable()).await?,
                Err(error) => return Err(error),
            }
        }
        at += piece;
        left -= piece;
        yield_now().await;
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Write;

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_part_of_a_file_arrives_and_one_that_is_cut_short_does_not() {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::File::create(&path).unwrap().write_all(&bytes).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        for (from, left, is_whole) in [
            (0, 3_000_000, true),
            (1_000_001, 1_500_000, true),
            (5, 2_999_996, false),
        ] {
            let reading = tokio::spawn(async move {
                let mut came = Vec::new();
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.read_to_end(&mut came).await.map(|_| came)
            });
            let (stream, _) = listener.accept().await.unwrap();
            let mut file = std::fs::File::open(&path).unwrap();
            file.seek(io::SeekFrom::Start(from)).unwrap();
            let sent = send(&stream, file.into(), left, &Limits::default()).await;
            drop(stream);
            assert_eq!(sent.is_ok(), is_whole);
            let start = usize::try_from(from).unwrap();
            let end = bytes.len().min(start + usize::try_from(left).unwrap());
            assert!(reading.await.unwrap().unwrap() == bytes[start..end], "{from}");
        }
    }
}
