//! Where a body ends, a worker's or a client's (RFC 9112, sections 6.3 and 7.1). No socket.

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};

use crate::request::has_whole_line_ends;

/// The longest line of a chunk's size with its extensions, and of all trailer fields.
const LONGEST_LINE: usize = 8 << 10;

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    /// In chunks; of the one that is being read so many bytes are still to come.
    Chunk(u64),
    /// A line end, then the next chunk.
    ChunkEnd,
    /// The size of the next chunk.
    ChunkSize,
    /// Fields after the last chunk.
    Trailers,
    /// It is over.
    End,
    /// When the connection is closed.
    Close,
}

/// What cannot be told where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Misframed;

/// What is at the beginning of what was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Data(Bytes),
    /// More has to be read first.
    More,
    End,
}

impl Framing {
    /// How the body of a response ends, by its head. A response that says so in two ways is refused.
    pub(crate) fn of(status: StatusCode, headers: &HeaderMap, answers_head: bool) -> Result<Self, Misframed> {
        let length = length(headers)?;
        let chunked = is_chunked(headers)?;
        if chunked && length.is_some() {
            return Err(Misframed);
        }
        let is_bodiless =
            status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        Ok(match length {
            _ if answers_head || is_bodiless => Self::End,
            Some(0) => Self::End,
            Some(length) => Self::Length(length),
            None if chunked => Self::ChunkSize,
            None => Self::Close,
        })
    }

    /// Bytes that are still to come, where that is known.
    pub(crate) const fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::End => Some(0),
            _ => None,
        }
    }

    /// Takes the next piece off what was read.
    pub(crate) fn next(&mut self, read: &mut BytesMut) -> Result<Piece, Misframed> {
        loop {
            match *self {
                Self::End => return Ok(Piece::End),
                Self::Close if read.is_empty() => return Ok(Piece::More),
                Self::Close => return Ok(Piece::Data(read.split().freeze())),
                Self::Length(left) | Self::Chunk(left) if left > 0 => {
                    let most = usize::try_from(left).unwrap_or(usize::MAX);
                    let data = read.split_to(read.len().min(most)).freeze();
                    if data.is_empty() {
                        return Ok(Piece::More);
                    }
                    let left = left - data.len() as u64;
                    *self = match *self {
                        Self::Length(_) if left == 0 => Self::End,
                        Self::Length(_) => Self::Length(left),
                        _ if left == 0 => Self::ChunkEnd,
                        _ => Self::Chunk(left),
                    };
                    return Ok(Piece::Data(data));
                }
                Self::Length(_) => *self = Self::End,
                Self::Chunk(_) => *self = Self::ChunkEnd,
                Self::ChunkEnd => {
                    if read.len() < 2 {
                        return Ok(Piece::More);
                    }
                    if !read.starts_with(b"\r\n") {
                        return Err(Misframed);
                    }
                    read.advance(2);
                    *self = Self::ChunkSize;
                }
                Self::ChunkSize => match httparse::parse_chunk_size(read) {
                    Ok(httparse::Status::Complete((used, size)))
                        if read.first().is_some_and(u8::is_ascii_hexdigit)
                            && has_whole_line_ends(read.get(..used).unwrap_or_default()) =>
                    {
                        read.advance(used);
                        *self = if size == 0 { Self::Trailers } else { Self::Chunk(size) };
                    }
                    Ok(httparse::Status::Partial) if read.len() <= LONGEST_LINE => return Ok(Piece::More),
                    _ => return Err(Misframed),
                },
                Self::Trailers => {
                    let mut fields = [httparse::EMPTY_HEADER; 32];
                    match httparse::parse_headers(read, &mut fields) {
                        Ok(httparse::Status::Complete((used, _)))
                            if has_whole_line_ends(read.get(..used).unwrap_or_default()) =>
                        {
                            read.advance(used);
                            *self = Self::End;
                        }
                        Ok(httparse::Status::Partial) if read.len() <= LONGEST_LINE => return Ok(Piece::More),
                        _ => return Err(Misframed),
                    }
                }
            }
        }
    }
}

fn length(headers: &HeaderMap) -> Result<Option<u64>, Misframed> {
    let mut found = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        let length = number(value.as_bytes()).ok_or(Misframed)?;
        if found.is_some_and(|other: u64| other != length) {
            return Err(Misframed);
        }
        found = Some(length);
    }
    Ok(found)
}

/// A length: digits and nothing else (RFC 9110, section 8.6).
pub(crate) fn number(bytes: &[u8]) -> Option<u64> {
    let digits = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(bytes).ok()?.parse().ok().filter(|_| digits)
}

