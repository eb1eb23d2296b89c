//! What LMDB says when something is wrong, by what is to be done about it.

use std::io;

use lmdb_master_sys as ffi;

use super::super::fault::FaultKind;

#[derive(Debug)]
pub(super) enum Trouble {
    /// There is no room: something must go first.
    Full(String),
    /// The file cannot be trusted or its map is not of it any more: it is opened anew, after a look.
    Damaged(String),
    /// All places in the table of readers are taken.
    Crowded(String),
    /// This process has the folder open already.
    Taken(String),
    /// It may pass.
    Other(String),
}

impl Trouble {
    pub(super) fn kind(&self) -> FaultKind {
        match self {
            Self::Full(_) => FaultKind::Full,
            Self::Damaged(_) => FaultKind::Damaged,
            Self::Crowded(_) | Self::Taken(_) | Self::Other(_) => FaultKind::Other,
        }
    }

    pub(super) fn detail(&self) -> &str {
        match self {
            Self::Full(detail)
            | Self::Damaged(detail)
            | Self::Crowded(detail)
            | Self::Taken(detail)
            | Self::Other(detail) => detail,
        }
    }

    /// What one of LMDB's own errors means.
    pub(super) fn of_lmdb(code: libc::c_int, detail: String) -> Self {
        match code {
            ffi::MDB_MAP_FULL | ffi::MDB_TXN_FULL => Self::Full(detail),
            ffi::MDB_READERS_FULL => Self::Crowded(detail),
            ffi::MDB_BAD_TXN | ffi::MDB_BAD_VALSIZE => Self::Other(detail),
            _ => Self::Damaged(detail),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        let detail = error.to_string();
        // LMDB says EIO where the system wrote only a part, which is how a disk begins to be full.
        match error.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG | libc::EIO) => Self::Full(detail),
            _ => Self::Other(detail),
        }
    }
}
