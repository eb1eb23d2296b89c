//! What can be wrong with a pattern or a compiled table.

use std::fmt;

/// Why a pattern is refused, or a compiled table cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouterError {
    /// The pattern is not well formed: the pattern, and what is wrong with it.
    Pattern { pattern: String, reason: &'static str },
    /// Two patterns match the same paths: the later one, and the route that has them already with its pattern.
    Duplicate {
        pattern: String,
        other: u32,
        other_pattern: String,
    },
    /// The compiled form is damaged, or of another version.
    Damaged(&'static str),
}

impl fmt::Display for RouterError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern { pattern, reason } => write!(out, "the path pattern `{pattern}` {reason}"),
            Self::Duplicate {
                pattern, other_pattern, ..
            } => write!(
                out,
                "the path pattern `{pattern}` matches the same paths as `{other_pattern}`"
            ),
            Self::Damaged(what) => write!(out, "the compiled routes are damaged: {what}; build the site again"),
        }
    }
}

impl std::error::Error for RouterError {}
