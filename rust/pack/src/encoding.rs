//! Content codings (RFC 9110, section 8.4.1).

/// A content coding a body can be kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    Identity,
    Br,
    Gzip,
    Zstd,
}

impl Encoding {
    /// All codings, in the order their variants stand in an entry.
    pub const ALL: [Self; 4] = [Self::Identity, Self::Br, Self::Gzip, Self::Zstd];

    /// The name in `Content-Encoding` and `Accept-Encoding`.
    pub const fn token(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Br => "br",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// What sets the entity tags of the variants of one body apart.
    pub(crate) const fn mark(self) -> &'static str {
        match self {
            Self::Identity => "",
            Self::Br => "-b",
            Self::Gzip => "-g",
            Self::Zstd => "-z",
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}
