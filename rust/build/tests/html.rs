//! A minified page is the same page: parsed as a browser does, only white space that is not shown differs.
#![allow(clippy::unwrap_used, reason = "tests")]

use html5ever::tendril::TendrilSink;
use html5ever::{ParseOpts, parse_document};
use hyperweb_build::css::Targets;
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use proptest::prelude::*;

fn minify(html: &str) -> String {
    hyperweb_build::html::minify(html, Targets::default())
}

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
        "<p class=\"a b\">One <b>two</b> <i>three</i> four<ul><li>1<li>2</ul>",
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
    assert_eq!(minify("<p>…</p><p class=\"b\">y</p>"), "<p>…<p class=b>y</p>");
}

#[test]
fn a_quote_opens_a_value_only_behind_the_equals_sign_of_an_attribute() {
    for page in [
        "<p>a</b='c>d</p><p class='x'>e",
        "<p>a<x ='b>c</x><p class='x'>d",
        "<p>a<x y'='b>c'>d</x><p class='x'>e",
        "<p>a<x y=b'>c</x><p class='x'>d",
        "<p>a<x y= 'b>c'>d</x><p class='x'>e",
        "<p>a<x y/='b>c</x><p class='x'>d",
        "<p>a<x y = \"b>c\"z='>'>d</x><p class='x'>e",
    ] {
        let made = minify(page);
        assert_eq!(shown(&made), shown(page), "{page}\n{made}");
        assert_eq!(shape(&made).len(), shape(page).len(), "{page}\n{made}");
    }
}

#[test]
fn what_ends_noscript_within_something_else_stays_where_it_is() {
    for (page, stays) in [
        ("<noscript>a<!-- </noscript> -->  d<p>e", true),
        ("<noscript>a</x y</noscript>  b><p>e", true),
        ("<noscript>a<b t='</noscript>'>  d<p>e", true),
        ("<noscript>a<style>  </noscript> </style></noscript>", true),
        ("<!-- <noscript>a</noscript> -->  <p>e", false),
        ("<noscript>a  </noscript>  <p>e", false),
    ] {
        assert_eq!(minify(page) == page, stays, "{page}");
    }
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

/// The tree of a page as a parser makes it: its elements with their attributes, and the text in them without white space.
fn tree(html: &str, scripting: bool) -> Vec<String> {
    fn walk(node: &Handle, scripting: bool, found: &mut Vec<String>) {
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
                attrs,
                template_contents,
                ..
            } => {
                let mut attributes: Vec<String> = attrs
                    .borrow()
                    .iter()
                    .map(|one| format!("{}={:?}", one.name.local, &*one.value))
                    .collect();
                attributes.sort();
                found.push(format!("<{}:{} {}", name.ns, name.local, attributes.join(" ")));
                if let Some(contents) = template_contents.borrow().as_ref() {
                    walk(contents, scripting, found);
                }
                // What a script holds, and to a browser with scripts what `noscript` does, is another text.
                if *name.local != *"script" && !(scripting && *name.local == *"noscript") {
                    node.children
                        .borrow()
                        .iter()
                        .for_each(|child| walk(child, scripting, found));
                }
                // White space that is not shown may open a formatting element once more, where one was left open.
                let formats = ["a", "b", "i", "em"].contains(&&*name.local);
                if formats
                    && found
                        .last()
                        .is_some_and(|last| last.contains(&format!("xhtml:{} ", name.local)))
                {
                    found.pop();
                    return;
                }
                found.push(format!("/{}", name.local));
            }
            _ => node
                .children
                .borrow()
                .iter()
                .for_each(|child| walk(child, scripting, found)),
        }
    }
    let mut options = ParseOpts::default();
    options.tree_builder.scripting_enabled = scripting;
    let dom = parse_document(RcDom::default(), options).one(html);
    let mut found = Vec::new();
    walk(&dom.document, scripting, &mut found);
    found
}

const TAGS: [&str; 62] = [
    "html",
    "head",
    "body",
    "title",
    "meta",
    "link",
    "base",
    "noscript",
    "template",
    "div",
    "p",
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "table",
    "caption",
    "colgroup",
    "col",
    "thead",
    "tbody",
    "tfoot",
    "tr",
    "td",
    "th",
    "select",
    "optgroup",
    "option",
    "datalist",
    "ruby",
    "rt",
    "rp",
    "a",
    "b",
    "i",
    "span",
    "em",
    "my-element",
    "button",
    "form",
    "input",
    "br",
    "hr",
    "img",
    "h1",
    "h2",
    "section",
    "article",
    "header",
    "main",
    "address",
    "blockquote",
    "pre",
    "details",
    "summary",
    "svg",
    "path",
    "math",
    "frameset",
    "image",
];

