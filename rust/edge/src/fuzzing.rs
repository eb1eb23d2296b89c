//! What is read from outside, without sockets, for the fuzzer and the replay of its corpus: each function takes any bytes
//! and panics where something does not hold that must.

#![allow(clippy::missing_panics_doc, clippy::panic, reason = "to panic is what they are for")]

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hyperweb_cache::{Cache, Config, FillToken};
use hyperweb_pack::Encoding;

use crate::asked::Asked;
use crate::compression::{Compression, wanted};
use crate::config::{Limits, TrustedConfig, TrustedField};
use crate::connection;
use crate::direct::refused;
use crate::early::{self, EarlyLinks};
use crate::form::Form;
use crate::forwarded::Trusted;
use crate::frames::Frames;
use crate::framing::{Framing, Piece};
use crate::http3_frames::Passage;
use crate::negotiate::Accepted;
use crate::peer::Peer;
use crate::policy::{self, Receipt};
use crate::request::{Request, is_host};
use crate::store::Stored;
use crate::{path, proxy, qpack, range};

/// A request as it was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub host: String,
    pub body: Vec<u8>,
    /// As it is sent to an origin.
    pub sent: Option<Vec<u8>>,
}

/// A stream that comes in pieces of some size.
struct Pieces<'s> {
    /// What came and was not used.
    read: BytesMut,
    rest: &'s [u8],
    size: usize,
}

impl<'s> Pieces<'s> {
    fn new(stream: &'s [u8], size: usize) -> Self {
        Self {
            read: BytesMut::new(),
            rest: stream,
            size,
        }
    }

    /// Reads the next piece; whether there was one.
    fn more(&mut self) -> bool {
        let (next, after) = self.rest.split_at(self.size.min(self.rest.len()));
        self.rest = after;
        self.read.extend_from_slice(next);
        !next.is_empty()
    }

    /// Reads a body; none where it is not whole.
    fn body(&mut self, mut framing: Framing) -> Option<Vec<u8>> {
        let is_until_closed = framing == Framing::Close;
        let mut body = Vec::new();
        loop {
            match framing.next(&mut self.read) {
                Ok(Piece::Data(data)) => body.extend_from_slice(&data),
                Ok(Piece::More) if self.more() => {}
                Ok(Piece::End) => return Some(body),
                Ok(Piece::More) if is_until_closed => return Some(body),
                _ => return None,
            }
        }
    }
}

/// Reads requests one after the other, the bytes of which come in pieces of the first byte's value, and returns those that
/// were whole.
pub fn requests(data: &[u8]) -> Vec<Seen> {
    let Some((cut, stream)) = data.split_first() else {
        return Vec::new();
    };
    let whole = read_requests(stream, stream.len());
    let cut = read_requests(stream, usize::from(*cut).max(1));
    assert_eq!(whole, cut, "how a stream is cut into reads changes what it says");
    for one in &whole {
        let Some(sent) = &one.sent else { continue };
        let again = read_requests(sent, sent.len());
        let [again] = again.as_slice() else {
            panic!("one request is sent on as {again:?}: {one:?}");
        };
        assert_eq!(
            (&one.method, &one.target, &one.body),
            (&again.method, &again.target, &again.body),
            "a request is sent on as another"
        );
        assert!(
            one.host.eq_ignore_ascii_case(&again.host),
            "{one:?} goes to {}",
            again.host
        );
    }
    whole
}

fn read_requests(stream: &[u8], cut: usize) -> Vec<Seen> {
    let limits = Limits::default();
    let mut seen = Vec::new();
    let mut pieces = Pieces::new(stream, cut);
    loop {
        let mut fields = [httparse::EMPTY_HEADER; 128];
        let mut parsed = httparse::Request::new(&mut fields);
        let used = match parsed.parse(&pieces.read) {
            Ok(httparse::Status::Complete(used)) => used,
            Ok(httparse::Status::Partial) if pieces.more() => continue,
            _ => return seen,
        };
        let head = pieces.read.get(..used).unwrap_or_default();
        if refused(&parsed, head, &limits).is_some() {
            return seen;
        }
        let Ok((request, manners)) = Request::of(&parsed, head) else {
            return seen;
        };
        let _ = pieces.read.split_to(used);
        let Some(body) = pieces.body(manners.framing) else {
            return seen;
        };
        let close = manners.close;
        seen.push(sent_on(request, manners.framing, body));
        if close {
            return seen;
        }
    }
}

