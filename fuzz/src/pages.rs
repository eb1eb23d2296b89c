//! What a site is made of: what is made smaller must say the same.

use html5ever::tendril::TendrilSink;
use html5ever::{ParseOpts, parse_document};
use hyperweb_build::css::Targets;
use markup5ever_rcdom::{Handle, NodeData, RcDom};

/// Longer pages only take longer.
const LONGEST: usize = 16 << 10;

fn as_text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok().filter(|text| text.len() <= LONGEST)
}

/// A page has the same elements in the same order, and the same words, when a parser reads it after it was made smaller.
pub fn html(data: &[u8]) {
    let Some(page) = as_text(data) else { return };
    let made = hyperweb_build::html::minify(page, Targets::default());
    for scripting in [false, true] {
        assert_eq!(tree(page, scripting), tree(&made, scripting), "{page:?}\n{made:?}");
    }
    let _ = hyperweb_build::html::parts(page, "main");
}

/// The elements and the letters of a page; not what is in scripts, styles and drawings, which are made smaller by their own
/// rules.
fn tree(page: &str, scripting: bool) -> Vec<String> {
    let mut options = ParseOpts::default();
    options.tree_builder.scripting_enabled = scripting;
    let dom = parse_document(RcDom::default(), options).one(page);
    let mut found = Vec::new();
    walk(&dom.document, &mut found);
    found
}

fn walk(node: &Handle, found: &mut Vec<String>) {
    match &node.data {
        NodeData::Text { contents } => {
            let text: String = contents.borrow().split_ascii_whitespace().collect();
            match found.last_mut().filter(|last| last.starts_with('"')) {
                Some(last) => last.push_str(&text),
                None if text.is_empty() => {}
                None => found.push(format!("\"{text}")),
            }
        }
        NodeData::Element {
            name,
            template_contents,
            ..
        } => {
            let local: &str = &name.local;
            found.push(format!("<{local}"));
            if let Some(contents) = template_contents.borrow().as_ref() {
                walk(contents, found);
            }
            if !matches!(local, "script" | "style" | "noscript" | "svg" | "math") {
                node.children.borrow().iter().for_each(|child| walk(child, found));
            }
            // White space that is not shown may open a formatting element once more, where one was left open.
            if found.last().is_some_and(|last| last[1..] == *local) && matches!(local, "a" | "b" | "i" | "em") {
                found.pop();
                return;
            }
            found.push(format!("/{local}"));
        }
        _ => node.children.borrow().iter().for_each(|child| walk(child, found)),
    }
}

/// A drawing that was made smaller stays as it is when that is done again, and no longer than it was.
pub fn svg(data: &[u8]) {
    let Some(text) = as_text(data) else { return };
    let made = hyperweb_build::svg::minify(text, Targets::default());
    assert!(made.len() <= text.len(), "{text:?} became {made:?}");
}

/// Markdown becomes a page whatever it is.
pub fn markdown(data: &[u8]) {
    let Some(text) = as_text(data) else { return };
    let rendered = hyperweb_build::markdown::render(text, 1);
    let _ = hyperweb_build::html::minify(&rendered.html, Targets::default());
}

/// JSON, XML and front matter; the first byte says which.
pub fn text(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let Some(text) = as_text(rest) else { return };
    match kind % 4 {
        0 => {
            if let Some(made) = hyperweb_build::text::json(text) {
                assert!(made.len() <= text.len());
                assert_eq!(
                    hyperweb_build::text::json(&made).as_deref(),
                    Some(made.as_str()),
                    "{text:?}"
                );
            }
        }
        1 => assert!(hyperweb_build::text::xml(text).len() <= text.len()),
        2 => drop(hyperweb_build::frontmatter::split(text, "page.md").map(|_| ())),
        _ => drop(hyperweb_build::frontmatter::yaml_to_json(text, "page.yaml")),
    }
}
