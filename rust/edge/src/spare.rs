//! Buffers for what clients send, kept by each thread: a connection has one only while there is something in it.
//!
//! Most connections wait, and one buffer is as good as another; the one used last is in the processor's cache, too.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Sleep;

/// Bytes of one.
pub(crate) const SIZE: usize = 8 << 10;
/// How many a thread keeps that nobody uses.
const MOST: usize = 64;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer, whatever is in it.
fn take() -> Vec<u8> {
    SPARE.with_borrow_mut(Vec::pop).unwrap_or_else(|| vec![0; SIZE])
}

/// Gives a buffer back, and leaves none in its place. One that grew is not kept.
pub(crate) fn give(buffer: &mut Vec<u8>) {
    let buffer = std::mem::take(buffer);
    if buffer.len() == SIZE {
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < MOST {
                spare.push(buffer);
            }
        });
    }
}

/// Reads what there is behind the first `end` bytes of a buffer; nothing where the wait is over first. An empty buffer
/// is taken for as long as there is something to read into it.
///
/// This is the stream's own read and not `try_read`: after one that did not fill the space it knows that there is no
/// more, and waits without asking the system again.
pub(crate) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    end: usize,
    mut wait: Pin<&mut Sleep>,
) -> Option<io::Result<usize>> {
    poll_fn(|context| {
        let was_empty = buffer.is_empty();
        if was_empty {
            *buffer = take();
        }
        let mut space = ReadBuf::new(buffer.get_mut(end..).unwrap_or_default());
        match Pin::new(&mut *stream).poll_read(context, &mut space) {
            Poll::Ready(read) => return Poll::Ready(Some(read.map(|()| space.filled().len()))),
            Poll::Pending if was_empty => give(buffer),
            Poll::Pending => {}
        }
        wait.as_mut().poll(context).map(|()| None)
    })
    .await
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt;
    use tokio::time::sleep;

    use super::*;

    #[tokio::test]
    async fn who_waits_holds_no_buffer() {
        let (mut client, mut server) = tokio::io::duplex(64);
        let mut buffer = Vec::new();
        let wait = sleep(Duration::from_millis(1));
        tokio::pin!(wait);
        assert!(read(&mut server, &mut buffer, 0, wait.as_mut()).await.is_none());
        assert!(buffer.is_empty());
        client.write_all(b"some").await.unwrap();
        wait.as_mut()
            .reset(tokio::time::Instant::now() + Duration::from_mins(1));
        assert_eq!(
            read(&mut server, &mut buffer, 0, wait.as_mut()).await.unwrap().unwrap(),
            4
        );
        client.write_all(b"more").await.unwrap();
        assert_eq!(
            read(&mut server, &mut buffer, 4, wait.as_mut()).await.unwrap().unwrap(),
            4
        );
        assert_eq!((&buffer[..8], buffer.len()), (&b"somemore"[..], SIZE));
        give(&mut buffer);
        assert!(buffer.is_empty());
    }

    #[test]
    fn what_grew_is_not_kept() {
        SPARE.with_borrow_mut(Vec::clear);
        give(&mut vec![0; SIZE * 2]);
        assert_eq!(SPARE.with_borrow(Vec::len), 0);
        give(&mut vec![0; SIZE]);
        assert_eq!(SPARE.with_borrow(Vec::len), 1);
    }
}
