//! The head of a client's request of HTTP/1.1, read strictly (RFC 9112, sections 2, 3, 5 and 6). No socket.
//!
//! What servers in a row could read in different ways is refused, not mended: one that takes a part of a body for the
//! next request answers a client with what another asked for.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT, HOST, REFERER, TRANSFER_ENCODING, UPGRADE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::access::Told;
use crate::connection::place_of;
use crate::framing::Framing;
use crate::identity::{REQUEST_ID, TRACE_PARENT};
use crate::policy;
use crate::refusal::Refusal;

/// A request before its body, of any version of HTTP.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// The path and query as they were sent, or `*`.
    pub(crate) target: String,
    pub(crate) host: String,
    pub(crate) headers: HeaderMap,
}

/// What is kept of a request for the access log, while it is answered.
#[derive(Debug)]
pub(crate) struct Noted {
    method: Method,
    target: String,
    host: String,
    /// Referer, user agent, id and trace.
    fields: [Option<HeaderValue>; 4],
}

impl Noted {
    pub(crate) fn of(request: &Request) -> Self {
        let names = [REFERER, USER_AGENT, REQUEST_ID, TRACE_PARENT];
        Self {
            method: request.method.clone(),
            target: request.target.clone(),
            host: request.host.clone(),
            fields: names.map(|name| request.headers.get(name).cloned()),
        }
    }

    /// The same of a head that was parsed.
    pub(crate) fn of_parsed(request: &httparse::Request<'_, '_>, host: &str) -> Self {
        let names = [Some(REFERER), Some(USER_AGENT), None, Some(TRACE_PARENT)];
        let field = |name: HeaderName| {
            let mut fields = request.headers.iter();
            let found = fields.find(|field| field.name.eq_ignore_ascii_case(name.as_str()))?;
            HeaderValue::from_bytes(found.value).ok()
        };
        Self {
            method: request
                .method
                .and_then(|method| method.parse().ok())
                .unwrap_or_default(),
            target: request.path.unwrap_or_default().to_owned(),
            host: host.to_owned(),
            fields: names.map(|name| name.and_then(field)),
        }
    }

    /// The same, once the request has an id.
    pub(crate) fn identified(mut self, headers: &HeaderMap) -> Self {
        if let Some(id) = self.fields.get_mut(2) {
            *id = headers.get(REQUEST_ID).cloned();
        }
        self
    }

    pub(crate) fn told<'a>(&'a self, peer: &'a str, version: &'a str) -> Told<'a> {
        let [referer, agent, id, trace] = self
            .fields
            .each_ref()
            .map(|value| value.as_ref().map_or(&b""[..], HeaderValue::as_bytes));
        Told {
            peer,
            method: self.method.as_str(),
            target: &self.target,
            version,
            host: &self.host,
            referer,
            agent,
            id,
            trace,
        }
    }
}

/// What the head says of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manners {
    pub(crate) framing: Framing,
    /// Whether the connection ends with the response.
    pub(crate) close: bool,
    /// Whether it is of HTTP/1.0, which knows no chunks.
    pub(crate) is_old: bool,
    /// Whether the client waits for a word before it sends the body.
    pub(crate) awaits_continue: bool,
}

/// Why a head that is not whole yet, or that cannot be parsed, is refused.
pub(crate) fn unparsed(bytes: &[u8], error: httparse::Error) -> Refusal {
    match error {
        httparse::Error::TooManyHeaders => Refusal::ManyFields,
        httparse::Error::Version if names_another_version(bytes) => Refusal::Version,
        _ => Refusal::Malformed,
    }
}

/// Whether the request line ends with a version of HTTP, which is none of those that are served.
fn names_another_version(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let version = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// Whether each line of a head ends with CR LF. A line feed alone may be taken for an end, or for a part of a value
/// (section 2.2).
pub(crate) fn has_whole_line_ends(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).all(|at| at > 0 && head.get(at - 1) == Some(&b'\r'))
}

