//! One response of a pack, read in place.
//!
//! ```text
//! 0   path (offset u32, length u32), status u16, zero u16, media type (offset u32, length u32),
//! 20  tags (offset u32, length u32), last modified u64 at 32, content hash [16] at 40, zero to 72
//! 72  4 × variant: kind u32 (0 none, 1 bytes, 2 file), head length u32, body offset u64, body length u64,
//!     head of a 304 (offset u32, length u32), entity tag (offset u32, length u32), file (offset u32, length u32)
//! ```

use bytes::Bytes;

use crate::encoding::Encoding;
use crate::format::{VARIANT_LENGTH, VARIANTS_AT, u32_at, u64_at};
use crate::reader::Pack;

pub(crate) const STATUS_AT: usize = 8;
pub(crate) const TYPE_AT: usize = 12;
pub(crate) const TAGS_AT: usize = 20;
pub(crate) const MODIFIED_AT: usize = 32;
pub(crate) const HASH_AT: usize = 40;

/// One response. Every offset was checked when the pack was opened.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'p> {
    pub(crate) pack: &'p Pack,
    pub(crate) record: &'p [u8],
}

impl<'p> Entry<'p> {
    /// The URL path.
    pub fn path(&self) -> &'p str {
        self.pack.text(self.record, 0)
    }

    /// The status.
    pub fn status(&self) -> u16 {
        let bytes = self
            .record
            .get(STATUS_AT..STATUS_AT + 2)
            .and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(200, u16::from_le_bytes)
    }

    /// The media type.
    pub fn content_type(&self) -> &'p str {
        self.pack.text(self.record, TYPE_AT)
    }

    /// The tags.
    pub fn tags(&self) -> impl Iterator<Item = &'p str> {
        self.pack
            .text(self.record, TAGS_AT)
            .split('\n')
            .filter(|tag| !tag.is_empty())
    }

    /// When it last changed, in seconds since 1970; 0 where it is not known.
    pub fn last_modified(&self) -> u64 {
        u64_at(self.record, MODIFIED_AT).unwrap_or(0)
    }

    /// A hash of status, header fields and identity body: two entries of one hash answer the same.
    pub fn content_hash(&self) -> [u8; 16] {
        self.record
            .get(HASH_AT..HASH_AT + 16)
            .and_then(|bytes| bytes.try_into().ok())
            .unwrap_or_default()
    }

    /// The body in a coding, where it is kept in it.
    pub fn variant(&self, encoding: Encoding) -> Option<Variant<'p>> {
        let start = VARIANTS_AT + encoding.index() * VARIANT_LENGTH;
        let record = self.record.get(start..start + VARIANT_LENGTH)?;
        let kind = u32_at(record, 0)?;
        (kind != 0).then_some(Variant {
            pack: self.pack,
            record,
            encoding,
            is_file: kind == 2,
        })
    }

    /// All variants, identity first.
    pub fn variants(&self) -> impl Iterator<Item = Variant<'p>> + use<'p> {
        let entry = *self;
        Encoding::ALL
            .into_iter()
            .filter_map(move |encoding| entry.variant(encoding))
    }
}

/// A body in one coding, with its head.
#[derive(Debug, Clone, Copy)]
pub struct Variant<'p> {
    pack: &'p Pack,
    record: &'p [u8],
    encoding: Encoding,
    is_file: bool,
}

/// Where a body is.
#[derive(Debug, Clone)]
pub enum Body<'p> {
    /// In the pack.
    Bytes(&'p [u8]),
    /// In a file beside it: `large/` and its hash; the path is the one it has among the plain files.
    File { path: &'p str, size: u64, hash: &'p str },
}

impl<'p> Variant<'p> {
    /// The coding.
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The entity tag: strong, in quotes, its own for each variant (RFC 9110, section 8.8.3).
    pub fn etag(&self) -> &'p str {
        self.pack.text(self.record, 32)
    }

    /// The header lines, each with its line end, and the empty line that closes them. No status line, no date.
    pub fn head(&self) -> &'p [u8] {
        let body = self.body_at();
        self.pack
            .bodies(body.saturating_sub(self.head_length()), self.head_length())
    }

    /// The body's length in bytes.
    pub fn length(&self) -> u64 {
        u64_at(self.record, 16).unwrap_or(0)
    }

    /// The body.
    pub fn body(&self) -> Body<'p> {
        if self.is_file {
            let (hash, path) = self.pack.text(self.record, 40).split_once(' ').unwrap_or(("", ""));
            Body::File {
                path,
                size: self.length(),
                hash,
            }
        } else {
            Body::Bytes(self.pack.bodies(self.body_at(), self.length()))
        }
    }

    /// Whether the body is the one that the entity tag was made of. What was opened and checked has no other.
    pub fn is_sound(&self) -> bool {
        match self.body() {
            Body::Bytes(bytes) => {
                let hash = blake3::hash(bytes).to_hex();
                self.etag().get(1..25).is_some_and(|tag| Some(tag) == hash.get(..24))
            }
            Body::File { .. } => true,
        }
    }

    /// Head and body as one slice; of a file, the head alone.
    pub fn head_and_body(&self) -> &'p [u8] {
        let length = if self.is_file { 0 } else { self.length() };
        self.pack.bodies(
            self.body_at().saturating_sub(self.head_length()),
            self.head_length() + length,
        )
    }

    /// The body as bytes that share the map, for as long as they live; of a file, none.
    pub fn body_bytes(&self) -> Bytes {
        if self.is_file {
            return Bytes::new();
        }
        self.pack.shared(self.body_at(), self.length())
    }

    /// The header lines of a 304 for this variant (RFC 9110, section 15.4.5), with the empty line.
    pub fn not_modified_head(&self) -> &'p [u8] {
        self.pack.text(self.record, 24).as_bytes()
    }

    fn body_at(&self) -> u64 {
        u64_at(self.record, 8).unwrap_or(0)
    }

    fn head_length(&self) -> u64 {
        u64::from(u32_at(self.record, 4).unwrap_or(0))
    }
}
