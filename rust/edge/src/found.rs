//! A kept response that answers a request, and how.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response};
use hyperweb_cache::Entry;

use crate::responses::Question;
use crate::store::{Kept, Stored};

/// How a response that was kept may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usable {
    /// As it is.
    Fresh,
    /// As it is, while a new one is made (RFC 5861, section 3).
    WhileRevalidating,
    /// Where making a new one fails (RFC 5861, section 4).
    IfError,
    /// Where nobody can be asked (RFC 9111, section 4.2.4).
    IfGone,
    /// Once its maker has said that it is still right (RFC 9111, section 4.3).
    Validated,
}

/// A response that was found.
pub(crate) struct Found {
    pub(crate) usable: Usable,
    pub(crate) stored: Arc<Stored>,
    /// Milliseconds since it was made.
    age: u64,
    /// Seconds until it is stale; negative where it is.
    left: i64,
}

impl Found {
    pub(crate) fn new(entry: &Entry<'_, Kept>, now: u64) -> Option<Self> {
        let Kept::Response(stored, stored_at) = entry.value() else {
            return None;
        };
        let usable = if entry.is_fresh(now) {
            Usable::Fresh
        } else if now < entry.fresh_until().saturating_add(stored.times.revalidate) {
            Usable::WhileRevalidating
        } else if now < entry.fresh_until().saturating_add(stored.times.if_error) {
            Usable::IfError
        } else if now < entry.fresh_until().saturating_add(stored.times.if_gone) {
            Usable::IfGone
        } else if !stored.validators.is_empty() {
            Usable::Validated
        } else {
            return None;
        };
        Some(Self {
            usable,
            stored: Arc::clone(stored),
            age: stored.times.age + now.saturating_sub(*stored_at),
            left: seconds(entry.fresh_until()) - seconds(now),
        })
    }

    /// The response as it is sent.
    pub(crate) fn reply(&self, question: &Question<'_>) -> Response<Bytes> {
        // A stale response that is used is a hit too, with a negative lifetime (RFC 9211, section 2.4).
        let why = match self.usable {
            Usable::Fresh | Usable::Validated => "",
            Usable::WhileRevalidating => "; detail=revalidating",
            Usable::IfError => "; detail=error",
            Usable::IfGone => "; detail=gone",
        };
        let status = format!("hit; ttl={}{why}", self.left);
        self.stored
            .reply(question.headers, question.method == Method::HEAD, self.age, &status)
    }

    /// What follows the encoded head of a fresh one: the fields that change, and the end.
    pub(crate) fn tail<'a>(&self, space: &'a mut [u8; 128], close: bool) -> &'a [u8] {
        use std::io::Write;
        let mut cursor = std::io::Cursor::new(&mut space[..]);
        let connection = if close { "connection: close\r\n" } else { "" };
        let (age, left) = (self.age / 1000, self.left);
        // Two numbers of twenty digits fit.
        let _ = write!(
            cursor,
            "age: {age}\r\ncache-status: hyperweb; hit; ttl={left}\r\n{connection}\r\n"
        );
        let end = usize::try_from(cursor.position()).unwrap_or(0);
        &space[..end]
    }
}

fn seconds(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds / 1000).unwrap_or(i64::MAX)
}
