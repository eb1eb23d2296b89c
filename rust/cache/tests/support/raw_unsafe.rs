//! LMDB without anything of ours around it.

use std::path::Path;

use heed::{Env, EnvFlags, EnvOpenOptions};

/// Opens an environment as a tier in shared memory does.
pub(crate) fn open(folder: &Path, map_size: usize) -> heed::Result<Env> {
    let mut options = EnvOpenOptions::new();
    options.map_size(map_size).max_readers(1022);
    // SAFETY: nothing here has to outlive the machine.
    unsafe { options.flags(EnvFlags::NO_SYNC | EnvFlags::NO_META_SYNC | EnvFlags::NO_READ_AHEAD) };
    // SAFETY: the folder is one of a test, which changes the file through LMDB only while it is open.
    unsafe { options.open(folder) }
}
