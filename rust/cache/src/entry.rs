//! One kept value.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use crate::tags::Tag;

/// The highest count of uses that is kept (S3-FIFO, Yang et al., SOSP 2023: two bits are enough).
const MOST_USES: u8 = 3;

/// A kept value and how long it may be used.
#[derive(Debug)]
pub struct Entry<V> {
    /// The value.
    pub value: V,
    /// When it was stored, in milliseconds of the caller's clock.
    pub stored_at: u64,
    /// Until when it is fresh.
    pub fresh_until: u64,
    /// Until when it may be used although stale.
    pub dead_at: u64,
    pub(crate) key: Arc<[u8]>,
    pub(crate) weight: u64,
    pub(crate) tags: Box<[Arc<Tag>]>,
    /// The number of the purge that was the last when the value was asked for.
    pub(crate) sequence: u64,
    uses: AtomicU8,
    gone: AtomicBool,
}

impl<V> Entry<V> {
    pub(crate) fn new(
        key: Arc<[u8]>,
        value: V,
        weight: u64,
        times: (u64, u64, u64),
        tags: Box<[Arc<Tag>]>,
        sequence: u64,
    ) -> Self {
        let (stored_at, fresh_until, dead_at) = times;
        Self {
            value,
            stored_at,
            fresh_until,
            dead_at,
            key,
            weight,
            tags,
            sequence,
            uses: AtomicU8::new(0),
            gone: AtomicBool::new(false),
        }
    }

    /// Whether it is fresh.
    pub const fn is_fresh(&self, now: u64) -> bool {
        now < self.fresh_until
    }

    /// The key.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The names of its tags.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(|tag| tag.name())
    }

    /// Bytes it counts for: key, value and what is kept beside them.
    pub const fn weight(&self) -> u64 {
        self.weight
    }

    /// Counts a use. Once the count is full a hit writes nothing, so that hot entries stay shared between cores.
    pub(crate) fn touch(&self) {
        let uses = self.uses.load(Ordering::Relaxed);
        if uses < MOST_USES {
            self.uses.store(uses + 1, Ordering::Relaxed);
        }
    }

    pub(crate) fn uses(&self) -> u8 {
        self.uses.load(Ordering::Relaxed)
    }

    pub(crate) fn set_uses(&self, uses: u8) {
        self.uses.store(uses, Ordering::Relaxed);
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Marks it as removed; true for the one caller that did.
    pub(crate) fn leave(&self) -> bool {
        !self.gone.swap(true, Ordering::AcqRel)
    }
}
