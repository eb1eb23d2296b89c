//! What a tier keeps of a value, and its form in bytes.
//!
//! The form, all numbers little-endian: magic and schema version (4 bytes), checksum of all that follows (XXH3, 8
//! bytes), fresh until, dead at (8 each), a purge number for each slot (4 × 8), frequency, length of the key, of the tags
//! and of the value (4 each), then key, tags and value. A tag is its length (2 bytes) and its text.

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use xxhash_rust::xxh3::xxh3_64;

/// Bytes before the key.
pub(crate) const HEADER: usize = 76;
const MAGIC: u32 = 0x4857_5200;
/// The schema of records; a record of another version is a miss.
pub(crate) const VERSION: u32 = 1;
const CHECKED_FROM: usize = 12;

/// The place of a tier in a [`Stamp`]. It is stored with records, so it stays the same when tiers are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// Memory that processes of one machine share.
    Shared = 0,
    /// A disk of the machine.
    Disk = 1,
    /// A server that machines share.
    Remote = 2,
    /// Any other.
    Other = 3,
}

/// For each tier the number of the last purge when a value was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamp([u64; 4]);

impl Stamp {
    /// The number for a slot; 0 is older than any purge.
    pub const fn get(&self, slot: Slot) -> u64 {
        self.0[slot as usize]
    }

    /// Sets the number for a slot.
    pub const fn set(&mut self, slot: Slot, generation: u64) {
        self.0[slot as usize] = generation;
    }
}

/// Until when a value may be used, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// Until when it is fresh.
    pub fresh_until: u64,
    /// Until when it may be used although stale.
    pub dead_at: u64,
}

impl Times {
    /// The same grace, counted from `at` where it was to be fresh for longer.
    #[must_use]
    pub fn softened(self, at: u64) -> Self {
        let grace = self.dead_at.saturating_sub(self.fresh_until);
        let fresh_until = self.fresh_until.min(at);
        Self {
            fresh_until,
            dead_at: self.dead_at.min(fresh_until.saturating_add(grace)),
        }
    }
}

/// The tags of a record, in their stored form.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tags(Bytes);

impl Tags {
    /// Tags over 65,535 bytes are cut to none: nothing that long can be purged by.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut bytes = BytesMut::new();
        for name in names {
            if let Ok(length) = u16::try_from(name.len()) {
                bytes.put_u16_le(length);
                bytes.put_slice(name.as_bytes());
            }
        }
        Self(bytes.freeze())
    }

    /// The tags, as bytes.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        tags_in(&self.0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_list()
            .entries(self.iter().map(String::from_utf8_lossy))
            .finish()
    }
}

fn tags_in(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (tag, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        rest = after;
        Some(tag)
    })
}

/// Why bytes are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// Shorter than it says, or than any record is.
    Truncated,
    /// Not a record, or one of another schema.
    OtherVersion,
    /// The checksum is of something else.
    WrongChecksum,
}

/// A value with what is known of it. Cloning shares the bytes.
#[derive(Clone)]
pub struct Record {
    /// Until when it may be used.
    pub times: Times,
    /// How often it was used, roughly.
    pub frequency: u32,
    /// The purges it was made after.
    pub stamp: Stamp,
    body: Body,
}

/// What was made here is in parts; what was read is in one piece, which costs one allocation and not three.
#[derive(Clone)]
enum Body {
    Parts {
        key: Bytes,
        tags: Tags,
        value: Bytes,
    },
    Stored {
        bytes: Bytes,
        key_end: usize,
        tags_end: usize,
    },
}

impl Record {
    /// A record of a new value. Nothing is copied.
    pub const fn new(key: Bytes, value: Bytes, tags: Tags, times: Times, stamp: Stamp) -> Self {
        Self {
            times,
            frequency: 0,
            stamp,
            body: Body::Parts { key, tags, value },
        }
    }

    /// The key.
    pub fn key(&self) -> &[u8] {
        match &self.body {
            Body::Parts { key, .. } => key,
            Body::Stored { bytes, key_end, .. } => &bytes[HEADER..*key_end],
        }
    }

    /// The value.
    pub fn value(&self) -> &[u8] {
        match &self.body {
            Body::Parts { value, .. } => value,
            Body::Stored { bytes, tags_end, .. } => &bytes[*tags_end..],
        }
    }

    /// The value, to be kept; the bytes are shared and not copied.
    pub fn into_value(self) -> Bytes {
        match self.body {
            Body::Parts { value, .. } => value,
            Body::Stored {
                mut bytes, tags_end, ..
            } => {
                bytes.advance(tags_end);
                bytes
            }
        }
    }

    /// What it can be purged by.
    pub fn tags(&self) -> impl Iterator<Item = &[u8]> {
        tags_in(self.tag_bytes())
    }

