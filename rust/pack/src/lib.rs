//! The packed site: one file that holds every response, ready to be sent.
//!
//! [`PackWriter`] writes a pack aside and puts it in place at once; [`Pack`] maps one and answers from it without
//! copying. The format is described in [`format`](crate::format).

#![deny(unsafe_code)]

mod diff;
mod encoding;
mod entry;
mod error;
mod format;
#[expect(
    unsafe_code,
    reason = "mapping a file is unsafe by nature; the file states why it holds"
)]
mod mmap_unsafe;
mod reader;
mod response;
mod spool;
mod verify;
mod writer;

pub use diff::{Difference, diff};
pub use encoding::Encoding;
pub use entry::{Body, Entry, Variant};
pub use error::PackError;
pub use reader::{Pack, Unverified, read_id};
pub use response::{BodyIn, Response, VariantIn};
pub use writer::{PackWriter, SealedPack, Summary};
