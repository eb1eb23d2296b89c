//! Maps a pack into memory.

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Maps a whole file for reading.
pub(crate) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: a map must not change while it is read. Packs are written under another name and renamed into place, and
    // never written to afterwards; a new build makes a new file, and the old one lives on for as long as it is mapped.
    unsafe { Mmap::map(file) }
}
