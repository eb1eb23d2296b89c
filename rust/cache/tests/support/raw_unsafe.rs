//! LMDB without anything of ours around it. Readers have their places by thread, as is usual; one begins a transaction
//! for every read, or keeps one and renews it.

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use lmdb_master_sys as ffi;

/// What LMDB says is wrong.
pub(crate) type Result<T> = std::result::Result<T, String>;

fn check(code: libc::c_int) -> Result<()> {
    if code == ffi::MDB_SUCCESS {
        return Ok(());
    }
    // SAFETY: LMDB returns a text that lives for long enough to be copied.
    Err(unsafe { CStr::from_ptr(ffi::mdb_strerror(code)) }
        .to_string_lossy()
        .into_owned())
}

fn val(bytes: &[u8]) -> ffi::MDB_val {
    ffi::MDB_val {
        mv_size: bytes.len(),
        mv_data: bytes.as_ptr().cast_mut().cast(),
    }
}

fn number(key: &u64) -> ffi::MDB_val {
    ffi::MDB_val {
        mv_size: size_of::<u64>(),
        mv_data: ptr::from_ref(key).cast_mut().cast(),
    }
}

/// An environment; open until the process ends.
pub(crate) struct Raw {
    env: *mut ffi::MDB_env,
    tree: ffi::MDB_dbi,
}

impl Raw {
    /// Opens one with the flags of a tier in shared memory.
    pub(crate) fn open(folder: &Path, map_size: usize) -> Result<Self> {
        let folder = CString::new(folder.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
        let flags = ffi::MDB_NOSYNC | ffi::MDB_NOMETASYNC | ffi::MDB_NORDAHEAD;
        let (mut env, mut tree) = (ptr::null_mut(), 0);
        // SAFETY: each call is of what the one before made. The folder is one of a test, which changes the file through
        // LMDB only and has it open once; nothing in it has to outlive the machine.
        unsafe {
            check(ffi::mdb_env_create(&raw mut env))?;
            check(ffi::mdb_env_set_mapsize(env, map_size))?;
            check(ffi::mdb_env_set_maxreaders(env, 1022))?;
            check(ffi::mdb_env_open(env, folder.as_ptr(), flags, 0o600))?;
            let mut txn = ptr::null_mut();
            check(ffi::mdb_txn_begin(env, ptr::null_mut(), 0, &raw mut txn))?;
            check(ffi::mdb_dbi_open(txn, ptr::null(), ffi::MDB_INTEGERKEY, &raw mut tree))?;
            check(ffi::mdb_txn_commit(txn))?;
        }
        Ok(Self { env, tree })
    }

    fn begin(&self, flags: libc::c_uint) -> Result<*mut ffi::MDB_txn> {
        let mut txn = ptr::null_mut();
        // SAFETY: the environment is open. The thread has no other transaction.
        check(unsafe { ffi::mdb_txn_begin(self.env, ptr::null_mut(), flags, &raw mut txn) })?;
        Ok(txn)
    }

    /// Begins to write, and never ends.
    pub(crate) fn write_for_ever(&self) -> Result<()> {
        self.begin(0).map(drop)
    }

    pub(crate) fn put(&self, entries: impl Iterator<Item = (u64, impl AsRef<[u8]>)>) -> Result<()> {
        let txn = self.begin(0)?;
        // SAFETY: the transaction has not ended. An error ends the test, and all with it.
        unsafe {
            for (key, value) in entries {
                let (mut key, mut data) = (number(&key), val(value.as_ref()));
                check(ffi::mdb_put(txn, self.tree, &raw mut key, &raw mut data, 0))?;
            }
            check(ffi::mdb_txn_commit(txn))
        }
    }

    /// Looks at a value, in a transaction that begins and ends here.
    pub(crate) fn get<T>(&self, key: u64, look: impl FnOnce(&[u8]) -> T) -> Result<Option<T>> {
        let txn = self.begin(ffi::MDB_RDONLY)?;
        // SAFETY: the value is looked at before the transaction ends.
        unsafe {
            let seen = look_at(txn, self.tree, key, look);
            ffi::mdb_txn_abort(txn);
            seen
        }
    }

    /// What this thread reads with.
    pub(crate) fn reader(&self) -> Result<Reader> {
        let txn = self.begin(ffi::MDB_RDONLY)?;
        // SAFETY: the transaction has not ended.
        unsafe { ffi::mdb_txn_reset(txn) };
        Ok(Reader { txn, tree: self.tree })
    }
}

pub(crate) struct Reader {
    txn: *mut ffi::MDB_txn,
    tree: ffi::MDB_dbi,
}

impl Reader {
    /// Looks at a value, as it is now.
    pub(crate) fn get<T>(&mut self, key: u64, look: impl FnOnce(&[u8]) -> T) -> Result<Option<T>> {
        // SAFETY: the transaction is reset, and is again afterwards; the value is looked at in between.
        unsafe {
            check(ffi::mdb_txn_renew(self.txn))?;
            let seen = look_at(self.txn, self.tree, key, look);
            ffi::mdb_txn_reset(self.txn);
            seen
        }
    }
}

/// # Safety
///
/// The transaction must see a snapshot now.
unsafe fn look_at<T>(
    txn: *mut ffi::MDB_txn,
    tree: ffi::MDB_dbi,
    key: u64,
    look: impl FnOnce(&[u8]) -> T,
) -> Result<Option<T>> {
    let (mut key, mut data) = (number(&key), val(&[]));
    // SAFETY: by the contract; what LMDB points to stays as it is for as long as the snapshot is seen.
    match unsafe { ffi::mdb_get(txn, tree, &raw mut key, &raw mut data) } {
        ffi::MDB_NOTFOUND => Ok(None),
        code => check(code).map(|()| {
            // SAFETY: as above.
            Some(look(unsafe {
                std::slice::from_raw_parts(data.mv_data.cast(), data.mv_size)
            }))
        }),
    }
}

/// Runs something in a child that is a copy of this process, and returns whether it held there.
pub(crate) fn holds_in_a_fork(check: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child has no other threads; it ends without giving anything back, so what the parent has stays.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).unwrap_or(false);
            libc::_exit(i32::from(!held));
        }
        let mut status = -1;
        libc::waitpid(child, &raw mut status, 0) == child && status == 0
    }
}
