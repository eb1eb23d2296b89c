//! What can go wrong with a pack.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a pack cannot be read or written.
#[derive(Debug)]
pub enum PackError {
    /// The file cannot be opened, read or written.
    Io {
        path: PathBuf,
        doing: &'static str,
        source: io::Error,
    },
    /// The file is no pack, is damaged, or is of another version.
    Refused {
        path: PathBuf,
        section: &'static str,
        reason: String,
    },
    /// A response cannot be put into a pack.
    Response { path: String, reason: String },
}

impl PackError {
    pub(crate) fn io(path: &Path, doing: &'static str, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            doing,
            source,
        }
    }

    pub(crate) fn refused(path: &Path, section: &'static str, reason: impl Into<String>) -> Self {
        Self::Refused {
            path: path.to_owned(),
            section,
            reason: reason.into(),
        }
    }

    pub(crate) fn response(path: &str, reason: impl Into<String>) -> Self {
        Self::Response {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for PackError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, doing, source } => write!(out, "{}: {doing} failed: {source}", path.display()),
            Self::Refused { path, section, reason } => write!(
                out,
                "{}: this pack is refused: section {section}: {reason}; build the site again",
                path.display()
            ),
            Self::Response { path, reason } => write!(out, "the response for {path} cannot be packed: {reason}"),
        }
    }
}

impl std::error::Error for PackError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
