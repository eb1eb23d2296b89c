//! The bodies of one coding, put aside until those of the codings before it are all written.
//!
//! A client nearly always asks for one coding. With its bodies side by side, what is in memory is what is served: the
//! system maps a file in runs of 16 pages, and would bring in the other codings of each body too.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::Path;

use crate::format::align;

/// Bodies with their heads, from a multiple of 64 on.
#[derive(Debug)]
pub(crate) struct Spool {
    file: BufWriter<File>,
    at: u64,
}

impl Spool {
    /// Makes one in a file without a name in `folder`: whatever happens, nothing of it stays.
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        let file = tempfile::tempfile_in(folder)?;
        Ok(Self {
            file: BufWriter::with_capacity(256 << 10, file),
            at: 0,
        })
    }

    /// Adds a head and a body, and returns where the body begins, counted from where the spool will.
    pub(crate) fn add(&mut self, head: &[u8], body: &[u8]) -> io::Result<u64> {
        let body_at = align(self.at + head.len() as u64);
        let gap = usize::try_from(body_at - head.len() as u64 - self.at).unwrap_or(0);
        self.file.write_all(&[0; 64][..gap])?;
        self.file.write_all(head)?;
        self.file.write_all(body)?;
        self.at = body_at + body.len() as u64;
        Ok(body_at)
    }

    /// Ends the spool, and returns its file to be read from its beginning.
    pub(crate) fn into_reader(self) -> io::Result<impl Read> {
        let mut file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(file)
    }
}
