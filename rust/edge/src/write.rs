//! Writes responses to a client's connection: HTTP/1.1 (RFC 9112).

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, DATE};
use http::{Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::time::timeout;

use crate::body::{Body, BodyError};
use crate::client::Client;
use crate::clock;
use crate::config::Limits;
use crate::fields::{write_fields, write_status};
use crate::sent_file;

/// How a response ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    /// With its head.
    pub(crate) is_head: bool,
    /// With the connection.
    pub(crate) close: bool,
    /// It is for a client of HTTP/1.0, which knows no chunks and is told when the connection stays.
    pub(crate) is_old: bool,
}

/// Writes a whole response to a request of HTTP/1.1, and returns whether the connection is to be closed then. An error
/// means that its end was not written, and the connection is of no more use.
pub(crate) async fn write_response(
    stream: &Client,
    response: Response<Body>,
    end: End,
    limits: &Limits,
) -> io::Result<bool> {
    let End { is_head, is_old, .. } = end;
    let (parts, body) = response.into_parts();
    let mut head = Vec::with_capacity(1024);
    write_status(&mut head, parts.status);
    write_fields(&mut head, &parts.headers);
    if !parts.headers.contains_key(DATE) {
        clock::with_date(|date| {
            for part in [&b"date: "[..], date, b"\r\n"] {
                head.extend_from_slice(part);
            }
        });
    }
    let has_body = !is_head && !matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let length = body.size_hint().exact();
    let is_endless = has_body && length.is_none() && !parts.headers.contains_key(CONTENT_LENGTH);
    let is_chunked = is_endless && !is_old;
    let close = end.close || is_endless && is_old;
    if close {
        head.extend_from_slice(b"connection: close\r\n");
    } else if is_old {
        head.extend_from_slice(b"connection: keep-alive\r\n");
    }
    if is_chunked {
        head.extend_from_slice(b"transfer-encoding: chunked\r\n");
    } else if let Some(length) = length.filter(|_| has_body && !parts.headers.contains_key(CONTENT_LENGTH)) {
        head.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    if !has_body {
        write_all(stream, [&head], limits).await?;
        return Ok(close);
    }
    let mut body = match (stream, body) {
        (
            Client::Plain(socket),
            Body::File {
                file,
                left,
                buffer: None,
            },
        ) => {
            write_all(stream, [&head], limits).await?;
            sent_file::send(socket, file, left, limits).await?;
            return Ok(close);
        }
        (_, body) => body,
    };
    // What is there at once goes with the head; the head does not wait for what is not.
    let mut frame = match poll_fn(|context| Poll::Ready(Pin::new(&mut body).poll_frame(context))).await {
        Poll::Ready(frame) => frame,
        Poll::Pending => {
            write_all(stream, [&head], limits).await?;
            head.clear();
            body.frame().await
        }
    };
    while let Some(data) = frame {
        let data: Bytes = data.map_err(broken)?.into_data().unwrap_or_default();
        if !data.is_empty() {
            if is_chunked {
                head.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
            }
            write_all(stream, [&head, &data], limits).await?;
            head.clear();
            if is_chunked {
                head.extend_from_slice(b"\r\n");
            }
        }
        frame = body.frame().await;
    }
    if is_chunked {
        head.extend_from_slice(b"0\r\n\r\n");
    }
    write_all(stream, [&head], limits).await?;
    Ok(close)
}

fn broken(error: BodyError) -> io::Error {
    io::Error::other(error)
}

/// Writes all of some parts, at best with one call. A client that takes nothing for too long is given up.
pub(crate) async fn write_all<const N: usize>(
    stream: &Client,
    mut parts: [&[u8]; N],
    limits: &Limits,
) -> io::Result<()> {
    let longest = Duration::from_millis(limits.write_time);
    let mut left: usize = parts.iter().map(|part| part.len()).sum();
    while left > 0 {
        let slices = parts.map(IoSlice::new);
        let written = match stream {
            Client::Plain(stream) => match stream.try_write_vectored(&slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    in_time(longest, stream.writable()).await?;
                    continue;
                }
                written => written,
            },
            Client::Secure(secure) => {
                in_time(longest, poll_fn(|context| secure.poll_write_parts(context, &slices))).await
            }
        };
        match written? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => {
                left -= count;
                if left > 0 {
                    advance(&mut parts, count);
                }
            }
        }
    }
    if let Client::Secure(secure) = stream {
        in_time(longest, poll_fn(|context| secure.poll_flush(context))).await?;
    }
    Ok(())
}

/// Writes of some parts what there is room for; how much that was where something is left, or is not on its way yet.
pub(crate) fn write_now<const N: usize>(stream: &Client, parts: &[&[u8]; N]) -> io::Result<Option<usize>> {
    let slices = parts.map(IoSlice::new);
    let whole: usize = parts.iter().map(|part| part.len()).sum();
    match stream {
        // The system has less to do for this than for `writev`, which knows files too.
        Client::Plain(stream) => {
            let written = stream.try_io(Interest::WRITABLE, || SockRef::from(stream).send_vectored(&slices));
            match written {
                Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => Ok((count < whole).then_some(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Some(0)),
                Err(error) => Err(error),
            }
        }
        Client::Secure(secure) => {
            // Who is to wait says so again.
            let mut context = Context::from_waker(Waker::noop());
            let count = match secure.poll_write_parts(&mut context, &slices) {
                Poll::Ready(written) => written?,
                Poll::Pending => return Ok(Some(0)),
            };
            let is_sent = count == whole && secure.poll_flush(&mut context)?.is_ready();
            Ok((!is_sent).then_some(count))
        }
    }
}

pub(crate) async fn in_time<T>(longest: Duration, writing: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(longest, writing)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Takes off what was written.
fn advance(parts: &mut [&[u8]], mut written: usize) {
    for part in parts {
        let taken = written.min(part.len());
        *part = part.get(taken..).unwrap_or(&[]);
        written -= taken;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_left_is_the_rest(parts in prop::array::uniform3("[a-z]{0,9}"), written in 0usize..30) {
            let whole = parts.concat();
            let mut left = parts.each_ref().map(String::as_bytes);
            advance(&mut left, written);
            prop_assert_eq!(left.concat(), &whole.as_bytes()[written.min(whole.len())..]);
        }
    }
}
