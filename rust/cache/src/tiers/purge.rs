//! What is purged, and its form in a log or a message.

/// What is to be hidden.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Purge {
    /// One key.
    Key(Box<[u8]>),
    /// All that have a tag.
    Tag(Box<[u8]>),
    /// All keys that begin so.
    Prefix(Box<[u8]>),
    /// Everything.
    All,
}

impl Purge {
    /// A purge of a tag.
    pub fn tag(name: &str) -> Self {
        Self::Tag(name.as_bytes().into())
    }

    /// A purge of a key.
    pub fn key(key: &[u8]) -> Self {
        Self::Key(key.into())
    }

    /// A purge of all keys with a prefix.
    pub fn prefix(prefix: &[u8]) -> Self {
        Self::Prefix(prefix.into())
    }

    /// Its stored form: a letter for its kind, and the bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (kind, bytes) = match self {
            Self::Key(bytes) => (b'k', &**bytes),
            Self::Tag(bytes) => (b't', &**bytes),
            Self::Prefix(bytes) => (b'p', &**bytes),
            Self::All => (b'a', &[][..]),
        };
        let mut out = Vec::with_capacity(1 + bytes.len());
        out.push(kind);
        out.extend_from_slice(bytes);
        out
    }

    /// Reads a stored form. What cannot be read is taken for a purge of everything, which is never wrong to obey.
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        match bytes.split_first() {
            Some((b'k', rest)) => Self::Key(rest.into()),
            Some((b't', rest)) => Self::Tag(rest.into()),
            Some((b'p', rest)) => Self::Prefix(rest.into()),
            _ => Self::All,
        }
    }
}
