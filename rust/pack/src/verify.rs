//! Checks a pack before anything of it is used.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::encoding::Encoding;
use crate::entry::{TAGS_AT, TYPE_AT};
use crate::error::PackError;
use crate::format::{
    CHUNK, ENTRY_LENGTH, HEADER_HASH, HEADER_LENGTH, INDEX_HEADER, MAGIC, SECTIONS, Section, TABLE_AT, TABLE_ROW,
    VARIANT_LENGTH, VARIANTS_AT, VERSION, align, u32_at, u64_at,
};
use crate::reader::Pack;

/// More than this many threads do not read one file faster.
const MOST_THREADS: usize = 4;

/// Where the sections are.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) length: u64,
    pub(crate) hash: [u8; 32],
    rows: [Row; SECTIONS],
}

#[derive(Debug, Clone, Copy, Default)]
struct Row {
    offset: u64,
    length: u64,
    hash: [u8; 32],
}

impl Header {
    pub(crate) fn range(&self, section: Section) -> Range<usize> {
        let row = self.rows[section as usize];
        // The header's check has seen that offset and length lie inside a file that could be mapped.
        let start = usize::try_from(row.offset).unwrap_or(usize::MAX);
        start..start.saturating_add(usize::try_from(row.length).unwrap_or(usize::MAX))
    }

    pub(crate) fn end(&self, section: Section) -> u64 {
        let row = self.rows[section as usize];
        row.offset + row.length
    }
}

pub(crate) fn read_header(file: &File, path: &Path) -> Result<Header, PackError> {
    let refused = |reason: &str| Err(PackError::refused(path, "HEADER", reason));
    let length = file
        .metadata()
        .map_err(|error| PackError::io(path, "reading its size", error))?
        .len();
    if length == 0 {
        return refused("the file is empty");
    }
    if length < HEADER_LENGTH as u64 {
        return refused("the file is shorter than a header");
    }
    let mut bytes = [0; HEADER_LENGTH];
    file.read_exact_at(&mut bytes, 0)
        .map_err(|error| PackError::io(path, "reading its header", error))?;
    if bytes[..8] != MAGIC {
        return refused("this is not a packed site");
    }
    let version = u32_at(&bytes, 8).unwrap_or(0);
    if version != VERSION {
        return refused(&format!(
            "it has version {version} of the format, and this hyperweb reads version {VERSION}"
        ));
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(&bytes[HEADER_HASH]);
    bytes[HEADER_HASH].fill(0);
    // A fuzzer is to come to what lies behind the checksums.
    if !cfg!(fuzzing) && *blake3::hash(&bytes).as_bytes() != hash {
        return refused("its checksum is wrong");
    }
    let said = u64_at(&bytes, 16).unwrap_or(0);
    if said != length {
        return refused(&format!(
            "the file has {length} bytes and should have {said}: it was cut short or added to"
        ));
    }
    if u32_at(&bytes, 12) != u32::try_from(SECTIONS).ok() {
        return refused("it has another number of sections");
    }
    let mut rows = [Row::default(); SECTIONS];
    let mut expected = HEADER_LENGTH as u64;
    for (number, (row, section)) in rows.iter_mut().zip(Section::ALL).enumerate() {
        let at = TABLE_AT + number * TABLE_ROW;
        let kind = u32_at(&bytes, at).unwrap_or(u32::MAX);
        row.offset = u64_at(&bytes, at + 8).unwrap_or(u64::MAX);
        row.length = u64_at(&bytes, at + 16).unwrap_or(u64::MAX);
        row.hash.copy_from_slice(&bytes[at + 24..at + 56]);
        let end = row.offset.checked_add(row.length).filter(|end| *end <= length);
        let (true, true, Some(end)) = (kind as usize == number, row.offset == expected, end) else {
            return Err(PackError::refused(
                path,
                section.name(),
                "it does not lie where it should",
            ));
        };
        expected = align(end);
    }
    if expected != align(length) {
        return refused("there is something after the last section");
    }
    Ok(Header { length, hash, rows })
}

/// Checks sections against their hashes, and that what lies between each and the next is zero.
pub(crate) fn verify_sections(
    file: &File,
    path: &Path,
    header: &Header,
    sections: &[Section],
) -> Result<(), PackError> {
    let rows = || {
        sections
            .iter()
            .map(|section| (*section as usize, &header.rows[*section as usize]))
    };
    let jobs: Vec<(usize, u64, usize)> = rows().flat_map(|(number, row)| chunks(number, row)).collect();
    let hashes = hash_chunks(file, path, &jobs)?;
    for ((number, row), section) in rows().zip(sections) {
        let mut all = blake3::Hasher::new();
        for (hash, _) in hashes.iter().zip(&jobs).filter(|(_, job)| job.0 == number) {
            all.update(hash);
        }
        if !cfg!(fuzzing) && *all.finalize().as_bytes() != row.hash {
            return Err(PackError::refused(path, section.name(), "its checksum is wrong"));
        }
        let end = row.offset + row.length;
        let mut padding = [0; 64];
        let padding = &mut padding[..usize::try_from(align(end).min(header.length) - end).unwrap_or(0)];
        file.read_exact_at(padding, end)
            .map_err(|error| PackError::io(path, "reading it", error))?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(PackError::refused(
                path,
                section.name(),
                "there is something between it and the next",
            ));
        }
    }
    Ok(())
}

