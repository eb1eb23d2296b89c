//! The order of eviction.

mod ghosts;
mod list;
mod order;
mod shadow;
mod sketch;

pub(crate) use list::{Record, Records};
pub(crate) use order::{Order, Rule};
pub(crate) use shadow::{Shadows, TRIED};

/// Which entries go first when there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Policy {
    /// Three queues, first in first out, for what is new, what was used again and what has just gone (Yang et al.,
    /// "FIFO queues are all you need for cache eviction", SOSP 2023). The cheapest: a hit notes nothing.
    S3Fifo,
    /// A window for what is new, and behind it only what is asked for more often than what would have to go (Einziger,
    /// Friedman and Manes, "`TinyLFU`", ACM Transactions on Storage 2017). Like the first it notes nothing at a hit but
    /// that there was one.
    TinyLfu,
    /// What was used the longest time ago.
    Lru,
    /// What is used least often; frequencies fade.
    Lfu,
    /// Whichever of these has the most hits on a sample of the keys that are asked for. It may change at any time.
    #[default]
    Auto,
}

impl Policy {
    /// The policy of a name: `s3-fifo`, `w-tinylfu`, `lru`, `lfu` or `auto`.
    pub fn named(name: &str) -> Option<Self> {
        [Self::S3Fifo, Self::TinyLfu, Self::Lru, Self::Lfu, Self::Auto]
            .into_iter()
            .find(|policy| policy.name() == name)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::S3Fifo => "s3-fifo",
            Self::TinyLfu => "w-tinylfu",
            Self::Lru => "lru",
            Self::Lfu => "lfu",
            Self::Auto => "auto",
        }
    }
}
