//! A connection to a worker: HTTP/1.1, one request after another (RFC 9112).

use std::mem::MaybeUninit;
use std::ops::Range;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::CONNECTION;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::{BodyExt, LengthLimitError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};

use crate::body::RequestBody;
use crate::early;
use crate::framing::{Framing, Misframed};
use crate::interim::Interim;
use crate::origin_tls::OriginTls;
use crate::stream::{Address, Stream};
use crate::timed::TooSlow;

const MOST_FIELDS: usize = 128;
/// A longer head of a response is refused.
const LARGEST_HEAD: usize = 256 << 10;
/// Bytes that are read at a time. A small response comes whole, and goes on with one write.
const READ: usize = 16 << 10;
/// Heads that may come before that of the response.
const MOST_BEFORE: usize = 32;

/// A connection that nobody else uses.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    /// What was read and not yet used.
    read: BytesMut,
}

/// The head of a response, and where its body ends.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) framing: Framing,
    /// Whether the connection can be used again after the body.
    pub(crate) is_reusable: bool,
}

/// Why there is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// There is no worker, and none came in time.
    NoWorker,
    /// More requests wait for workers than may.
    Overloaded,
    /// The worker went away, or answered nonsense.
    Broken,
    /// The worker took too long to begin.
    TooLate,
    /// The client did not send its body to the end.
    NoBody,
    /// The client's body is larger than is taken.
    TooLarge,
    /// The client's body did not come in time.
    TooSlow,
}

impl From<std::io::Error> for Failed {
    fn from(_: std::io::Error) -> Self {
        Self::Broken
    }
}

impl From<Misframed> for Failed {
    fn from(_: Misframed) -> Self {
        Self::Broken
    }
}

impl Connection {
    pub(crate) async fn open(address: &Address, tls: Option<&OriginTls>) -> std::io::Result<Self> {
        Ok(Self {
            stream: address.connect(tls).await?,
            read: BytesMut::new(),
        })
    }

    /// Whether it is open and nothing came that nobody asked for.
    pub(crate) fn is_idle(&mut self) -> bool {
        self.read.is_empty() && self.stream.is_quiet()
    }

    /// Sends a request, and reads the head of the response. `head` is the request's, with its framing; what is said
    /// before the response goes to `interim`.
    pub(crate) async fn exchange(
        &mut self,
        head: &[u8],
        answers_head: bool,
        body: Option<SentBody>,
        interim: Option<&Interim>,
    ) -> Result<Begun, Failed> {
        let Some(body) = body else {
            self.write_all(head).await?;
            return read_head(&mut self.stream, &mut self.read, answers_head, interim).await;
        };
        let (mut reader, mut writer) = split(&mut self.stream);
        writer.write_all(head).await?;
        writer.flush().await?;
        let sending = body.send(&mut writer);
        let reading = read_head(&mut reader, &mut self.read, answers_head, interim);
        let (mut sending, mut reading) = (pin!(sending), pin!(reading));
        tokio::select! {
            // A worker may answer before it has read all, and close then.
            begun = reading.as_mut() => begun.map(|begun| Begun { is_reusable: false, ..begun }),
            sent = sending.as_mut() => match sent {
                // One that takes no more may have said why.
                Ok(()) | Err(Failed::Broken) => reading.await,
                Err(failed) => Err(failed),
            },
        }
    }

    /// What it goes over, once it is of another protocol.
    pub(crate) const fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Reads more of a body; how many bytes came.
    pub(crate) fn poll_more(&mut self, context: &mut Context<'_>, wanted: usize) -> Poll<std::io::Result<usize>> {
        self.read.reserve(wanted);
        pin!(self.stream.read_buf(&mut self.read)).poll(context)
    }

    /// What was read and not yet used.
    pub(crate) const fn read(&mut self) -> &mut BytesMut {
        &mut self.read
    }
}

/// The body of a request on its way to a worker.
pub(crate) struct SentBody {
    pub(crate) body: RequestBody,
    /// Whether it goes in chunks, because the client did not say how long it is.
    pub(crate) is_chunked: bool,
}

impl SentBody {
    async fn send(mut self, writer: &mut (impl AsyncWrite + Unpin)) -> Result<(), Failed> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    Failed::TooLarge
                } else if error.is::<TooSlow>() {
                    Failed::TooSlow
                } else {
                    Failed::NoBody
                }
            })?;
            let Ok(data) = frame.into_data() else { continue };
            if data.is_empty() {
                continue;
            }
            if self.is_chunked {
                writer.write_all(format!("{:x}\r\n", data.len()).as_bytes()).await?;
                writer.write_all(&data).await?;
                writer.write_all(b"\r\n").await?;
            } else {
                writer.write_all(&data).await?;
            }
            writer.flush().await?;
        }
        if self.is_chunked {
            writer.write_all(b"0\r\n\r\n").await?;
            writer.flush().await?;
        }
        Ok(())
    }
}

/// Reads the head of a final response. Of what comes before it, early hints are told (RFC 9110, section 15.2; RFC 8297).
async fn read_head(
    reader: &mut (impl AsyncRead + Unpin),
    read: &mut BytesMut,
    answers_head: bool,
    interim: Option<&Interim>,
) -> Result<Begun, Failed> {
    let mut before = 0;
    loop {
        if !read.is_empty()
            && let Some(begun) = parse(read, answers_head)?
        {
            if begun.status.is_informational() && begun.status != StatusCode::SWITCHING_PROTOCOLS {
                before += 1;
                if before > MOST_BEFORE {
                    return Err(Failed::Broken);
                }
                if let Some(interim) = interim
                    && begun.status == StatusCode::EARLY_HINTS
                {
                    interim.tell(&early::told(&begun.headers));
                }
                continue;
            }
            return Ok(begun);
        }
        if read.len() >= LARGEST_HEAD {
            return Err(Failed::Broken);
        }
        read.reserve(READ);
        if reader.read_buf(read).await? == 0 {
            return Err(Failed::Broken);
        }
    }
}

/// Takes the head of a response off what was read, once all of it is there.
pub(crate) fn parse(read: &mut BytesMut, answers_head: bool) -> Result<Option<Begun>, Failed> {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut response, read, &mut fields);
    let used = match parsed {
        Ok(httparse::Status::Complete(used)) => used,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Failed::Broken),
    };
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(Failed::Broken)?;
    let is_new = response.version == Some(1);
    // The values share the bytes that were read, so only their places are noted until those are split off.
    let mut places = Vec::with_capacity(response.headers.len());
    for field in response.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Failed::Broken)?;
        places.push((name, place_of(field.value, read)));
    }
    let head: Bytes = read.split_to(used).freeze();
    let mut headers = HeaderMap::with_capacity(places.len() + 8);
    for (name, place) in places {
        let value = HeaderValue::from_maybe_shared(head.slice(place)).map_err(|_| Failed::Broken)?;
        headers.append(name, value);
    }
    let framing = Framing::of(status, &headers, answers_head)?;
    let is_kept = |value: &HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"close");
    Ok(Some(Begun {
        is_reusable: is_new && framing != Framing::Close && headers.get_all(CONNECTION).iter().all(is_kept),
        status,
        headers,
        framing,
    }))
}

/// Where a part of some bytes is in them; an empty one is nowhere in particular.
pub(crate) fn place_of(part: &[u8], bytes: &[u8]) -> Range<usize> {
    let at = (part.as_ptr() as usize).wrapping_sub(bytes.as_ptr() as usize);
    if part.is_empty() || at > bytes.len() {
        return 0..0;
    }
    at..at + part.len()
}
