//! Why what was saved cannot be used.

use std::fmt;
use std::io;

/// Why a snapshot of hot keys, or a model, was not read or not written.
#[derive(Debug)]
pub enum SnapshotError {
    /// The file cannot be read or written.
    Io(io::Error),
    /// It is none, or not of this version.
    Format(&'static str),
    /// Its bytes are not those that were written.
    Checksum,
    /// It is larger than is allowed.
    TooLarge,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(formatter, "what was saved cannot be used: {error}"),
            Self::Format(what) => write!(formatter, "what was saved is damaged or of another version: {what}"),
            Self::Checksum => formatter.write_str("what was saved is damaged: its checksum is another"),
            Self::TooLarge => formatter.write_str("what was saved is larger than is allowed"),
        }
    }
}

impl std::error::Error for SnapshotError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for SnapshotError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
