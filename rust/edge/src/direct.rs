//! The direct path: plain requests, each with one read and one write.
//!
//! What is plain: a GET or HEAD of HTTP/1.1 in origin form, with one Host and no body, for what is in the pack or has a
//! handler. Anything else goes to hyper, with all that was read and not yet answered, and stays there.

use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body::Body as _;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyperweb_pack::{Body, Variant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::answer::{Answer, Head};
use crate::body::InFlight;
use crate::clock;
use crate::config::Limits;
use crate::connection::place_of;
use crate::fetch::{Asked, Fetched, fetch};
use crate::metrics::Source;
use crate::policy::request_may_use;
use crate::replay::Replay;
use crate::responses::Found;
use crate::service::serve;
use crate::shared::ThreadState;
use crate::site::Site;
use crate::write::{write_all, write_response};

const MOST_FIELDS: usize = 100;
const FIRST_READ: usize = 8 << 10;

/// What becomes of the bytes at the beginning of the buffer.
enum Next {
    /// A response was written for so many bytes; the connection goes on, or not.
    Answered { used: usize, close: bool },
    /// The head is not whole yet.
    More,
    /// This is not for here.
    HandOver,
    /// This is no HTTP; it is answered so, and the connection closed.
    Refuse(&'static [u8]),
}

/// Serves one connection to its end.
pub(crate) async fn connection(state: Arc<ThreadState>, mut stream: TcpStream, peer: Arc<str>) {
    let mut buffer = vec![0; FIRST_READ];
    let (mut start, mut end) = (0, 0);
    let limits = state.shared.limits;
    let wait = sleep(Duration::from_millis(limits.head_time));
    tokio::pin!(wait);
    // What the wait ends: an idle connection, or a head that does not come to its end.
    let mut since = Instant::now();
    let mut in_head = false;
    loop {
        while start < end {
            let Some(bytes) = buffer.get(start..end) else { return };
            match respond(&state, &stream, bytes, &peer).await {
                Ok(Next::Answered { used, close }) => {
                    start += used;
                    since = Instant::now();
                    in_head = false;
                    if close {
                        return;
                    }
                }
                Ok(Next::More) => {
                    if !in_head {
                        since = Instant::now();
                        in_head = true;
                    }
                    break;
                }
                Ok(Next::HandOver) if has_fragment(bytes) => {
                    let _ = write_all(&stream, [BAD], &limits).await;
                    return;
                }
                Ok(Next::HandOver) => return hand_over(state, stream, Bytes::copy_from_slice(bytes), peer).await,
                Ok(Next::Refuse(response)) => {
                    // The client may have gone, which is what it is told to do.
                    let _ = write_all(&stream, [response], &limits).await;
                    return;
                }
                Err(_) => return,
            }
        }
        buffer.copy_within(start..end, 0);
        (start, end) = (0, end - start);
        if end >= limits.head_bytes {
            let _ = write_all(&stream, [TOO_LARGE], &limits).await;
            return;
        }
        if end == buffer.len() {
            buffer.resize((buffer.len() * 2).min(limits.head_bytes), 0);
        }
        match read(
            &mut stream,
            buffer.get_mut(end..).unwrap_or_default(),
            wait.as_mut(),
            &mut since,
            in_head,
            &limits,
        )
        .await
        {
            Some(0) | None => return,
            Some(count) => end += count,
        }
    }
}

/// Whether the request line has a fragment in it, which no target has (RFC 9112, section 3.2). Hyper drops one without a
/// word, so it is refused before hyper sees it.
fn has_fragment(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .take_while(|byte| **byte != b'\n')
        .any(|byte| *byte == b'#')
}

/// Reads what there is, or waits for it; none when the time is over.
///
/// This is the stream's own read and not `try_read`: after one that did not fill the space it knows that there is no
/// more, and waits without asking the system again.
async fn read(
    stream: &mut TcpStream,
    space: &mut [u8],
    mut wait: std::pin::Pin<&mut Sleep>,
    since: &mut Instant,
    in_head: bool,
    limits: &Limits,
) -> Option<usize> {
    let allowed = Duration::from_millis(if in_head { limits.head_time } else { limits.idle_time });
    if in_head {
        // The timer may still be that of an idle connection, which is allowed to wait longer.
        let end = tokio::time::Instant::from_std(*since) + allowed;
        if wait.deadline() > end {
            wait.as_mut().reset(end);
        }
    }
    loop {
        tokio::select! {
            biased;
            count = stream.read(space) => return count.ok(),
            () = wait.as_mut() => {
                // One timer for the whole connection: it is set anew only when it runs out.
                let left = allowed.checked_sub(since.elapsed()).filter(|left| !left.is_zero())?;
                wait.as_mut().reset(tokio::time::Instant::now() + left);
            }
        }
    }
}

async fn respond(state: &Arc<ThreadState>, stream: &TcpStream, bytes: &[u8], peer: &str) -> io::Result<Next> {
    if !bytes.starts_with(b"GET /") && !bytes.starts_with(b"HEAD /") {
        return Ok(if b"GET /".starts_with(bytes) || b"HEAD /".starts_with(bytes) {
            Next::More
        } else {
            Next::HandOver
        });
    }
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    let used = match request.parse_with_uninit_headers(bytes, &mut fields) {
        Ok(httparse::Status::Complete(used)) => used,
        Ok(httparse::Status::Partial) => return Ok(Next::More),
        Err(httparse::Error::TooManyHeaders) => return Ok(Next::Refuse(TOO_LARGE)),
        Err(_) => return Ok(Next::Refuse(BAD)),
    };
    if is_framed_twice(&request) {
        return Ok(Next::Refuse(BAD));
    }
    let Some(plain) = Plain::read(&request) else {
        return Ok(Next::HandOver);
    };
    let site = state.shared.sites.find(plain.host);
    let Some(target) = request.path.and_then(|path| site.target(path)) else {
        return Ok(Next::HandOver);
    };
    let started = state.shared.measures.then(Instant::now);
    let build = site.build.load();
    let mut found = build.answer(&target, &plain.head);
    // A response that could be sent before a drain began is the last of its connection.
    let close = plain.close || state.shared.draining.load(Ordering::Relaxed);
    if matches!(found, Answer::Missing) {
        if build.has_route(&target) {
            drop(build);
            if plain.is_simple
                && let Some(hit) = state.shared.responses.hit(&site.name, plain.host, &target)
            {
                send_hit(state, stream, &hit, close, started).await?;
                return Ok(Next::Answered { used, close });
            }
            let Some(headers) = fields_of(&request, bytes.get(..used).unwrap_or(bytes)) else {
                return Ok(Next::HandOver);
            };
            let method = if plain.head.is_head { Method::HEAD } else { Method::GET };
            if !request_may_use(&method, &headers) {
                return Ok(Next::HandOver);
            }
            let asked = Asked::new(method, headers, &target, plain.host, peer);
            make(state, stream, site, asked, close, started).await?;
            return Ok(Next::Answered { used, close });
        }
        found = build.not_found(&plain.head).unwrap_or(Answer::Missing);
    }
    if !build.may_send(&found) {
        return Ok(Next::HandOver);
    }
    let (status, line, sent): (u16, &[u8], &[u8]) = match &found {
        Answer::Whole {
            status: status @ (200 | 404),
            variant,
        } if !is_file(variant) => {
            let line: &[u8] = if *status == 200 {
                b"HTTP/1.1 200 OK\r\n"
            } else {
                b"HTTP/1.1 404 Not Found\r\n"
            };
            let sent = if plain.head.is_head {
                variant.head()
            } else {
                variant.head_and_body()
            };
            (*status, line, sent)
        }
        Answer::NotModified(variant) => (304, b"HTTP/1.1 304 Not Modified\r\n", variant.not_modified_head()),
        _ => return Ok(Next::HandOver),
    };
    let _flight = InFlight::new(Arc::clone(state));
    let mut prefix = [0; 128];
    let length = clock::with_date(|date| {
        let connection: &[u8] = if close { b"\r\nconnection: close\r\n" } else { b"\r\n" };
        fill(&mut prefix, &[line, b"date: ", date, connection])
    });
    let prefix = prefix.get(..length).unwrap_or(&[]);
    write_all(stream, [prefix, sent], &state.shared.limits).await?;
    if let Some(started) = started {
        let bytes = if status == 304 || plain.head.is_head {
            0
        } else {
            sent.len() as u64
        };
        state.metrics.count(Source::Pack, status, bytes, started.elapsed());
    }
    Ok(Next::Answered { used, close })
}

/// Sends a response from the cache as it was encoded when it was kept.
async fn send_hit(
    state: &Arc<ThreadState>,
    stream: &TcpStream,
    hit: &Found,
    close: bool,
    started: Option<Instant>,
) -> io::Result<()> {
    let _flight = InFlight::new(Arc::clone(state));
    let mut space = [0; 128];
    let tail = hit.tail(&mut space, close);
    let body = &hit.stored.body;
    write_all(stream, [&hit.stored.head, tail, body], &state.shared.limits).await?;
    if let Some(started) = started {
        state
            .metrics
            .count(Source::Cache, 200, body.len() as u64, started.elapsed());
    }
    Ok(())
}

/// Answers a request from the cache of what Python made, or from a worker.
async fn make(
    state: &Arc<ThreadState>,
    stream: &TcpStream,
    site: &Arc<Site>,
    asked: Asked,
    close: bool,
    started: Option<Instant>,
) -> io::Result<()> {
    let _flight = InFlight::new(Arc::clone(state));
    let is_head = asked.method == Method::HEAD;
    let Fetched { response, source } = tokio::select! {
        biased;
        fetched = fetch(state, site, asked) => fetched,
        // Nobody would read what is made.
        () = gone(stream) => return Err(io::ErrorKind::ConnectionAborted.into()),
    };
    let (status, size) = (response.status().as_u16(), response.body().size_hint().exact());
    let took = started.map(|started| started.elapsed());
    write_response(stream, response, is_head, close, &state.shared.limits).await?;
    if let Some(took) = took {
        state.metrics.count(source, status, size.unwrap_or(0), took);
    }
    Ok(())
}

/// Waits until the client has closed the connection; for ever where it sends more first.
async fn gone(stream: &TcpStream) {
    if let Ok(1..) = stream.peek(&mut [0]).await {
        std::future::pending::<()>().await;
    }
}

/// The fields of a request as the rest of the edge takes them; the values share one copy of its bytes.
fn fields_of(request: &httparse::Request<'_, '_>, head: &[u8]) -> Option<HeaderMap> {
    let copy = Bytes::copy_from_slice(head);
    let mut headers = HeaderMap::with_capacity(request.headers.len() + 8);
    for field in request.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        let value = HeaderValue::from_maybe_shared(copy.slice(place_of(field.value, head))).ok()?;
        headers.append(name, value);
    }
    Some(headers)
}

/// Whether a request says in two ways where its body ends: what one server takes for a body another takes for the next
/// request (RFC 9112, section 6.3).
fn is_framed_twice(request: &httparse::Request<'_, '_>) -> bool {
    let has = |name: &str| {
        request
            .headers
            .iter()
            .any(|field| field.name.eq_ignore_ascii_case(name))
    };
    has("transfer-encoding") && has("content-length")
}

fn is_file(variant: &Variant<'_>) -> bool {
    matches!(variant.body(), Body::File { .. })
}

fn fill(space: &mut [u8], parts: &[&[u8]]) -> usize {
    let mut at = 0;
    for part in parts {
        if let Some(slot) = space.get_mut(at..at + part.len()) {
            slot.copy_from_slice(part);
            at += part.len();
        }
    }
    at
}

/// A request with nothing unusual about it.
struct Plain<'a> {
    host: &'a str,
    head: Head<'a>,
    close: bool,
    /// A GET of the whole, without conditions of any kind.
    is_simple: bool,
}

