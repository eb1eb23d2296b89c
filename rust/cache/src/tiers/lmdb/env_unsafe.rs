//! An environment of LMDB: its files, mapped.
//!
//! Places in the table of readers belong to transactions (`MDB_NOTLS`) and not to threads: with places in thread-local
//! storage, a thread that ends while another closes the environment writes to a map that is gone. Taking a place takes
//! a lock that all processes share; so a transaction that has read is kept, with its place, for whoever reads next.

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{self, NonNull};

use lmdb_master_sys as ffi;

use super::config::Durability;
use super::fork_unsafe;
use super::idle::Idle;
use super::trouble::Trouble;
use super::txn_unsafe::{Snapshot, WriteTxn};

/// An open environment. It has one tree, by numbers of 64 bits in the order of numbers.
pub(super) struct Env {
    raw: NonNull<ffi::MDB_env>,
    tree: ffi::MDB_dbi,
    /// Transactions that are reset: they hold a place in the table of readers, and no pages.
    idle: Idle<ffi::MDB_txn>,
    /// How often the process was forked when it was opened.
    forks: u64,
}

// SAFETY: LMDB's environments may be used by any thread. What is used by one at a time are transactions, which have types
// of their own that stay in their thread; those that are kept belong to nobody.
unsafe impl Send for Env {}
// SAFETY: as above.
unsafe impl Sync for Env {}

/// What LMDB knows of an environment.
pub(super) struct Info {
    /// The last transaction that was committed, by any process.
    pub(super) last_transaction: usize,
    pub(super) page_size: u32,
}

/// What LMDB returned, as a result.
pub(super) fn check(code: libc::c_int) -> Result<(), Trouble> {
    if code == ffi::MDB_SUCCESS {
        Ok(())
    } else {
        Err(trouble(code))
    }
}

/// What LMDB returned where that is an error.
#[cold]
pub(super) fn trouble(code: libc::c_int) -> Trouble {
    if code > 0 {
        return io::Error::from_raw_os_error(code).into();
    }
    // SAFETY: for its own errors, which are below zero, LMDB returns texts that are never freed or changed.
    let text = unsafe { CStr::from_ptr(ffi::mdb_strerror(code)) };
    Trouble::of_lmdb(code, text.to_string_lossy().into_owned())
}

impl Env {
    /// Opens the environment in a folder that this process has claimed.
    pub(super) fn open(
        folder: &Path,
        map_size: usize,
        max_readers: u32,
        durability: Durability,
    ) -> Result<Self, Trouble> {
        let folder = CString::new(folder.as_os_str().as_bytes())
            .map_err(|_| Trouble::Other("the path of its folder has a zero in it".into()))?;
        let flags = match durability {
            Durability::Process => ffi::MDB_NOSYNC | ffi::MDB_NOMETASYNC,
            Durability::Machine => ffi::MDB_NOMETASYNC,
        };
        fork_unsafe::count();
        let mut raw = ptr::null_mut();
        // SAFETY: `raw` is where LMDB puts what it makes.
        check(unsafe { ffi::mdb_env_create(&raw mut raw) })?;
        let raw = NonNull::new(raw).ok_or_else(|| Trouble::Other("LMDB made nothing".into()))?;
        let mut env = Self {
            raw,
            tree: 0,
            idle: Idle::new(),
            forks: fork_unsafe::forks(),
        };
        let raw = env.raw.as_ptr();
        // SAFETY: the environment was just made and is not open yet, which is when these may be set.
        check(unsafe { ffi::mdb_env_set_mapsize(raw, map_size) })?;
        // SAFETY: as above.
        check(unsafe { ffi::mdb_env_set_maxreaders(raw, max_readers) })?;
        // SAFETY: the file is mapped, so nobody may change or cut it but through LMDB. The folder is ours (0700) and all who
        // open it come through here, under its gate lock; this process has it open once, by its claim. The file is
        // inspected before, and its size and identity are watched while it is open, so that a map whose file was cut short
        // is left within a millisecond. Without syncing, what is lost is what the system had not written when the whole
        // machine stopped; such files live where nothing outlives that (`/dev/shm`), or are inspected before they are
        // opened the next time.
        check(unsafe { ffi::mdb_env_open(raw, folder.as_ptr(), flags | ffi::MDB_NOTLS | ffi::MDB_NORDAHEAD, 0o600) })?;
        env.clear_stale_readers()?;
        let tree = env.write()?.open_tree()?;
        env.tree = tree;
        Ok(env)
    }

