//! Opens an environment of LMDB.

use std::path::Path;

use heed::{Env, EnvFlags, EnvOpenOptions, WithoutTls};

use super::config::Durability;

/// Opens the environment in a folder.
pub(super) fn open(
    folder: &Path,
    map_size: usize,
    max_readers: u32,
    durability: Durability,
) -> heed::Result<Env<WithoutTls>> {
    let flags = match durability {
        Durability::Process => EnvFlags::NO_SYNC | EnvFlags::NO_META_SYNC,
        Durability::Machine => EnvFlags::NO_META_SYNC,
    };
    // With places of readers in thread-local storage, a thread that ends while another closes the environment writes to a
    // map that is gone.
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(map_size).max_readers(max_readers);
    // SAFETY: without syncing, what is lost is what the system had not written when the whole machine stopped. Such files
    // live where nothing outlives that (`/dev/shm`), or are inspected before they are opened the next time.
    unsafe { options.flags(flags | EnvFlags::NO_READ_AHEAD) };
    // SAFETY: the file is mapped, so nobody may change or cut it but through LMDB. The folder is ours (0700) and all who
    // open it come through here, under its gate lock; the file is inspected before, and its size and identity are
    // watched while it is open, so that a map whose file was cut short is left within a millisecond. No transaction is
    // held across a call that could open the same environment again, and heed refuses that within a process.
    unsafe { options.open(folder) }
}
