//! Writes a pack: aside first, then put in place at once.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::encoding::Encoding;
use crate::entry::{Body, Entry, HASH_AT, MODIFIED_AT, STATUS_AT, TAGS_AT, TYPE_AT};
use crate::error::PackError;
use crate::format::{
    CHUNK, ENTRY_LENGTH, HEADER_HASH, HEADER_LENGTH, MAGIC, SECTIONS, Section, TABLE_AT, TABLE_ROW, VARIANT_LENGTH,
    VARIANTS_AT, VERSION, align, path_hash, section_hash, u32_at, u64_at,
};
use crate::response::{BodyIn, Response, VariantIn};
use crate::spool::Spool;

/// What was written.
#[derive(Debug, Clone, Copy)]
pub struct Summary {
    /// The size of the pack in bytes.
    pub bytes: u64,
    /// Responses in it.
    pub entries: usize,
    /// What names it.
    pub id: [u8; 16],
}

/// Writes one pack. Until [`finish`](Self::finish) nothing is at the destination; dropped before, it leaves nothing.
#[derive(Debug)]
pub struct PackWriter {
    dest: PathBuf,
    aside: PathBuf,
    file: BufWriter<File>,
    at: u64,
    chunk: blake3::Hasher,
    chunk_length: usize,
    chunks: blake3::Hasher,
    /// The bodies of each coding but the plain one, which is written at once.
    spools: [Option<Spool>; Encoding::ALL.len()],
    records: Vec<[u8; ENTRY_LENGTH]>,
    paths: HashMap<String, usize>,
    strings: Vec<u8>,
    shared: HashMap<String, u32>,
    router: Vec<u8>,
    meta: Vec<u8>,
    manifest: Vec<u8>,
    finished: bool,
}

