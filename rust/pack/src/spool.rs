//! The bodies of one coding, put aside until those of the codings before it are all written.
//!
//! A client nearly always asks for one coding. With its bodies side by side, what is in memory is what is served: the
//! system maps a file in runs of 16 pages, and would bring in the other codings of each body too.

use std::io::{self, Read, Seek, Write};
use std::path::Path;

use tempfile::SpooledTempFile;

use crate::format::align;

/// More than this is put aside on the disk.
const MOST_IN_MEMORY: usize = 16 << 20;

/// Bodies with their heads, from a multiple of 64 on.
#[derive(Debug)]
pub(crate) struct Spool {
    file: SpooledTempFile,
    at: u64,
}

impl Spool {
    /// Makes one in memory, and from some size on in a file without a name in `folder`: whatever happens, nothing of it
    /// stays.
    pub(crate) fn create(folder: &Path) -> Self {
        Self {
            file: tempfile::spooled_tempfile_in(MOST_IN_MEMORY, folder),
            at: 0,
        }
    }

    /// Adds a head and a body, and returns where the body begins, counted from where the spool will.
    pub(crate) fn add(&mut self, head: &[u8], body: &[u8]) -> io::Result<u64> {
        let body_at = align(self.at + head.len() as u64);
        let gap = usize::try_from(body_at - head.len() as u64 - self.at).unwrap_or(0);
        let mut whole = Vec::with_capacity(gap + head.len() + body.len());
        whole.resize(gap, 0);
        whole.extend(head);
        whole.extend(body);
        self.file.write_all(&whole)?;
        self.at = body_at + body.len() as u64;
        Ok(body_at)
    }

    /// Ends the spool, and returns its file to be read from its beginning.
    pub(crate) fn into_reader(self) -> io::Result<impl Read> {
        let mut file = self.file;
        file.rewind()?;
        Ok(file)
    }
}
