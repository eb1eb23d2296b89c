//! Opens a pack and finds what is in it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use memmap2::Mmap;

use crate::entry::Entry;
use crate::error::PackError;
use crate::format::{ENTRY_LENGTH, INDEX_HEADER, Section, path_hash, u32_at};
use crate::mmap_unsafe::map;
use crate::verify::{Header, check_entries, read_header, verify_sections};

/// An open pack. Cloning it shares the map.
#[derive(Debug, Clone)]
pub struct Pack {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    map: Arc<Mapped>,
    shared: Bytes,
    header: Header,
    id: [u8; 16],
}

#[derive(Debug)]
struct Mapped(Mmap);

/// What [`Bytes`] holds on to while someone reads from the map.
struct Owner(Arc<Mapped>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0.0
    }
}

/// The bodies of a pack that is open and was not checked as a whole.
#[derive(Debug)]
#[must_use = "a pack whose bodies are not checked may be damaged"]
pub struct Unverified {
    file: File,
    path: PathBuf,
    header: Header,
}

impl Unverified {
    /// Checks the bodies against their hash, on several threads where there are many.
    pub fn verify(self) -> Result<(), PackError> {
        verify_sections(&self.file, &self.path, &self.header, &[Section::Bodies])
    }
}

impl Pack {
    /// Opens a pack and checks all of it: every section against its hash, every offset against its bounds.
    ///
    /// The bytes are checked by reading the file and not through the map, so that what stays in memory is only what is
    /// served.
    pub fn open(path: &Path) -> Result<Self, PackError> {
        let (pack, bodies) = Self::open_deferred(path)?;
        bodies.verify()?;
        Ok(pack)
    }

    /// Opens a pack and checks all of it but the bytes of its bodies, which are nearly all of the file: for a server
    /// that is to answer at once. Nothing that is read from those bytes leads anywhere. What is returned beside the pack
    /// checks them.
    pub fn open_deferred(path: &Path) -> Result<(Self, Unverified), PackError> {
        let file = File::open(path).map_err(|error| PackError::io(path, "opening it", error))?;
        let header = read_header(&file, path)?;
        verify_sections(&file, path, &header, &Section::ALL[1..])?;
        let mapped = map(&file).map_err(|error| PackError::io(path, "mapping it", error))?;
        if mapped.len() as u64 != header.length {
            return Err(PackError::refused(
                path,
                "HEADER",
                "the file changed while it was opened",
            ));
        }
        let mapped = Arc::new(Mapped(mapped));
        let id = identity(&header.hash);
        let shared = Bytes::from_owner(Owner(Arc::clone(&mapped)));
        let unverified = Unverified {
            file,
            path: path.to_owned(),
            header: header.clone(),
        };
        let pack = Self {
            inner: Arc::new(Inner {
                map: mapped,
                shared,
                header,
                id,
            }),
        };
        check_entries(&pack, path)?;
        Ok((pack, unverified))
    }

    /// Finds the response for a decoded URL path.
    pub fn get(&self, path: &[u8]) -> Option<Entry<'_>> {
        let index = self.section(Section::Index);
        let slots = u32_at(index, 0)? as usize;
        let mask = slots.checked_sub(1)?;
        let hash = path_hash(path);
        let high = u32::try_from(hash >> 32).ok()?;
        let mut slot = usize::try_from(hash & u64::from(u32::MAX)).ok()? & mask;
        // At most half of the slots are taken, which `open` has checked; an empty one ends every search.
        for _ in 0..slots {
            let at = INDEX_HEADER + slot * 8;
            let number = u32_at(index, at + 4)?;
            if number == 0 {
                return None;
            }
            if u32_at(index, at)? == high {
                let entry = self.entry(number as usize - 1)?;
                if entry.path().as_bytes() == path {
                    return Some(entry);
                }
            }
            slot = (slot + 1) & mask;
        }
        None
    }

    /// All responses, in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        (0..self.len()).filter_map(|number| self.entry(number))
    }

    /// How many responses there are.
    pub fn len(&self) -> usize {
        self.section(Section::Entries).len() / ENTRY_LENGTH
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the writer said of the site.
    pub fn meta(&self) -> &[u8] {
        self.section(Section::Meta)
    }

    /// The compiled routes.
    pub fn router(&self) -> &[u8] {
        self.section(Section::Router)
    }

    /// What the writer said of the build.
    pub fn manifest(&self) -> &[u8] {
        self.section(Section::Manifest)
    }

    /// What names these bytes: two packs of one id are the same.
    pub fn id(&self) -> [u8; 16] {
        self.inner.id
    }

    pub(crate) fn entry(&self, number: usize) -> Option<Entry<'_>> {
        let start = number.checked_mul(ENTRY_LENGTH)?;
        let record = self.section(Section::Entries).get(start..start + ENTRY_LENGTH)?;
        Some(Entry { pack: self, record })
    }

    pub(crate) fn section(&self, section: Section) -> &[u8] {
        self.inner.map.0.get(self.inner.header.range(section)).unwrap_or(&[])
    }

    /// The text in STRINGS whose offset and length stand at `at` of a record.
    pub(crate) fn text<'p>(&'p self, record: &[u8], at: usize) -> &'p str {
        self.checked_text(record, at).unwrap_or("")
    }

    pub(crate) fn checked_text<'p>(&'p self, record: &[u8], at: usize) -> Option<&'p str> {
        let start = u32_at(record, at)? as usize;
        let bytes = self
            .section(Section::Strings)
            .get(start..start.checked_add(u32_at(record, at + 4)? as usize)?)?;
        std::str::from_utf8(bytes).ok()
    }

    /// A part of the file by offset and length.
    pub(crate) fn bodies(&self, offset: u64, length: u64) -> &[u8] {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        self.inner.map.0.get(start..end).unwrap_or(&[])
    }

    pub(crate) fn shared(&self, offset: u64, length: u64) -> Bytes {
        let part = self.bodies(offset, length);
        if part.is_empty() {
            Bytes::new()
        } else {
            self.inner.shared.slice_ref(part)
        }
    }

    pub(crate) fn bodies_end(&self) -> u64 {
        self.inner.header.end(Section::Bodies)
    }
}

/// Returns the id of the pack at `path` from its header alone, without checking the rest.
pub fn read_id(path: &Path) -> Result<[u8; 16], PackError> {
    let file = File::open(path).map_err(|error| PackError::io(path, "opening it", error))?;
    Ok(identity(&read_header(&file, path)?.hash))
}

fn identity(header_hash: &[u8; 32]) -> [u8; 16] {
    let mut id = [0; 16];
    id.copy_from_slice(&header_hash[..16]);
    id
}
