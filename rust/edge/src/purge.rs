//! What is to be forgotten.

use http::HeaderMap;
use serde::{Deserialize, Serialize};

use crate::policy;

/// A purge of cached responses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Purge {
    /// Responses that have one of these tags.
    pub tags: Vec<String>,
    /// Responses at these paths, whatever their hosts and queries.
    pub paths: Vec<String>,
    /// Responses at these very addresses, `//HOST/PATH?QUERY` with a scheme or without, in all variants.
    pub urls: Vec<String>,
    /// Responses whose path begins so.
    pub prefix: Option<String>,
    /// Everything.
    pub all: bool,
    /// With `all`: everything of this site alone.
    pub site: Option<String>,
    /// Not forgotten, but stale from now on: used while a new one is made, where they allow that, and when nobody can be
    /// asked.
    pub soft: bool,
}

impl Purge {
    /// Whether it names nothing.
    pub(crate) fn is_empty(&self) -> bool {
        let lists = [&self.tags, &self.paths, &self.urls];
        !self.all && self.prefix.is_none() && lists.iter().all(|list| list.is_empty())
    }

    /// What a request with the method PURGE names: the tags in its `Cache-Tag` or `Surrogate-Key`; or else its own
    /// address; or, where that ends with a star, all paths that begin so.
    pub(crate) fn of(host: &str, target: &str, headers: &HeaderMap) -> Self {
        let soft = headers
            .get("soft-purge")
            .is_some_and(|value| matches!(value.as_bytes(), b"1" | b"true"));
        let tags: Vec<String> = policy::tags(headers).into_iter().map(Into::into).collect();
        let mut purge = Self {
            soft,
            ..Self::default()
        };
        if !tags.is_empty() {
            purge.tags = tags;
        } else if let Some(prefix) = target.strip_suffix('*') {
            purge.prefix = Some(prefix.to_owned());
        } else {
            purge.urls = vec![format!("//{host}{target}")];
        }
        purge
    }
}

/// The host of an address, and its path and query.
pub(crate) fn parts_of(url: &str) -> Option<(&str, &str)> {
    let rest = url.split_once("//").map(|(_, rest)| rest)?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, target) = rest.split_at(end);
    let target = if target.is_empty() { "/" } else { target };
    (!host.is_empty() && target.starts_with('/')).then_some((host, target))
}

/// Whether two secrets are the same, in a time that does not tell where they differ.
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    // Hashes of what an attacker cannot choose have nothing to do with how much of it is right.
    blake3::hash(one) == blake3::hash(other)
}

/// Whether a request brings the token (RFC 6750, section 2.1).
pub(crate) fn is_allowed(headers: &HeaderMap, token: &str) -> bool {
    let field = headers
        .get(http::header::AUTHORIZATION)
        .map(http::HeaderValue::as_bytes);
    let given = field.and_then(|value| {
        let (scheme, rest) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then(|| rest.trim_ascii())
    });
    given.is_some_and(|given| is_same(given, token.as_bytes()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = fields
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        pairs.collect()
    }

    #[test]
    fn a_request_names_tags_or_a_prefix_or_itself() {
        let of = |target: &str, fields: &[(&'static str, &str)]| Purge::of("h", target, &headers(fields));
        assert_eq!(of("/a?b", &[]).urls, ["//h/a?b"]);
        assert_eq!(of("/a*", &[]).prefix.as_deref(), Some("/a"));
        assert_eq!(of("/a", &[("cache-tag", "x, y")]).tags, ["x", "y"]);
        assert_eq!(of("/a", &[("surrogate-key", "x y")]).tags, ["x", "y"]);
        assert!(of("/a", &[("soft-purge", "1")]).soft);
        assert!(!of("/a", &[]).is_empty() && Purge::default().is_empty());
    }

    #[test]
    fn addresses_are_taken_apart() {
        assert_eq!(parts_of("https://h:1/a?b"), Some(("h:1", "/a?b")));
        assert_eq!(parts_of("//h"), Some(("h", "/")));
        for bad in ["/a", "h/a", "https://", "///a", "//h?a"] {
            assert_eq!(parts_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_the_token_is_the_token() {
        let allowed = |value: &str| is_allowed(&headers(&[("authorization", value)]), "secret");
        assert!(allowed("Bearer secret") && allowed("bearer  secret"));
        for bad in [
            "secret",
            "Bearer",
            "Bearer ",
            "Bearer secre",
            "Bearer secrets",
            "Basic secret",
        ] {
            assert!(!allowed(bad), "{bad}");
        }
        assert!(!is_allowed(&HeaderMap::new(), ""));
    }
}
