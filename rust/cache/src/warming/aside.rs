//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use super::error::SnapshotError;

/// Writes a file: aside, to the disk, and then in place of the one before at once.
pub(crate) fn write_aside(path: &Path, bytes: &[u8]) -> Result<(), SnapshotError> {
    let name = path
        .file_name()
        .ok_or(SnapshotError::Format("its path names no file"))?
        .to_string_lossy();
    let aside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = write(&aside, bytes).and_then(|()| fs::rename(&aside, path));
    if let Err(error) = written {
        // What is left over is overwritten the next time.
        let _ = fs::remove_file(&aside);
        return Err(error.into());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Ok(folder) = File::open(folder.unwrap_or_else(|| Path::new("."))) {
        // Some file systems cannot sync a folder; the file stands all the same.
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Reads a file; of one that is larger than `most`, one byte more than that.
pub(crate) fn read_bounded(path: &Path, most: usize) -> Result<Vec<u8>, SnapshotError> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
