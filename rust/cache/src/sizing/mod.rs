//! How much memory the cache may take: found from the machine, followed while it runs, and smaller under pressure.

mod governor;
mod reader;
mod watch;

pub use governor::{Decision, Governor, SizingConfig};
pub use reader::{Readings, SystemReader};
pub use watch::SizeWatch;