/// Tags and text in any order: most of what comes out is no tree as it stands.
fn soup() -> impl Strategy<Value = String> {
    let tag = || prop::sample::select(TAGS.to_vec());
    let part = prop_oneof![
        6 => (tag(), prop::sample::select(vec!["", "", "", " class=a", " id='x y'", "/"])).prop_map(|(tag, rest)| format!("<{tag}{rest}>")),
        5 => tag().prop_map(|tag| format!("</{tag}>")),
        2 => Just("x".to_owned()),
        1 => Just(" ".to_owned()),
        1 => Just("&amp;".to_owned()),
        1 => Just("lt;<b>".to_owned()),
        1 => Just("<".to_owned()),
        1 => Just("<!-- c -->".to_owned()),
        1 => Just("<!--! c -->".to_owned()),
    ];
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

/// Elements in one another as they may stand, with some of the end tags that may be left out left out.
fn nested() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        3 => Just("x".to_owned()),
        1 => Just(" ".to_owned()),
        1 => Just("<br>".to_owned()),
        1 => Just("<!-- c -->".to_owned()),
        1 => Just("<!--! c -->".to_owned()),
        1 => Just("<img alt>".to_owned()),
        1 => Just("<svg><path d=M0 /></svg>".to_owned()),
        1 => Just("<script>let a = 1</script>".to_owned()),
        1 => Just("<select><option>a</option><optgroup label=b><option>c</option></optgroup></select>".to_owned()),
        1 => Just("<table><colgroup><col></colgroup><tr><td>x</td><td>y</td></tr></table>".to_owned()),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        let name = prop::sample::select(vec![
            "p",
            "div",
            "ul li",
            "ol li",
            "dl dt",
            "dl dd",
            "table tbody tr td",
            "table tbody",
            "table thead tr th",
            "tr td",
            "a",
            "span",
            "section",
            "noscript",
            "template",
            "ruby rt",
            "caption",
            "table caption",
            "b",
            "h1",
            "button",
            "li",
            "td",
            "dd",
            "table colgroup",
            "details summary",
            "blockquote p",
            "my-element",
            "pre",
            "datalist option",
        ]);
        let ends = any::<[bool; 4]>();
        (name, ends, prop::collection::vec(inner, 0..5)).prop_map(|(names, ends, parts)| {
            let mut made = String::new();
            let names: Vec<&str> = names.split(' ').collect();
            for name in &names {
                made += &format!("<{name}>");
            }
            made += &parts.concat();
            for (at, name) in names.iter().enumerate().rev() {
                let optional = ["p", "li", "dt", "dd", "td", "tr", "th", "tbody", "thead"].contains(name);
                if !optional || ends[at.min(3)] {
                    made += &format!("</{name}>");
                }
            }
            made
        })
    })
}

fn check_tree(page: &str) -> Result<(), TestCaseError> {
    let made = minify(page);
    for scripting in [false, true] {
        prop_assert_eq!(tree(&made, scripting), tree(page, scripting), "{}\n{}", page, &made);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn the_tree_of_any_tags_is_the_same(page in soup(), doctype in any::<bool>()) {
        check_tree(&format!("{}{page}", if doctype { "<!doctype html>" } else { "" }))?;
    }

    #[test]
    fn the_tree_of_a_page_is_the_same(parts in prop::collection::vec(nested(), 0..6), doctype in any::<bool>(), frame in 0..4_usize) {
        let body = parts.concat();
        let page = match frame {
            0 => body,
            1 => format!("<html lang=en> <head> <title>t</title> </head> <body> {body} </body> </html>"),
            2 => format!("<head><meta charset=utf-8></head>{body}"),
            _ => format!("<html><body class=a>{body}</body></html>\n"),
        };
        check_tree(&format!("{}{page}", if doctype { "<!DOCTYPE html>\n" } else { "" }))?;
    }
}

fn elements(html: &str) -> Vec<String> {
    shape(html).into_iter().filter(|one| !one.starts_with('"')).collect()
}
