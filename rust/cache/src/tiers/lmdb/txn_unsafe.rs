//! Transactions of LMDB, and what is read and written in them.

use std::marker::PhantomData;
use std::mem;
use std::ops::Deref;
use std::ptr::{self, NonNull};

use lmdb_master_sys as ffi;

use super::env_unsafe::{Env, check, trouble};
use super::trouble::Trouble;

/// What every transaction can do: read. What is read lives as long as the transaction is borrowed, and stays as it is:
/// LMDB does not overwrite pages that a transaction sees. As it has a pointer it stays in its thread, which LMDB asks for.
pub(super) struct Txn<'env> {
    raw: NonNull<ffi::MDB_txn>,
    env: &'env Env,
}

/// The environment as it was when it was begun to be read.
pub(super) struct Snapshot<'env>(Txn<'env>);

/// One that writes. Unless it is committed, nothing was written.
pub(super) struct WriteTxn<'env>(Txn<'env>);

/// Bytes for LMDB to read.
fn val(bytes: &[u8]) -> ffi::MDB_val {
    ffi::MDB_val {
        mv_size: bytes.len(),
        mv_data: bytes.as_ptr().cast_mut().cast(),
    }
}

/// A key for LMDB to read: it compares whole numbers, so they must be where numbers are.
fn number(key: &u64) -> ffi::MDB_val {
    ffi::MDB_val {
        mv_size: size_of::<u64>(),
        mv_data: ptr::from_ref(key).cast_mut().cast(),
    }
}

const NO_VAL: ffi::MDB_val = ffi::MDB_val {
    mv_size: 0,
    mv_data: ptr::null_mut(),
};

/// The bytes LMDB points to.
///
/// # Safety
///
/// LMDB has set `val` in a transaction that does not end and does not write during `'txn`.
unsafe fn bytes<'txn>(val: ffi::MDB_val) -> &'txn [u8] {
    if val.mv_size == 0 {
        return &[];
    }
    // SAFETY: LMDB points to as many bytes in its map, or in a page of its own; both stay as they are by the contract.
    unsafe { std::slice::from_raw_parts(val.mv_data.cast(), val.mv_size) }
}

impl<'env> Txn<'env> {
    fn begin(env: &'env Env, flags: libc::c_uint) -> Result<Self, Trouble> {
        let mut raw = ptr::null_mut();
        // SAFETY: the environment is open for as long as it is borrowed. With `MDB_NOTLS` a thread may have several
        // transactions that read; one that waits for itself to write would wait for ever, which is no matter of memory.
        check(unsafe { ffi::mdb_txn_begin(env.raw().as_ptr(), ptr::null_mut(), flags, &raw mut raw) })?;
        let raw = NonNull::new(raw).ok_or_else(|| Trouble::Other("LMDB made no transaction".into()))?;
        Ok(Self { raw, env })
    }

    /// The number of the last transaction that it sees, or its own where it writes.
    pub(super) fn id(&self) -> usize {
        // SAFETY: the transaction has not ended.
        unsafe { ffi::mdb_txn_id(self.raw.as_ptr()) }
    }

    pub(super) fn get(&self, key: u64) -> Result<Option<&[u8]>, Trouble> {
        let (mut key, mut found) = (number(&key), NO_VAL);
        // SAFETY: the transaction has not ended, and the key has the size that keys of numbers have.
        match unsafe { ffi::mdb_get(self.raw.as_ptr(), self.env.tree(), &raw mut key, &raw mut found) } {
            ffi::MDB_NOTFOUND => Ok(None),
            code => {
                check(code)?;
                // SAFETY: LMDB has just set it. The transaction is borrowed for as long as the bytes are: ending it takes
                // it, and what writes borrows it for itself alone.
                Ok(Some(unsafe { bytes(found) }))
            }
        }
    }

    /// All entries from a key on, in the order of keys.
    pub(super) fn from(&self, key: u64) -> Result<Range<'_>, Trouble> {
        let mut cursor = ptr::null_mut();
        // SAFETY: the transaction has not ended.
        check(unsafe { ffi::mdb_cursor_open(self.raw.as_ptr(), self.env.tree(), &raw mut cursor) })?;
        let cursor = NonNull::new(cursor).ok_or_else(|| Trouble::Other("LMDB made no cursor".into()))?;
        Ok(Range {
            cursor,
            start: Some(key),
            txn: PhantomData,
        })
    }
}

impl<'env> Snapshot<'env> {
    pub(super) fn begin(env: &'env Env) -> Result<Self, Trouble> {
        Txn::begin(env, ffi::MDB_RDONLY).map(Self)
    }

