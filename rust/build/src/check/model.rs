//! What may stand in what (HTML Standard, section 4: the content model of each element).

use super::elements::is_custom;
use super::node::Node;

/// Elements that hold what stands in a line, and nothing else.
const LINES: [&str; 35] = [
    "abbr", "b", "bdi", "bdo", "button", "cite", "code", "data", "dfn", "em", "h1", "h2", "h3", "h4", "h5", "h6", "i",
    "kbd", "label", "mark", "meter", "output", "p", "pre", "progress", "q", "s", "samp", "small", "span", "strong",
    "sub", "sup", "u", "var",
];

/// Elements that stand for themselves, in no line.
const BLOCKS: [&str; 30] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "details",
    "dialog",
    "div",
    "dl",
    "fieldset",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "main",
    "menu",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "ul",
];

/// Elements that may hold what the element around them may.
const TRANSPARENT: [&str; 9] = ["a", "audio", "canvas", "del", "ins", "map", "object", "slot", "video"];

/// Elements with a place of their own: the child, and in what it stands.
const PLACES: [(&str, &[&str]); 10] = [
    ("caption", &["table"]),
    ("dd", &["dl", "div"]),
    ("dt", &["dl", "div"]),
    ("figcaption", &["figure"]),
    ("legend", &["fieldset", "optgroup"]),
    ("li", &["ul", "ol", "menu"]),
    ("source", &["picture", "audio", "video"]),
    ("summary", &["details"]),
    ("title", &["head"]),
    ("track", &["audio", "video"]),
];

/// Elements that hold only some: the parent, and what stands in it.
const ONLY: [(&str, &[&str]); 5] = [
    ("dl", &["dt", "dd", "div", "script", "template"]),
    ("menu", &["li", "script", "template"]),
    ("ol", &["li", "script", "template"]),
    ("picture", &["source", "img", "script", "template"]),
    ("ul", &["li", "script", "template"]),
];

/// Returns what is wrong with where an element stands, and what to do.
pub(super) fn misplaced(node: &Node, parent: &Node) -> Option<(String, String)> {
    let (name, outer) = (node.html(), parent.html());
    if name.is_empty() || outer.is_empty() || is_custom(outer) || outer == "template" {
        return None;
    }
    if let Some((_, wanted)) = PLACES.iter().find(|(child, _)| *child == name)
        && !wanted.contains(&outer)
    {
        let places: Vec<String> = wanted.iter().map(|place| format!("`<{place}>`")).collect();
        let hint = format!("it belongs into {}", places.join(" or "));
        return Some((format!("`<{name}>` may not stand in `<{outer}>`"), hint));
    }
    if let Some((_, allowed)) = ONLY.iter().find(|(parent, _)| *parent == outer)
        && !allowed.contains(&name)
    {
        let hint = match outer {
            "dl" => "put it into a `<dt>` or `<dd>`",
            "picture" => "a picture holds `<source>` elements and one `<img>`",
            _ => "put it into a `<li>`",
        };
        return Some((format!("`<{name}>` may not stand in `<{outer}>`"), hint.to_owned()));
    }
    interactive(node).or_else(|| block_in_line(name, node))
}

fn block_in_line(name: &str, node: &Node) -> Option<(String, String)> {
    if !BLOCKS.contains(&name) {
        return None;
    }
    let holder = node.ancestors().find(|one| !TRANSPARENT.contains(&one.html()))?;
    let outer = holder.html();
    LINES.contains(&outer).then(|| {
        let hint = format!("`<{outer}>` holds only text and what stands in a line: close it before, or use `<div>`");
        (format!("`<{name}>` may not stand in `<{outer}>`"), hint)
    })
}

fn interactive(node: &Node) -> Option<(String, String)> {
    let name = node.html();
    let is_operated = match name {
        "button" | "details" | "embed" | "iframe" | "label" | "select" | "textarea" => true,
        "a" => node.get("href").is_some(),
        "input" => !node.get("type").is_some_and(|kind| kind.eq_ignore_ascii_case("hidden")),
        "audio" | "video" => node.get("controls").is_some(),
        _ => false,
    };
    if !is_operated {
        return None;
    }
    let holder = node.ancestors().find(|one| match one.html() {
        "a" => one.get("href").is_some(),
        "button" => true,
        "label" => name == "label",
        _ => false,
    })?;
    let outer = holder.html();
    let hint = format!("a reader could not tell which of the two a click is for: take it out of the `<{outer}>`");
    Some((format!("`<{name}>` may not stand in `<{outer}>`"), hint))
}
