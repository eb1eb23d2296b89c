//! HTML: read as tokens, minified, its references led elsewhere, its parts taken out.

mod attributes;
mod elements;
mod entities;
mod minify;
mod names;
mod omit;
mod parts;
mod rewrite;
mod tokens;

pub(crate) use elements::is_void;
pub use minify::minify;
pub use names::{Names, words};
pub use parts::{PageParts, parts};
pub use rewrite::rewrite_urls;
pub use tokens::{Attribute, Tag, Token, Tokens};
