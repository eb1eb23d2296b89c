//! The parts of a page that change when a reader goes from one page to the next.

use serde::Serialize;

use crate::html::tokens::{Tag, Token, Tokens};

/// What a script needs to show a page in place of another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PageParts {
    /// The text of the title, as it stands.
    pub title: String,
    /// The elements of the head that belong to the page: metadata and links that are no stylesheets or icons.
    pub head: String,
    /// What is in the element that was asked for, or else in the body.
    pub body: String,
    /// The stylesheets and module scripts of the page.
    pub assets: Vec<String>,
    /// The page's language.
    pub lang: String,
}

/// Takes the parts out of a page. `id` names the element that holds its content.
pub fn parts(html: &str, id: &str) -> PageParts {
    let mut found = PageParts::default();
    let mut tokens = Tokens::new(html);
    let mut in_title = false;
    let mut content: Option<(usize, usize)> = None;
    let mut body: Option<usize> = None;
    let mut body_end = html.len();
    // Open elements of the content, so that its own end is told from those of its children.
    let mut open: Option<(String, usize)> = None;
    loop {
        let at = tokens.offset();
        let Some(token) = tokens.next() else { break };
        match token {
            Token::Start(tag) => {
                in_title = tag.is("title") && !tag.is_foreign && body.is_none();
                if tag.is("html") {
                    tag.get("lang").unwrap_or("").clone_into(&mut found.lang);
                } else if tag.is("body") {
                    body = Some(tokens.offset());
                }
                if body.is_none() {
                    head_element(&mut found, &tag);
                }
                asset(&mut found.assets, &tag);
                match &mut open {
                    None if content.is_none() && tag.get("id") == Some(id) => {
                        content = Some((tokens.offset(), html.len()));
                        open = Some((tag.name.to_ascii_lowercase(), 1));
                    }
                    Some((name, depth)) if tag.is(name) && !tag.self_closing && !tag.element.is_void() => *depth += 1,
                    _ => {}
                }
            }
            Token::Raw(raw) if in_title => raw.trim().clone_into(&mut found.title),
            Token::End { name, .. } => {
                if name.eq_ignore_ascii_case("body") {
                    body_end = at;
                }
                if let Some((element, depth)) = &mut open
                    && name.eq_ignore_ascii_case(element)
                {
                    *depth -= 1;
                    if *depth == 0 {
                        content = content.map(|(start, _)| (start, at));
                        open = None;
                    }
                }
            }
            _ => {}
        }
    }
    let (start, end) = content.unwrap_or((body.unwrap_or(0), body_end));
    html.get(start..end).unwrap_or("").clone_into(&mut found.body);
    found
}

fn head_element(found: &mut PageParts, tag: &Tag<'_>) {
    let rel = tag.get("rel").unwrap_or("").to_ascii_lowercase();
    let belongs = tag.is("meta")
        && (tag
            .get("name")
            .is_some_and(|name| name != "viewport" && name != "hyperweb-build")
            || tag.get("property").is_some())
        || tag.is("link")
            && rel
                .split_ascii_whitespace()
                .any(|one| matches!(one, "canonical" | "alternate" | "prev" | "next"));
    if belongs {
        found.head.push_str(tag.raw);
    }
}

fn asset(assets: &mut Vec<String>, tag: &Tag<'_>) {
    let url = if tag.is("link") && tag.get("rel").is_some_and(|rel| rel.eq_ignore_ascii_case("stylesheet")) {
        tag.get("href")
    } else if tag.is("script") && tag.get("type").is_some_and(|kind| kind.eq_ignore_ascii_case("module")) {
        tag.get("src")
    } else {
        None
    };
    if let Some(url) = url {
        assets.push(url.replace("&amp;", "&"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_page() {
        let html = "<!doctype html><html lang=en><head><title> A &amp; B </title><meta charset=utf-8><meta name=description content=x><link rel=stylesheet href=/a.css><link rel=canonical href=/x/></head><body><header><svg><title>no</title></svg></header><main id=content><p>1</p><main>2</main></main><script type=module src=/s.js></script></body></html>";
        let found = parts(html, "content");
        assert_eq!(found.title, "A &amp; B");
        assert_eq!(
            found.head,
            "<meta name=description content=x><link rel=canonical href=/x/>"
        );
        assert_eq!(found.body, "<p>1</p><main>2</main>");
        assert_eq!(found.assets, ["/a.css", "/s.js"]);
        assert_eq!(found.lang, "en");
        assert_eq!(parts("<body>x</body>", "content").body, "x");
    }
}
