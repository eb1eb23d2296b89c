//! Parts of a response, kept and put together (RFC 9111, sections 3.3 and 3.4; RFC 9110, sections 14.4 and 15.3.7.3).
//!
//! Parts belong together where they have the same strong entity tag and are of the same length. One without such a tag
//! answers alone, and is replaced by the next.

use bytes::{Bytes, BytesMut};
use http::header::{AGE, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::policy::Times;
use crate::range::{Asked, asked};
use crate::responses::{LARGEST, cache_status, strip_internal};

/// Parts of one response that do not touch each other, at most.
const MOST: usize = 64;

/// What is known of a response.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    /// Those of the last part, but for those that tell of that part alone.
    pub(crate) headers: HeaderMap,
    /// Of the whole.
    length: u64,
    /// Where each begins, in order; between two there is a gap.
    pieces: Vec<(u64, Bytes)>,
    pub(crate) times: Times,
    pub(crate) tags: Vec<Box<str>>,
}

/// Where a part is in the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u64,
    /// The byte behind the last.
    pub(crate) end: u64,
    /// Bytes of the whole.
    pub(crate) length: u64,
}

impl Span {
    /// Reads where the part of a response is; none where it is not said, not all of it, or there are several. One that
    /// cannot be kept is none, either.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut fields = headers.get_all(CONTENT_RANGE).iter();
        let (Some(field), None) = (fields.next(), fields.next()) else {
            return None;
        };
        let text = field.to_str().ok()?.strip_prefix("bytes ")?;
        let (range, length) = text.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let number = |text: &str| crate::framing::number(text.as_bytes());
        let (start, last, length) = (number(first)?, number(last)?, number(length)?);
        let span = Self {
            start,
            end: last.checked_add(1)?,
            length,
        };
        let is_sound = start <= last && span.end <= length && span.bytes() <= LARGEST as u64;
        is_sound.then_some(span)
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.end - self.start
    }
}

impl Parts {
    /// Takes a part over, which is as long as it says.
    pub(crate) fn new(
        mut headers: HeaderMap,
        span: Span,
        body: Bytes,
        times: Times,
        tags: Vec<Box<str>>,
    ) -> Option<Self> {
        if body.len() as u64 != span.bytes() {
            return None;
        }
        for name in [CONTENT_RANGE, CONTENT_LENGTH, AGE] {
            headers.remove(name);
        }
        strip_internal(&mut headers);
        Some(Self {
            headers,
            length: span.length,
            pieces: vec![(span.start, body)],
            times,
            tags,
        })
    }

    /// With what was known before, where that is of the same response. The fields are those of the newer.
    pub(crate) fn with(mut self, before: &Self) -> Self {
        let is_same = self.length == before.length
            && strong(&self.headers).is_some_and(|tag| strong(&before.headers) == Some(tag));
        if !is_same {
            return self;
        }
        let mut all: Vec<_> = before.pieces.iter().chain(&self.pieces).cloned().collect();
        all.sort_by_key(|(start, _)| *start);
        let mut joined: Vec<(u64, BytesMut)> = Vec::new();
        for (start, bytes) in all {
            match joined.last_mut() {
                Some((first, known)) if start <= *first + known.len() as u64 => {
                    // What overlaps is the same.
                    let skipped = usize::try_from(*first + known.len() as u64 - start).unwrap_or(usize::MAX);
                    known.extend_from_slice(bytes.get(skipped..).unwrap_or_default());
                }
                _ => joined.push((start, BytesMut::from(&bytes[..]))),
            }
        }
        let pieces: Vec<_> = joined
            .into_iter()
            .map(|(start, bytes)| (start, bytes.freeze()))
            .collect();
        if pieces.len() <= MOST && pieces.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() <= LARGEST {
            self.pieces = pieces;
        }
        self
    }

    /// All of it, where no part is missing.
    pub(crate) fn whole(&self) -> Option<Bytes> {
        match self.pieces.as_slice() {
            [(0, bytes)] if bytes.len() as u64 == self.length => Some(bytes.clone()),
            _ => None,
        }
    }

    /// Bytes it takes.
    pub(crate) fn weight(&self) -> u64 {
        let bytes: usize = self.pieces.iter().map(|(_, bytes)| bytes.len()).sum();
        let fields = self.headers.iter();
        let fields: usize = fields.map(|(name, value)| name.as_str().len() + value.len() + 64).sum();
        (bytes + fields + 256) as u64
    }

    /// The answer to a request for a part that is there; `age` in milliseconds.
    pub(crate) fn reply(&self, request: &HeaderMap, age: u64, status: &str) -> Option<Response<Bytes>> {
        if let Some(condition) = request.get(IF_RANGE)
            && strong(&self.headers) != Some(condition)
        {
            return None;
        }
        let Asked::Part(start, end) = asked(request.get(RANGE)?.to_str().ok()?, self.length) else {
            return None;
        };
        let has = |(first, bytes): &&(u64, Bytes)| *first <= start && end <= first + bytes.len() as u64;
        let (first, bytes) = self.pieces.iter().find(has)?;
        let place = |at: u64| usize::try_from(at - first).ok();
        let part = bytes.slice(place(start)?..place(end)?);
        let mut response = Response::new(part);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let headers = response.headers_mut();
        headers.clone_from(&self.headers);
        headers.insert(AGE, HeaderValue::from(age / 1000));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(end - start));
        let range = format!("bytes {start}-{}/{}", end - 1, self.length);
        headers.insert(CONTENT_RANGE, HeaderValue::from_str(&range).ok()?);
        cache_status(headers, status);
        Some(response)
    }

    /// What a request for the whole has to ask for besides (RFC 9111, section 3.4): the one part that is missing, if it is
    /// still of the same response. None where there are several.
    pub(crate) fn missing(&self) -> Option<[(http::HeaderName, HeaderValue); 2]> {
        let tag = strong(&self.headers)?;
        let range = match self.pieces.as_slice() {
            [(0, bytes)] => format!("bytes={}-", bytes.len()),
            [(start, bytes)] if start + bytes.len() as u64 == self.length => format!("bytes=0-{}", start - 1),
            [(0, bytes), (start, rest)] if start + rest.len() as u64 == self.length => {
                format!("bytes={}-{}", bytes.len(), start - 1)
            }
            _ => return None,
        };
        Some([(RANGE, HeaderValue::from_str(&range).ok()?), (IF_RANGE, tag.clone())])
    }
}

