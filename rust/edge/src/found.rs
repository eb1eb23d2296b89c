//! A kept response that answers a request, and how.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response};
use hyperweb_cache::Entry;

use crate::fields::fill;
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
    moment: Moment,
}

/// Where in its life a response is when it is used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Milliseconds since it was made.
    age: u64,
    /// Seconds until it is stale; negative where it is.
    left: i64,
}

impl Found {
    pub(crate) fn new(entry: &Entry<'_, Kept>, now: u64) -> Option<Self> {
        let (usable, stored, moment) = Self::judge(entry, now)?;
        Some(Self {
            usable,
            stored: Arc::clone(stored),
            moment,
        })
    }

    /// How an entry may be used now; none where it may not.
    pub(crate) fn judge<'e>(entry: &'e Entry<'_, Kept>, now: u64) -> Option<(Usable, &'e Arc<Stored>, Moment)> {
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
        let moment = Moment {
            age: stored.times.age + now.saturating_sub(*stored_at),
            left: seconds(entry.fresh_until()) - seconds(now),
        };
        Some((usable, stored, moment))
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
        let status = format!("hit; ttl={}{why}", self.moment.left);
        self.stored.reply(
            question.headers,
            question.method == Method::HEAD,
            self.moment.age,
            &status,
        )
    }
}

impl Moment {
    /// What follows the encoded head of a fresh one: the fields that change, and the end.
    pub(crate) fn tail<'a>(&self, space: &'a mut [u8; 128], close: bool) -> &'a [u8] {
        let (mut age, mut left) = (itoa::Buffer::new(), itoa::Buffer::new());
        let connection: &[u8] = if close { b"connection: close\r\n" } else { b"" };
        // Two numbers of twenty digits fit.
        let parts = [
            b"age: ",
            age.format(self.age / 1000).as_bytes(),
            b"\r\ncache-status: hyperweb; hit; ttl=",
            left.format(self.left).as_bytes(),
            b"\r\n",
            connection,
            b"\r\n",
        ];
        let length = fill(space, &parts);
        &space[..length]
    }
}

fn seconds(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds / 1000).unwrap_or(i64::MAX)
}
