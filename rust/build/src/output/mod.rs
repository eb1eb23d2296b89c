//! Writes a built site: the pack, and plain files beside it that any host can serve.

mod finish;
mod public;
mod redate;
mod writer;

pub use finish::Finish;
pub use public::public_path;
pub use writer::{Output, SiteWriter, Written};