fn sent_on(request: Request, framing: Framing, body: Vec<u8>) -> Seen {
    let Request {
        method,
        target,
        host,
        headers,
    } = request;
    let peer = Peer {
        address: "192.0.2.1".into(),
        ..Peer::local()
    };
    let sent = path::as_it_stands(&target).map(|target| {
        let asked = Asked::new(method.clone(), headers, &target, &host, &peer);
        let is_chunked = framing != Framing::End && !asked.headers.contains_key(CONTENT_LENGTH);
        let mut sent = asked.head(is_chunked, true);
        if is_chunked && !body.is_empty() {
            sent.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
            sent.extend_from_slice(&body);
            sent.extend_from_slice(b"\r\n");
        } else {
            sent.extend_from_slice(&body);
        }
        if is_chunked {
            sent.extend_from_slice(b"0\r\n\r\n");
        }
        sent
    });
    Seen {
        method: method.to_string(),
        target,
        host,
        body,
        sent,
    }
}

/// Reads responses of a worker or an origin; the first byte says in how large pieces they come, and whether the requests
/// were HEAD.
pub fn responses(data: &[u8]) {
    let Some((first, stream)) = data.split_first() else {
        return;
    };
    let answers_head = first & 1 == 1;
    let whole = read_responses(stream, stream.len(), answers_head);
    let cut = read_responses(stream, usize::from(first >> 1).max(1), answers_head);
    assert_eq!(whole, cut, "how a stream is cut into reads changes what it says");
}

fn read_responses(stream: &[u8], cut: usize, answers_head: bool) -> Vec<(u16, Vec<u8>, bool)> {
    let mut seen = Vec::new();
    let mut pieces = Pieces::new(stream, cut);
    loop {
        let begun = match connection::parse(&mut pieces.read, answers_head) {
            Ok(Some(begun)) => begun,
            Ok(None) if pieces.more() => continue,
            _ => return seen,
        };
        let Some(body) = pieces.body(begun.framing) else {
            return seen;
        };
        seen.push((begun.status.as_u16(), body, begun.is_reusable));
        if !begun.is_reusable {
            return seen;
        }
    }
}

/// Fields, one a line; what is none is left out.
fn fields(block: &[u8]) -> HeaderMap {
    let mut found = HeaderMap::new();
    for line in block.split(|byte| *byte == b'\n').take(100) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            found.append(name, value);
        }
    }
    found
}

fn token() -> FillToken {
    static CACHE: LazyLock<Cache<u8>> = LazyLock::new(|| Cache::new(Config::default()));
    CACHE.begin_fill()
}

/// Whether a list has an item, read without any cleverness.
fn says(headers: &HeaderMap, name: &str, item: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|text| text.split(','))
        .any(|one| one.trim().eq_ignore_ascii_case(item))
}

