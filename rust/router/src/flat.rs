//! The compiled form: little-endian words, offsets from the start, no pointers.
//!
//! ```text
//! "HWRT" version nodes literals params strings      six words
//! nodes     7 words each: route, rest route, rest name (offset, length), literals (first), params (first), counts
//! literals  3 words each: text (offset, length), node        sorted by text within one node
//! params    4 words each: kind, name (offset, length), node  sorted by kind within one node
//! strings
//! ```
//!
//! A child's number is greater than its parent's, so that no damaged table can send a reader round in a circle.

pub(crate) const MAGIC: u32 = u32::from_le_bytes(*b"HWRT");
pub(crate) const VERSION: u32 = 1;
pub(crate) const HEADER_WORDS: usize = 6;
pub(crate) const NODE_WORDS: usize = 7;
pub(crate) const LITERAL_WORDS: usize = 3;
pub(crate) const PARAM_WORDS: usize = 4;
/// No route.
pub(crate) const NONE: u32 = u32::MAX;
/// A node has at most this many children of one sort: both counts share a word.
pub(crate) const MAX_CHILDREN: usize = 0xffff;
