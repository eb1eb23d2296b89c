//! What is to be forgotten.

use serde::{Deserialize, Serialize};

/// A purge of cached responses.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Purge {
    /// Responses that have one of these tags.
    pub tags: Vec<String>,
    /// Responses at these paths, whatever their queries.
    pub paths: Vec<String>,
    /// Responses whose path begins so.
    pub prefix: Option<String>,
    /// Everything.
    pub all: bool,
    /// With `all`: everything of this site alone.
    pub site: Option<String>,
}