    fn tag_bytes(&self) -> &[u8] {
        match &self.body {
            Body::Parts { tags, .. } => &tags.0,
            Body::Stored {
                bytes,
                key_end,
                tags_end,
            } => &bytes[*key_end..*tags_end],
        }
    }

    /// Bytes of its stored form.
    pub fn encoded_len(&self) -> usize {
        HEADER + self.key().len() + self.tag_bytes().len() + self.value().len()
    }

    /// Appends its stored form.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.reserve(self.encoded_len());
        out.put_u32_le(MAGIC | VERSION);
        out.put_u64_le(0);
        out.put_u64_le(self.times.fresh_until);
        out.put_u64_le(self.times.dead_at);
        for generation in self.stamp.0 {
            out.put_u64_le(generation);
        }
        out.put_u32_le(self.frequency);
        let parts = [self.key(), self.tag_bytes(), self.value()];
        // Longer ones are refused by every tier, long before a length stops fitting.
        for part in parts {
            out.put_u32_le(u32::try_from(part.len()).unwrap_or(u32::MAX));
        }
        for part in parts {
            out.put_slice(part);
        }
        let checksum = xxh3_64(&out[start + CHECKED_FROM..]);
        out[start + 4..start + CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Its stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_into(&mut out);
        out
    }

    /// Reads a stored form that is already in memory of its own; nothing is copied.
    pub fn decode(bytes: Bytes) -> Result<Self, Damage> {
        let view = RecordView::unchecked(&bytes)?;
        view.check()?;
        let (times, frequency, stamp) = (view.times(), view.frequency(), view.stamp());
        let (key_end, tags_end) = (view.key_end, view.tags_end);
        Ok(Self {
            times,
            frequency,
            stamp,
            body: Body::Stored {
                bytes,
                key_end,
                tags_end,
            },
        })
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        (self.times, self.frequency, self.stamp) == (other.times, other.frequency, other.stamp)
            && self.key() == other.key()
            && self.tag_bytes() == other.tag_bytes()
            && self.value() == other.value()
    }
}

impl Eq for Record {}

impl fmt::Debug for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Record")
            .field("key", &self.key().escape_ascii().to_string())
            .field("value bytes", &self.value().len())
            .field("times", &self.times)
            .field("frequency", &self.frequency)
            .field("stamp", &self.stamp)
            .finish_non_exhaustive()
    }
}

/// A record where it is stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordView<'a> {
    bytes: &'a [u8],
    key_end: usize,
    tags_end: usize,
}

impl<'a> RecordView<'a> {
    /// Reads the lengths only; the checksum is not looked at.
    pub(crate) fn unchecked(bytes: &'a [u8]) -> Result<Self, Damage> {
        let header = bytes.first_chunk::<HEADER>().ok_or(Damage::Truncated)?;
        if u32_at(header, 0) != MAGIC | VERSION {
            return Err(Damage::OtherVersion);
        }
        let length = |at| usize::try_from(u32_at(header, at)).unwrap_or(usize::MAX);
        let key_end = HEADER.checked_add(length(64)).ok_or(Damage::Truncated)?;
        let tags_end = key_end.checked_add(length(68)).ok_or(Damage::Truncated)?;
        if tags_end.checked_add(length(72)) != Some(bytes.len()) {
            return Err(Damage::Truncated);
        }
        Ok(Self {
            bytes,
            key_end,
            tags_end,
        })
    }

    /// Compares the checksum.
    pub(crate) fn check(&self) -> Result<(), Damage> {
        // A fuzzer is to come to what lies behind it.
        if cfg!(fuzzing) || u64_at(self.bytes, 4) == xxh3_64(&self.bytes[CHECKED_FROM..]) {
            Ok(())
        } else {
            Err(Damage::WrongChecksum)
        }
    }

    pub(crate) fn key(&self) -> &'a [u8] {
        &self.bytes[HEADER..self.key_end]
    }

    pub(crate) fn tags(&self) -> impl Iterator<Item = &'a [u8]> {
        tags_in(&self.bytes[self.key_end..self.tags_end])
    }

    pub(crate) fn times(&self) -> Times {
        Times {
            fresh_until: u64_at(self.bytes, 12),
            dead_at: u64_at(self.bytes, 20),
        }
    }

    pub(crate) fn stamp(&self) -> Stamp {
        Stamp([28, 36, 44, 52].map(|at| u64_at(self.bytes, at)))
    }

    pub(crate) fn frequency(&self) -> u32 {
        u32_at(self.bytes, 60)
    }

    /// A copy of it; what it says of itself was checked already.
    pub(crate) fn to_record(self) -> Record {
        Record {
            times: self.times(),
            frequency: self.frequency(),
            stamp: self.stamp(),
            body: Body::Stored {
                bytes: Bytes::copy_from_slice(self.bytes),
                key_end: self.key_end,
                tags_end: self.tags_end,
            },
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .map_or(0, |chunk| u64::from_le_bytes(*chunk))
}
