//! What of the bytes of a stream of HTTP/3 passes on to who reads it (RFC 9114, sections 6.2 and 7). No socket.
//!
//! h3 takes a frame that is not data as a whole, however long it is, and what it does not know too. Here each has a bound,
//! what nobody knows is dropped as it comes, and what asks for nothing is counted.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

use crate::qpack;

const DATA: u64 = 0x0;
const HEADERS: u64 = 0x1;
const CANCEL_PUSH: u64 = 0x3;
const SETTINGS: u64 = 0x4;
const GOAWAY: u64 = 0x7;
const MAX_PUSH_ID: u64 = 0xd;
/// Frames of HTTP/2 that are errors here, and those only a server may send: who reads them says so.
const FORBIDDEN: [u64; 5] = [0x2, 0x5, 0x6, 0x8, 0x9];
/// The stream that frames of the connection come over (section 6.2.1).
const CONTROL: u64 = 0x0;

/// Bytes of a frame that is of the connection.
const LONGEST_OF_CONNECTION: u64 = 4 << 10;
/// So many bytes of what nobody knows count as another frame of it.
const BYTES_OF_UNKNOWN: u64 = 16 << 10;
/// Bytes of the type and length of a frame, at most.
const HEAD: usize = 16;

/// Why a connection is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    /// A frame is longer than its like may be.
    Frame,
    /// A request's fields are longer than was said that they may be.
    Fields,
}

/// The bytes of one stream on their way.
#[derive(Debug)]
pub(crate) struct Passage {
    state: State,
    is_request: bool,
    /// Bytes that encoded fields may have.
    most: u64,
    /// What passes, and was not taken yet.
    ready: VecDeque<Bytes>,
    /// The type and length of a frame, as far as they came.
    head: BytesMut,
}

#[derive(Debug)]
enum State {
    /// The type of a stream in one direction.
    Kind,
    Head,
    /// So much of a frame passes as it is.
    Through(u64),
    /// A frame that passes as a whole.
    Whole {
        kind: u64,
        left: u64,
        payload: BytesMut,
    },
    /// So much of a frame is dropped.
    Dropped(u64),
    /// All passes as it is.
    Free,
}

impl Passage {
    /// That of a request, whose fields may have so many bytes.
    pub(crate) fn of_request(most: u64) -> Self {
        Self::new(State::Head, true, most)
    }

    /// That of a stream in one direction.
    pub(crate) fn one_way() -> Self {
        Self::new(State::Kind, false, 0)
    }

    fn new(state: State, is_request: bool, most: u64) -> Self {
        Self {
            state,
            is_request,
            most,
            ready: VecDeque::new(),
            head: BytesMut::new(),
        }
    }

    /// What passes next.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        self.ready.pop_front()
    }

    /// Bytes that are held until their frame is whole.
    pub(crate) fn held(&self) -> usize {
        match &self.state {
            State::Whole { payload, .. } => payload.len(),
            _ => 0,
        }
    }

    /// Takes bytes as they came, and returns how much of them asked for nothing.
    pub(crate) fn push(&mut self, mut bytes: Bytes) -> Result<u64, Excess> {
        let mut idle = 0;
        while !bytes.is_empty() {
            match &mut self.state {
                State::Free => self.ready.push_back(std::mem::take(&mut bytes)),
                State::Through(left) => {
                    let part = take(&mut bytes, left);
                    let is_over = *left == 0;
                    self.ready.push_back(part);
                    if is_over {
                        self.state = State::Head;
                    }
                }
                State::Dropped(left) => {
                    let before = *left / BYTES_OF_UNKNOWN;
                    drop(take(&mut bytes, left));
                    idle += before - *left / BYTES_OF_UNKNOWN;
                    if *left == 0 {
                        self.state = State::Head;
                    }
                }
                State::Whole { left, payload, .. } => {
                    payload.extend_from_slice(&take(&mut bytes, left));
                    if *left == 0 {
                        self.end_whole();
                    }
                }
                State::Kind | State::Head => {
                    let Some(first) = bytes.first().copied() else { break };
                    self.head.put_u8(first);
                    drop(bytes.split_to(1));
                    if matches!(self.state, State::Kind) {
                        self.begin_stream();
                    } else {
                        idle += self.begin_frame()?;
                    }
                }
            }
        }
        Ok(idle)
    }

    fn begin_stream(&mut self) {
        let Some((kind, _)) = number(&self.head) else { return };
        self.ready.push_back(self.head.split().freeze());
        // What an encoder or a stream that nobody knows says is not read at all.
        self.state = if kind == CONTROL { State::Head } else { State::Free };
    }

    fn begin_frame(&mut self) -> Result<u64, Excess> {
        let Some((kind, used)) = number(&self.head) else {
            return Ok(0);
        };
        let Some((length, _)) = self.head.get(used..).and_then(number) else {
            return Ok(0);
        };
        let head = self.head.split().freeze();
        let is_of_connection = matches!(kind, CANCEL_PUSH | SETTINGS | GOAWAY | MAX_PUSH_ID);
        let most = match kind {
            DATA if self.is_request => {
                self.ready.push_back(head);
                self.state = if length == 0 {
                    State::Head
                } else {
                    State::Through(length)
                };
                return Ok(u64::from(length == 0));
            }
            HEADERS if self.is_request => self.most,
            // Who reads it ends the connection, whatever is in it.
            _ if kind == DATA || kind == HEADERS || is_of_connection || FORBIDDEN.contains(&kind) => {
                LONGEST_OF_CONNECTION
            }
            _ => {
                self.state = if length == 0 {
                    State::Head
                } else {
                    State::Dropped(length)
                };
                return Ok(1);
            }
        };
        if length > most {
            let is_fields = kind == HEADERS && self.is_request;
            return Err(if is_fields { Excess::Fields } else { Excess::Frame });
        }
        self.state = State::Whole {
            kind,
            left: length,
            payload: BytesMut::new(),
        };
        if length == 0 {
            self.end_whole();
        }
        Ok(u64::from(kind != HEADERS))
    }

    /// Passes a frame on that is whole.
    fn end_whole(&mut self) {
        let State::Whole { kind, payload, .. } = std::mem::replace(&mut self.state, State::Head) else {
            return;
        };
        let is_fields = kind == HEADERS && self.is_request;
        let renamed = if is_fields { qpack::renamed(&payload) } else { None };
        let payload = renamed.map_or_else(|| payload.freeze(), Bytes::from);
        let mut head = BytesMut::with_capacity(HEAD);
        put_number(&mut head, kind);
        put_number(&mut head, payload.len() as u64);
        self.ready.push_back(head.freeze());
        if !payload.is_empty() {
            self.ready.push_back(payload);
        }
    }
}