/// Decides about a response, keeps it, and answers with it: status and age, then blocks of fields with a zero byte between
/// them, those of the request it was made for, its own, those of a later 304, those of a later request, and the body.
pub fn policy(data: &[u8]) {
    let Some((numbers, blocks)) = data.split_first_chunk::<3>() else {
        return;
    };
    let mut blocks = blocks.splitn(5, |byte| *byte == 0);
    let mut block = || fields(blocks.next().unwrap_or_default());
    let (request, response, freshens, later) = (block(), block(), block(), block());
    let body = Bytes::copy_from_slice(blocks.next().unwrap_or_default());
    let [high, low, age] = *numbers;
    let code = if high & 1 == 1 { 200 } else { 100 + u16::from(low) * 2 };
    let Ok(status) = StatusCode::from_u16(code) else {
        return;
    };
    let receipt = Receipt {
        now: SystemTime::UNIX_EPOCH + Duration::from_hours(500_000),
        delay: Duration::from_millis(u64::from(age)),
        may_guess: high & 2 == 2,
        stale: 60_000,
    };
    let times = policy::storable(&request, status, &response, &receipt);
    let plain = !response.values().any(|value| value.as_bytes().contains(&b'"'));
    let is_targeted = ["hyperweb-cache-control", "cdn-cache-control", "surrogate-control"]
        .iter()
        .any(|name| response.contains_key(*name));
    if plain && !is_targeted {
        let forbids =
            says(&response, "cache-control", "no-store") && !says(&response, "cache-control", "must-understand");
        let is_private = says(&response, "cache-control", "private");
        assert!(
            times.is_none() || !forbids && !is_private,
            "what forbids it is kept: {response:?}"
        );
    }
    let varies_on_all = response.get_all(VARY).iter().any(|value| value.as_bytes() == b"*");
    if response.contains_key(SET_COOKIE) || varies_on_all {
        assert!(times.is_none(), "what is for one client is kept: {response:?}");
    }
    let Some(times) = times else { return };
    let mut parts = http::Response::new(()).into_parts().0;
    (parts.status, parts.headers) = (status, response);
    let found = (policy::tags(&parts.headers), policy::varies_on(&parts.headers));
    let compression = Compression {
        floor: 8,
        ..Compression::default()
    };
    let stored = Stored::new(parts, body, times, found, (b"key", &request), (token(), &compression));
    assert!(
        stored.is_for(b"key", &request),
        "it does not answer the request that it was made for"
    );
    answered(&stored, &later, receipt.delay);
    answered(&stored.freshened(&freshens, times, token()), &later, receipt.delay);
    let form = Form::decode(stored.parts(1).encode());
    let Some(Form::Response(parts)) = form else {
        panic!("what is kept in a tier cannot be read again: {stored:?}");
    };
    assert_eq!((&parts.body, parts.status), (&stored.body, stored.status));
}

/// Answers a request by what is kept, and looks whether the answer is what it says.
fn answered(stored: &Stored, request: &HeaderMap, age: Duration) {
    let age = u64::try_from(age.as_millis()).unwrap_or(0);
    let response = stored.reply(request, false, age, "hit");
    let (head, body) = response.into_parts();
    let length = head.headers.get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
    match head.status {
        StatusCode::NOT_MODIFIED => assert!(body.is_empty()),
        StatusCode::PARTIAL_CONTENT => {
            let range = head.headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
            let range = range.and_then(|text| text.strip_prefix("bytes ")?.split_once('/'));
            let (part, whole) = range.unwrap_or_default();
            let (first, last) = part.split_once('-').unwrap_or_default();
            let number = |text: &str| text.parse::<usize>().unwrap_or(usize::MAX);
            assert_eq!(number(whole), stored.body.len());
            assert_eq!(stored.body.get(number(first)..=number(last)), Some(&body[..]), "{part}");
            assert_eq!(length, Some(body.len().to_string().as_bytes()));
        }
        StatusCode::RANGE_NOT_SATISFIABLE => assert!(body.is_empty()),
        status => {
            assert_eq!(status, stored.status);
            assert_eq!(length, Some(body.len().to_string().as_bytes()));
        }
    }
    let only_head = stored.reply(request, true, age, "hit");
    assert!(only_head.body().is_empty());
    let coding = request.get("accept-encoding").and_then(|value| value.to_str().ok());
    let (head, body) = stored.whole(coding);
    let expected = format!("content-length: {}\r\n", body.len());
    assert!(memchr::memmem::find(head, expected.as_bytes()).is_some());
}

/// Reads a response from a tier below memory.
pub fn kept(data: &[u8]) {
    let Some(Form::Response(parts)) = Form::decode(Bytes::copy_from_slice(data)) else {
        return;
    };
    let Some(Form::Response(again)) = Form::decode(parts.encode()) else {
        panic!("what was read cannot be read again: {parts:?}");
    };
    assert_eq!(parts, again);
    let stored = Stored::restored(*parts, Vec::new(), token(), &Compression::default());
    let _ = stored.reply(&HeaderMap::new(), false, 0, "hit");
    assert!(stored.weight() > 0);
}