impl Request {
    /// Takes a parsed head over; `head` is its bytes.
    pub(crate) fn of(parsed: &httparse::Request<'_, '_>, head: &[u8]) -> Result<(Self, Manners), Refusal> {
        let malformed = Refusal::Malformed;
        let method: Method = parsed.method.unwrap_or_default().parse().map_err(|_| malformed)?;
        if matches!(method, Method::CONNECT | Method::TRACE) {
            return Err(Refusal::Method);
        }
        let mut headers = fields(parsed, head).ok_or(malformed)?;
        let is_old = parsed.version == Some(0);
        if is_old {
            // HTTP/1.0 has none (RFC 9110, section 10.1.1), and what is sent on is no HTTP/1.0.
            headers.remove(EXPECT);
        }
        let framing = framing(&headers, is_old)?;
        let (authority, target) = target(parsed.path.unwrap_or_default()).ok_or(malformed)?;
        let host = host(&headers, authority, is_old).ok_or(malformed)?;
        let awaits_continue = match headers.get(EXPECT) {
            Some(value) if value.as_bytes().eq_ignore_ascii_case(b"100-continue") => framing != Framing::End,
            Some(_) => return Err(Refusal::Expectation),
            None => false,
        };
        let says =
            |token: &str| policy::list(&headers, &http::header::CONNECTION).any(|one| one.eq_ignore_ascii_case(token));
        // After an upgrade that is not done, what follows may be meant for the other protocol: it is no request.
        let close = says("close") || is_old && !says("keep-alive") || headers.contains_key(UPGRADE);
        let manners = Manners {
            framing,
            close,
            is_old,
            awaits_continue,
        };
        let request = Self {
            method,
            target: target.to_owned(),
            host: host.to_owned(),
            headers,
        };
        Ok((request, manners))
    }
}

/// The fields of a request as the rest of the edge takes them; the values share one copy of its bytes.
pub(crate) fn fields(request: &httparse::Request<'_, '_>, head: &[u8]) -> Option<HeaderMap> {
    let copy = Bytes::copy_from_slice(head);
    let mut headers = HeaderMap::with_capacity(request.headers.len() + 8);
    for field in request.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        let value = HeaderValue::from_maybe_shared(copy.slice(place_of(field.value, head))).ok()?;
        headers.append(name, value);
    }
    Some(headers)
}

