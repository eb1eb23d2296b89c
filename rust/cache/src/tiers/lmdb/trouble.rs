//! What LMDB says when something is wrong, by what is to be done about it.

use std::io;

use heed::MdbError;

use super::super::fault::FaultKind;

#[derive(Debug)]
pub(super) enum Trouble {
    /// There is no room: something must go first.
    Full(String),
    /// The file cannot be trusted or its map is not of it any more: it is opened anew, after a look.
    Damaged(String),
    /// It may pass.
    Other(String),
}

impl Trouble {
    pub(super) fn kind(&self) -> FaultKind {
        match self {
            Self::Full(_) => FaultKind::Full,
            Self::Damaged(_) => FaultKind::Damaged,
            Self::Other(_) => FaultKind::Other,
        }
    }

    pub(super) fn detail(&self) -> &str {
        match self {
            Self::Full(detail) | Self::Damaged(detail) | Self::Other(detail) => detail,
        }
    }
}

impl From<heed::Error> for Trouble {
    fn from(error: heed::Error) -> Self {
        let detail = error.to_string();
        match error {
            heed::Error::Mdb(MdbError::MapFull | MdbError::TxnFull) => Self::Full(detail),
            heed::Error::Mdb(
                MdbError::ReadersFull
                | MdbError::TlsFull
                | MdbError::BadRslot
                | MdbError::BadTxn
                | MdbError::BadValSize,
            ) => Self::Other(detail),
            heed::Error::Mdb(_) | heed::Error::Decoding(_) => Self::Damaged(detail),
            heed::Error::Io(error) => error.into(),
            heed::Error::Encoding(_) | heed::Error::EnvAlreadyOpened => Self::Other(detail),
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
