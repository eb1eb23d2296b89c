//! A minified page is the same page: parsed as a browser does, only white space that is not shown differs.
#![allow(clippy::unwrap_used, reason = "tests")]

use html5ever::tendril::TendrilSink;
use html5ever::{ParseOpts, parse_document};
use hyperweb_build::html::minify;
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use proptest::prelude::*;

/// The elements, attributes and words of a page. Words are compared with white space made one space; where it is shown
/// as it is, as they are.
fn shape(html: &str) -> Vec<String> {
    let dom = parse_document(RcDom::default(), ParseOpts::default()).one(html);
    let mut found = Vec::new();
    walk(&dom.document, false, &mut found);
    found
}

fn walk(node: &Handle, kept: bool, found: &mut Vec<String>) {
    match &node.data {
        NodeData::Text { contents } => {
            let text = contents.borrow().to_string();
            let text = if kept {
                text
            } else {
                text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
            };
            if !text.is_empty() {
                // A space between two words of one line is shown, so text that is cut by a comment is put together.
                match found.last_mut().filter(|last| last.starts_with('"')) {
                    Some(last) if !kept => {
                        last.push(' ');
                        last.push_str(&text);
                    }
                    _ => found.push(format!("\"{text}")),
                }
            }
        }
        NodeData::Element { name, attrs, .. } => {
            let local = name.local.to_string();
            let mut attributes: Vec<String> = attrs
                .borrow()
                .iter()
                .map(|one| {
                    let value = one.value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
                    let value = if one.name.local == *value { String::new() } else { value };
                    format!("{}={value}", one.name.local)
                })
                .collect();
            attributes.sort();
            found.push(format!("<{local} {}", attributes.join(" ")));
            let keeps = kept || ["pre", "textarea", "code", "kbd", "samp"].contains(&local.as_str());
            if local != "script" && local != "style" {
                for child in node.children.borrow().iter() {
                    walk(child, keeps, found);
                }
            }
            found.push(format!("/{local}"));
        }
        _ => node.children.borrow().iter().for_each(|child| walk(child, kept, found)),
    }
}

#[test]
fn a_page_keeps_its_shape_and_loses_what_is_not_shown() {
    let page = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n  <meta charset=\"utf-8\">\n  <title> A  page </title>\n  \
                <!-- gone --><!--! kept -->\n</head>\n<body>\n  <p class=\"a  b\">One <b>two</b> <i>three</i>\n  four</p>\n\
                <ul>\n  <li>1</li>\n  <li>2 </li>\n</ul>\n<pre>\n  as  it is\n</pre>\n<input disabled=\"disabled\" value=\"\">\n\
                <svg viewBox=\"0 0 1 1\"><text> a  b </text><path d=\"M0 0\"/></svg>\n\
                <script>let longName = 1;  window.x = longName;</script>\n<style> p { color : #ff0000 } </style>\n</body>\n</html>\n";
    let made = minify(page);
    assert_eq!(shape(&made), shape(page), "{made}");
    for part in [
        "<p class=\"a b\">One <b>two</b> <i>three</i> four</p><ul><li>1</li><li>2</li></ul>",
        "  as  it is",
        "<!--! kept -->",
        "color:red",
    ] {
        assert!(made.contains(part), "{part} in {made}");
    }
    assert!(!made.contains("gone") && made.len() * 100 < page.len() * 90, "{made}");
    assert_eq!(minify(&made), made);
}

#[test]
fn a_text_that_begins_with_a_letter_of_several_bytes_ends_where_the_next_tag_begins() {
    assert_eq!(minify("<p>…</p><p class=\"b\">y</p>"), "<p>…</p><p class=b>y</p>");
}

/// What is shown: the text with its white space collapsed as a browser does, a new line for each block's begin and end.
fn shown(html: &str) -> String {
    fn walk(node: &Handle, kept: bool, out: &mut String) {
        match &node.data {
            NodeData::Text { contents } => {
                for c in contents.borrow().chars() {
                    match (kept, c) {
                        (true, ' ') => out.push('\u{1}'),
                        (true, '\n') => out.push('\u{2}'),
                        (false, c) if c.is_ascii_whitespace() => {
                            if !out.ends_with([' ', '\n']) {
                                out.push(' ');
                            }
                        }
                        (_, c) => out.push(c),
                    }
                }
            }
            NodeData::Element { name, .. } => {
                let local: &str = &name.local;
                let block = ["html", "head", "body", "title", "p", "div", "pre", "ul", "li", "br"].contains(&local);
                let edge = |out: &mut String| {
                    if block {
                        while out.ends_with(' ') {
                            out.pop();
                        }
                        out.push('\n');
                    }
                };
                edge(out);
                if local == "img" {
                    out.push('#');
                }
                for child in node.children.borrow().iter() {
                    walk(child, kept || local == "pre", out);
                }
                edge(out);
            }
            _ => node.children.borrow().iter().for_each(|child| walk(child, kept, out)),
        }
    }
    let dom = parse_document(RcDom::default(), ParseOpts::default()).one(html);
    let mut out = String::new();
    walk(&dom.document, false, &mut out);
    out
}

/// Text and elements that stand in a line.
fn phrasing() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => "[a-c]{1,3}",
        3 => "[ \n]{1,3}",
        1 => Just("&amp;".to_owned()),
        1 => Just("…é".to_owned()),
        1 => Just("<!-- c -->".to_owned()),
        1 => Just("<br>".to_owned()),
        1 => Just("<img alt=\"\">".to_owned()),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        let name = prop::sample::select(vec!["b", "i", "span title='x y'", "code", "em class=\" a  b \""]);
        (name, prop::collection::vec(inner, 0..5)).prop_map(|(name, parts)| {
            let end = name.split(' ').next().unwrap();
            format!("<{name}>{}</{end}>", parts.concat())
        })
    })
}

/// Blocks, in one another, with what stands in a line between them.
fn flow() -> impl Strategy<Value = String> {
    let line = prop::collection::vec(phrasing(), 0..5)
        .prop_map(|parts| parts.concat())
        .boxed();
    let leaf = prop_oneof![
        2 => line.clone().prop_map(|inner| format!("<p>{inner}</p>")),
        1 => line.clone().prop_map(|inner| format!("<pre>a{inner}</pre>")),
        2 => line,
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        let many = prop::collection::vec(inner, 0..5)
            .prop_map(|parts| parts.concat())
            .boxed();
        prop_oneof![
            many.clone().prop_map(|inner| format!("<div class=\"a\">{inner}</div>")),
            many.prop_map(|inner| format!("<ul> <li>{inner}</li>\n<li>x </ul>")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_page_shows_what_it_showed(body in prop::collection::vec(flow(), 0..6)) {
        let page = format!("<!doctype html><html><head><title>t</title></head><body>{}</body></html>", body.concat());
        let made = minify(&page);
        prop_assert_eq!(elements(&made), elements(&page), "{}", &made);
        prop_assert_eq!(shown(&made), shown(&page), "{}", &made);
        prop_assert_eq!(minify(&made), made);
    }

    #[test]
    fn any_text_is_survived(text in any::<String>(), tags in "([<>/!='\" a-d-]|<script>|</script>|<!--|-->|<svg>|</svg>|<p a=b>|<pre>){0,60}") {
        minify(&text);
        minify(&tags);
    }
}

fn elements(html: &str) -> Vec<String> {
    shape(html).into_iter().filter(|one| !one.starts_with('"')).collect()
}
