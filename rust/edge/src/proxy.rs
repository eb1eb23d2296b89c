//! The header by which a proxy says whom a connection is from (the PROXY protocol, versions 1 and 2, `HAProxy` 2.9). No
//! socket.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, with its end (section 2.1).
const LONGEST_LINE: usize = 107;
/// A longer header of version 2 is refused: what may follow the addresses is not read here.
const LONGEST: usize = 4096;

/// What is at the beginning of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    /// So many bytes say whom it is from; nobody where the proxy speaks for itself, or does not know.
    Whole { source: Option<IpAddr>, used: usize },
    /// More has to be read first.
    More,
    /// It is none.
    Bad,
}

/// Reads the header.
pub(crate) fn read(bytes: &[u8]) -> Header {
    if bytes.is_empty() {
        return Header::More;
    }
    let is_second = bytes.starts_with(SIGNATURE) || SIGNATURE.starts_with(bytes);
    if is_second { second(bytes) } else { first(bytes) }
}

fn first(bytes: &[u8]) -> Header {
    let start = b"PROXY ";
    if !bytes.starts_with(start) {
        return if start.starts_with(bytes) {
            Header::More
        } else {
            Header::Bad
        };
    }
    let line = bytes.get(..LONGEST_LINE).unwrap_or(bytes);
    let Some(end) = line.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < LONGEST_LINE {
            Header::More
        } else {
            Header::Bad
        };
    };
    let text = line
        .get(start.len()..end)
        .and_then(|rest| std::str::from_utf8(rest).ok());
    let source = text.and_then(|text| {
        let fields: Vec<&str> = text.split(' ').collect();
        match fields.as_slice() {
            ["UNKNOWN", ..] => Some(None),
            ["TCP4", source, target, ports @ ..] if are_ports(ports) => {
                target.parse::<Ipv4Addr>().ok()?;
                Some(Some(source.parse::<Ipv4Addr>().ok()?.into()))
            }
            ["TCP6", source, target, ports @ ..] if are_ports(ports) => {
                target.parse::<Ipv6Addr>().ok()?;
                Some(Some(source.parse::<Ipv6Addr>().ok()?.into()))
            }
            _ => None,
        }
    });
    source.map_or(Header::Bad, |source| Header::Whole { source, used: end + 2 })
}

fn are_ports(texts: &[&str]) -> bool {
    texts.len() == 2
        && texts
            .iter()
            .all(|text| text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok())
}

fn second(bytes: &[u8]) -> Header {
    let Some([version, family, high, low]) = bytes.get(SIGNATURE.len()..SIGNATURE.len() + 4) else {
        return Header::More;
    };
    let start = SIGNATURE.len() + 4;
    let used = start + usize::from(u16::from_be_bytes([*high, *low]));
    if version >> 4 != 2 || version & 0xf > 1 || used > LONGEST {
        return Header::Bad;
    }
    let Some(rest) = bytes.get(start..used) else {
        return Header::More;
    };
    // The command LOCAL is of the proxy itself (section 2.2); of TCP there are IPv4 and IPv6.
    let source = match (version & 0xf, family) {
        (0, _) => None,
        (_, 0x11) => match rest.first_chunk::<12>() {
            Some([a, b, c, d, ..]) => Some(Ipv4Addr::new(*a, *b, *c, *d).into()),
            None => return Header::Bad,
        },
        (_, 0x21) => match (rest.first_chunk::<16>(), rest.len()) {
            (Some(source), 36..) => Some(Ipv6Addr::from(*source).into()),
            _ => return Header::Bad,
        },
        _ => None,
    };
    Header::Whole { source, used }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(source: Option<&str>, used: usize) -> Header {
        Header::Whole {
            source: source.map(|text| text.parse().unwrap()),
            used,
        }
    }

    fn second_of(version: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[version, family], &length, rest].concat()
    }

    #[test]
    fn a_line_says_whom_it_is_from() {
        assert_eq!(
            read(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65535\r\nGET"),
            whole(Some("192.0.2.1"), 40)
        );
        assert_eq!(
            read(b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n"),
            whole(Some("2001:db8::1"), 32)
        );
        assert_eq!(read(b"PROXY UNKNOWN\r\n"), whole(None, 15));
        assert_eq!(read(b"PROXY UNKNOWN ff anything\r\n"), whole(None, 27));
        for bad in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROXY TCP4 x 192.0.2.2 1 2\r\n",
            b"PROXY TCP4 ::1 ::1 1 2\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
            b"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
            b"PROXY \r\n",
            &[b'P'; 200],
            &[b"PROXY UNKNOWN ".as_slice(), &[b'x'; 200]].concat(),
        ] {
            assert_eq!(read(bad), Header::Bad, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn bytes_say_whom_it_is_from() {
        let four = [192, 0, 2, 1, 192, 0, 2, 2, 0, 1, 0, 2];
        assert_eq!(read(&second_of(0x21, 0x11, &four)), whole(Some("192.0.2.1"), 28));
        let more = [&four[..], &[3, 0, 4, 0, 0, 0, 0]].concat();
        assert_eq!(read(&second_of(0x21, 0x11, &more)), whole(Some("192.0.2.1"), 35));
        let mut six = [0; 36];
        six[15] = 1;
        assert_eq!(read(&second_of(0x21, 0x21, &six)), whole(Some("::1"), 52));
        assert_eq!(read(&second_of(0x20, 0x11, &four)), whole(None, 28));
        assert_eq!(read(&second_of(0x21, 0x31, &[0; 216])), whole(None, 232));
        assert_eq!(read(&second_of(0x21, 0x00, b"")), whole(None, 16));
        for bad in [
            second_of(0x11, 0x11, &four),
            second_of(0x22, 0x11, &four),
            second_of(0x21, 0x11, &four[..11]),
            second_of(0x21, 0x21, &six[..35]),
            second_of(0x21, 0x11, &[0; 5000]),
        ] {
            assert_eq!(read(&bad), Header::Bad);
        }
    }

    proptest! {
        #[test]
        fn what_is_cut_anywhere_needs_more(cut in 0usize..28) {
            let four = second_of(0x21, 0x11, &[192, 0, 2, 1, 192, 0, 2, 2, 0, 1, 0, 2]);
            prop_assert_eq!(read(&four[..cut]), Header::More);
            prop_assert_eq!(read(&b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"[..cut]), Header::More);
        }

        #[test]
        fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..300), signed: bool) {
            let bytes = if signed { [SIGNATURE, &bytes].concat() } else { bytes };
            if let Header::Whole { used, .. } = read(&bytes) {
                prop_assert!(used <= bytes.len());
            }
        }
    }
}
