//! Leads the references of a page elsewhere.

use std::collections::HashMap;

use crate::html::elements::is_url;
use crate::html::tokens::{Tag, Token, Tokens};

/// Returns the page with each reference that `changes` has replaced: in attributes that are URLs, in `srcset`, and in
/// the styles of the page. A query or fragment behind a reference stays.
pub fn rewrite_urls(html: &str, changes: &HashMap<String, String>) -> String {
    if changes.is_empty() {
        return html.to_owned();
    }
    let mut out = String::with_capacity(html.len() + 64);
    let mut in_style = false;
    for token in Tokens::new(html) {
        match token {
            Token::Start(tag) => {
                in_style = tag.is("style");
                write_tag(&mut out, &tag, changes);
            }
            Token::Raw(raw) if in_style => out.push_str(&in_css(raw, changes)),
            Token::Text(raw) | Token::Raw(raw) | Token::Comment(raw) | Token::Doctype(raw) => out.push_str(raw),
            Token::End { raw, .. } => out.push_str(raw),
        }
    }
    out
}

fn write_tag(out: &mut String, tag: &Tag<'_>, changes: &HashMap<String, String>) {
    let mut copied = 0;
    let start = tag.raw.as_ptr() as usize;
    for attribute in &tag.attributes {
        let Some(value) = attribute.value else { continue };
        let changed =
            if attribute.name.eq_ignore_ascii_case("srcset") || attribute.name.eq_ignore_ascii_case("imagesrcset") {
                candidates(value, changes)
            } else if attribute.name.eq_ignore_ascii_case("style") {
                Some(in_css(value, changes)).filter(|made| made != value)
            } else if is_url(attribute.name) {
                lead(value, changes)
            } else {
                None
            };
        let Some(changed) = changed else { continue };
        let at = value.as_ptr() as usize - start;
        out.push_str(tag.raw.get(copied..at).unwrap_or(""));
        match attribute.quote {
            None => out.push_str(&format!("\"{}\"", changed.replace('"', "&quot;"))),
            Some('"') => out.push_str(&changed.replace('"', "&quot;")),
            Some(_) => out.push_str(&changed.replace('\'', "&#39;")),
        }
        copied = at + value.len();
    }
    out.push_str(tag.raw.get(copied..).unwrap_or(""));
}

fn lead(value: &str, changes: &HashMap<String, String>) -> Option<String> {
    let value = value.trim();
    let plain = value.replace("&amp;", "&");
    if let Some(target) = changes.get(value).or_else(|| changes.get(&plain)) {
        return Some(target.clone());
    }
    let end = plain.find(['?', '#'])?;
    let (bare, rest) = plain.split_at(end);
    changes.get(bare).map(|target| format!("{target}{rest}"))
}

fn candidates(value: &str, changes: &HashMap<String, String>) -> Option<String> {
    let mut any = false;
    let made: Vec<String> = value
        .split(',')
        .map(|candidate| {
            let candidate = candidate.trim();
            let (url, descriptor) = candidate.split_once(char::is_whitespace).unwrap_or((candidate, ""));
            let target = lead(url, changes);
            any |= target.is_some();
            format!("{} {descriptor}", target.unwrap_or_else(|| url.to_owned()))
                .trim_end()
                .to_owned()
        })
        .collect();
    any.then(|| made.join(", "))
}

fn in_css(css: &str, changes: &HashMap<String, String>) -> String {
    if !css.contains("url(") {
        return css.to_owned();
    }
    let mut out = String::with_capacity(css.len());
    let mut rest = css;
    while let Some(at) = rest.find("url(") {
        let (before, after) = rest.split_at(at + 4);
        out.push_str(before);
        let Some(end) = after.find(')') else {
            rest = after;
            break;
        };
        let inner = after.get(..end).unwrap_or("");
        let bare = inner.trim().trim_matches(['"', '\'']);
        match lead(bare, changes) {
            Some(target) => out.push_str(&inner.replace(bare, &target)),
            None => out.push_str(inner),
        }
        rest = after.get(end..).unwrap_or("");
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_lead_where_they_should_and_nothing_else_changes() {
        let changes = HashMap::from([
            ("/a.png".to_owned(), "/a.1.png".to_owned()),
            ("b.css".to_owned(), "/b.2.css".to_owned()),
        ]);
        let html = "<link href=b.css><img src='/a.png' srcset=\"/a.png 2x, /c.png 3x\" alt=\"/a.png\"><a href=\"/a.png#x\">/a.png</a><p style=\"background:url('/a.png')\"><style>p{background:url(/a.png)}</style><script>'/a.png'</script>";
        let wanted = "<link href=\"/b.2.css\"><img src='/a.1.png' srcset=\"/a.1.png 2x, /c.png 3x\" alt=\"/a.png\"><a href=\"/a.1.png#x\">/a.png</a><p style=\"background:url('/a.1.png')\"><style>p{background:url(/a.1.png)}</style><script>'/a.png'</script>";
        assert_eq!(rewrite_urls(html, &changes), wanted);
    }
}
