//! The layout of a pack. All numbers are little-endian.
//!
//! ```text
//! 0    "HYPERWEB", version u32, sections u32, file length u64, blake3 of the header with this field zero [32]
//! 56   section table: 7 × (kind u32, zero u32, offset u64, length u64, hash [32])
//! 512  BODIES    for each variant its head right before its body; bodies begin at multiples of 64. All plain bodies
//!                come first, then those in br, in gzip, in zstd: a client asks for one coding
//!      META      JSON of the site
//!      INDEX     slots u32, zero u32, then slots × (high half of the path's hash u32, entry + 1 u32)
//!      ENTRIES   264 bytes each, see [`entry`](crate::entry)
//!      STRINGS   paths, media types, tags, entity tags, heads of 304 responses
//!      ROUTER    compiled routes
//!      MANIFEST  JSON of what was built
//! ```
//!
//! Every section begins at a multiple of 64 and what lies between is zero, and checked. A section's hash is the blake3
//! of the blake3s of its chunks of 4 MiB, so that several threads can check one section.

use std::ops::Range;

pub(crate) const MAGIC: [u8; 8] = *b"HYPERWEB";
pub(crate) const VERSION: u32 = 1;
pub(crate) const ALIGN: u64 = 64;
pub(crate) const CHUNK: usize = 4 << 20;
pub(crate) const SECTIONS: usize = 7;
pub(crate) const TABLE_AT: usize = 56;
pub(crate) const TABLE_ROW: usize = 56;
pub(crate) const HEADER_HASH: Range<usize> = 24..56;
/// The header with its table, padded.
pub(crate) const HEADER_LENGTH: usize = 512;
pub(crate) const ENTRY_LENGTH: usize = 264;
pub(crate) const VARIANTS_AT: usize = 72;
pub(crate) const VARIANT_LENGTH: usize = 48;
pub(crate) const INDEX_HEADER: usize = 8;

/// The sections, in the order of the table and of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Bodies,
    Meta,
    Index,
    Entries,
    Strings,
    Router,
    Manifest,
}

impl Section {
    pub(crate) const ALL: [Self; SECTIONS] = [
        Self::Bodies,
        Self::Meta,
        Self::Index,
        Self::Entries,
        Self::Strings,
        Self::Router,
        Self::Manifest,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bodies => "BODIES",
            Self::Meta => "META",
            Self::Index => "INDEX",
            Self::Entries => "ENTRIES",
            Self::Strings => "STRINGS",
            Self::Router => "ROUTER",
            Self::Manifest => "MANIFEST",
        }
    }
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

pub(crate) const fn align(offset: u64) -> u64 {
    offset.next_multiple_of(ALIGN)
}

/// The hash of a path, by which it is found: XXH3 with 64 bits.
pub(crate) fn path_hash(path: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(path)
}

/// The hash of a section that is in memory as a whole.
pub(crate) fn section_hash(bytes: &[u8]) -> [u8; 32] {
    let mut all = blake3::Hasher::new();
    for chunk in bytes.chunks(CHUNK) {
        all.update(blake3::hash(chunk).as_bytes());
    }
    *all.finalize().as_bytes()
}