impl<'a> Plain<'a> {
    /// None where a field is not plain: it is there twice, or asks for what is not done here.
    fn read(request: &httparse::Request<'_, 'a>) -> Option<Self> {
        if request.version != Some(1) {
            return None;
        }
        let mut host = None;
        let mut head = Head {
            is_head: request.method == Some("HEAD"),
            ..Head::default()
        };
        let mut close = false;
        let mut is_simple = !head.is_head;
        for field in request.headers.iter() {
            let name = field.name.as_bytes();
            // Only names of these lengths matter; most fields of a browser are passed by on this alone.
            let slot = match name.len() {
                4 if name.eq_ignore_ascii_case(b"host") => &mut host,
                15 if name.eq_ignore_ascii_case(b"accept-encoding") => &mut head.accept_encoding,
                13 if name.eq_ignore_ascii_case(b"if-none-match") => &mut head.if_none_match,
                17 if name.eq_ignore_ascii_case(b"if-modified-since") => &mut head.if_modified_since,
                10 if name.eq_ignore_ascii_case(b"connection") => {
                    if field.value.eq_ignore_ascii_case(b"close") {
                        close = true;
                    } else if !field.value.eq_ignore_ascii_case(b"keep-alive") {
                        return None;
                    }
                    continue;
                }
                13 if name.eq_ignore_ascii_case(b"cache-control") => {
                    is_simple = false;
                    continue;
                }
                5 if name.eq_ignore_ascii_case(b"range") => return None,
                6 if name.eq_ignore_ascii_case(b"expect") => return None,
                7 if name.eq_ignore_ascii_case(b"upgrade") => return None,
                14 if name.eq_ignore_ascii_case(b"content-length") => return None,
                17 if name.eq_ignore_ascii_case(b"transfer-encoding") => return None,
                _ => continue,
            };
            if slot.is_some() {
                return None;
            }
            *slot = Some(std::str::from_utf8(field.value).ok()?);
        }
        let host = host.filter(|host| {
            host.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
        })?;
        is_simple &= head.if_none_match.is_none() && head.if_modified_since.is_none();
        Some(Self {
            host,
            head,
            close,
            is_simple,
        })
    }
}

async fn hand_over(state: Arc<ThreadState>, stream: TcpStream, before: Bytes, peer: Arc<str>) {
    let limits = state.shared.limits;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.head_time))
        .max_headers(MOST_FIELDS)
        .max_buf_size(limits.head_bytes.max(8192))
        .auto_date_header(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(1000)
        .max_header_list_size(32 << 10)
        .auto_date_header(false);
    let shared = Arc::clone(&state.shared);
    let service = service_fn(move |request| serve(Arc::clone(&state), Arc::clone(&peer), request));
    let connection = builder.serve_connection(TokioIo::new(Replay::new(before, stream)), service);
    tokio::pin!(connection);
    let mut beat = tokio::time::interval(Duration::from_millis(200));
    loop {
        tokio::select! {
            // A connection that fails has nobody left to tell.
            _ = connection.as_mut() => return,
            _ = beat.tick() => {
                if shared.draining.load(Ordering::Relaxed) {
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

const BAD: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 23\r\nconnection: close\r\n\r\nThis is no valid HTTP.\n";
const TOO_LARGE: &[u8] = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\ncontent-length: 32\r\nconnection: close\r\n\r\nThe request's head is too large\n";
