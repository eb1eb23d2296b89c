//! A kept response as bytes, for tiers below memory.
//!
//! All numbers little-endian; a text is its length (4 bytes) and its bytes. A response: the version and kind (1 byte
//! each), when it was kept (8, milliseconds since 1970), its times (6 × 8), status (2), then counted lists (4 bytes each)
//! of header fields, of validators and of the fields it depends on, its variant, and the body as the rest. What varies:
//! the version and kind, and a counted list of fields.
//!
//! The bytes may have been written by anyone who can reach the disk or the server: whatever they are, they are read as a
//! response or refused.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::policy::Times;

const VERSION: u8 = 1;
const RESPONSE: u8 = b'r';
const VARIES: u8 = b'v';
/// More fields than this are refused; what the edge takes from a worker has fewer.
const MOST: usize = 1024;
/// No time is longer, in milliseconds (35,000 years): sums of them fit.
const LONGEST: u64 = 1 << 50;

/// What is kept under a key.
#[derive(Debug)]
pub(crate) enum Form {
    Response(Box<Parts>),
    /// Responses stand under keys that have the values of these fields.
    Varies(Vec<HeaderName>),
}

/// A response taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts {
    /// Milliseconds since 1970.
    pub(crate) kept_at: u64,
    pub(crate) times: Times,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) validators: Vec<(HeaderName, HeaderValue)>,
    pub(crate) varies: Vec<HeaderName>,
    pub(crate) variant: Vec<u8>,
    pub(crate) body: Bytes,
}

/// The bytes of a marker that responses depend on these fields.
pub(crate) fn varying(names: &[HeaderName]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_slice(&[VERSION, VARIES]);
    put_names(&mut out, names);
    out.freeze()
}

impl Parts {
    pub(crate) fn encode(&self) -> Bytes {
        let fields: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 8)
            .sum();
        let mut out = BytesMut::with_capacity(self.body.len() + self.variant.len() + fields + 256);
        out.put_slice(&[VERSION, RESPONSE]);
        out.put_u64_le(self.kept_at);
        let times = &self.times;
        for time in [
            times.ttl,
            times.revalidate,
            times.if_error,
            times.if_gone,
            times.validate,
            times.age,
        ] {
            out.put_u64_le(time);
        }
        out.put_u16_le(self.status.as_u16());
        put_count(&mut out, self.headers.len());
        for (name, value) in &self.headers {
            put_text(&mut out, name.as_str().as_bytes());
            put_text(&mut out, value.as_bytes());
        }
        put_count(&mut out, self.validators.len());
        for (name, value) in &self.validators {
            put_text(&mut out, name.as_str().as_bytes());
            put_text(&mut out, value.as_bytes());
        }
        put_names(&mut out, &self.varies);
        put_text(&mut out, &self.variant);
        out.put_slice(&self.body);
        out.freeze()
    }
}

impl Form {
    /// Reads bytes; none where they are no form of this version.
    pub(crate) fn decode(mut bytes: Bytes) -> Option<Self> {
        if bytes.try_get_u8().ok()? != VERSION {
            return None;
        }
        match bytes.try_get_u8().ok()? {
            VARIES => {
                let names = names(&mut bytes)?;
                (bytes.is_empty() && !names.is_empty()).then_some(Self::Varies(names))
            }
            RESPONSE => response(bytes).map(|parts| Self::Response(Box::new(parts))),
            _ => None,
        }
    }
}

fn response(mut bytes: Bytes) -> Option<Parts> {
    let mut number = || Some(bytes.try_get_u64_le().ok()?.min(LONGEST));
    let kept_at = number()?;
    let times = Times {
        ttl: number()?,
        revalidate: number()?,
        if_error: number()?,
        if_gone: number()?,
        validate: number()?,
        age: number()?,
    };
    let status = StatusCode::from_u16(bytes.try_get_u16_le().ok()?).ok()?;
    let mut headers = HeaderMap::new();
    for (name, value) in fields(&mut bytes)? {
        headers.append(name, value);
    }
    Some(Parts {
        kept_at,
        times,
        status,
        headers,
        validators: fields(&mut bytes)?,
        varies: names(&mut bytes)?,
        variant: text(&mut bytes)?.to_vec(),
        body: bytes,
    })
}