    pub(super) const fn raw(&self) -> NonNull<ffi::MDB_env> {
        self.raw
    }

    pub(super) const fn tree(&self) -> ffi::MDB_dbi {
        self.tree
    }

    /// Begins to read: what was committed last, whatever is written meanwhile. No lock is taken but by the
    /// first read of a thread.
    pub(super) fn read(&self) -> Result<Snapshot<'_>, Trouble> {
        self.is_ours()?;
        if let Some(kept) = self.idle.take() {
            return Snapshot::renew(self, kept);
        }
        match Snapshot::begin(self) {
            Err(Trouble::Crowded(_)) => {
                // The places of those that died are taken back first.
                self.clear_stale_readers()?;
                Snapshot::begin(self)
            }
            other => other,
        }
    }

    /// Begins to write; waits for whoever writes, in any process.
    pub(super) fn write(&self) -> Result<WriteTxn<'_>, Trouble> {
        self.is_ours()?;
        WriteTxn::begin(self)
    }

    /// Keeps a transaction that is reset, or returns it.
    pub(super) fn keep(&self, idle: NonNull<ffi::MDB_txn>) -> Option<NonNull<ffi::MDB_txn>> {
        self.idle.give_back(idle)
    }

    /// Gives places in the table of readers back that dead processes had.
    pub(super) fn clear_stale_readers(&self) -> Result<(), Trouble> {
        self.is_ours()?;
        // SAFETY: the environment is open; LMDB takes its own lock.
        check(unsafe { ffi::mdb_reader_check(self.raw.as_ptr(), ptr::null_mut()) })
    }

    pub(super) fn info(&self) -> Result<Info, Trouble> {
        let (mut info, mut stat) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: the environment is open, and LMDB writes the whole of what it is given where it succeeds.
        let info: ffi::MDB_envinfo = unsafe {
            check(ffi::mdb_env_info(self.raw.as_ptr(), info.as_mut_ptr()))?;
            info.assume_init()
        };
        // SAFETY: as above.
        let stat: ffi::MDB_stat = unsafe {
            check(ffi::mdb_env_stat(self.raw.as_ptr(), stat.as_mut_ptr()))?;
            stat.assume_init()
        };
        Ok(Info {
            last_transaction: info.me_last_txnid,
            page_size: stat.ms_psize,
        })
    }

    /// A place in the table of readers is of one process: a child would read in its parent's, unseen by who writes.
    fn is_ours(&self) -> Result<(), Trouble> {
        if fork_unsafe::forks() == self.forks {
            Ok(())
        } else {
            Err(Trouble::Damaged("it was opened before this process was forked".into()))
        }
    }
}

impl Drop for Env {
    fn drop(&mut self) {
        if self.is_ours().is_err() {
            // What is kept belongs to the parent, and ending it would take the parent's places. The map goes with this
            // process.
            return;
        }
        for kept in self.idle.empty() {
            // SAFETY: it was taken out, so it is nobody else's, and its environment is still open.
            unsafe { ffi::mdb_txn_abort(kept.as_ptr()) };
        }
        // SAFETY: all transactions have ended, since they borrow this; those that were kept ended above. Nobody uses the
        // pointer again.
        unsafe { ffi::mdb_env_close(self.raw.as_ptr()) };
    }
}
