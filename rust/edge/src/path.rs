//! The path of a request, made plain: decoded, and free of all that could mean another file.

use std::borrow::Cow;

/// A path and query as they are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'a> {
    /// The path as it stands, for redirects and workers.
    pub raw: &'a str,
    /// The decoded path.
    pub path: Cow<'a, str>,
    /// What is behind the question mark.
    pub query: Option<&'a str>,
}

/// Takes a request target in origin form apart.
///
/// None for what names no resource here: what does not begin with a slash, dot segments, encoded or backward slashes,
/// control characters, and what is not valid percent-encoded UTF-8 (RFC 3986, sections 2.1 and 3.3).
pub fn target(text: &str) -> Option<Target<'_>> {
    let (raw, query) = split(text);
    if !raw.starts_with('/') || text.contains('#') {
        return None;
    }
    let path = if raw.contains('%') {
        Cow::Owned(decode(raw)?)
    } else {
        Cow::Borrowed(raw)
    };
    let plain = !path.bytes().any(|byte| byte < 0x20 || byte == 0x7f || byte == b'\\');
    let dots = path.contains("/.") && path.split('/').any(|part| part == "." || part == "..");
    (plain && !dots).then_some(Target { raw, path, query })
}

/// Takes a request target in origin form apart, and leaves its path as it stands.
pub(crate) fn as_it_stands(text: &str) -> Option<Target<'_>> {
    let (raw, query) = split(text);
    let plain = text.bytes().all(|byte| byte > 0x20 && byte != 0x7f && byte != b'#');
    (raw.starts_with('/') && plain).then_some(Target {
        raw,
        path: Cow::Borrowed(raw),
        query,
    })
}

fn split(text: &str) -> (&str, Option<&str>) {
    text.split_once('?')
        .map_or((text, None), |(path, query)| (path, Some(query)))
}

fn decode(raw: &str) -> Option<String> {
    let bytes = raw.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'%' {
            let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
            let value = u8::try_from(digit(at + 1)? * 16 + digit(at + 2)?).ok()?;
            if matches!(value, b'/' | b'\\' | 0) {
                return None;
            }
            out.push(value);
            at += 3;
        } else {
            out.push(*byte);
            at += 1;
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_paths_name_nothing() {
        for text in [
            "/../etc/passwd",
            "/a/../b",
            "/%2e%2e/x",
            "/.%2e/x",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/%c0%ae/x",
            "/%",
            "/%zz",
            "/a%0d%0ab",
            "a",
            "",
            "*",
            "http://x/",
            "/a/.",
            "/./a",
            "/a#b",
            "/%ff",
        ] {
            assert_eq!(target(text), None, "{text}");
        }
    }

    #[test]
    fn plain_paths_stay() {
        let found =
            target("/a/b%20c/%C3%A9?x=%2f").map(|found| (found.path.into_owned(), found.query.map(str::to_owned)));
        assert_eq!(found, Some(("/a/b c/é".to_owned(), Some("x=%2f".to_owned()))));
        assert!(matches!(
            target("/a/..b/c."),
            Some(Target {
                path: Cow::Borrowed("/a/..b/c."),
                ..
            })
        ));
    }

    proptest! {
        #[test]
        fn a_decoded_path_is_always_safe(text in "/([a./\\\\]|%2e|%2f|%5c|%00|%c0|%af|%25){0,12}") {
            if let Some(found) = target(&text) {
                prop_assert!(!found.path.split('/').any(|part| part == ".." || part == "."));
                prop_assert!(!found.path.contains(['\\', '\0']));
            }
        }
    }
}
