//! Makes what is served out of what is written: Markdown, CSS, TypeScript, HTML; compresses it and writes it out.

#![forbid(unsafe_code)]

pub mod bundle;
pub mod check;
pub mod compress;
pub mod css;
mod error;
pub mod frontmatter;
pub mod highlight;
pub mod html;
pub mod js;
pub mod licenses;
pub mod markdown;
pub mod mime;
mod nesting;
pub mod output;
pub mod scan;
pub mod svg;
pub mod text;

pub use error::SourceError;
