//! What a browser is told of the pages that mostly come next: speculation rules (WICG, Speculation Rules), or links to
//! fetch ahead (RFC 8288; HTML, link type prefetch).

use http::header::LINK;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::learning::Page;
use crate::next_page::RULES;

const SPECULATION_RULES: HeaderName = HeaderName::from_static("speculation-rules");

/// What stands as it is in a path (RFC 3986, section 3.3), besides letters and digits.
pub(crate) const IN_PATH: &[u8] = b"-._~!$&'()*+,;=:@/";
/// In a path that was never decoded.
pub(crate) const IN_PATH_AS_IT_STANDS: &[u8] = b"-._~!$&'()*+,;=:@/%";
/// In the value of a parameter.
const IN_VALUE: &[u8] = b"-._~/";

/// Fields of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hints(Vec<(HeaderName, String)>);

impl Hints {
    /// For one who looks at a page, after which these come.
    pub(crate) fn new(page: Page<'_>, next: &[(String, f64)], takes_rules: bool) -> Self {
        if takes_rules {
            let value = format!("\"{RULES}?page={}\"", address(&page.written(), IN_VALUE));
            return Self(vec![(SPECULATION_RULES, value)]);
        }
        let link = |(path, _): &(String, f64)| {
            let next = Page { path, ..page };
            (LINK, format!("<{}>; rel=prefetch", next.written()))
        };
        Self(next.iter().map(link).collect())
    }

    /// As lines of HTTP/1.1.
    pub(crate) fn lines(&self) -> Vec<u8> {
        let line = |(name, value): &(HeaderName, String)| format!("{name}: {value}\r\n");
        self.0.iter().map(line).collect::<String>().into_bytes()
    }

    /// Adds them to those of an answer.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.0 {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.append(name.clone(), value);
            }
        }
    }
}

/// A text as a part of an address: all is encoded but letters, digits, and what is `kept`.
pub(crate) fn address(text: &str, kept: &[u8]) -> String {
    use std::fmt::Write;
    let mut made = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            made.push(char::from(byte));
        } else {
            // A string takes all that is written to it.
            let _ = write!(made, "%{byte:02X}");
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_path_ends_a_field() {
        assert_eq!(address("/a b>/\"\r\né?%", IN_PATH), "/a%20b%3E/%22%0D%0A%C3%A9%3F%25");
        assert_eq!(address("/a%20b", IN_PATH_AS_IT_STANDS), "/a%20b");
        assert_eq!(address("/a&b=c+d%", IN_VALUE), "/a%26b%3Dc%2Bd%25");
    }
}
