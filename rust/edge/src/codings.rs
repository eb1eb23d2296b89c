//! The codings of a response that is kept: each is made once, when the first client wants it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hyperweb_pack::Encoding;

use crate::encoder::Encoder;

/// A larger body is compressed on another thread, and sent as it is meanwhile.
const AT_ONCE: usize = 64 << 10;
/// A coding that saves less than one part of this many is not kept.
const LEAST_SAVING: usize = 33;

#[derive(Debug, Default)]
struct Slot {
    /// Nothing where it would save too little.
    made: OnceLock<Option<Bytes>>,
    /// Whether somebody is at it.
    is_begun: AtomicBool,
}

/// The codings of one body.
#[derive(Debug, Default)]
pub(crate) struct Codings([Slot; 4]);

impl Codings {
    /// The body in a coding; none where it saves nothing, or is not made yet.
    pub(crate) fn get(self: &Arc<Self>, encoding: Encoding, body: &Bytes) -> Option<Bytes> {
        let slot = self.0.get(encoding as usize)?;
        if let Some(made) = slot.made.get() {
            return made.clone();
        }
        let runtime = tokio::runtime::Handle::try_current();
        match runtime {
            Ok(runtime) if body.len() > AT_ONCE => {
                if !slot.is_begun.swap(true, Ordering::AcqRel) {
                    let (codings, body) = (Arc::clone(self), body.clone());
                    runtime.spawn_blocking(move || codings.make(encoding, &body));
                }
                None
            }
            _ => self.make(encoding, body),
        }
    }

    fn make(&self, encoding: Encoding, body: &Bytes) -> Option<Bytes> {
        let slot = self.0.get(encoding as usize)?;
        slot.made.get_or_init(|| encode(encoding, body)).clone()
    }
}

fn encode(encoding: Encoding, body: &[u8]) -> Option<Bytes> {
    let made = Encoder::new(encoding)?.finish(body).ok()?;
    (made.len() + body.len() / LEAST_SAVING < body.len()).then_some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coding_is_made_once_and_only_where_it_saves() {
        let codings = Arc::new(Codings::default());
        let text = Bytes::from("the same again ".repeat(200));
        let made = codings.get(Encoding::Br, &text);
        assert!(made.as_ref().is_some_and(|made| made.len() < 200));
        let again = codings.get(Encoding::Br, &text);
        assert_eq!(made.map(|made| made.as_ptr()), again.map(|made| made.as_ptr()));
        let noise: Vec<u8> = (0u32..500)
            .flat_map(|n| *blake3::hash(&n.to_le_bytes()).as_bytes())
            .collect();
        let noisy = Arc::new(Codings::default());
        assert_eq!(noisy.get(Encoding::Gzip, &noise.into()), None);
        assert_eq!(codings.get(Encoding::Identity, &text), None);
    }
}