/// Where the body of a request ends (section 6.3).
fn framing(headers: &HeaderMap, is_old: bool) -> Result<Framing, Refusal> {
    // Programs that turn field names into variables cannot tell these from the right ones.
    if headers.contains_key("content_length") || headers.contains_key("transfer_encoding") {
        return Err(Refusal::Malformed);
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let length = match (lengths.next(), lengths.next()) {
        (None, _) => None,
        (Some(one), None) => Some(crate::framing::number(one.as_bytes()).ok_or(Refusal::Malformed)?),
        _ => return Err(Refusal::Malformed),
    };
    if !headers.contains_key(TRANSFER_ENCODING) {
        return Ok(length
            .filter(|length| *length > 0)
            .map_or(Framing::End, Framing::Length));
    }
    // Sections 6.1 and 6.3: both, or a coding before HTTP/1.1, are signs of smuggling.
    if length.is_some() || is_old || headers.contains_key(CONTENT_LENGTH) {
        return Err(Refusal::Malformed);
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next().map(HeaderValue::as_bytes), codings.next()) {
        (Some(one), None) if one.eq_ignore_ascii_case(b"chunked") => Ok(Framing::ChunkSize),
        (Some(one), None) if !contains_chunked(one) || is_once_at_end(one) => Err(Refusal::Coding),
        _ => Err(Refusal::Malformed),
    }
}

fn codings(value: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

fn contains_chunked(value: &[u8]) -> bool {
    codings(value).any(|one| one.eq_ignore_ascii_case(b"chunked"))
}

/// Whether chunked is the last coding, and none before is: the body can be told from what follows, but not decoded.
fn is_once_at_end(value: &[u8]) -> bool {
    let mut from_end = codings(value).rev();
    from_end.next().is_some_and(|one| one.eq_ignore_ascii_case(b"chunked"))
        && from_end.all(|one| !one.is_empty() && !one.eq_ignore_ascii_case(b"chunked"))
}

/// The authority, where it is named, and the path and query of a request target (section 3.2). A fragment is no part of
/// one.
fn target(text: &str) -> Option<(Option<&str>, &str)> {
    if text.contains('#') {
        return None;
    }
    if text.starts_with('/') || text == "*" {
        return Some((None, text));
    }
    let after = ["http://", "https://"].iter().find_map(|scheme| {
        let (found, rest) = text.split_at_checked(scheme.len())?;
        found.eq_ignore_ascii_case(scheme).then_some(rest)
    })?;
    let end = after.find(['/', '?']).unwrap_or(after.len());
    let (authority, rest) = after.split_at(end);
    match rest {
        "" => Some((Some(authority), "/")),
        // A query without a path has no form that all servers read alike.
        rest => rest.starts_with('/').then_some((Some(authority), rest)),
    }
}

/// The host a request is for: its target's, or else its one Host field, which must be there all the same (section 3.2).
fn host<'a>(headers: &'a HeaderMap, authority: Option<&'a str>, is_old: bool) -> Option<&'a str> {
    let mut found = headers.get_all(HOST).iter();
    let field = match (found.next(), found.next()) {
        (Some(one), None) => Some(one.to_str().ok().filter(|host| is_host(host))?),
        // Only HTTP/1.0 may leave it out.
        (None, None) if is_old => None,
        _ => return None,
    };
    let host = authority.or(field).unwrap_or("localhost");
    is_host(host).then_some(host)
}

/// Whether a text is a host, with a port or without.
pub(crate) fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| HOST_BYTES[usize::from(byte)])
}

