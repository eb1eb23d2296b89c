//! What of a request's head decides what is sent.

/// A request as the answer sees it; both paths of a connection fill it in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Head<'a> {
    /// Whether only the head of the response is wanted.
    pub is_head: bool,
    pub accept_encoding: Option<&'a str>,
    pub if_none_match: Option<&'a str>,
    pub if_modified_since: Option<&'a str>,
    pub range: Option<&'a str>,
    pub if_range: Option<&'a str>,
}
