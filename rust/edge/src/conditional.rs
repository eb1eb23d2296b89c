//! Conditions of a request (RFC 9110, section 13).

use std::time::{Duration, UNIX_EPOCH};

/// Whether `If-None-Match` or `If-Modified-Since` says that the client has this representation already.
pub(crate) fn not_modified(
    if_none_match: Option<&str>,
    if_modified_since: Option<&str>,
    etag: &str,
    modified: u64,
) -> bool {
    if let Some(field) = if_none_match {
        // The other condition is not looked at (section 13.1.3).
        return etags(field).any(|candidate| candidate == "*" || weak(candidate) == weak(etag));
    }
    let since = if_modified_since.and_then(|field| httpdate::parse_http_date(field).ok());
    modified > 0 && since.is_some_and(|since| UNIX_EPOCH + Duration::from_secs(modified) <= since)
}

/// Whether `If-Range` lets a range be sent: it names this representation, strongly (section 13.1.5).
pub(crate) fn range_applies(if_range: Option<&str>, etag: &str, modified: u64) -> bool {
    let Some(field) = if_range.map(str::trim) else {
        return true;
    };
    if field.starts_with('"') {
        return field == etag;
    }
    let date = httpdate::parse_http_date(field).ok();
    modified > 0 && date.is_some_and(|date| UNIX_EPOCH + Duration::from_secs(modified) == date)
}

fn weak(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag)
}

/// The entity tags of a list. A comma may stand inside one.
fn etags(field: &str) -> impl Iterator<Item = &str> {
    let mut rest = field;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return None;
        }
        let quote = rest
            .find('"')
            .filter(|at| !rest.get(..*at).is_some_and(|before| before.contains(',')));
        let end = quote.map_or_else(
            || rest.find(',').unwrap_or(rest.len()),
            |open| {
                rest.get(open + 1..)
                    .and_then(|tail| tail.find('"'))
                    .map_or(rest.len(), |close| open + close + 2)
            },
        );
        let (one, tail) = rest.split_at(end);
        rest = tail;
        Some(one.trim_end())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_are_compared_weakly_and_before_dates() {
        let date = "Tue, 14 Nov 2023 22:13:20 GMT";
        for (none_match, since, wanted) in [
            (Some("\"a\""), None, true),
            (Some("W/\"a\""), None, true),
            (Some("\"b\", \"x,y\" , \"a\""), None, true),
            (Some("*"), None, true),
            (Some("\"b\""), Some(date), false),
            (Some("a"), None, false),
            (None, Some(date), true),
            (None, Some("Tue, 14 Nov 2023 22:13:19 GMT"), false),
            (None, Some("yesterday"), false),
            (None, None, false),
        ] {
            assert_eq!(
                not_modified(none_match, since, "\"a\"", 1_700_000_000),
                wanted,
                "{none_match:?} {since:?}"
            );
        }
        assert!(!not_modified(None, Some(date), "\"a\"", 0));
    }

    #[test]
    fn a_range_needs_a_strong_match() {
        assert!(range_applies(None, "\"a\"", 0) && range_applies(Some("\"a\""), "\"a\"", 0));
        assert!(!range_applies(Some("W/\"a\""), "\"a\"", 0) && !range_applies(Some("\"b\""), "\"a\"", 0));
        assert!(range_applies(
            Some("Tue, 14 Nov 2023 22:13:20 GMT"),
            "\"a\"",
            1_700_000_000
        ));
        assert!(!range_applies(
            Some("Tue, 14 Nov 2023 22:13:21 GMT"),
            "\"a\"",
            1_700_000_000
        ));
    }
}
