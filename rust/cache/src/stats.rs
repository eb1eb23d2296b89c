//! What a cache has done.

/// Figures of a cache since it was made, and what it holds now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Reads that found an entry, stale ones among them.
    pub hits: u64,
    /// Reads that found an entry in its grace.
    pub stale_hits: u64,
    pub misses: u64,
    pub inserts: u64,
    /// Entries that went because there was no room.
    pub evictions: u64,
    /// Entries that went because their time was over.
    pub expired: u64,
    /// Entries that went because they were purged; what a purge hides is counted when its bytes are given back.
    pub purged: u64,
    /// Values that were too large to be kept.
    pub refused: u64,
    /// Values that were purged before they could be kept.
    pub outrun: u64,
    /// Bytes held now, keys and overhead included.
    pub bytes: u64,
    /// Bytes of memory taken for entries, those among them that wait for readers to leave and those that lie idle.
    pub memory: u64,
    /// The most bytes it may hold.
    pub limit: u64,
    /// Entries held now, those among them that a purge hides and that were not reclaimed yet.
    pub entries: u64,
}