fn chunks(number: usize, row: &Row) -> impl Iterator<Item = (usize, u64, usize)> {
    let (offset, end) = (row.offset, row.offset + row.length);
    (offset..end)
        .step_by(CHUNK)
        .map(move |at| (number, at, usize::try_from(end - at).unwrap_or(CHUNK).min(CHUNK)))
}

/// Hashes the chunks, on several threads where there is much to do, each with a buffer of its own.
fn hash_chunks(file: &File, path: &Path, jobs: &[(usize, u64, usize)]) -> Result<Vec<[u8; 32]>, PackError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let total: usize = jobs.iter().map(|job| job.2).sum();
    let threads = if total < CHUNK { 1 } else { cores.min(MOST_THREADS) };
    let next = AtomicUsize::new(0);
    let work = || -> std::io::Result<Vec<(usize, [u8; 32])>> {
        // Small reads stay in the processor's cache between reading and hashing.
        let mut buffer = vec![0; 256 << 10];
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some((_, offset, length)) = jobs.get(number) else {
                return Ok(done);
            };
            let mut hasher = blake3::Hasher::new();
            let mut at = 0;
            while at < *length {
                let step = buffer.len().min(length - at);
                let part = &mut buffer[..step];
                file.read_exact_at(part, offset + at as u64)?;
                hasher.update(part);
                at += step;
            }
            done.push((number, *hasher.finalize().as_bytes()));
        }
    };
    let results = if threads == 1 {
        vec![work()]
    } else {
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let stopped = || Err(std::io::Error::other("a thread that was checking it stopped"));
            running
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| stopped()))
                .collect()
        })
    };
    let mut hashes = vec![[0; 32]; jobs.len()];
    for result in results {
        for (number, hash) in result.map_err(|error| PackError::io(path, "reading it", error))? {
            hashes[number] = hash;
        }
    }
    Ok(hashes)
}

/// Checks that every number in the index and the entries leads to where it may.
pub(crate) fn check_entries(pack: &Pack, path: &Path) -> Result<(), PackError> {
    let refused = |section: Section, reason: &str| Err(PackError::refused(path, section.name(), reason));
    if !pack.section(Section::Entries).len().is_multiple_of(ENTRY_LENGTH) {
        return refused(Section::Entries, "its length is wrong");
    }
    let index = pack.section(Section::Index);
    let slots = u32_at(index, 0).unwrap_or(0) as usize;
    if !slots.is_power_of_two() || index.len() != INDEX_HEADER + slots * 8 || pack.len() * 2 > slots {
        return refused(Section::Index, "its size is wrong");
    }
    let mut taken = 0;
    for slot in 0..slots {
        let number = u32_at(index, INDEX_HEADER + slot * 8 + 4).unwrap_or(u32::MAX) as usize;
        taken += usize::from(number != 0);
        if number > pack.len() {
            return refused(Section::Index, "it names an entry that is not there");
        }
    }
    if taken != pack.len() {
        return refused(Section::Index, "it does not name every entry once");
    }
    for number in 0..pack.len() {
        let Some(entry) = pack.entry(number) else {
            return refused(Section::Entries, "it is cut short");
        };
        let texts = [0, TYPE_AT, TAGS_AT];
        if texts.iter().any(|at| pack.checked_text(entry.record, *at).is_none()) {
            return refused(Section::Entries, "a text of an entry lies outside");
        }
        if pack
            .get(entry.path().as_bytes())
            .is_none_or(|found| found.record != entry.record)
        {
            return refused(Section::Index, "it does not lead to an entry");
        }
        if entry.variant(Encoding::Identity).is_none() {
            return refused(Section::Entries, "an entry has no plain body");
        }
        for variant in 0..Encoding::ALL.len() {
            let start = VARIANTS_AT + variant * VARIANT_LENGTH;
            let Some(record) = entry.record.get(start..start + VARIANT_LENGTH) else {
                continue;
            };
            if !variant_lies_inside(pack, record) {
                return refused(Section::Entries, "a body of an entry lies outside");
            }
        }
    }
    Ok(())
}

fn variant_lies_inside(pack: &Pack, record: &[u8]) -> bool {
    let kind = u32_at(record, 0).unwrap_or(u32::MAX);
    if kind == 0 {
        return true;
    }
    let (Some(head), Some(body), Some(length)) = (u32_at(record, 4), u64_at(record, 8), u64_at(record, 16)) else {
        return false;
    };
    let end = if kind == 1 {
        body.checked_add(length)
    } else {
        Some(body)
    };
    kind <= 2
        && body
            .checked_sub(u64::from(head))
            .is_some_and(|start| start >= HEADER_LENGTH as u64)
        && end.is_some_and(|end| end <= pack.bodies_end())
        && [24, 32, 40].iter().all(|at| pack.checked_text(record, *at).is_some())
}