/// Reads the parts of a request that have a grammar of their own: text, and a length.
pub fn values(data: &[u8]) {
    let Some((number, rest)) = data.split_first_chunk::<2>() else {
        return;
    };
    let length = u64::from(u16::from_be_bytes(*number));
    header(rest);
    let Ok(text) = std::str::from_utf8(rest) else {
        return;
    };
    if let range::Asked::Part(first, end) = range::asked(text, length) {
        assert!(first < end && end <= length, "{first}-{end} of {length}");
    }
    let accepted = Accepted::parse(Some(text));
    for encoding in [Encoding::Br, Encoding::Gzip, Encoding::Zstd, Encoding::Identity] {
        assert!(accepted.weight(encoding) <= 1000);
    }
    let _ = wanted(Some(text));
    told(text);
    if let Some(target) = path::target(text) {
        assert!(target.path.starts_with('/'));
        assert!(!target.path.split('/').any(|part| part == "." || part == ".."));
        assert!(!target.path.bytes().any(|byte| byte < 0x20 || byte == b'\\'));
    }
}

/// What a proxy says of a request, and what a page says of what it needs: neither can say more than it may.
fn told(text: &str) {
    for field in [TrustedField::XForwarded, TrustedField::Forwarded] {
        let config = TrustedConfig {
            proxies: vec!["10.0.0.0/8".to_owned()],
            field,
        };
        let Ok(trusted) = Trusted::read(&config) else { return };
        if let Some(told) = trusted.told(|_| std::iter::once(text.as_bytes())) {
            assert!(told.host.is_none_or(is_host));
            assert!(told.peer(&Peer::local()).address.parse::<std::net::IpAddr>().is_ok());
        }
    }
    let links = EarlyLinks::default();
    links.keep(1, &HeaderMap::new(), text.as_bytes(), |_| true);
    if let Some(known) = links.get(1) {
        let head = early::head(&known.links);
        assert_eq!(memchr::memmem::find_iter(&head, b"\r\n").count(), known.links.len() + 2);
    }
}

/// A header of the PROXY protocol, which comes in pieces of any size.
fn header(bytes: &[u8]) {
    let whole = proxy::read(bytes);
    let last = |length: usize| proxy::read(bytes.get(..length).unwrap_or_default());
    match whole {
        proxy::Header::Whole { used, .. } => {
            assert!(used <= bytes.len());
            assert_eq!(last(used), whole, "what follows changes it");
            assert_eq!(last(used - 1), proxy::Header::More, "a part of it is enough");
        }
        proxy::Header::More => (0..bytes.len()).for_each(|length| assert_eq!(last(length), proxy::Header::More)),
        proxy::Header::Bad => {}
    }
}

/// Follows frames of HTTP/2 and of HTTP/3, which come in pieces of the first byte's value.
pub fn frames(data: &[u8]) {
    let Some((cut, stream)) = data.split_first() else {
        return;
    };
    let (mut whole, mut pieces) = (Frames::after(3), Frames::after(3));
    let (mut seen, mut again) = (Vec::new(), Vec::new());
    whole.push(stream, |frame| seen.push(frame));
    for piece in stream.chunks(usize::from(*cut).max(1)) {
        pieces.push(piece, |frame| again.push(frame));
    }
    assert_eq!(seen, again);
    assert_eq!(whole.is_between(), pieces.is_between());
    assert_eq!(whole.is_in_block(), pieces.is_in_block());
    assert_eq!(whole.now(), pieces.now());
    for made in [|| Passage::of_request(4096), Passage::one_way] {
        assert_eq!(
            passed(made(), stream, stream.len().max(1)),
            passed(made(), stream, usize::from(*cut).max(1))
        );
    }
    if let Some(renamed) = qpack::renamed(stream) {
        assert!(renamed.len() <= stream.len() + 20);
    }
}

/// What passes of bytes that come in pieces, and how much of it asked for nothing.
fn passed(mut passage: Passage, bytes: &[u8], size: usize) -> Option<(Vec<u8>, u64)> {
    let (mut all, mut idle) = (Vec::new(), 0);
    for piece in bytes.chunks(size) {
        idle += passage.push(Bytes::copy_from_slice(piece)).ok()?;
        while let Some(part) = passage.next() {
            all.extend_from_slice(&part);
        }
        assert!(passage.held() <= 4096, "more is held than may be");
    }
    Some((all, idle))
}
