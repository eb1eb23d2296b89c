//! The protocol that an extended CONNECT of HTTP/3 asks for, in the encoded fields of a request (RFC 9204, section 4.5;
//! RFC 9220, section 3). No socket.
//!
//! h3 refuses a request for a protocol that it does not know, and a `WebSocket` is one. It is therefore told of another in
//! its place, that it knows and that nobody serves here. All that it does not know itself is told as one that is not served.

use std::ops::Range;

/// The name of the field, and that of the one protocol there is, as they are and in the code of Huffman (RFC 7541,
/// appendix B), in which each has one form.
const PROTOCOL: [&[u8]; 2] = [b":protocol", &[0xb9, 0x5d, 0x87, 0x49, 0xc8, 0x7a, 0x3f]];
const WEBSOCKET: [&[u8]; 2] = [b"websocket", &[0xf0, 0x58, 0xd0, 0x72, 0x75, 0x2a, 0x7f]];
/// What h3 is told in place of a `WebSocket`, and of everything else.
pub(crate) const TOLD: &str = "connect-udp";
const TOLD_OTHERWISE: &str = "webtransport";

/// The same fields with another protocol, where there is one.
pub(crate) fn renamed(section: &[u8]) -> Option<Vec<u8>> {
    let value = find(section)?;
    let (coded, text) = string(section, value.start, 7)?;
    let is_websocket = WEBSOCKET.get(usize::from(coded)) == Some(&section.get(text)?);
    let told = if is_websocket { TOLD } else { TOLD_OTHERWISE };
    // Its length is that of a value that is not coded, and is less than the seven bits hold.
    let length = u8::try_from(told.len()).ok()?;
    Some(
        [
            section.get(..value.start)?,
            &[length],
            told.as_bytes(),
            section.get(value.end..)?,
        ]
        .concat(),
    )
}

/// Where the value of the field is, with its length; none where there is no such field or more than one.
fn find(section: &[u8]) -> Option<Range<usize>> {
    let (_, at) = number(section, 0, 8)?;
    let (_, mut at) = number(section, at, 7)?;
    let mut found = None;
    while let Some(first) = section.get(at) {
        let (is_protocol, name_end, has_value) = match first {
            0x80.. => (false, number(section, at, 6)?.1, false),
            0x40.. => (false, number(section, at, 4)?.1, true),
            0x20.. => {
                let (coded, name) = string(section, at, 3)?;
                let is_protocol = PROTOCOL.get(usize::from(coded)) == Some(&section.get(name.clone())?);
                (is_protocol, name.end, true)
            }
            0x10.. => (false, number(section, at, 4)?.1, false),
            _ => (false, number(section, at, 3)?.1, true),
        };
        let end = if has_value {
            string(section, name_end, 7)?.1.end
        } else {
            name_end
        };
        if is_protocol && found.replace(name_end..end).is_some() {
            return None;
        }
        at = end;
    }
    found
}

/// A string whose length has so many bits (section 4.1.2): whether it is coded, and where it is.
fn string(section: &[u8], at: usize, bits: u32) -> Option<(bool, Range<usize>)> {
    let coded = section.get(at)? & (1 << bits) != 0;
    let (length, start) = number(section, at, bits)?;
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    (end <= section.len()).then_some((coded, start..end))
}

/// A number that begins with so many bits (section 4.1.1; RFC 7541, section 5.1), and where it ends.
fn number(section: &[u8], mut at: usize, bits: u32) -> Option<(u64, usize)> {
    let most = (1_u64 << bits) - 1;
    let mut value = u64::from(*section.get(at)?) & most;
    at += 1;
    if value < most {
        return Some((value, at));
    }
    // More than this no length has that is anything here.
    for shift in [0, 7, 14, 21] {
        let byte = u64::from(*section.get(at)?);
        at += 1;
        value += (byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value, at));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A field with a name and a value of its own, neither coded.
    fn literal(name: &str, value: &str) -> Vec<u8> {
        let mut made = vec![0x20 | 7, u8::try_from(name.len() - 7).unwrap_or(0)];
        made.extend_from_slice(name.as_bytes());
        made.push(u8::try_from(value.len()).unwrap_or(0));
        made.extend_from_slice(value.as_bytes());
        made
    }

    #[test]
    fn a_protocol_is_told_as_another() {
        let before: &[u8] = &[0, 0, 0xc0 | 15, 0x50, 1, b'x'];
        let after: &[u8] = &[0xff, 0x01, 0x50, 0x81, 0xff];
        let whole = |field: &[u8]| [before, field, after].concat();
        let told = |name: &str| whole(&literal(":protocol", name));
        assert_eq!(renamed(&told("websocket")), Some(told("connect-udp")));
        assert_eq!(renamed(&told("connect-udp")), Some(told("webtransport")));
        assert_eq!(renamed(&told("other")), Some(told("webtransport")));
        let coded = [&[0x20 | 8 | 7, 0][..], PROTOCOL[1], &[0x80 | 7], WEBSOCKET[1]].concat();
        let wanted = [&[0x20 | 8 | 7, 0][..], PROTOCOL[1], &[11], b"connect-udp"].concat();
        assert_eq!(renamed(&whole(&coded)), Some(whole(&wanted)));
        assert_eq!(renamed(&whole(&literal(":protocox", "websocket"))), None);
        let twice = [literal(":protocol", "websocket"), literal(":protocol", "x")].concat();
        assert_eq!(renamed(&whole(&twice)), None);
        for length in 0..before.len() + 20 {
            let part = told("websocket").get(..length).map(<[u8]>::to_vec);
            assert_eq!(part.and_then(|part| renamed(&part)).map(|_| length), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(section in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Some(made) = renamed(&section) {
                prop_assert!(made.windows(7).any(|part| part == b"connect" || part == b"webtran"));
            }
        }
    }
}