impl PackWriter {
    /// Begins a pack that will stand at `dest`. What an interrupted writer left there is removed.
    pub fn create(dest: &Path) -> Result<Self, PackError> {
        let folder = dest
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or_else(|| Path::new("."));
        let name = dest
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        remove_left_overs(folder, &name);
        let aside = folder.join(format!(".{name}.{}", std::process::id()));
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&aside)
            .map_err(|error| PackError::io(&aside, "creating it", error))?;
        let mut writer = Self {
            dest: dest.to_owned(),
            aside,
            file: BufWriter::with_capacity(1 << 20, file),
            at: 0,
            chunk: blake3::Hasher::new(),
            chunk_length: 0,
            chunks: blake3::Hasher::new(),
            spools: Default::default(),
            records: Vec::new(),
            paths: HashMap::new(),
            strings: Vec::new(),
            shared: HashMap::new(),
            router: Vec::new(),
            meta: Vec::new(),
            manifest: Vec::new(),
            finished: false,
        };
        writer.raw(&[0; HEADER_LENGTH])?;
        Ok(writer)
    }

    /// Adds a response.
    pub fn add(&mut self, response: &Response<'_>) -> Result<(), PackError> {
        let fail = |reason: &str| Err(PackError::response(response.path, reason));
        if !response.path.starts_with('/') {
            return fail("its path does not begin with a slash");
        }
        if !response
            .variants
            .iter()
            .any(|variant| variant.encoding == Encoding::Identity)
        {
            return fail("it has no plain body");
        }
        let values = response
            .headers
            .iter()
            .map(|(_, value)| *value)
            .chain([response.content_type]);
        if values.into_iter().any(has_controls) || response.tags.iter().any(|tag| has_controls(tag)) {
            return fail("a header field or a tag has a line break or another control character in it");
        }
        if response
            .headers
            .iter()
            .any(|(name, _)| name.is_empty() || !name.bytes().all(is_token))
        {
            return fail("a header field has a name that is none");
        }
        let mut record = [0; ENTRY_LENGTH];
        let path = self.text(response.path)?;
        put_text(&mut record, 0, path);
        record[STATUS_AT..STATUS_AT + 2].copy_from_slice(&response.status.to_le_bytes());
        let content_type = self.shared_text(response.content_type)?;
        put_text(&mut record, TYPE_AT, content_type);
        let tags = self.shared_text(&response.tags.join("\n"))?;
        put_text(&mut record, TAGS_AT, tags);
        record[MODIFIED_AT..MODIFIED_AT + 8].copy_from_slice(&response.last_modified.to_le_bytes());
        record[HASH_AT..HASH_AT + 16].copy_from_slice(&content_hash(response));
        for variant in response.variants {
            let described = self.variant(response, variant)?;
            let start = VARIANTS_AT + variant.encoding.index() * VARIANT_LENGTH;
            record[start..start + VARIANT_LENGTH].copy_from_slice(&described);
        }
        self.keep(response.path, &record)
    }

    /// Adds a response of another pack as it is.
    pub fn add_entry(&mut self, entry: &Entry<'_>) -> Result<(), PackError> {
        let mut record = [0; ENTRY_LENGTH];
        record.copy_from_slice(entry.record);
        let path = self.text(entry.path())?;
        put_text(&mut record, 0, path);
        let content_type = self.shared_text(entry.content_type())?;
        put_text(&mut record, TYPE_AT, content_type);
        let tags = self.shared_text(&entry.tags().collect::<Vec<_>>().join("\n"))?;
        put_text(&mut record, TAGS_AT, tags);
        for variant in entry.variants() {
            let (head, bytes) = (variant.head(), variant.body());
            let start = VARIANTS_AT + variant.encoding().index() * VARIANT_LENGTH;
            let body_at = match bytes {
                Body::Bytes(bytes) => self.body(variant.encoding(), head, bytes)?,
                Body::File { .. } => self.body(variant.encoding(), head, &[])?,
            };
            record[start + 8..start + 16].copy_from_slice(&body_at.to_le_bytes());
            let not_modified = self.shared_text(std::str::from_utf8(variant.not_modified_head()).unwrap_or(""))?;
            put_text(&mut record, start + 24, not_modified);
            let etag = self.shared_text(variant.etag())?;
            put_text(&mut record, start + 32, etag);
            if let Body::File { path, hash, .. } = variant.body() {
                let file = self.shared_text(&format!("{hash} {path}"))?;
                put_text(&mut record, start + 40, file);
            }
        }
        self.keep(entry.path(), &record)
    }

    /// Whether a response for `path` was added.
    pub fn contains(&self, path: &str) -> bool {
        self.paths.contains_key(path)
    }

    /// Sets the compiled routes.
    pub fn set_router(&mut self, bytes: Vec<u8>) {
        self.router = bytes;
    }

    /// Sets what is to be known of the site.
    pub fn set_meta(&mut self, bytes: Vec<u8>) {
        self.meta = bytes;
    }

    /// Sets what is to be known of the build.
    pub fn set_manifest(&mut self, bytes: Vec<u8>) {
        self.manifest = bytes;
    }

    /// Writes what is left, and puts the pack in place of the one before.
    pub fn finish(self) -> Result<Summary, PackError> {
        self.seal()?.publish()
    }

    /// Writes what is left and makes sure that it is on the disk, so that nothing but a rename is to be done.
    pub fn seal(mut self) -> Result<SealedPack, PackError> {
        self.append_spools()?;
        let mut order: Vec<(&String, usize)> = self.paths.iter().map(|(path, number)| (path, *number)).collect();
        order.sort();
        let entries: Vec<u8> = order.iter().flat_map(|(_, number)| self.records[*number]).collect();
        let index = index(&order.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>());
        let count = order.len();
        self.end_chunk();
        let mut rows = [(
            HEADER_LENGTH as u64,
            self.at - HEADER_LENGTH as u64,
            *self.chunks.finalize().as_bytes(),
        ); SECTIONS];
        let parts = [
            (Section::Meta, std::mem::take(&mut self.meta)),
            (Section::Index, index),
            (Section::Entries, entries),
            (Section::Strings, std::mem::take(&mut self.strings)),
            (Section::Router, std::mem::take(&mut self.router)),
            (Section::Manifest, std::mem::take(&mut self.manifest)),
        ];
        for (section, bytes) in parts {
            self.pad_to(align(self.at))?;
            rows[section as usize] = (self.at, bytes.len() as u64, section_hash(&bytes));
            self.raw(&bytes)?;
        }
        let (header, hash) = header(self.at, &rows);
        let io = |error| PackError::io(&self.aside, "writing it", error);
        self.file.flush().map_err(io)?;
        let file = self.file.get_ref();
        file.write_all_at(&header, 0).map_err(io)?;
        file.sync_all().map_err(io)?;
        let mut id = [0; 16];
        id.copy_from_slice(&hash[..16]);
        let summary = Summary {
            bytes: self.at,
            entries: count,
            id,
        };
        Ok(SealedPack { writer: self, summary })
    }

    /// Writes the bodies that were put aside, one coding after the other, and leads the records to them.
    fn append_spools(&mut self) -> Result<(), PackError> {
        let mut buffer = vec![0; 256 << 10];
        for encoding in Encoding::ALL {
            let Some(spool) = self.spools[encoding.index()].take() else {
                continue;
            };
            self.pad_to(align(self.at))?;
            let start = self.at;
            let aside = self.aside.clone();
            let io = |error| PackError::io(&aside, "writing it", error);
            let mut reader = spool.into_reader().map_err(io)?;
            loop {
                let count = reader.read(&mut buffer).map_err(io)?;
                if count == 0 {
                    break;
                }
                self.hashed(&buffer[..count])?;
            }
            let at = VARIANTS_AT + encoding.index() * VARIANT_LENGTH;
            for record in &mut self.records {
                if u32_at(record, at).is_some_and(|kind| kind != 0) {
                    let body_at = start + u64_at(record, at + 8).unwrap_or(0);
                    record[at + 8..at + 16].copy_from_slice(&body_at.to_le_bytes());
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, path: &str, record: &[u8; ENTRY_LENGTH]) -> Result<(), PackError> {
        if self.paths.insert(path.to_owned(), self.records.len()).is_some() {
            return Err(PackError::response(path, "there is another one of this path"));
        }
        self.records.push(*record);
        Ok(())
    }

    fn variant(&mut self, response: &Response<'_>, variant: &VariantIn<'_>) -> Result<[u8; VARIANT_LENGTH], PackError> {
        let (kind, hash, length) = match variant.body {
            BodyIn::Bytes(bytes) => (1u32, *blake3::hash(bytes).as_bytes(), bytes.len() as u64),
            BodyIn::File { hash, size, .. } => (2, hash, size),
        };
        let etag = format!("\"{}{}\"", hex(&hash[..12]), variant.encoding.mark());
        let head = head(response, variant.encoding, &etag, length);
        let body_at = match variant.body {
            BodyIn::Bytes(bytes) => self.body(variant.encoding, head.as_bytes(), bytes)?,
            BodyIn::File { .. } => self.body(variant.encoding, head.as_bytes(), &[])?,
        };
        let mut record = [0; VARIANT_LENGTH];
        record[..4].copy_from_slice(&kind.to_le_bytes());
        record[4..8].copy_from_slice(&length_u32(response.path, head.len())?.to_le_bytes());
        record[8..16].copy_from_slice(&body_at.to_le_bytes());
        record[16..24].copy_from_slice(&length.to_le_bytes());
        let not_modified = self.shared_text(&not_modified_head(response, &etag))?;
        put_text(&mut record, 24, not_modified);
        let etag = self.shared_text(&etag)?;
        put_text(&mut record, 32, etag);
        if let BodyIn::File { path, .. } = variant.body {
            if path.starts_with('/')
                || path.split('/').any(|part| part == ".." || part.is_empty())
                || has_controls(path)
            {
                return Err(PackError::response(
                    response.path,
                    "its file does not lie below the folder of plain files",
                ));
            }
            let file = self.shared_text(&format!("{} {path}", hex(&hash)))?;
            put_text(&mut record, 40, file);
        }
        Ok(record)
    }

    /// Writes a head and a body so that the body begins at a multiple of 64, and returns where: in the pack, or in the
    /// spool of its coding.
    fn body(&mut self, encoding: Encoding, head: &[u8], body: &[u8]) -> Result<u64, PackError> {
        if encoding != Encoding::Identity {
            let io = |error| PackError::io(&self.aside, "writing it", error);
            let spool = match &mut self.spools[encoding.index()] {
                Some(spool) => spool,
                empty => empty.insert(Spool::create(self.aside.parent().unwrap_or_else(|| Path::new(".")))),
            };
            return spool.add(head, body).map_err(io);
        }
        let body_at = align(self.at + head.len() as u64);
        self.pad_to(body_at - head.len() as u64)?;
        self.hashed(head)?;
        self.hashed(body)?;
        Ok(body_at)
    }

    /// Adds zeros, which count as a part of BODIES while that is being written.
    fn pad_to(&mut self, offset: u64) -> Result<(), PackError> {
        let zeros = [0; 64];
        let count = usize::try_from(offset - self.at).unwrap_or(0).min(zeros.len());
        if self.is_in_bodies() {
            self.hashed(&zeros[..count])
        } else {
            self.raw(&zeros[..count])
        }
    }

    /// BODIES is the section that is hashed while it is written; its last chunk is ended before the others begin.
    const fn is_in_bodies(&self) -> bool {
        self.chunk_length != usize::MAX
    }

    fn hashed(&mut self, mut bytes: &[u8]) -> Result<(), PackError> {
        self.raw(bytes)?;
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at(bytes.len().min(CHUNK - self.chunk_length));
            self.chunk.update(part);
            self.chunk_length += part.len();
            if self.chunk_length == CHUNK {
                self.chunks.update(self.chunk.finalize().as_bytes());
                self.chunk.reset();
                self.chunk_length = 0;
            }
            bytes = rest;
        }
        Ok(())
    }

    fn end_chunk(&mut self) {
        if self.chunk_length > 0 {
            self.chunks.update(self.chunk.finalize().as_bytes());
        }
        self.chunk_length = usize::MAX;
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        self.file
            .write_all(bytes)
            .map_err(|error| PackError::io(&self.aside, "writing it", error))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(u32, u32), PackError> {
        let offset = length_u32(text, self.strings.len())?;
        self.strings.extend_from_slice(text.as_bytes());
        Ok((offset, length_u32(text, text.len())?))
    }

    /// As [`text`](Self::text), for what many responses share.
    fn shared_text(&mut self, text: &str) -> Result<(u32, u32), PackError> {
        if let Some(offset) = self.shared.get(text) {
            return Ok((*offset, length_u32(text, text.len())?));
        }
        let placed = self.text(text)?;
        self.shared.insert(text.to_owned(), placed.0);
        Ok(placed)
    }
}

/// A pack that is written as a whole and not yet in its place. Dropped, it leaves nothing.
#[derive(Debug)]
pub struct SealedPack {
    writer: PackWriter,
    summary: Summary,
}

impl SealedPack {
    /// Puts the pack in place of the one before.
    pub fn publish(mut self) -> Result<Summary, PackError> {
        let writer = &mut self.writer;
        fs::rename(&writer.aside, &writer.dest)
            .map_err(|error| PackError::io(&writer.dest, "putting it in place", error))?;
        writer.finished = true;
        if let Some(folder) = writer.dest.parent().and_then(|folder| File::open(folder).ok()) {
            // The rename itself is on the disk when the folder is. Some file systems cannot sync a folder; the pack
            // stands all the same.
            let _ = folder.sync_all();
        }
        Ok(self.summary)
    }
}

impl Drop for PackWriter {
    fn drop(&mut self) {
        if !self.finished {
            // Nothing can be done about a file that cannot be removed; the next writer tries again.
            let _ = fs::remove_file(&self.aside);
        }
    }
}

/// Removes what writers that no longer live left beside `name`.
fn remove_left_overs(folder: &Path, name: &str) {
    let prefix = format!(".{name}.");
    let Ok(files) = fs::read_dir(folder) else { return };
    for file in files.flatten() {
        let found = file.file_name();
        let Some(process) = found.to_str().and_then(|found| found.strip_prefix(&prefix)) else {
            continue;
        };
        if process.bytes().all(|byte| byte.is_ascii_digit()) && !Path::new("/proc").join(process).exists() {
            let _ = fs::remove_file(file.path());
        }
    }
}

fn head(response: &Response<'_>, encoding: Encoding, etag: &str, length: u64) -> String {
    let mut lines = String::with_capacity(512);
    let mut line = |name: &str, value: &str| {
        lines.push_str(name);
        lines.push_str(": ");
        lines.push_str(value);
        lines.push_str("\r\n");
    };
    line("content-type", response.content_type);
    line("content-length", &length.to_string());
    if encoding != Encoding::Identity {
        line("content-encoding", encoding.token());
    }
    validators(response, etag, &mut line);
    if encoding == Encoding::Identity {
        line("accept-ranges", "bytes");
    }
    for (name, value) in response.headers.iter().filter(|(name, _)| *name != "cache-control") {
        line(name, value);
    }
    lines.push_str("\r\n");
    lines
}

/// The fields a 304 repeats (RFC 9110, section 15.4.5).
fn not_modified_head(response: &Response<'_>, etag: &str) -> String {
    let mut lines = String::with_capacity(160);
    validators(response, etag, &mut |name, value| {
        lines.push_str(name);
        lines.push_str(": ");
        lines.push_str(value);
        lines.push_str("\r\n");
    });
    lines.push_str("\r\n");
    lines
}

fn validators(response: &Response<'_>, etag: &str, line: &mut impl FnMut(&str, &str)) {
    line("etag", etag);
    if response.last_modified > 0 {
        let moment =
            std::time::UNIX_EPOCH + std::time::Duration::from_secs(response.last_modified.min(253_402_300_799));
        line("last-modified", &httpdate::fmt_http_date(moment));
    }
    if response.variants.len() > 1 {
        line("vary", "accept-encoding");
    }
    for (name, value) in response.headers.iter().filter(|(name, _)| *name == "cache-control") {
        line(name, value);
    }
}

fn content_hash(response: &Response<'_>) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&response.status.to_le_bytes());
    for text in [response.content_type]
        .into_iter()
        .chain(response.headers.iter().flat_map(|(name, value)| [*name, *value]))
    {
        hasher.update(text.as_bytes()).update(&[0]);
    }
    for variant in response
        .variants
        .iter()
        .filter(|variant| variant.encoding == Encoding::Identity)
    {
        match variant.body {
            BodyIn::Bytes(bytes) => hasher.update(blake3::hash(bytes).as_bytes()),
            BodyIn::File { hash, .. } => hasher.update(&hash),
        };
    }
    let mut short = [0; 16];
    short.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    short
}

/// The open-addressing table from paths, in the order of the entries, to their numbers.
fn index(paths: &[&str]) -> Vec<u8> {
    let slots = (paths.len() * 2).next_power_of_two().max(2);
    let mut table = vec![(0u32, 0u32); slots];
    for (number, path) in (1u32..).zip(paths) {
        let hash = path_hash(path.as_bytes());
        let mut slot = usize::try_from(hash & u64::from(u32::MAX)).unwrap_or(0) & (slots - 1);
        while table[slot].1 != 0 {
            slot = (slot + 1) & (slots - 1);
        }
        table[slot] = (u32::try_from(hash >> 32).unwrap_or(0), number);
    }
    let mut bytes = Vec::with_capacity(8 + slots * 8);
    bytes.extend(u32::try_from(slots).unwrap_or(0).to_le_bytes());
    bytes.extend([0; 4]);
    for (high, number) in table {
        bytes.extend(high.to_le_bytes());
        bytes.extend(number.to_le_bytes());
    }
    bytes
}

fn header(length: u64, rows: &[(u64, u64, [u8; 32]); SECTIONS]) -> ([u8; HEADER_LENGTH], [u8; 32]) {
    let mut bytes = [0; HEADER_LENGTH];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&u32::try_from(SECTIONS).unwrap_or(0).to_le_bytes());
    bytes[16..24].copy_from_slice(&length.to_le_bytes());
    for (number, (offset, length, hash)) in (0u32..).zip(rows) {
        let at = TABLE_AT + number as usize * TABLE_ROW;
        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        bytes[at + 8..at + 16].copy_from_slice(&offset.to_le_bytes());
        bytes[at + 16..at + 24].copy_from_slice(&length.to_le_bytes());
        bytes[at + 24..at + 56].copy_from_slice(hash);
    }
    let hash = *blake3::hash(&bytes).as_bytes();
    bytes[HEADER_HASH].copy_from_slice(&hash);
    (bytes, hash)
}

fn put_text(record: &mut [u8], at: usize, (offset, length): (u32, u32)) {
    record[at..at + 4].copy_from_slice(&offset.to_le_bytes());
    record[at + 4..at + 8].copy_from_slice(&length.to_le_bytes());
}

fn length_u32(path: &str, length: usize) -> Result<u32, PackError> {
    u32::try_from(length).map_err(|_| PackError::response(path, "the pack's texts would pass 4 GiB"))
}

fn has_controls(text: &str) -> bool {
    text.bytes().any(|byte| byte < 0x20 && byte != b'\t' || byte == 0x7f)
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
            text
        })
}
