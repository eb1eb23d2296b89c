//! A browser that goes from page to page, as its request tells it (Fetch Metadata, W3C; RFC 9110, section 10.1.3).

use http::HeaderMap;

use crate::request::Request;

/// What is known of a request for a page that somebody wants to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Navigation {
    /// The path of the page of the same host that led here, as it was written and without its query; none where it is not
    /// told, or where this is no step from one to the other: the same page anew, or what a browser fetches ahead.
    pub(crate) from: Option<Box<str>>,
    /// Whether the browser knows speculation rules.
    pub(crate) takes_rules: bool,
    /// Whether it wants to be sent no more than it asks for.
    pub(crate) saves: bool,
}

/// Which fields of a request say that it is a navigation: both are there.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Signs {
    is_navigation: bool,
    is_document: bool,
}

impl Signs {
    /// Looks at a field whose name has as many letters as theirs.
    pub(crate) fn see(&mut self, name: &[u8], value: &[u8]) {
        if name.eq_ignore_ascii_case(b"sec-fetch-mode") {
            self.is_navigation = value == b"navigate";
        } else if name.eq_ignore_ascii_case(b"sec-fetch-dest") {
            self.is_document = value == b"document";
        }
    }

    pub(crate) const fn are_there(self) -> bool {
        self.is_navigation && self.is_document
    }
}

impl Navigation {
    /// That of a request, where it is one.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        let has = |name: &str, value: &str| request.headers.get(name).is_some_and(|found| found == value);
        let is_one = request.method == http::Method::GET
            && has("sec-fetch-mode", "navigate")
            && has("sec-fetch-dest", "document");
        is_one.then(|| Self::read(|name| field(&request.headers, name), &request.host))
    }

    /// That of a request that is one for `host`; `field` finds the value of a field.
    pub(crate) fn read<'a>(field: impl Fn(&str) -> Option<&'a [u8]>, host: &str) -> Self {
        let contains = |name: &str, part: &[u8]| field(name).is_some_and(|value| has_part(value, part));
        let is_ahead = contains("sec-purpose", b"prefetch") || contains("purpose", b"prefetch");
        // A page that is loaded anew names who led to it the first time.
        let is_again = field("cache-control").is_some();
        let is_step = field("sec-fetch-site") == Some(b"same-origin") && !is_ahead && !is_again;
        let referer = field("referer").and_then(|value| std::str::from_utf8(value).ok());
        Self {
            from: referer
                .filter(|_| is_step)
                .and_then(|referer| path_of(referer, host))
                .map(Into::into),
            takes_rules: field("sec-ch-ua").is_some(),
            saves: field("save-data").is_some_and(|value| value.eq_ignore_ascii_case(b"on")),
        }
    }
}

fn field<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    headers.get(name).map(http::HeaderValue::as_bytes)
}

fn has_part(value: &[u8], part: &[u8]) -> bool {
    value.windows(part.len()).any(|found| found.eq_ignore_ascii_case(part))
}

/// The path of an address of a host.
fn path_of<'a>(address: &'a str, host: &str) -> Option<&'a str> {
    let (scheme, rest) = address.split_once("://")?;
    if !matches!(scheme, "http" | "https") {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let path = rest.split(['?', '#']).next().filter(|path| !path.is_empty());
    authority.eq_ignore_ascii_case(host).then_some(path.unwrap_or("/"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use http::{HeaderName, Method};

    use super::*;

    fn navigation(fields: &[(&str, &str)]) -> Option<Navigation> {
        let headers = fields
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect();
        let request = Request {
            method: Method::GET,
            target: "/b/".to_owned(),
            host: "x.org:8000".to_owned(),
            headers,
        };
        Navigation::of(&request)
    }

    const BROWSER: [(&str, &str); 4] = [
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
        ("sec-fetch-site", "same-origin"),
        ("referer", "https://X.org:8000/a/?secret=1#part"),
    ];

    fn from(more: &[(&str, &str)]) -> Option<String> {
        let mut fields = BROWSER.to_vec();
        fields.retain(|(name, _)| more.iter().all(|(other, _)| name != other));
        fields.extend(more);
        navigation(&fields).unwrap().from.map(String::from)
    }

    #[test]
    fn a_step_is_from_a_page_of_the_same_host() {
        assert_eq!(
            from(&[]).as_deref(),
            Some("/a/"),
            "neither a query nor a fragment is kept"
        );
        assert_eq!(from(&[("referer", "http://x.org:8000")]).as_deref(), Some("/"));
        assert_eq!(from(&[("referer", "http://x.org:8000?a")]).as_deref(), Some("/"));
        for no_step in [
            ("referer", "https://x.org/a/"),
            ("referer", "https://x.org:8000.evil/a/"),
            ("referer", "about:blank"),
            ("referer", "ftp://x.org:8000/a/"),
            ("sec-fetch-site", "cross-site"),
            ("sec-purpose", "prefetch;prerender"),
            ("purpose", "prefetch"),
            ("cache-control", "max-age=0"),
        ] {
            assert_eq!(from(&[no_step]), None, "{no_step:?}");
        }
    }

    #[test]
    fn what_is_no_document_is_no_navigation() {
        assert!(navigation(&[]).is_none());
        assert!(navigation(&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")]).is_none());
        assert!(navigation(&[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "document")]).is_none());
        let found = navigation(&[&BROWSER[..2], &[("sec-ch-ua", "\"C\""), ("save-data", "on")]].concat()).unwrap();
        assert!(found.from.is_none() && found.takes_rules && found.saves);
    }
}
