//! What the edge refuses, and how it says so.

use http::{Response, StatusCode};
use serde::Serialize;

use crate::body::Body;
use crate::outgoing::plain;

/// Why a request or a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// What came is no HTTP, or could be read in two ways (RFC 9112).
    Malformed,
    LongTarget,
    LargeHead,
    ManyFields,
    LargeBody,
    SlowHead,
    SlowBody,
    /// The client takes nothing of what it is sent. It is told nothing, since it would not read it.
    SlowReader,
    /// A method that is for proxies, or gives away what was sent.
    Method,
    /// A transfer coding other than chunked (RFC 9112, section 6.1).
    Coding,
    Version,
    Expectation,
    /// More connections than are served at a time.
    Connections,
    /// More connections of one address than are served at a time.
    AddressConnections,
    /// A TLS handshake that came to nothing. What could be said of it TLS says.
    Handshake,
    SlowHandshake,
    /// Of HTTP/2: streams that are begun and given up, frames that ask for nothing, and what its own layer ends a
    /// connection for. What could be said of it is said by GOAWAY.
    Resets,
    ControlFrames,
    Flood,
    /// A request for Python or an origin, where they have more than they can do.
    Overload,
}

impl Refusal {
    pub(crate) const COUNT: usize = Self::Overload as usize + 1;

    /// The status it is answered with, a sentence for the client, and what the log says of it.
    const fn facts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Malformed => (
                "400 Bad Request",
                "This is no valid HTTP.\n",
                "sent what is no valid HTTP",
            ),
            Self::LongTarget => (
                "414 URI Too Long",
                "This address is too long.\n",
                "sent a longer target than `limits.target`",
            ),
            Self::LargeHead => (
                "431 Request Header Fields Too Large",
                "The request's head is too large.\n",
                "sent a larger head than `limits.head`",
            ),
            Self::ManyFields => (
                "431 Request Header Fields Too Large",
                "The request has too many header fields.\n",
                "sent more header fields than `limits.fields`",
            ),
            Self::LargeBody => (
                "413 Content Too Large",
                "The request's body is too large.\n",
                "sent a larger body than `serve.max_body`",
            ),
            Self::SlowHead => (
                "408 Request Timeout",
                "The request did not come in time.\n",
                "took longer for a head than `limits.head_time`",
            ),
            Self::SlowBody => (
                "408 Request Timeout",
                "The request's body did not come in time.\n",
                "sent nothing of a body for `limits.body_time`",
            ),
            Self::SlowReader => ("", "", "took nothing of what it was sent for `limits.write_time`"),
            Self::Method => (
                "501 Not Implemented",
                "This method is not served.\n",
                "asked with CONNECT or TRACE",
            ),
            Self::Coding => (
                "501 Not Implemented",
                "Only chunked is understood of transfer codings.\n",
                "sent a body in an unknown transfer coding",
            ),
            Self::Version => (
                "505 HTTP Version Not Supported",
                "This version of HTTP is not served.\n",
                "asked in another version of HTTP",
            ),
            Self::Expectation => (
                "417 Expectation Failed",
                "Nothing but 100-continue can be expected.\n",
                "expected what is not done",
            ),
            Self::Connections => (
                "503 Service Unavailable",
                "Too many are here at once.\n",
                "was one connection more than `limits.connections`",
            ),
            Self::AddressConnections => (
                "503 Service Unavailable",
                "Too many of this address are here at once.\n",
                "was one connection more of its address than `limits.address_connections`",
            ),
            Self::Handshake => ("", "", "did not finish a TLS handshake"),
            Self::SlowHandshake => ("", "", "took longer for a TLS handshake than `limits.handshake_time`"),
            Self::Resets => ("", "", "reset more streams of HTTP/2 than `limits.resets`"),
            Self::ControlFrames => (
                "",
                "",
                "sent more frames of HTTP/2 than `limits.control_frames` that ask for nothing",
            ),
            Self::Flood => ("", "", "sent more of HTTP/2 that costs it nothing than is borne"),
            Self::Overload => (
                "503 Service Unavailable",
                "Too many wait for a page at once.\n",
                "asked for one page more than `limits.outstanding` that had to be made",
            ),
        }
    }

    /// What it is called among the figures.
    const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::LongTarget => "long_target",
            Self::LargeHead => "large_head",
            Self::ManyFields => "many_fields",
            Self::LargeBody => "large_body",
            Self::SlowHead => "slow_head",
            Self::SlowBody => "slow_body",
            Self::SlowReader => "slow_reader",
            Self::Method => "method",
            Self::Coding => "coding",
            Self::Version => "version",
            Self::Expectation => "expectation",
            Self::Connections => "connections",
            Self::AddressConnections => "address_connections",
            Self::Handshake => "handshake",
            Self::SlowHandshake => "slow_handshake",
            Self::Resets => "resets",
            Self::ControlFrames => "control_frames",
            Self::Flood => "flood",
            Self::Overload => "overload",
        }
    }

    const ALL: [Self; Self::COUNT] = [
        Self::Malformed,
        Self::LongTarget,
        Self::LargeHead,
        Self::ManyFields,
        Self::LargeBody,
        Self::SlowHead,
        Self::SlowBody,
        Self::SlowReader,
        Self::Method,
        Self::Coding,
        Self::Version,
        Self::Expectation,
        Self::Connections,
        Self::AddressConnections,
        Self::Handshake,
        Self::SlowHandshake,
        Self::Resets,
        Self::ControlFrames,
        Self::Flood,
        Self::Overload,
    ];

    /// The status as a number; none where nothing is said.
    pub(crate) fn status(self) -> Option<u16> {
        self.facts().0.split(' ').next()?.parse().ok()
    }

    /// The answer to a request of HTTP/2, whose connection goes on.
    pub(crate) fn answer(self) -> Response<Body> {
        let status = self.status().and_then(|status| StatusCode::from_u16(status).ok());
        plain(status.unwrap_or(StatusCode::BAD_REQUEST), self.facts().1)
    }

    /// What the log says of it.
    pub(crate) const fn deed(self) -> &'static str {
        self.facts().2
    }

    /// The whole response, after which the connection is closed: where the next request begins is not known.
    pub(crate) fn response(self) -> String {
        let (status, text, _) = self.facts();
        if status.is_empty() {
            return String::new();
        }
        let later = if status.starts_with("503") {
            "retry-after: 2\r\n"
        } else {
            ""
        };
        let length = text.len();
        crate::clock::with_date(|date| {
            let date = std::str::from_utf8(date).unwrap_or_default();
            format!(
                "HTTP/1.1 {status}\r\ndate: {date}\r\ncontent-type: text/plain; charset=utf-8\r\n\
                 content-length: {length}\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n\
                 {later}connection: close\r\n\r\n{text}"
            )
        })
    }
}

/// How often each was refused.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Refused([u64; Refusal::COUNT]);

impl Refused {
    pub(crate) fn add(&mut self, number: usize, count: u64) {
        if let Some(sum) = self.0.get_mut(number) {
            *sum += count;
        }
    }

    /// Each by its name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Refusal::ALL.iter().map(|one| one.name()).zip(self.0)
    }
}

impl Serialize for Refused {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stands_at_its_own_place_and_says_its_length() {
        for (number, one) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(one as usize, number);
            let response = one.response();
            if let Some((head, body)) = response.split_once("\r\n\r\n") {
                assert!(
                    head.contains(&format!("content-length: {}\r\n", body.len())),
                    "{response}"
                );
            }
        }
    }
}