/// What stands in a host and a port (RFC 3986, section 3.2). A table, for it is asked of each byte of each request.
const HOST_BYTES: [bool; 256] = {
    let mut found = [false; 256];
    let mut at = 0;
    while at < found.len() {
        // The table has as many places as a byte has values.
        #[expect(clippy::cast_possible_truncation, reason = "it is below 256")]
        let byte = at as u8;
        let is_sign = matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'[' | b']' | b'%');
        found[at] = byte.is_ascii_alphanumeric() || is_sign;
        at += 1;
    }
    found
};

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &[u8]) -> Result<(Request, Manners), Refusal> {
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut parsed = httparse::Request::new(&mut fields);
        match parsed.parse(text) {
            Ok(httparse::Status::Complete(used)) => {
                let head = &text[..used];
                if !has_whole_line_ends(head) {
                    return Err(Refusal::Malformed);
                }
                Request::of(&parsed, head)
            }
            Ok(httparse::Status::Partial) => Err(Refusal::SlowHead),
            Err(error) => Err(unparsed(text, error)),
        }
    }

    fn with(fields: &str) -> Result<Framing, Refusal> {
        let text = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
        read(text.as_bytes()).map(|(_, manners)| manners.framing)
    }

    #[test]
    fn where_a_body_ends_is_said_once() {
        assert_eq!(with("X: y"), Ok(Framing::End));
        assert_eq!(with("Content-Length: 5"), Ok(Framing::Length(5)));
        assert_eq!(with("Transfer-Encoding: Chunked"), Ok(Framing::ChunkSize));
        for bad in [
            "Content-Length: 5\r\nContent-Length: 6",
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: 5, 5",
            "Content-Length: +5",
            "Content-Length: -0",
            "Content-Length: 0x5",
            "Content-Length: 1_0",
            "Content-Length:",
            "Content-Length: 99999999999999999999",
            "Content_Length: 5",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked, chunked",
            "Transfer-Encoding: chunked, gzip",
            "Transfer-Encoding: ,chunked",
            "Transfer-Encoding : chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            "Transfer_Encoding: chunked",
        ] {
            assert_eq!(with(bad), Err(Refusal::Malformed), "{bad}");
        }
        for unknown in ["gzip, chunked", "xchunked", "identity", "\"chunked\"", "chunked;q=1"] {
            assert_eq!(
                with(&format!("Transfer-Encoding: {unknown}")),
                Err(Refusal::Coding),
                "{unknown}"
            );
        }
    }

    #[test]
    fn the_host_is_the_targets() {
        let host = |text: &str| read(text.as_bytes()).map(|(request, _)| (request.host, request.target));
        let is = |host: &str, target: &str| Ok((host.to_owned(), target.to_owned()));
        assert_eq!(host("GET /a HTTP/1.1\r\nHost: b:8\r\n\r\n"), is("b:8", "/a"));
        assert_eq!(host("GET http://a/b?c HTTP/1.1\r\nHost: x\r\n\r\n"), is("a", "/b?c"));
        assert_eq!(host("GET HTTP://a HTTP/1.1\r\nHost: x\r\n\r\n"), is("a", "/"));
        assert_eq!(host("GET / HTTP/1.0\r\n\r\n"), is("localhost", "/"));
        for bad in [
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost:\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\n\r\n",
            "GET http://a?b HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET http:///b HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET ftp://a/ HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /#a HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET a HTTP/1.1\r\nHost: x\r\n\r\n",
        ] {
            assert_eq!(host(bad), Err(Refusal::Malformed), "{bad}");
        }
    }

    #[test]
    fn what_is_no_head_is_refused() {
        for (text, refusal) in [
            (&b"GET / HTTP/1.1\nHost: a\n\n"[..], Refusal::Malformed),
            (b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", Refusal::Malformed),
            (b"GET / HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n", Refusal::Malformed),
            (b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", Refusal::Malformed),
            (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", Refusal::Version),
            (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", Refusal::Version),
            (b"GET / HTTQ/1.1\r\nHost: a\r\n\r\n", Refusal::Malformed),
            (b"GET / HTTP/1.1x\r\nHost: a\r\n\r\n", Refusal::Malformed),
            (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Method),
            (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Method),
            (b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Malformed),
            (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", Refusal::Expectation),
        ] {
            assert_eq!(read(text).map(|_| ()), Err(refusal), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn nothing_is_expected_of_http_1_0() {
        let (request, manners) = read(b"PUT / HTTP/1.0\r\nHost: a\r\nExpect: x\r\nContent-Length: 1\r\n\r\n").unwrap();
        assert!(!manners.awaits_continue && !request.headers.contains_key(EXPECT));
    }

    proptest! {
        #[test]
        fn no_head_is_too_odd(text in "(GET|POST|\\PC) (/|http://a/|\\PC){1,3} HTTP/1.[01]\r\n((Host|Content-Length|Transfer-Encoding|X): ?(a|1|chunked|,|\\PC){0,3}\r\n){0,4}\r\n") {
            if let Ok((request, manners)) = read(text.as_bytes()) {
                prop_assert!(is_host(&request.host));
                prop_assert!(manners.framing == Framing::End || !manners.is_old || request.headers.contains_key(CONTENT_LENGTH));
            }
        }

        #[test]
        fn no_bytes_are_too_odd(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&text);
        }
    }

    #[test]
    fn a_connection_ends_where_it_has_to() {
        let close = |text: &str| read(text.as_bytes()).unwrap().1.close;
        assert!(!close("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(close("GET / HTTP/1.1\r\nHost: a\r\nConnection: TE, Close\r\n\r\n"));
        assert!(close(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
        ));
        assert!(close("GET / HTTP/1.0\r\nHost: a\r\n\r\n"));
        assert!(!close("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"));
    }
}
