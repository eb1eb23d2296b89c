//! What is kept of an entry besides its key and value: 32 bytes.
//!
//! All of it is atomic, so that whoever holds a node may look at all of it at any time. Links, kind and weight are
//! written only by who holds the lock of the node's partition.

use crate::lease::Lease;
use crate::sync::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, fence};

/// The kind of a node that holds no entry.
pub(crate) const FREE: u8 = 0x7f;
/// The kind of a node whose entry is in no list: not yet, or no longer.
pub(crate) const LOOSE: u8 = 0x7e;
/// No node.
pub(crate) const NONE: u32 = u32::MAX;
/// Beside the kind: between value and key are the numbers of its tags.
const HAS_TAIL: u8 = 0x80;
/// The highest count of uses that is kept (S3-FIFO, Yang et al., SOSP 2023: two bits are enough).
pub(crate) const MOST_USES: u8 = 3;

/// The low bits of a stamp, which count the values that came in place of one another; above them are as many of the number
/// of a purge as there is room for.
const VERSION_BITS: u32 = 4;
const VERSION_MASK: u32 = (1 << VERSION_BITS) - 1;

/// The fixed part of an entry.
#[derive(Debug)]
#[repr(C, align(8))]
pub(crate) struct Node {
    lease: AtomicU64,
    pub(crate) prev: AtomicU32,
    pub(crate) next: AtomicU32,
    weight: AtomicU32,
    /// Its place in the arena.
    handle: AtomicU32,
    /// The low bits of the number of the last purge it outlived, and a version below them.
    stamp: AtomicU32,
    key_len: AtomicU16,
    uses: AtomicU8,
    kind: AtomicU8,
}

/// What a reader saw of a node before it looked at the value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Glimpse {
    stamp: u32,
    pub(crate) lease: Lease,
}

impl Node {
    /// A node that holds no entry.
    pub(crate) const fn free(handle: u32) -> Self {
        Self {
            lease: AtomicU64::new(0),
            prev: AtomicU32::new(NONE),
            next: AtomicU32::new(NONE),
            weight: AtomicU32::new(0),
            handle: AtomicU32::new(handle),
            stamp: AtomicU32::new(0),
            key_len: AtomicU16::new(0),
            uses: AtomicU8::new(0),
            kind: AtomicU8::new(FREE),
        }
    }

    /// Makes it a node of an entry. It is in no list yet.
    pub(crate) fn occupy(&self, lease: Lease, weight: u32, sequence: u64, key_len: u16, has_tail: bool) {
        self.lease.store(lease.bits(), Ordering::Relaxed);
        self.prev.store(NONE, Ordering::Relaxed);
        self.next.store(NONE, Ordering::Relaxed);
        self.weight.store(weight, Ordering::Relaxed);
        self.set_sequence(sequence);
        self.key_len.store(key_len, Ordering::Relaxed);
        self.uses.store(0, Ordering::Relaxed);
        let tail = if has_tail { HAS_TAIL } else { 0 };
        self.kind.store(LOOSE | tail, Ordering::Relaxed);
    }

    /// Makes it hold no entry.
    pub(crate) fn vacate(&self) {
        self.kind.store(FREE, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn lease(&self) -> Lease {
        Lease::from_bits(self.lease.load(Ordering::Relaxed))
    }

    pub(crate) fn set_lease(&self, lease: Lease) {
        self.lease.store(lease.bits(), Ordering::Relaxed);
    }

    pub(crate) fn weight(&self) -> u32 {
        self.weight.load(Ordering::Relaxed)
    }

    pub(crate) fn handle(&self) -> u32 {
        self.handle.load(Ordering::Relaxed)
    }

    /// The number of the last purge it outlived; `current` is that of the last purge of all.
    pub(crate) fn sequence(&self, current: u64) -> u64 {
        let low = self.stamp.load(Ordering::Acquire) & !VERSION_MASK;
        // Every entry is looked at in the two hundred million purges after its own, so the high bits can be told.
        let behind = shifted(current).wrapping_sub(low) >> VERSION_BITS;
        current.saturating_sub(u64::from(behind))
    }

    fn set_sequence(&self, sequence: u64) {
        let version = self.stamp.load(Ordering::Relaxed) & VERSION_MASK;
        self.stamp.store(shifted(sequence) | version, Ordering::Relaxed);
    }

    /// Keeps the number of an entry that no purge has touched so far from becoming too old to be told.
    pub(crate) fn keep_recent(&self, current: u64) {
        const OLD: u64 = 1 << 26;
        if current - self.sequence(current) > OLD {
            // Purges that long ago have been seen by everyone.
            self.set_sequence(current - OLD / 2);
        }
    }

    /// What is to be remembered before the value is looked at, so that [`is_still`](Self::is_still) can tell whether the
    /// two belong together.
    #[inline]
    pub(crate) fn glimpse(&self) -> Glimpse {
        Glimpse {
            stamp: self.stamp.load(Ordering::Acquire),
            lease: Lease::from_bits(self.lease.load(Ordering::Acquire)),
        }
    }

    /// Whether a value that was looked at since a glimpse may be used for as long as the lease of the glimpse says, and
    /// outlived the purges that this node said since then. Where not, a writer has been here: look again.
    #[inline]
    pub(crate) fn is_still(&self, seen: &Glimpse) -> bool {
        fence(Ordering::Acquire);
        self.lease.load(Ordering::Relaxed) == seen.lease.bits() && self.stamp.load(Ordering::Relaxed) == seen.stamp
    }

    /// Puts a value in place of another: `put` stores it, with `Release`. No reader waits for it. Whoever sees the new
    /// value cannot still see the old lease, as a lease that is right for both comes before; whoever sees the new number of
    /// a purge cannot still see the old value; and who might have seen part of one change and part of another sees another
    /// version (unless sixteen changes came meanwhile).
    pub(crate) fn change(&self, lease: Lease, weight: u32, sequence: u64, put: impl FnOnce()) {
        self.lease.store(self.lease().least(lease).bits(), Ordering::Relaxed);
        fence(Ordering::Release);
        put();
        self.lease.store(lease.bits(), Ordering::Release);
        self.weight.store(weight, Ordering::Relaxed);
        let version = self.stamp.load(Ordering::Relaxed).wrapping_add(1) & VERSION_MASK;
        self.stamp.store(shifted(sequence) | version, Ordering::Release);
    }

    pub(crate) fn key_len(&self) -> u16 {
        self.key_len.load(Ordering::Relaxed)
    }

    pub(crate) fn kind(&self) -> u8 {
        self.kind.load(Ordering::Relaxed) & !HAS_TAIL
    }

    pub(crate) fn set_kind(&self, kind: u8) {
        let tail = self.kind.load(Ordering::Relaxed) & HAS_TAIL;
        self.kind.store(kind | tail, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn has_tail(&self) -> bool {
        self.kind.load(Ordering::Relaxed) & HAS_TAIL != 0
    }

    /// Counts a use. Once the count is full a hit writes nothing, so that hot entries stay shared between cores.
    #[inline]
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
}

/// The bits of a purge's number that a stamp has, where it has them.
#[expect(clippy::cast_possible_truncation, reason = "the low bits are meant")]
const fn shifted(sequence: u64) -> u32 {
    (sequence as u32) << VERSION_BITS
}
