//! Filling the cache before it is asked: from what was hot before, from a log, and from what mostly comes next.

mod accesslog;
mod aside;
mod error;
mod pacer;
mod sealed;
mod snapshot;
mod warmup;

pub(crate) use aside::{read_bounded, write_aside};
pub(crate) use sealed::{key, number, seal, unseal, word};

pub use accesslog::{LogLimits, LogSummary, LoggedPage, read_log};
pub use error::SnapshotError;
pub use pacer::{Pace, Pacer, WarmupConfig};
pub use snapshot::{HotKey, Snapshot, SnapshotLimits};
pub use warmup::{WarmReport, warm, warm_async};
