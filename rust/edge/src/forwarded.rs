//! What a proxy says of a request that it passes on: whom it is from, and the scheme and host it was for.
//!
//! Only proxies that are trusted are believed, and only the field they are set up to write: one that they pass on as it
//! came is the client's own claim. Each adds whom it was asked by at the end, so the list is read from there, up to the
//! first address that is no trusted proxy's.

use std::net::IpAddr;

use crate::config::{TrustedConfig, TrustedField};
use crate::error::EdgeError;
use crate::network::Network;
use crate::peer::Peer;
use crate::request::is_host;

/// Whom to believe, and what.
#[derive(Debug, Default)]
pub(crate) struct Trusted {
    proxies: Vec<Network>,
    field: TrustedField,
}

/// A request as its proxy tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Forwarded<'a> {
    client: Option<IpAddr>,
    is_secure: Option<bool>,
    pub(crate) host: Option<&'a str>,
}

impl Trusted {
    pub(crate) fn read(config: &TrustedConfig) -> Result<Self, EdgeError> {
        let proxies = config.proxies.iter().map(|text| Network::read(text));
        Ok(Self {
            proxies: proxies.collect::<Result<_, _>>()?,
            field: config.field,
        })
    }

    /// Whether an address is a proxy's.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(address))
    }

    /// Reads what a proxy says; `fields` has the values of all fields of a name, in their order. None where it says nothing,
    /// or what cannot be read: then the request is the proxy's own.
    pub(crate) fn told<'a, I: Iterator<Item = &'a [u8]>>(&self, fields: impl Fn(&str) -> I) -> Option<Forwarded<'a>> {
        let texts = |name: &str| fields(name).map(|value| std::str::from_utf8(value).unwrap_or("?"));
        match self.field {
            TrustedField::XForwarded => {
                let mut clients = list(texts("x-forwarded-for")).map(address);
                let last = |name: &str| list(texts(name)).last();
                Some(Forwarded {
                    client: self.client(&mut clients),
                    is_secure: last("x-forwarded-proto").map(|scheme| scheme.eq_ignore_ascii_case("https")),
                    host: last("x-forwarded-host").filter(|host| is_host(host)),
                })
            }
            TrustedField::Forwarded => {
                let elements: Vec<&str> = texts("forwarded").flat_map(|text| split(text, ',')).collect();
                let mut clients = elements.iter().map(|element| address(parameter(element, "for")?));
                let client = self.client(&mut clients);
                // The last is of who is connected here.
                let last = |name: &str| elements.iter().rev().find_map(|element| parameter(element, name));
                Some(Forwarded {
                    client,
                    is_secure: last("proto").map(|scheme| scheme.eq_ignore_ascii_case("https")),
                    host: last("host").filter(|host| is_host(host)),
                })
            }
        }
        .filter(|told| told.client.is_some() || told.is_secure.is_some() || told.host.is_some())
    }

    /// The last of those who asked that is no proxy of ours; where all are, the first. What is no address ends the list.
    fn client(&self, clients: &mut dyn Iterator<Item = Option<IpAddr>>) -> Option<IpAddr> {
        let all: Vec<Option<IpAddr>> = clients.collect();
        let mut found = None;
        for client in all.into_iter().rev() {
            let Some(client) = client else { return found };
            found = Some(client);
            if !self.contains(client) {
                return found;
            }
        }
        found
    }
}

impl Forwarded<'_> {
    /// The client that a request is from, which came by a proxy.
    pub(crate) fn peer(&self, proxy: &Peer) -> Peer {
        let is_secure = self.is_secure.unwrap_or(proxy.is_secure);
        Peer {
            address: self.client.map_or_else(
                || proxy.address.clone(),
                |client| client.to_canonical().to_string().into(),
            ),
            is_secure,
            // Who came to the proxy by TLS need not be sent there.
            sent_to: proxy.sent_to.filter(|_| !is_secure),
            is_trusted: false,
            // The client's own TLS ended at the proxy.
            certified: None,
        }
    }
}

fn list<'a>(texts: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    texts
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

