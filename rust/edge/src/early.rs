//! What a page needs besides itself, told before the page is made (103, RFC 8297): known from the `Link` fields of its
//! last answer, and from the stylesheets and scripts at the top of it.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::HeaderMap;
use http::header::LINK;

/// Pages of which it is known.
const PAGES: usize = 4096;
/// Links of a page, and bytes of one.
const MOST: usize = 8;
const LONGEST: usize = 512;
/// Where a page's own stylesheets and scripts are looked for.
const TOP: usize = 32 << 10;

/// Links by the number of their page. Of two pages in one place the later is known.
#[derive(Debug)]
pub(crate) struct EarlyLinks {
    places: Box<[ArcSwapOption<Known>]>,
}

/// What is known of a page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Known {
    page: u64,
    pub(crate) links: Box<[Box<str>]>,
}

impl Default for EarlyLinks {
    fn default() -> Self {
        Self {
            places: (0..PAGES).map(|_| ArcSwapOption::const_empty()).collect(),
        }
    }
}

impl EarlyLinks {
    fn place(&self, page: u64) -> Option<&ArcSwapOption<Known>> {
        let number = usize::try_from(page).unwrap_or(0) % PAGES;
        self.places.get(number)
    }

    /// What is known of a page, where that is anything.
    pub(crate) fn get(&self, page: u64) -> Option<Arc<Known>> {
        let found = self.place(page)?.load_full()?;
        (found.page == page && !found.links.is_empty()).then_some(found)
    }

    /// Notes what the last answer for a page said, and what is at the top of its body, where that is at hand; of the
    /// addresses in it those that everybody may know.
    pub(crate) fn keep(&self, page: u64, headers: &HeaderMap, body: &[u8], is_open: impl Fn(&str) -> bool) {
        let mut links = told(headers);
        for link in named(body) {
            if !links.contains(&link) {
                links.push(link);
            }
        }
        links.retain(|link| address(link).is_some_and(&is_open));
        links.truncate(MOST);
        let Some(place) = self.place(page) else { return };
        let known = Known {
            page,
            links: links.into(),
        };
        let before = place.load();
        let is_new = before.as_deref() != Some(&known);
        // Most pages need what they needed the last time, and nothing is written then.
        if is_new && (!known.links.is_empty() || before.as_deref().is_some_and(|before| before.page == page)) {
            place.store(Some(Arc::new(known)));
        }
    }
}

/// The links of an answer that a browser can use before it (section 2): those to fetch or to connect to.
pub(crate) fn told(headers: &HeaderMap) -> Vec<Box<str>> {
    let texts = headers
        .get_all(LINK)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    texts
        .flat_map(links)
        .filter(|link| link.len() <= LONGEST && is_early(link))
        .map(Into::into)
        .collect()
}

/// The links of a field; a comma in an address or a string is none between them.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut in_address) = (false, false);
    let parts = text.split(move |letter: char| {
        match letter {
            '"' if !in_address => is_quoted = !is_quoted,
            '<' if !is_quoted => in_address = true,
            '>' if !is_quoted => in_address = false,
            _ => {}
        }
        letter == ',' && !is_quoted && !in_address
    });
    parts.map(str::trim).filter(|link| link.starts_with('<'))
}

/// What stands between the brackets of a link.
fn address(link: &str) -> Option<&str> {
    Some(link.strip_prefix('<')?.split_once('>')?.0)
}

fn is_early(link: &str) -> bool {
    let Some((_, parameters)) = link.split_once('>') else {
        return false;
    };
    parameters.split(';').any(|parameter| {
        let Some((name, value)) = parameter.split_once('=') else {
            return false;
        };
        let is_one = |kind: &str| matches!(kind, "preload" | "modulepreload" | "preconnect");
        name.trim().eq_ignore_ascii_case("rel") && value.trim().trim_matches('"').split(' ').any(is_one)
    })
}

