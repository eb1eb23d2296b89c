//! An entry as a reader sees it.

use std::sync::Arc;

use crate::arena_unsafe::Piece;
use crate::lease::Lease;
use crate::tags::Tags;
use crate::value_unsafe::{Value, Word};

/// An entry that was found, for as long as its [`Reader`](crate::Reader) lives.
#[derive(Debug)]
pub struct Entry<'g, V> {
    pub(crate) piece: Piece<'g, V>,
    /// The value as it was when it was found.
    pub(crate) word: Word,
    pub(crate) lease: Lease,
    pub(crate) tags: &'g Tags,
}

impl<V> Clone for Entry<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Entry<'_, V> {}

impl<V: Value> Entry<'_, V> {
    /// The value.
    #[inline]
    pub fn value(&self) -> &V {
        self.piece.value(&self.word)
    }
}

impl<'g, V> Entry<'g, V> {
    /// Whether it is fresh at `now`, in milliseconds of the caller's clock.
    pub const fn is_fresh(&self, now: u64) -> bool {
        self.lease.is_fresh(now)
    }

    /// Until when it is fresh; `u64::MAX` is for ever.
    pub const fn fresh_until(&self) -> u64 {
        self.lease.fresh_until()
    }

    /// Until when it may be used although stale.
    pub const fn dead_at(&self) -> u64 {
        self.lease.dead_at()
    }

    /// The key.
    pub fn key(&self) -> &'g [u8] {
        self.piece.key()
    }

    /// The names of its tags.
    pub fn tags(&self) -> Vec<Arc<str>> {
        self.tags.names(self.piece.tags())
    }

    /// Bytes it counts for: key, value and what is kept beside them.
    pub fn weight(&self) -> u64 {
        u64::from(self.piece.node().weight())
    }
}

/// A value that was found, taken along, and how long it may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owned<V> {
    /// The value.
    pub value: V,
    /// Until when it is fresh, in milliseconds of the caller's clock.
    pub fresh_until: u64,
    /// Until when it may be used although stale.
    pub dead_at: u64,
}

impl<V> Owned<V> {
    /// Whether it is fresh.
    pub const fn is_fresh(&self, now: u64) -> bool {
        now < self.fresh_until
    }
}

/// An entry that had to go because there was no room: what a tier below may take over.
#[derive(Debug)]
pub struct Evicted<'g, V> {
    /// The entry.
    pub entry: Entry<'g, V>,
    /// How often it was asked for lately, roughly.
    pub frequency: u8,
}
