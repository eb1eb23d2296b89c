//! What can keep the edge from working.

use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;

/// Why the edge cannot start, or not take a new build.
#[derive(Debug)]
pub enum EdgeError {
    /// A setting cannot be used.
    Config(String),
    /// It cannot listen on an address.
    Listen { address: String, source: std::io::Error },
    /// A certificate or its key cannot be used.
    Certificate {
        file: PathBuf,
        what: String,
        hint: &'static str,
    },
    /// A site's pack is refused.
    Pack(hyperweb_pack::PackError),
    /// A site's routes are refused.
    Router(hyperweb_router::RouterError),
    /// There is no site of this name.
    NoSite(String),
    /// Something of the system failed.
    Io {
        doing: &'static str,
        source: std::io::Error,
    },
}

impl fmt::Display for EdgeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(what) => write!(out, "the edge cannot be set up: {what}"),
            Self::Listen { address, source } => {
                let (what, hint) = match source.kind() {
                    ErrorKind::AddrInUse => ("the port is in use".to_owned(), "choose another port with --port"),
                    ErrorKind::PermissionDenied => (
                        "a port below 1024 is for root".to_owned(),
                        "choose another port with --port",
                    ),
                    ErrorKind::AddrNotAvailable => (
                        "it is no address of this machine".to_owned(),
                        "give one that is with --host, such as 127.0.0.1, or 0.0.0.0 for all it has",
                    ),
                    _ => (source.to_string(), "choose another address with --host and --port"),
                };
                write!(out, "cannot listen on {address}: {what}\n  hint: {hint}")
            }
            Self::Certificate { file, what, hint } => write!(out, "{}: {what}\n  hint: {hint}", file.display()),
            Self::Pack(error) => error.fmt(out),
            Self::Router(error) => error.fmt(out),
            Self::NoSite(name) => write!(out, "no site is named {name}"),
            Self::Io { doing, source } => write!(out, "{doing} failed: {source}"),
        }
    }
}

impl std::error::Error for EdgeError {}

impl From<hyperweb_pack::PackError> for EdgeError {
    fn from(error: hyperweb_pack::PackError) -> Self {
        Self::Pack(error)
    }
}

impl From<hyperweb_router::RouterError> for EdgeError {
    fn from(error: hyperweb_router::RouterError) -> Self {
        Self::Router(error)
    }
}