/// An address, with a port or without, and with brackets where it is one of IPv6 (RFC 7239, section 6).
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix('[') {
        let (inner, after) = rest.split_once(']')?;
        let is_port = after.strip_prefix(':').is_some_and(is_number);
        return inner.parse().ok().filter(|_| after.is_empty() || is_port);
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => host.parse().ok().filter(|_| is_number(port)),
        _ => text.parse().ok(),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The parts of a text; a separator inside a string is none.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |letter: char| {
        is_quoted ^= letter == '"';
        letter == separator && !is_quoted
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}

/// The value of a parameter of an element of `Forwarded` (RFC 7239, section 4). No value that is of use has a backslash.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    split(element, ';').find_map(|pair| {
        let (found, value) = pair.split_once('=')?;
        let value = value
            .strip_prefix('"')
            .map_or(Some(value), |rest| rest.strip_suffix('"'))?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trusted(field: TrustedField) -> Trusted {
        let config = TrustedConfig {
            proxies: vec!["10.0.0.0/8".to_owned(), "2001:db8::/32".to_owned()],
            field,
        };
        Trusted::read(&config).unwrap()
    }

    fn told(field: TrustedField, fields: &[(&str, &str)]) -> Option<(String, Option<bool>, Option<String>)> {
        let found = trusted(field).told(|name| {
            let name = name.to_owned();
            fields
                .iter()
                .filter(move |(other, _)| *other == name)
                .map(|(_, value)| value.as_bytes())
        })?;
        let client = found.client.map_or_else(|| "-".to_owned(), |client| client.to_string());
        Some((client, found.is_secure, found.host.map(str::to_owned)))
    }

    fn client(value: &str) -> Option<String> {
        told(TrustedField::XForwarded, &[("x-forwarded-for", value)]).map(|(client, ..)| client)
    }

    #[test]
    fn the_client_is_the_last_that_is_no_proxy() {
        let is = |text: &str| Some(text.to_owned());
        assert_eq!(client("192.0.2.1"), is("192.0.2.1"));
        assert_eq!(client("6.6.6.6, 192.0.2.1, 10.1.1.1"), is("192.0.2.1"));
        assert_eq!(client("10.1.1.1, 10.2.2.2"), is("10.1.1.1"));
        assert_eq!(client("192.0.2.1:4000"), is("192.0.2.1"));
        assert_eq!(client("[2001:db9::1]:4000, 2001:db8::1"), is("2001:db9::1"));
        assert_eq!(client("6.6.6.6, unknown, 10.1.1.1"), is("10.1.1.1"));
        for nobody in ["", "unknown", "6.6.6.6, nonsense", "[::1", "1.2.3.4:x", "_hidden"] {
            assert_eq!(client(nobody), None, "{nobody}");
        }
        let lines = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "192.0.2.1")];
        assert_eq!(told(TrustedField::XForwarded, &lines).unwrap().0, "192.0.2.1");
    }

    #[test]
    fn scheme_and_host_are_read_and_nothing_that_is_none() {
        let fields = [
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "example.org"),
            ("forwarded", "for=6.6.6.6;proto=http;host=evil"),
        ];
        let is = ("-".to_owned(), Some(true), Some("example.org".to_owned()));
        assert_eq!(told(TrustedField::XForwarded, &fields), Some(is));
        let bad = [("x-forwarded-host", "a/b"), ("x-forwarded-proto", "ftp")];
        assert_eq!(
            told(TrustedField::XForwarded, &bad),
            Some(("-".to_owned(), Some(false), None))
        );
    }

    #[test]
    fn the_standard_field_is_read_as_it_is_written() {
        let value = "for=\"[2001:db9::7]:80\";proto=https;host=\"a.example:8443\", For=10.1.1.1;By=\"x,y\"";
        let is = ("2001:db9::7".to_owned(), Some(true), Some("a.example:8443".to_owned()));
        assert_eq!(told(TrustedField::Forwarded, &[("forwarded", value)]), Some(is));
        let other = [("x-forwarded-for", "6.6.6.6")];
        assert_eq!(told(TrustedField::Forwarded, &other), None);
        let hidden = [("forwarded", "for=6.6.6.6, for=_hidden;proto=http")];
        assert_eq!(
            told(TrustedField::Forwarded, &hidden),
            Some(("-".to_owned(), Some(false), None))
        );
    }

    proptest! {
        #[test]
        fn anything_is_read(value in "(for|proto|host|=|;|,|\"|\\[|\\]|:|1.2.3.4|::1|https|_x| ){0,30}") {
            for field in [TrustedField::XForwarded, TrustedField::Forwarded] {
                for name in ["x-forwarded-for", "x-forwarded-host", "forwarded"] {
                    if let Some((_, _, Some(host))) = told(field, &[(name, &value)]) {
                        prop_assert!(is_host(&host));
                    }
                }
            }
        }
    }
}
