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
    /// What it means becomes stale and is not hidden: it is kept for its grace, for those who take what is stale.
    Soft {
        /// What is meant.
        purge: Box<Purge>,
        /// When, in milliseconds since 1970.
        at: u64,
    },
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

    /// The same, by which what it means becomes stale at a time.
    #[must_use]
    pub fn softly(self, at: u64) -> Self {
        match self {
            Self::Soft { purge, .. } => Self::Soft { purge, at },
            hard => Self::Soft {
                purge: Box::new(hard),
                at,
            },
        }
    }

    /// Whether this and another mean the same, whenever they were made.
    pub(crate) fn means(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Soft { purge: one, .. }, Self::Soft { purge: other, .. }) => one == other,
            _ => self == other,
        }
    }

    /// Its stored form: a letter for its kind, and the bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (kind, bytes) = match self {
            Self::Key(bytes) => (b'k', &**bytes),
            Self::Tag(bytes) => (b't', &**bytes),
            Self::Prefix(bytes) => (b'p', &**bytes),
            Self::All => (b'a', &[][..]),
            Self::Soft { purge, at } => {
                let mut out = vec![b's'];
                out.extend_from_slice(&at.to_le_bytes());
                out.extend(purge.encode());
                return out;
            }
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
            Some((b's', rest)) => match rest.split_first_chunk() {
                Some((at, meant)) if meant.first() != Some(&b's') => {
                    Self::decode(meant).softly(u64::from_le_bytes(*at))
                }
                _ => Self::All,
            },
            _ => Self::All,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_and_what_cannot_be_is_everything() {
        let hard = [Purge::key(b"k"), Purge::tag("t"), Purge::prefix(b""), Purge::All];
        for purge in hard
            .clone()
            .into_iter()
            .chain(hard.map(|purge| purge.softly(1_234_567_890_123)))
        {
            assert_eq!(Purge::decode(&purge.encode()), purge);
        }
        let nested = [b"s".as_slice(), &[0; 8], b"s", &[0; 8], b"k"].concat();
        for bytes in [b"".as_slice(), b"x", b"s", b"s1234567", &nested] {
            assert_eq!(Purge::decode(bytes), Purge::All, "{bytes:?}");
        }
        assert_eq!(
            Purge::decode(b"s12345678"),
            Purge::All.softly(u64::from_le_bytes(*b"12345678"))
        );
    }
}
