//! Where the frames of HTTP/2 begin and end (RFC 9113, section 4.1). No socket, and nothing of what is in them.

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

const HEAD: usize = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The beginning of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    flags: u8,
    pub(crate) length: u32,
    pub(crate) stream: u32,
}

impl Frame {
    fn read(head: [u8; HEAD]) -> Self {
        let [a, b, c, kind, flags, id @ ..] = head;
        Self {
            kind,
            flags,
            length: u32::from_be_bytes([0, a, b, c]),
            stream: u32::from_be_bytes(id) & (u32::MAX >> 1),
        }
    }

    pub(crate) const fn ends_stream(&self) -> bool {
        self.flags & END_STREAM != 0
    }

    const fn ends_block(&self) -> bool {
        matches!(self.kind, HEADERS | CONTINUATION) && self.flags & END_HEADERS != 0
    }
}

/// How far the frames of one direction are.
#[derive(Debug)]
pub(crate) struct Frames {
    /// Bytes that come before the first.
    before: usize,
    head: [u8; HEAD],
    /// Bytes of the head that are there.
    have: usize,
    /// The frame that is under way, and bytes of it that are still to come.
    now: Option<(Frame, u32)>,
    /// Whether a field block has begun and not ended (section 4.3).
    in_block: bool,
}

impl Frames {
    /// They come after so many bytes.
    pub(crate) const fn after(before: usize) -> Self {
        Self {
            before,
            head: [0; HEAD],
            have: 0,
            now: None,
            in_block: false,
        }
    }

    /// Whether a frame has ended and none has begun.
    pub(crate) const fn is_between(&self) -> bool {
        self.before == 0 && self.have == 0 && self.now.is_none()
    }

    /// The frame that has begun and not ended.
    pub(crate) fn now(&self) -> Option<&Frame> {
        self.now.as_ref().map(|(frame, _)| frame)
    }

    /// Whether a field block has begun and not ended.
    pub(crate) const fn is_in_block(&self) -> bool {
        self.in_block
    }

    /// Goes on by some bytes, and tells of each frame that begins in them.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut begins: impl FnMut(Frame)) {
        let skipped = self.before.min(bytes.len());
        self.before -= skipped;
        bytes = bytes.get(skipped..).unwrap_or_default();
        while !bytes.is_empty() {
            if let Some((frame, left)) = &mut self.now {
                let taken = (*left as usize).min(bytes.len());
                // It is no more than is left.
                *left -= u32::try_from(taken).unwrap_or(*left);
                bytes = bytes.get(taken..).unwrap_or_default();
                if *left == 0 {
                    self.in_block &= !frame.ends_block();
                    self.now = None;
                }
                continue;
            }
            let taken = (HEAD - self.have).min(bytes.len());
            let (part, rest) = bytes.split_at(taken);
            if let Some(space) = self.head.get_mut(self.have..self.have + taken) {
                space.copy_from_slice(part);
            }
            self.have += taken;
            bytes = rest;
            if self.have == HEAD {
                self.have = 0;
                let frame = Frame::read(self.head);
                self.in_block |= frame.kind == HEADERS;
                if frame.length == 0 {
                    self.in_block &= !frame.ends_block();
                } else {
                    self.now = Some((frame, frame.length));
                }
                begins(frame);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    #[test]
    fn a_field_block_ends_with_its_last_frame() {
        let mut frames = Frames::after(3);
        let mut push = |bytes: &[u8]| {
            frames.push(bytes, |_| ());
            (frames.is_in_block(), frames.is_between())
        };
        assert_eq!(push(b"PRI"), (false, true));
        assert_eq!(push(&frame(HEADERS, 0, 1, b"abc")), (true, true));
        assert_eq!(push(&frame(CONTINUATION, 0, 1, b"")), (true, true));
        let last = frame(CONTINUATION, END_HEADERS, 1, b"def");
        assert_eq!(push(&last[..5]), (true, false));
        assert_eq!(push(&last[5..11]), (true, false));
        assert_eq!(push(&last[11..]), (false, true));
        assert_eq!(push(&frame(HEADERS, END_HEADERS | END_STREAM, 3, b"")), (false, true));
    }

    proptest! {
        #[test]
        fn frames_are_found_wherever_they_are_cut(
            made in prop::collection::vec((any::<u8>(), any::<u8>(), 0u32..1 << 31, prop::collection::vec(any::<u8>(), 0..40)), 0..20),
            size in 1usize..30,
        ) {
            let bytes: Vec<u8> = made.iter().flat_map(|(kind, flags, stream, payload)| frame(*kind, *flags, *stream, payload)).collect();
            let mut frames = Frames::after(0);
            let mut found = Vec::new();
            for part in bytes.chunks(size) {
                frames.push(part, |frame| found.push((frame.kind, frame.stream, frame.length as usize)));
            }
            let wanted: Vec<_> = made.iter().map(|(kind, _, stream, payload)| (*kind, *stream, payload.len())).collect();
            prop_assert_eq!(found, wanted);
            prop_assert!(frames.is_between());
        }
    }
}