/// A strong entity tag (RFC 9110, section 8.8.3).
fn strong(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(ETAG).filter(|tag| tag.as_bytes().starts_with(b"\""))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WHOLE: &[u8] = b"0123456789";

    fn headers(fields: &[(http::HeaderName, &str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    fn part(start: usize, end: usize, tag: &str) -> Parts {
        let range = format!("bytes {start}-{}/10", end - 1);
        let fields = headers(&[(CONTENT_RANGE, &range), (ETAG, tag)]);
        let span = Span::of(&fields).unwrap();
        Parts::new(
            fields,
            span,
            Bytes::from_static(&WHOLE[start..end]),
            Times::default(),
            Vec::new(),
        )
        .unwrap()
    }

    fn reply(parts: &Parts, range: &str) -> Option<(Bytes, String)> {
        let found = parts.reply(&headers(&[(RANGE, range)]), 0, "hit")?;
        let range = found.headers()[CONTENT_RANGE].to_str().unwrap().to_owned();
        Some((found.into_body(), range))
    }

    #[test]
    fn what_is_there_answers_and_nothing_else() {
        let parts = part(2, 6, "\"a\"");
        assert_eq!(
            reply(&parts, "bytes=3-4"),
            Some((Bytes::from("34"), "bytes 3-4/10".to_owned()))
        );
        assert!(reply(&parts, "bytes=2-5").is_some());
        for other in [
            "bytes=1-3",
            "bytes=3-6",
            "bytes=-2",
            "bytes=0-",
            "bytes=3-4,5-5",
            "bytes=20-",
        ] {
            assert_eq!(reply(&parts, other), None, "{other}");
        }
        let condition = |tag: &str| parts.reply(&headers(&[(RANGE, "bytes=3-4"), (IF_RANGE, tag)]), 0, "");
        assert!(condition("\"a\"").is_some() && condition("\"b\"").is_none());
    }

    #[test]
    fn parts_of_the_same_response_are_put_together() {
        let both = part(5, 10, "\"a\"").with(&part(0, 5, "\"a\""));
        assert_eq!(both.whole().as_deref(), Some(WHOLE));
        for other in ["\"b\"", "W/\"a\""] {
            assert_eq!(part(5, 10, other).with(&part(0, 5, "\"a\"")).whole(), None, "{other}");
        }
        assert_eq!(
            part(5, 10, "W/\"a\"").with(&part(0, 5, "W/\"a\"")).whole(),
            None,
            "weak tags name no bytes"
        );
    }

    #[test]
    fn what_is_missing_is_asked_for() {
        let range = |parts: &Parts| {
            parts
                .missing()
                .map(|[(_, range), _]| range.to_str().unwrap().to_owned())
        };
        assert_eq!(range(&part(0, 4, "\"a\"")).as_deref(), Some("bytes=4-"));
        assert_eq!(range(&part(4, 10, "\"a\"")).as_deref(), Some("bytes=0-3"));
        assert_eq!(
            range(&part(7, 10, "\"a\"").with(&part(0, 4, "\"a\""))).as_deref(),
            Some("bytes=4-6")
        );
        assert_eq!(range(&part(3, 4, "\"a\"")), None);
        assert_eq!(range(&part(0, 4, "W/\"a\"")), None);
    }

    #[test]
    fn a_part_that_is_not_as_it_says_is_none() {
        let span = |value: &str| Span::of(&headers(&[(CONTENT_RANGE, value)]));
        for bad in [
            "bytes 4-3/10",
            "bytes 0-10/10",
            "bytes 0-1/*",
            "bytes */10",
            "items 0-1/2",
            "bytes 0-99999999999/999999999999",
            "bytes -1-2/3",
        ] {
            assert_eq!(span(bad), None, "{bad}");
        }
        let short = Parts::new(
            HeaderMap::new(),
            span("bytes 0-4/10").unwrap(),
            Bytes::from("0123"),
            Times::default(),
            Vec::new(),
        );
        assert!(short.is_none());
    }

    proptest! {
        #[test]
        fn whatever_comes_together_is_right(ranges in prop::collection::vec((0usize..10, 1usize..10), 1..8), first in 0u64..10, count in 1u64..10) {
            let mut parts: Option<Parts> = None;
            let mut known = [false; 10];
            for (start, count) in ranges {
                let end = (start + count).min(10);
                let new = part(start, end, "\"a\"");
                parts = Some(match &parts { Some(before) => new.with(before), None => new });
                known[start..end].fill(true);
            }
            let parts = parts.unwrap();
            let last = (first + count - 1).min(9);
            let wanted = usize::try_from(first).unwrap()..=usize::try_from(last).unwrap();
            let found = reply(&parts, &format!("bytes={first}-{last}"));
            if known[wanted.clone()].iter().all(|is_known| *is_known) {
                prop_assert_eq!(&found.unwrap().0[..], &WHOLE[wanted]);
            } else {
                prop_assert_eq!(found, None);
            }
            prop_assert_eq!(parts.whole().is_some(), known == [true; 10]);
        }
    }
}