/// The stylesheets and scripts at the top of a page, as links. What is not plainly of the same host is left out.
fn named(body: &[u8]) -> Vec<Box<str>> {
    let top = body.get(..TOP).unwrap_or(body);
    let mut found = Vec::new();
    let mut rest = top;
    while let Some(at) = memchr::memchr(b'<', rest) {
        rest = rest.get(at + 1..).unwrap_or_default();
        let name_end = rest.iter().position(|byte| !byte.is_ascii_alphabetic());
        let name = rest.get(..name_end.unwrap_or(0)).unwrap_or_default();
        if name.eq_ignore_ascii_case(b"body") || found.len() >= MOST {
            break;
        }
        if rest.starts_with(b"!--") {
            let end = memchr::memmem::find(rest, b"-->").unwrap_or(rest.len());
            rest = rest.get(end..).unwrap_or_default();
            continue;
        }
        let is_script = name.eq_ignore_ascii_case(b"script");
        if !is_script && !name.eq_ignore_ascii_case(b"link") {
            continue;
        }
        let (tag, after) = Tag::read(rest.get(name.len()..).unwrap_or_default());
        rest = after;
        found.extend(if is_script { tag.script() } else { tag.stylesheet() });
        if is_script {
            // What is in it is no markup.
            let end = memchr::memmem::find(rest, b"</").unwrap_or(rest.len());
            rest = rest.get(end..).unwrap_or_default();
        }
    }
    found
}

/// The attributes of a tag that matter.
#[derive(Debug, Default)]
struct Tag<'a> {
    rel: &'a [u8],
    address: &'a [u8],
    kind: &'a [u8],
    is_with_credentials: bool,
    is_crossorigin: bool,
    /// It may not be needed, or not for all.
    is_apart: bool,
}

impl<'a> Tag<'a> {
    /// Reads the attributes of a tag; what follows it.
    fn read(mut rest: &'a [u8]) -> (Self, &'a [u8]) {
        let mut tag = Self::default();
        loop {
            rest = rest.trim_ascii_start();
            match rest.first() {
                None => return (tag, rest),
                Some(b'>') => return (tag, rest.get(1..).unwrap_or_default()),
                Some(b'/') => {
                    rest = rest.get(1..).unwrap_or_default();
                    continue;
                }
                Some(_) => {}
            }
            let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'=' | b'>' | b'/');
            let (name, after) = rest.split_at(rest.iter().position(is_end).unwrap_or(rest.len()).max(1));
            let (value, after) = value(after.trim_ascii_start());
            tag.see(name, value);
            rest = after;
        }
    }

    fn see(&mut self, name: &[u8], value: &'a [u8]) {
        match name.to_ascii_lowercase().as_slice() {
            b"rel" => self.rel = value,
            b"href" | b"src" => self.address = value,
            b"type" => self.kind = value,
            b"crossorigin" => {
                self.is_crossorigin = true;
                self.is_with_credentials = value.eq_ignore_ascii_case(b"use-credentials");
            }
            b"media" | b"disabled" | b"nomodule" | b"title" => self.is_apart = true,
            _ => {}
        }
    }

    fn stylesheet(&self) -> Option<Box<str>> {
        let is_one = self.rel.trim_ascii().eq_ignore_ascii_case(b"stylesheet");
        is_one.then(|| self.link("preload; as=style"))?
    }

    fn script(&self) -> Option<Box<str>> {
        if self.kind.eq_ignore_ascii_case(b"module") {
            return self.link("modulepreload");
        }
        let is_classic = self.kind.is_empty() || self.kind.ends_with(b"javascript");
        is_classic.then(|| self.link("preload; as=script"))?
    }

    fn link(&self, relation: &str) -> Option<Box<str>> {
        let address = std::str::from_utf8(self.address).ok()?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$'()*+,;=:@/%?".contains(&byte);
        let is_own = address.starts_with('/') && !address.starts_with("//") && address.bytes().all(is_plain);
        let crossorigin = match (self.is_crossorigin, self.is_with_credentials) {
            (false, _) => "",
            (true, false) => "; crossorigin",
            (true, true) => "; crossorigin=use-credentials",
        };
        (is_own && !self.is_apart && address.len() < LONGEST / 2)
            .then(|| format!("<{address}>; rel={relation}{crossorigin}").into())
    }
}

