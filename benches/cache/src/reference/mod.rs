//! Policies written plainly from their papers, to hold the fast ones to.

mod s3_fifo;
mod w_tinylfu;

pub use s3_fifo::S3Fifo;
pub use w_tinylfu::WTinyLfu;
