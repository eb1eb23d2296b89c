//! The hot keys on disk.
//!
//! Little-endian: 8 bytes of magic, version `u32`, count `u32`, then for each key, hottest first, its frequency `u32`,
//! its length `u32` and its bytes; last the XXH3 of all before as `u64`. The checksum finds damage, not forgery: who can
//! write the file decides what is warmed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;

use super::aside::{read_bounded, write_aside};
use super::error::SnapshotError;
use super::sealed::{SUM, key, number, seal, unseal};

const MAGIC: &[u8; 8] = b"hwhotkey";
const VERSION: u32 = 1;
const HEAD: usize = 16;

/// A key and how often it was used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HotKey {
    pub frequency: u32,
    pub key: Box<[u8]>,
}

/// Bounds on a snapshot. What is over them when one is made is left out, coldest first; when one is read it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotLimits {
    pub keys: usize,
    /// Bytes of one key.
    pub key_bytes: usize,
    /// Bytes of the file.
    pub file_bytes: usize,
}

impl Default for SnapshotLimits {
    fn default() -> Self {
        Self {
            keys: 100_000,
            key_bytes: 8 << 10,
            file_bytes: 32 << 20,
        }
    }
}

/// Keys that were hot, hottest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub keys: Vec<HotKey>,
}

impl Snapshot {
    /// Chooses the hottest of all keys, in memory for no more than are kept. Of equally hot ones the order is by key.
    pub fn hottest(all: impl IntoIterator<Item = HotKey>, limits: SnapshotLimits) -> Self {
        let mut heap = BinaryHeap::new();
        for one in all.into_iter().filter(|one| one.key.len() <= limits.key_bytes) {
            if heap.len() < limits.keys {
                heap.push(Reverse(one));
            } else if let Some(mut coldest) = heap.peek_mut()
                && coldest.0 < one
            {
                *coldest = Reverse(one);
            }
        }
        let mut left = limits.file_bytes.saturating_sub(HEAD + SUM);
        // Ascending in the reverse order is from the hottest down.
        let sorted = heap.into_sorted_vec().into_iter().map(|Reverse(one)| one);
        let fits = |one: &HotKey| {
            let room = left.checked_sub(8 + one.key.len());
            left = room.unwrap_or(0);
            room.is_some()
        };
        Self {
            keys: sorted.take_while(fits).collect(),
        }
    }

    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + SUM + self.keys.iter().map(|one| 8 + one.key.len()).sum::<usize>());
        // A key beyond 4 GB is no key; it is left out rather than written wrong.
        let keys: Vec<_> = self
            .keys
            .iter()
            .filter_map(|one| Some((one, u32::try_from(one.key.len()).ok()?)))
            .collect();
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(u32::try_from(keys.len()).unwrap_or(u32::MAX).to_le_bytes());
        for (one, length) in keys {
            bytes.extend(one.frequency.to_le_bytes());
            bytes.extend(length.to_le_bytes());
            bytes.extend(&one.key);
        }
        seal(bytes)
    }

    /// Reads the bytes of a file, which may be any.
    pub fn decode(bytes: &[u8], limits: SnapshotLimits) -> Result<Self, SnapshotError> {
        if bytes.len() > limits.file_bytes {
            return Err(SnapshotError::TooLarge);
        }
        let mut rest = unseal(bytes, MAGIC, VERSION)?;
        let count = number(&mut rest)? as usize;
        if count > limits.keys {
            return Err(SnapshotError::TooLarge);
        }
        // The count may promise more than there is: space is made for what can be there.
        let mut keys = Vec::with_capacity(count.min(rest.len() / 8));
        for _ in 0..count {
            let (frequency, length) = (number(&mut rest)?, number(&mut rest)? as usize);
            if length > limits.key_bytes {
                return Err(SnapshotError::TooLarge);
            }
            let key = key(&mut rest, length)?;
            keys.push(HotKey {
                frequency,
                key: key.into(),
            });
        }
        if !rest.is_empty() {
            return Err(SnapshotError::Format("something follows its last key"));
        }
        Ok(Self { keys })
    }

    /// Writes it: aside, to the disk, and then in place of the one before at once.
    pub fn save(&self, path: &Path) -> Result<(), SnapshotError> {
        write_aside(path, &self.encode())
    }

    /// Reads a file.
    pub fn load(path: &Path, limits: SnapshotLimits) -> Result<Self, SnapshotError> {
        let bytes = read_bounded(path, limits.file_bytes)?;
        Self::decode(&bytes, limits)
    }
}