fn put_count(out: &mut BytesMut, count: usize) {
    out.put_u32_le(u32::try_from(count).unwrap_or(u32::MAX));
}

fn put_text(out: &mut BytesMut, text: &[u8]) {
    put_count(out, text.len());
    out.put_slice(text);
}

fn put_names(out: &mut BytesMut, names: &[HeaderName]) {
    put_count(out, names.len());
    for name in names {
        put_text(out, name.as_str().as_bytes());
    }
}

fn count(bytes: &mut Bytes) -> Option<usize> {
    let count = bytes.try_get_u32_le().ok()? as usize;
    (count <= MOST).then_some(count)
}

fn text(bytes: &mut Bytes) -> Option<Bytes> {
    let length = bytes.try_get_u32_le().ok()? as usize;
    (length <= bytes.len()).then(|| bytes.split_to(length))
}

fn name(bytes: &mut Bytes) -> Option<HeaderName> {
    HeaderName::from_bytes(&text(bytes)?).ok()
}

fn names(bytes: &mut Bytes) -> Option<Vec<HeaderName>> {
    (0..count(bytes)?).map(|_| name(bytes)).collect()
}

fn fields(bytes: &mut Bytes) -> Option<Vec<(HeaderName, HeaderValue)>> {
    (0..count(bytes)?)
        .map(|_| Some((name(bytes)?, HeaderValue::from_maybe_shared(text(bytes)?).ok()?)))
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn field() -> impl Strategy<Value = (HeaderName, HeaderValue)> {
        ("[a-z][a-z-]{0,12}", "[ -~]{0,20}").prop_map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
    }

    prop_compose! {
        fn parts()(
            times in proptest::array::uniform7(0..=LONGEST),
            status in 100u16..600,
            headers in proptest::collection::vec(field(), 0..8),
            validators in proptest::collection::vec(field(), 0..3),
            varies in proptest::collection::vec(field(), 0..3),
            variant in proptest::collection::vec(any::<u8>(), 0..40),
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) -> Parts {
            let mut fields = HeaderMap::new();
            for (name, value) in headers {
                fields.append(name, value);
            }
            let [kept_at, ttl, revalidate, if_error, if_gone, validate, age] = times;
            Parts {
                kept_at,
                times: Times { ttl, revalidate, if_error, if_gone, validate, age },
                status: StatusCode::from_u16(status).unwrap(),
                headers: fields,
                validators,
                varies: varies.into_iter().map(|(name, _)| name).collect(),
                variant,
                body: body.into(),
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(parts in parts()) {
            let read = Form::decode(parts.encode());
            prop_assert!(matches!(read, Some(Form::Response(read)) if *read == parts));
        }

        #[test]
        fn no_bytes_are_too_much(
            parts in parts(), cut in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), byte in any::<u8>()
        ) {
            let whole = parts.encode();
            let mut bytes = whole.slice(..cut.index(whole.len() + 1)).to_vec();
            if !bytes.is_empty() {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            // Whatever it is read as: it returns.
            let _ = Form::decode(bytes.into());
        }

        #[test]
        fn names_come_back(names in proptest::collection::vec(field(), 1..5)) {
            let names: Vec<HeaderName> = names.into_iter().map(|(name, _)| name).collect();
            prop_assert!(matches!(Form::decode(varying(&names)), Some(Form::Varies(read)) if read == names));
        }
    }

    #[test]
    fn counts_are_not_believed() {
        let mut bytes = vec![VERSION, VARIES];
        bytes.extend(u32::MAX.to_le_bytes());
        assert!(Form::decode(bytes.into()).is_none());
        assert!(Form::decode(Bytes::new()).is_none());
        assert!(Form::decode(Bytes::from_static(&[9, VARIES, 0, 0, 0, 0])).is_none());
    }
}