/// The value behind the name of an attribute, and what follows.
fn value(rest: &[u8]) -> (&[u8], &[u8]) {
    let Some(after) = rest.strip_prefix(b"=") else {
        return (&[], rest);
    };
    let after = after.trim_ascii_start();
    if let Some((quote @ (b'"' | b'\''), inner)) = after.split_first() {
        let end = memchr::memchr(*quote, inner).unwrap_or(inner.len());
        return (
            inner.get(..end).unwrap_or_default(),
            inner.get(end + 1..).unwrap_or_default(),
        );
    }
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'>';
    after.split_at(after.iter().position(is_end).unwrap_or(after.len()))
}

/// A 103 of HTTP/1.1 with some links.
pub(crate) fn head(links: &[Box<str>]) -> Vec<u8> {
    let mut head = b"HTTP/1.1 103 Early Hints\r\n".to_vec();
    for link in links {
        head.extend_from_slice(format!("link: {link}\r\n").as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    head
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_at_the_top_of_a_page_is_found() {
        let page = br#"<!doctype html><html><HEAD><!-- <link rel=stylesheet href=/no.css> -->
            <link rel="stylesheet" href="/a.css"><link href=/b.css rel=stylesheet crossorigin>
            <link rel=stylesheet href="/print.css" media="print"><link rel=icon href=/i.png>
            <link rel='stylesheet' href='//other.example/c.css'><link rel=stylesheet href="x.css">
            <script>"<link rel=stylesheet href=/in-script.css>"</script>
            <script src="/c.js" defer></script><script type="module" src="/d.js"></script>
            <script type="application/json" src="/e.json"></script>
            <link rel=stylesheet href="/bad>.css"></head>
            <body><link rel="stylesheet" href="/late.css">"#;
        let found: Vec<_> = named(page).into_iter().map(String::from).collect();
        assert_eq!(
            found,
            [
                "</a.css>; rel=preload; as=style",
                "</b.css>; rel=preload; as=style; crossorigin",
                "</c.js>; rel=preload; as=script",
                "</d.js>; rel=modulepreload",
            ]
        );
    }

    #[test]
    fn links_of_an_answer_are_taken_that_are_of_use_early() {
        let mut headers = HeaderMap::new();
        let text = "</a,b.css>; rel=\"preload\"; as=style, <https://c.example>; rel=preconnect, </n>; rel=next";
        headers.append(LINK, text.parse().unwrap());
        headers.append(LINK, "</d.js>;title=\"a, b\";REL=modulepreload".parse().unwrap());
        headers.append(LINK, "</e>; rel=prefetch".parse().unwrap());
        let links = EarlyLinks::default();
        assert_eq!(links.get(7), None);
        let body = b"<link rel=stylesheet href=/e.css>";
        links.keep(7, &headers, body, |address| address == "/e.css");
        assert_eq!(
            links.get(7).unwrap().links.len(),
            1,
            "not everybody may know of the others"
        );
        links.keep(7, &headers, body, |_| true);
        assert_eq!(
            links
                .get(7)
                .unwrap()
                .links
                .iter()
                .map(|link| &**link)
                .collect::<Vec<_>>(),
            [
                "</a,b.css>; rel=\"preload\"; as=style",
                "<https://c.example>; rel=preconnect",
                "</d.js>;title=\"a, b\";REL=modulepreload",
                "</e.css>; rel=preload; as=style",
            ]
        );
        assert_eq!(links.get(7 + PAGES as u64), None, "another page in the same place");
        links.keep(7, &HeaderMap::new(), b"", |_| true);
        assert_eq!(links.get(7), None);
    }

    proptest! {
        #[test]
        fn any_page_is_read(page in "(<|>|link|script|rel=|stylesheet|href=|/a|\"|'|=| |!--|-->|</|body|x){0,60}") {
            for link in named(page.as_bytes()) {
                prop_assert!(link.starts_with("</") && !link.contains(['\r', '\n', '"']), "{link}");
            }
        }
    }
}