fn is_chunked(headers: &HeaderMap) -> Result<bool, Misframed> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(false),
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(true),
        _ => Err(Misframed),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    /// A body, and what came after it.
    type Whole = (Vec<u8>, Vec<u8>);

    /// Reads a body that comes in parts, to its end.
    fn read(mut framing: Framing, parts: &[&[u8]]) -> Result<Option<Whole>, Misframed> {
        let (mut buffer, mut body) = (BytesMut::new(), Vec::new());
        for part in parts {
            buffer.extend_from_slice(part);
            loop {
                match framing.next(&mut buffer)? {
                    Piece::Data(data) => body.extend_from_slice(&data),
                    Piece::More => break,
                    Piece::End => return Ok(Some((body, buffer.to_vec()))),
                }
            }
        }
        Ok(None)
    }

    fn of(status: u16, fields: &[(&'static str, &'static str)], answers_head: bool) -> Result<Framing, Misframed> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        Framing::of(StatusCode::from_u16(status).unwrap(), &headers, answers_head)
    }

    #[test]
    fn the_head_says_where_the_body_ends() {
        let (length, coding) = ("content-length", "transfer-encoding");
        assert_eq!(of(200, &[(length, "5")], false), Ok(Framing::Length(5)));
        assert_eq!(of(200, &[(length, "5"), (length, "5")], false), Ok(Framing::Length(5)));
        assert_eq!(of(200, &[(length, "5")], true), Ok(Framing::End));
        assert_eq!(of(304, &[(length, "5")], false), Ok(Framing::End));
        assert_eq!(of(200, &[(length, "0")], false), Ok(Framing::End));
        assert_eq!(of(200, &[(coding, "Chunked")], false), Ok(Framing::ChunkSize));
        assert_eq!(of(200, &[], false), Ok(Framing::Close));
        for fields in [
            &[(length, "5"), (length, "6")][..],
            &[(length, "+5")],
            &[(length, "")],
            &[(length, "0x5")],
            &[(length, "99999999999999999999")],
            &[(length, "5"), (coding, "chunked")],
            &[(coding, "gzip, chunked")],
            &[(coding, "chunked"), (coding, "chunked")],
        ] {
            assert_eq!(of(200, fields, false), Err(Misframed), "{fields:?}");
        }
    }

    #[test]
    fn chunks_are_put_together_and_what_follows_is_left() {
        let text = b"4;x=y\r\nWiki\r\n5\r\npedia\r\n0\r\nTrailer: x\r\n\r\nnext";
        let whole = Some((b"Wikipedia".to_vec(), b"next".to_vec()));
        assert_eq!(read(Framing::ChunkSize, &[text]), Ok(whole.clone()));
        let bytes: Vec<&[u8]> = text[..text.len() - 4].chunks(1).collect();
        assert_eq!(
            read(Framing::ChunkSize, &bytes),
            Ok(Some((b"Wikipedia".to_vec(), Vec::new())))
        );
        for bad in [
            &b"x\r\n"[..],
            b"4\r\nWikixy",
            b"-1\r\n",
            b"11111111111111111\r\n",
            b"\n4\r\n",
            b" 4\r\n",
            b"4;x\n\r\n",
            b"4\nabcd",
            b"\r\n",
            b";\r\n",
            b"0\r\nX: y\n\r\n",
        ] {
            assert_eq!(read(Framing::ChunkSize, &[bad]), Err(Misframed), "{bad:?}");
        }
        let endless = vec![b'0'; LONGEST_LINE + 2];
        assert_eq!(read(Framing::ChunkSize, &[&endless]), Err(Misframed));
    }

    proptest! {
        #[test]
        fn what_is_cut_anywhere_is_the_same(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..6),
            cuts in prop::collection::vec(1usize..40, 1..40),
        ) {
            let mut text = Vec::new();
            for chunk in &chunks {
                text.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                text.extend(chunk);
                text.extend(b"\r\n");
            }
            text.extend(b"0\r\n\r\n");
            let mut parts = Vec::new();
            let mut rest = &text[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (part, after) = rest.split_at((*cut).min(rest.len()));
                parts.push(part);
                rest = after;
            }
            prop_assert_eq!(read(Framing::ChunkSize, &parts), Ok(Some((chunks.concat(), Vec::new()))));
        }

        #[test]
        fn nothing_is_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..200), size in 0u64..300) {
            for framing in [Framing::Length(size), Framing::ChunkSize, Framing::Close] {
                let _ = read(framing, &[&bytes]);
            }
        }
    }
}
