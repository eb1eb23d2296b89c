//! How a tier in LMDB is set up.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::super::fault::FaultSink;
use super::super::record::Slot;

/// What a write must outlive before it counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The process: nothing is synced. For memory, or a disk whose file may be made anew after a power failure.
    Process,
    /// The machine: data is synced with each batch. The last batch may be lost, the file stays whole.
    Machine,
}

/// How a tier in LMDB is set up.
#[derive(Clone)]
pub struct LmdbConfig {
    /// Its name, for figures and faults.
    pub name: String,
    /// Its folder; made if missing, readable by this user only.
    pub folder: PathBuf,
    /// Its place in stamps.
    pub slot: Slot,
    /// The most bytes its file may have; rounded up to whole pages, at least 1 MiB.
    pub limit_bytes: u64,
    /// A record over one part of this many of the limit is not kept.
    pub largest_part: u64,
    /// The longest a record is kept.
    pub ttl: Option<Duration>,
    /// What a write must outlive.
    pub durability: Durability,
    /// Places for readers of all processes. Each keeps one for as many threads as have read at once, 32 at most.
    pub max_readers: u32,
    /// Purges of different things that are remembered; an older fill than these is not taken in.
    pub purge_log: u64,
    /// How often at most all records are looked through for what expired or was purged.
    pub sweep_every: Duration,
    /// How long a checksum that was right is believed by this process; zero sums up every record at every read.
    pub check_every: Duration,
    /// Pages of the file that are inspected before it is opened, where no other process has it open.
    pub inspect_pages: u64,
    /// Whether a damaged file is kept beside as `damaged.mdb` (one of them) for a person to look at.
    pub keep_damaged: bool,
    /// How often at most a fault of one kind is told.
    pub fault_period: Duration,
    /// Where faults are told.
    pub fault_sink: FaultSink,
}

impl LmdbConfig {
    /// Memory that processes share: a folder under `/dev/shm`.
    pub fn shared(folder: impl Into<PathBuf>, limit_bytes: u64) -> Self {
        Self {
            name: "shared".into(),
            folder: folder.into(),
            slot: Slot::Shared,
            limit_bytes,
            largest_part: 8,
            ttl: None,
            durability: Durability::Process,
            max_readers: 1022,
            purge_log: 65_536,
            sweep_every: Duration::from_secs(5),
            check_every: Duration::from_secs(1),
            inspect_pages: 1 << 18,
            keep_damaged: false,
            fault_period: Duration::from_secs(10),
            fault_sink: Arc::new(|_| ()),
        }
    }

    /// A folder on a disk.
    pub fn disk(folder: impl Into<PathBuf>, limit_bytes: u64) -> Self {
        Self {
            name: "disk".into(),
            slot: Slot::Disk,
            durability: Durability::Machine,
            keep_damaged: true,
            ..Self::shared(folder, limit_bytes)
        }
    }

    /// Its map: whole pages of any size a kernel has.
    pub(super) fn map_size(&self) -> usize {
        const UNIT: u64 = 64 << 10;
        let bytes = self.limit_bytes.max(1 << 20).div_ceil(UNIT).saturating_mul(UNIT);
        usize::try_from(bytes).unwrap_or(usize::MAX & !0xffff)
    }

    /// Bytes that records may count for: the rest of the map is for pages that readers still see while they are
    /// replaced, and for what is lost between records of many sizes.
    pub(super) fn soft_limit(&self) -> u64 {
        self.map_size() as u64 / 4 * 3
    }
}