    /// Begins anew with a transaction that was kept.
    pub(super) fn renew(env: &'env Env, kept: NonNull<ffi::MDB_txn>) -> Result<Self, Trouble> {
        // SAFETY: what is kept is of this environment and is reset, and whoever took it has it alone.
        match unsafe { ffi::mdb_txn_renew(kept.as_ptr()) } {
            ffi::MDB_SUCCESS => Ok(Self(Txn { raw: kept, env })),
            // Its place was given to another, whom ending it would cost the place. A few hundred bytes are lost.
            ffi::MDB_BAD_RSLOT => Err(trouble(ffi::MDB_BAD_RSLOT)),
            code => {
                // SAFETY: a transaction that could not be renewed is as it was.
                unsafe { ffi::mdb_txn_abort(kept.as_ptr()) };
                Err(trouble(code))
            }
        }
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        let raw = self.0.raw;
        // SAFETY: it has not ended, and nothing borrows from it.
        unsafe { ffi::mdb_txn_reset(raw.as_ptr()) };
        if let Some(raw) = self.0.env.keep(raw) {
            // SAFETY: it was not kept, so it is this one's alone.
            unsafe { ffi::mdb_txn_abort(raw.as_ptr()) };
        }
    }
}

impl<'env> Deref for Snapshot<'env> {
    type Target = Txn<'env>;

    fn deref(&self) -> &Txn<'env> {
        &self.0
    }
}

impl<'env> WriteTxn<'env> {
    pub(super) fn begin(env: &'env Env) -> Result<Self, Trouble> {
        Txn::begin(env, 0).map(Self)
    }

    /// Opens the tree that has no name, as one by numbers, and commits.
    pub(super) fn open_tree(self) -> Result<ffi::MDB_dbi, Trouble> {
        let mut tree = 0;
        let flags = ffi::MDB_INTEGERKEY | ffi::MDB_CREATE;
        // SAFETY: the transaction has not ended. No other opens a tree: this is the only one, and the environment is not
        // given to anyone before it is open.
        check(unsafe { ffi::mdb_dbi_open(self.0.raw.as_ptr(), ptr::null(), flags, &raw mut tree) })?;
        self.commit()?;
        Ok(tree)
    }

    pub(super) fn put(&mut self, key: u64, data: &[u8]) -> Result<(), Trouble> {
        let (mut key, mut data) = (number(&key), val(data));
        // SAFETY: the transaction has not ended, and nothing read in it is borrowed. LMDB copies both.
        check(unsafe { ffi::mdb_put(self.0.raw.as_ptr(), self.0.env.tree(), &raw mut key, &raw mut data, 0) })
    }

    /// Returns whether there was something.
    pub(super) fn delete(&mut self, key: u64) -> Result<bool, Trouble> {
        let mut key = number(&key);
        // SAFETY: as above; no data is named, as the tree has one value for each key.
        match unsafe { ffi::mdb_del(self.0.raw.as_ptr(), self.0.env.tree(), &raw mut key, ptr::null_mut()) } {
            ffi::MDB_NOTFOUND => Ok(false),
            code => check(code).map(|()| true),
        }
    }

    pub(super) fn commit(self) -> Result<(), Trouble> {
        let raw = self.0.raw;
        mem::forget(self);
        // SAFETY: it has not ended; LMDB frees it whether it succeeds or not, and nobody has it any more.
        check(unsafe { ffi::mdb_txn_commit(raw.as_ptr()) })
    }
}

impl Drop for WriteTxn<'_> {
    fn drop(&mut self) {
        // SAFETY: it has not ended: committing forgets it.
        unsafe { ffi::mdb_txn_abort(self.0.raw.as_ptr()) };
    }
}

impl<'env> Deref for WriteTxn<'env> {
    type Target = Txn<'env>;

    fn deref(&self) -> &Txn<'env> {
        &self.0
    }
}

/// Entries in the order of their keys.
pub(super) struct Range<'txn> {
    cursor: NonNull<ffi::MDB_cursor>,
    start: Option<u64>,
    txn: PhantomData<&'txn Txn<'txn>>,
}

impl<'txn> Iterator for Range<'txn> {
    type Item = Result<(u64, &'txn [u8]), Trouble>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.start.take();
        let (mut key, operation) = match &start {
            Some(start) => (number(start), ffi::MDB_SET_RANGE),
            None => (NO_VAL, ffi::MDB_NEXT),
        };
        let mut data = NO_VAL;
        // SAFETY: the cursor is open, and its transaction has not ended since it is borrowed.
        match unsafe { ffi::mdb_cursor_get(self.cursor.as_ptr(), &raw mut key, &raw mut data, operation) } {
            ffi::MDB_NOTFOUND => None,
            code => Some(check(code).and_then(|()| {
                // SAFETY: LMDB has just set both, and the transaction is borrowed for as long as the bytes are.
                let (key, data) = unsafe { (bytes::<'txn>(key), bytes::<'txn>(data)) };
                let key = key
                    .try_into()
                    .map_err(|_| Trouble::Damaged(format!("a key has {} bytes", key.len())))?;
                Ok((u64::from_ne_bytes(key), data))
            })),
        }
    }
}

impl Drop for Range<'_> {
    fn drop(&mut self) {
        // SAFETY: it is open, and its transaction has not ended.
        unsafe { ffi::mdb_cursor_close(self.cursor.as_ptr()) };
    }
}