/// Takes bytes off, as many as are left of something.
fn take(bytes: &mut Bytes, left: &mut u64) -> Bytes {
    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    *left -= count as u64;
    bytes.split_to(count)
}

/// A number of QUIC (RFC 9000, section 16), once it is whole, and how many bytes it has.
fn number(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let size = 1 << (first >> 6);
    let rest = bytes.get(1..size)?;
    let begun = u64::from(first & 0x3f);
    Some((
        rest.iter().fold(begun, |value, byte| value << 8 | u64::from(*byte)),
        size,
    ))
}

fn put_number(bytes: &mut BytesMut, value: u64) {
    if let Ok(small @ 0..0x40) = u8::try_from(value) {
        bytes.put_u8(small);
    } else {
        // None is longer than a frame that passes as a whole.
        bytes.put_u32(0x8000_0000 | u32::try_from(value).unwrap_or(0x3fff_ffff));
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u64, payload: &[u8]) -> Vec<u8> {
        let mut made = BytesMut::new();
        put_number(&mut made, kind);
        put_number(&mut made, payload.len() as u64);
        made.extend_from_slice(payload);
        made.to_vec()
    }

    fn passes(mut passage: Passage, bytes: &[u8], size: usize) -> Result<(Vec<u8>, u64), Excess> {
        let (mut passed, mut idle) = (Vec::new(), 0);
        for part in bytes.chunks(size) {
            idle += passage.push(Bytes::copy_from_slice(part))?;
            while let Some(part) = passage.next() {
                passed.extend_from_slice(&part);
            }
        }
        Ok((passed, idle))
    }

    #[test]
    fn a_request_passes_without_what_nobody_knows() {
        let unknown = frame(0x41, &vec![7; 40_000]);
        let request = [frame(HEADERS, b"\0\0\xd1"), frame(DATA, &[1; 300]), frame(DATA, b"")].concat();
        let whole = [
            &unknown[..],
            &frame(HEADERS, b"\0\0\xd1"),
            &frame(0x21, b""),
            &frame(DATA, &[1; 300]),
            &frame(DATA, b""),
        ]
        .concat();
        for size in [1, 2, 7, 4096, 100_000] {
            let passed = passes(Passage::of_request(100), &whole, size).unwrap();
            assert_eq!(passed, (request.clone(), 3 + 2), "{size}");
        }
    }

    #[test]
    fn what_is_too_long_does_not_pass() {
        let of_request = |bytes: &[u8]| passes(Passage::of_request(100), bytes, 10);
        assert_eq!(of_request(&frame(HEADERS, &[0; 101])), Err(Excess::Fields));
        // That it will be is seen before any of it comes.
        assert_eq!(of_request(&frame(HEADERS, &[0; 101])[..6]), Err(Excess::Fields));
        assert_eq!(of_request(&frame(SETTINGS, &[0; 5000])), Err(Excess::Frame));
        let control = |bytes: &[u8]| passes(Passage::one_way(), &[&[0], bytes].concat(), 10);
        assert_eq!(control(&frame(HEADERS, &[0; 5000])), Err(Excess::Frame));
        let many = frame(MAX_PUSH_ID, &[5]).repeat(50);
        assert_eq!(control(&many), Ok(([&[0], &many[..]].concat(), 50)));
        let priorities = frame(0xf0700, b"\0u=1").repeat(50);
        assert_eq!(control(&priorities), Ok((vec![0], 50)));
        // What an encoder says is for who knows how to read it.
        let encoder = passes(Passage::one_way(), b"\x02\x3f\x45", 10);
        assert_eq!(encoder, Ok((b"\x02\x3f\x45".to_vec(), 0)));
    }

    proptest! {
        #[test]
        fn it_is_the_same_wherever_it_is_cut(
            frames in prop::collection::vec((0u64..40, prop::collection::vec(any::<u8>(), 0..90)), 0..12),
            size in 1usize..40,
            is_request in any::<bool>(),
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|(kind, payload)| frame(*kind, payload)).collect();
            let made = || if is_request { Passage::of_request(80) } else { Passage::one_way() };
            prop_assert_eq!(passes(made(), &bytes, size), passes(made(), &bytes, bytes.len().max(1)));
        }
    }
}
