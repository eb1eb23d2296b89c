//! Reads one page and notes what is in it.

use std::collections::HashMap;
use std::rc::Rc;

use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{ParseOpts, ns, parse_document};

use super::elements::{is_custom, is_known, is_obsolete_attribute, nearest, obsolete};
use super::marks::{Marks, strip};
use super::model::misplaced;
use super::node::{Handle, Node};
use super::sink::Sink;
use super::{Page, Problem, Reference, Use};
use crate::html::Tokens;

/// After so many problems of one page the rest are no help.
const MOST: usize = 100;
/// Attributes whose value is the id of another element, or several.
const ID_REFERENCES: [&str; 7] = [
    "aria-controls",
    "aria-describedby",
    "aria-labelledby",
    "aria-owns",
    "for",
    "form",
    "list",
];

/// Checks a page, the text of which may be marked.
pub fn check_page(text: &str) -> Page {
    let (clean, marks) = strip(text);
    let options = ParseOpts {
        tree_builder: TreeBuilderOpts {
            scripting_enabled: false,
            ..TreeBuilderOpts::default()
        },
        ..ParseOpts::default()
    };
    let mut parser = parse_document(Sink::new(), options);
    let mut tokens = Tokens::new(&clean);
    loop {
        let at = tokens.offset();
        let Some(token) = tokens.next() else { break };
        parser.tokenizer.sink.sink.begin(at, Some(token));
        parser.process(StrTendril::from_slice(clean.get(at..tokens.offset()).unwrap_or("")));
    }
    parser.tokenizer.sink.sink.begin(clean.len(), None);
    parser.finish().page(&marks)
}

/// What is noted while a page is read; places are offsets.
#[derive(Default)]
pub(super) struct Notes {
    title: Option<(String, usize)>,
    ids: HashMap<String, usize>,
    anchors: Vec<String>,
    references: Vec<(String, Use, u32, usize)>,
    choices: u32,
    id_references: Vec<(String, &'static str, usize)>,
    named: Vec<Handle>,
    problems: Vec<(&'static str, String, String, usize)>,
    base: Option<String>,
    canonical: Option<String>,
    html: Option<usize>,
    has_lang: bool,
    has_charset: bool,
    hidden: bool,
}

impl Notes {
    pub(super) fn problem(&mut self, rule: &'static str, message: &str, hint: &str, at: usize) {
        if self.problems.len() < MOST {
            self.problems.push((rule, message.to_owned(), hint.to_owned(), at));
        }
    }

    /// Notes text in an element.
    pub(super) fn text(&mut self, parent: &Handle, text: &str) {
        if parent.html() == "title" {
            if let Some((title, _)) = &mut self.title {
                title.push_str(text);
            }
        } else if !matches!(parent.html(), "script" | "style") && !text.trim_ascii().is_empty() {
            name(parent);
        }
    }

    /// Notes an element that was put into the tree.
    pub(super) fn element(&mut self, node: &Handle, parent: &Handle) {
        let element = node.html();
        if element == "html" {
            self.html = Some(node.at);
            self.has_lang |= node.get("lang").is_some_and(|lang| !lang.trim_ascii().is_empty());
        }
        if !node.is_written {
            return;
        }
        let in_template = parent.is_template || node.ancestors().any(|one| one.is_template);
        if !in_template {
            self.id(node);
        }
        if element.is_empty() {
            if node.name.ns == ns!(svg) {
                self.foreign(node);
            }
            return;
        }
        self.standing(node, element, parent);
        self.described(node, element);
        if !in_template {
            self.leads(node, element, parent);
        }
        if node
            .get("aria-label")
            .is_some_and(|label| !label.trim_ascii().is_empty())
            || node.get("aria-labelledby").is_some()
            || node.get("title").is_some_and(|title| !title.trim_ascii().is_empty())
            || element == "img" && node.get("alt").is_some_and(|alt| !alt.trim_ascii().is_empty())
        {
            name(node);
        }
        if (element == "a" && node.get("href").is_some() || element == "button")
            && node.get("aria-hidden") != Some("true")
            && !in_template
        {
            self.named.push(Rc::clone(node));
        }
    }

    fn id(&mut self, node: &Node) {
        if let Some(id) = node.get("id") {
            if id.is_empty() || id.contains(|letter: char| letter.is_ascii_whitespace()) {
                let hint = "give it at least one character, and no space";
                self.problem("duplicate-id", &format!("`{id}` is no id"), hint, node.at);
            } else if self.ids.insert(id.to_owned(), node.at).is_some() {
                let hint = "a link, a label or a script finds the first only: rename one of them";
                let message = format!("the id `{id}` stands on two elements of the page");
                self.problem("duplicate-id", &message, hint, node.at);
            }
            self.anchors.push(id.to_owned());
        }
        if node.html() == "a"
            && let Some(old) = node.get("name")
        {
            self.anchors.push(old.to_owned());
        }
        for attribute in ID_REFERENCES {
            if attribute == "for" && !matches!(node.html(), "label" | "output") {
                continue;
            }
            for id in node.get(attribute).unwrap_or("").split_ascii_whitespace() {
                self.id_references.push((id.to_owned(), attribute, node.at));
            }
        }
    }

    fn foreign(&mut self, node: &Node) {
        let url = node.get("href").filter(|url| !url.starts_with('#'));
        if let Some(url) = url {
            let kind = match &*node.name.local {
                "a" => Use::Link,
                "image" => Use::Image,
                _ => Use::Other,
            };
            self.refer(url, kind, node.at);
        }
    }

    /// Whether HTML has the element and its attributes, and has them there.
    fn standing(&mut self, node: &Node, element: &str, parent: &Node) {
        if let Some(hint) = obsolete(element) {
            self.problem(
                "obsolete",
                &format!("`<{element}>` is no element any more"),
                hint,
                node.at,
            );
        } else if !is_known(element) && !is_custom(element) {
            let hint = match nearest(element) {
                Some(near) => format!("did you mean `<{near}>`? An element of your own has a `-` in its name"),
                None => "an element of your own has a `-` in its name".to_owned(),
            };
            self.problem(
                "unknown-element",
                &format!("HTML has no element `<{element}>`"),
                &hint,
                node.at,
            );
        }
        for attribute in &node.attributes {
            if is_obsolete_attribute(element, &attribute.name.local) {
                let message = format!("`{}` is no attribute of `<{element}>` any more", &*attribute.name.local);
                self.problem("obsolete", &message, "say it in a stylesheet", node.at);
            }
        }
        if let Some((message, hint)) = misplaced(node, parent) {
            self.problem("nesting", &message, &hint, node.at);
        }
    }

    /// What the page says of itself, and what a picture says in words.
    fn described(&mut self, node: &Node, element: &str) {
        match element {
            "title" if self.title.is_none() => self.title = Some((String::new(), node.at)),
            "title" => {
                let hint = "a browser shows the first: remove the other";
                self.problem("title", "the page has two titles", hint, node.at);
            }
            "meta" => {
                self.has_charset |= node.get("charset").is_some()
                    || node
                        .get("http-equiv")
                        .is_some_and(|name| name.eq_ignore_ascii_case("content-type"));
                let name = node.get("name").unwrap_or("");
                if name.eq_ignore_ascii_case("robots") || name.eq_ignore_ascii_case("googlebot") {
                    self.hidden |= node
                        .get("content")
                        .unwrap_or("")
                        .to_ascii_lowercase()
                        .contains("noindex");
                }
            }
            "base" => self.base = self.base.take().or_else(|| node.get("href").map(str::to_owned)),
            "img" if node.get("alt").is_none() => {
                let hint = "say in `alt` what it shows, or `alt=\"\"` if it is only decoration";
                let shown = node.get("src").unwrap_or("");
                let shown = if shown.len() > 60 { "" } else { shown };
                self.problem(
                    "alt",
                    &format!("the picture {shown} has no text for those who do not see it"),
                    hint,
                    node.at,
                );
            }
            "area" if node.get("href").is_some() && node.get("alt").is_none() => {
                self.problem(
                    "alt",
                    "the area of a map has no text",
                    "say in `alt` where it leads",
                    node.at,
                );
            }
            "input"
                if node.get("type").is_some_and(|kind| kind.eq_ignore_ascii_case("image"))
                    && node.get("alt").is_none_or(str::is_empty) =>
            {
                self.problem(
                    "alt",
                    "the button's picture has no text",
                    "say in `alt` what it does",
                    node.at,
                );
            }
            _ => {}
        }
    }

    /// Where the element leads, and what it loads.
    fn leads(&mut self, node: &Node, element: &str, parent: &Node) {
        let at = node.at;
        if !matches!((element, parent.html()), ("source" | "img", "picture")) {
            self.choices += 1;
        }
        let attributes: &[(&str, Use)] = match element {
            "a" | "area" => &[("href", Use::Link)],
            "form" => &[("action", Use::Form)],
            "button" => &[("formaction", Use::Form)],
            "input" => &[("formaction", Use::Form), ("src", Use::Image)],
            "img" => &[("src", Use::Image)],
            "script" => &[("src", Use::Script)],
            "video" => &[("src", Use::Other), ("poster", Use::Image)],
            "audio" | "source" | "track" | "iframe" | "embed" => &[("src", Use::Other)],
            "object" => &[("data", Use::Other)],
            "blockquote" | "q" | "ins" | "del" => &[("cite", Use::Other)],
            "link" => return self.link(node),
            "meta" => return self.preview(node),
            _ => &[],
        };
        for (attribute, kind) in attributes {
            if let Some(url) = node.get(attribute) {
                self.refer(url, *kind, at);
            }
        }
        if let Some(set) = node.get("srcset").filter(|_| matches!(element, "img" | "source")) {
            for url in candidates(set) {
                self.refer(url, Use::Image, at);
            }
        }
        if element == "img" && node.get("src").is_none_or(|url| url.trim_ascii().is_empty()) {
            self.problem("dead-link", "the picture has no `src`", "say which file it shows", at);
        }
    }

    fn link(&mut self, node: &Node) {
        let rel = node.get("rel").unwrap_or("").to_ascii_lowercase();
        let has = |name| rel.split_ascii_whitespace().any(|one| one == name);
        let Some(url) = node.get("href") else { return };
        if has("canonical") {
            self.canonical.get_or_insert_with(|| url.to_owned());
        }
        // These name a host, and no file of it.
        if has("preconnect") || has("dns-prefetch") {
            return;
        }
        let kind = if has("stylesheet") && !has("alternate") {
            Use::Style
        } else if has("modulepreload") {
            Use::Script
        } else {
            Use::Other
        };
        self.refer(url, kind, node.at);
    }

    /// The pictures that are shown where the page is shared.
    fn preview(&mut self, node: &Node) {
        let key = node.get("property").or_else(|| node.get("name")).unwrap_or("");
        let is_url = matches!(
            key,
            "og:image" | "og:image:url" | "og:url" | "og:video" | "og:audio" | "twitter:image"
        );
        if is_url && let Some(url) = node.get("content") {
            self.refer(url, Use::Other, node.at);
        }
    }

    fn refer(&mut self, url: &str, kind: Use, at: usize) {
        let url = url.trim_ascii();
        let scheme = url.get(..5).unwrap_or("");
        // What is in the page itself is neither loaded nor followed.
        if !scheme.eq_ignore_ascii_case("data:") {
            self.references.push((url.to_owned(), kind, self.choices, at));
        }
    }

    fn page(mut self, marks: &Marks<'_>) -> Page {
        self.ends();
        let Self {
            title,
            references,
            problems,
            anchors,
            base,
            canonical,
            hidden,
            ..
        } = self;
        let (title, title_at) = title.unwrap_or_default();
        let references = references.into_iter().map(|(url, kind, choice, at)| Reference {
            url,
            kind,
            choice,
            place: marks.place(at),
        });
        let problems = problems.into_iter().map(|(rule, message, hint, at)| Problem {
            rule,
            message,
            hint,
            place: marks.place(at),
        });
        Page {
            title: title.split_ascii_whitespace().collect::<Vec<_>>().join(" "),
            title_place: marks.place(title_at),
            references: references.collect(),
            problems: problems.collect(),
            anchors,
            base,
            canonical,
            hidden,
        }
    }

    /// What is known only at the end.
    fn ends(&mut self) {
        let top = self.html.unwrap_or(0);
        if !self.has_lang {
            let hint = "say the language of the page: `<html lang=\"en\">`";
            self.problem("lang", "`<html>` has no `lang`", hint, top);
        }
        if !self.has_charset {
            let hint = "write `<meta charset=\"utf-8\">` first in the head: a host may send no charset";
            self.problem("charset", "the page does not say its encoding", hint, top);
        }
        match &self.title {
            None => self.problem("title", "the page has no title", "write `<title>` in its head", top),
            Some((title, at)) if title.trim_ascii().is_empty() => {
                let at = *at;
                self.problem(
                    "title",
                    "the title of the page is empty",
                    "say in it what the page is",
                    at,
                );
            }
            _ => {}
        }
        for (id, attribute, at) in std::mem::take(&mut self.id_references) {
            if !self.ids.contains_key(&id) {
                let message = format!("`{attribute}` names the id `{id}`, which no element of the page has");
                self.problem("dead-id", &message, "check the id", at);
            }
        }
        for node in std::mem::take(&mut self.named) {
            if !node.is_named.get() {
                let hint = "write text in it, an `alt` on its picture, or an `aria-label`";
                let message = format!("nothing says what this `<{}>` is for", node.html());
                self.problem("empty-link", &message, hint, node.at);
            }
        }
    }
}

/// Notes that an element, and with it what it stands in, has a name for those who do not see it.
fn name(node: &Handle) {
    node.is_named.set(true);
    for outer in node.ancestors() {
        if outer.is_named.replace(true) {
            break;
        }
    }
}

/// The URLs of a `srcset` (section 4.8.4.3.10).
fn candidates(set: &str) -> impl Iterator<Item = &str> {
    let mut rest = set;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|letter: char| letter.is_ascii_whitespace() || letter == ',');
        let end = rest
            .find(|letter: char| letter.is_ascii_whitespace())
            .unwrap_or(rest.len());
        let (url, after) = rest.split_at(end);
        let bare = url.trim_end_matches(',');
        rest = if bare.len() < url.len() {
            after
        } else {
            after.find(',').map_or("", |at| after.get(at..).unwrap_or(""))
        };
        (!bare.is_empty()).then_some(bare)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::check::mark;

    const HEAD: &str = "<!doctype html><html lang=en><head><meta charset=utf-8><title>T</title></head><body>";

    fn found(body: &str) -> Vec<(&'static str, String)> {
        let page = check_page(&format!("{HEAD}{body}</body></html>"));
        page.problems.into_iter().map(|one| (one.rule, one.message)).collect()
    }

    fn rules(body: &str) -> Vec<&'static str> {
        found(body).into_iter().map(|one| one.0).collect()
    }

    #[test]
    fn a_good_page_has_no_problems() {
        let body = "<header><nav><ul><li><a href=/>Home</a></ul></nav></header><main><h1 id=top>T</h1><p>Text &amp; <em>more</em>\
                    <p>Another<ul><li>one<li>two</ul><table><tr><td>1<td>2</table><dl><dt>a<dd>b</dl>\
                    <figure><picture><source srcset='/a.avif 1x, /b.avif 2x'><img src=/a.png alt=A></picture><figcaption>c</figcaption></figure>\
                    <a href=#top><img src=/x.svg alt=Up></a><button aria-label=Close><svg viewBox='0 0 1 1'><path d='M0 0'/></svg></button>\
                    <label for=q>Q</label><input id=q><my-part><div>x</div></my-part><template><p id=q></template>\
                    <details><summary><h2>S</h2></summary><div>d</div></details><a href=/b><div>block</div></a></main>";
        assert_eq!(found(body), []);
    }

    #[test]
    fn what_a_parser_mends_is_told() {
        for (body, wanted) in [
            ("<div><p>x", "`<div>` is never closed"),
            ("<p><div>x</div></p>", "`</p>` closes nothing"),
            ("</section>", "`</section>` closes nothing"),
            ("<b><i>x</b></i>", "`</b>` stands where `<i>` is still open"),
            ("<p a=1 a=2>x", "an attribute stands on this tag twice"),
            ("<div/>x</div>", "`<div/>` does not close itself"),
            (
                "a & b &nosuch; c",
                "`&` begins a character reference that there is not, or that is not closed",
            ),
            ("1 < 2 <3", "`<` with a space behind it begins no tag"),
            (
                "<p title=\"a\"id=b>x",
                "two attributes stand side by side without a space",
            ),
            ("<p title=\"a\">x</p title>", "`</p>` has attributes"),
            (
                "<table>x<tr><td>1</table>",
                "text stands in a table, in none of its cells",
            ),
            ("<td>x", "`<td>` may not stand here, in `<body>`"),
            ("<a href=/>x<a href=/b>y</a>", "`<a>` may not stand here, in `<a>`"),
            ("<!-- a -- b --!>", "this is no well-formed comment"),
            (
                "<a href=x\"y>z</a>",
                "`\"` stands in an attribute's value without quotes",
            ),
        ] {
            let found = found(body);
            assert_eq!(
                found.first().map(|one| one.1.as_str()),
                Some(wanted),
                "{body}: {found:?}"
            );
            assert_eq!(found.first().map(|one| one.0), Some("html"), "{body}");
        }
    }

    #[test]
    fn what_follows_from_an_error_is_no_other() {
        for body in [
            "<a href=/>x<a href=/b>y</a></a>",
            "<h1>a<h2>b</h2></h1>",
            "<form>a<form>b</form></form>",
            "<b><i>x</b></i>",
            "<div><b><i>x</div></i></b>",
        ] {
            assert_eq!(found(body).len(), 1, "{body}: {:?}", found(body));
        }
    }

    #[test]
    fn what_stands_in_the_wrong_place_is_told() {
        for (body, wanted) in [
            ("<span><div>x</div></span>", "`<div>` may not stand in `<span>`"),
            ("<h2><p>x</p></h2>", "`<p>` may not stand in `<h2>`"),
            ("<ul><div>x</div></ul>", "`<div>` may not stand in `<ul>`"),
            ("<div><li>x</li></div>", "`<li>` may not stand in `<div>`"),
            ("<a href=/><button>x</button></a>", "`<button>` may not stand in `<a>`"),
            (
                "<label>a<label>b</label></label>",
                "`<label>` may not stand in `<label>`",
            ),
            (
                "<span><a href=/><div>x</div></a></span>",
                "`<div>` may not stand in `<span>`",
            ),
        ] {
            let found = found(body);
            assert_eq!(found, [("nesting", wanted.to_owned())], "{body}");
        }
    }

    #[test]
    fn every_rule_can_fail() {
        for (body, rule) in [
            ("<i id=a></i><i id=a></i>", "duplicate-id"),
            ("<sectoin>x</sectoin>", "unknown-element"),
            ("<center>x</center>", "obsolete"),
            ("<p align=left>x</p>", "obsolete"),
            ("<img src=/a.png>", "alt"),
            ("<a href=/></a>", "empty-link"),
            ("<a href=/><img src=/a.png alt=''></a>", "empty-link"),
            ("<label for=no>x</label>", "dead-id"),
            ("<img alt=x>", "dead-link"),
        ] {
            assert_eq!(rules(body), [rule], "{body}");
        }
        let bare = check_page("<p>x");
        let rules: Vec<_> = bare.problems.iter().map(|one| one.rule).collect();
        assert_eq!(rules, ["doctype", "lang", "charset", "title"]);
    }

    #[test]
    fn what_other_pages_ask_is_noted() {
        let page = check_page(
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=robots content=noindex><title> A  &amp; B </title>\
             <link rel=stylesheet href=/a.css><link rel=canonical href=/x/><h1 id=é>x</h1><a name=old href='/b?a=1&amp;b=2#c'>y</a>\
             <picture><source srcset='/p,1.avif 1x,/q.avif 2x'><img src=/p.png alt=p></picture><img src=data:, alt=d>",
        );
        assert_eq!((page.title.as_str(), page.hidden), ("A & B", true));
        assert_eq!(page.anchors, ["é", "old"]);
        assert_eq!(page.canonical.as_deref(), Some("/x/"));
        let urls: Vec<_> = page.references.iter().map(|one| (one.url.as_str(), one.kind)).collect();
        assert_eq!(
            urls,
            [
                ("/a.css", Use::Style),
                ("/x/", Use::Other),
                ("/b?a=1&b=2#c", Use::Link),
                ("/p,1.avif", Use::Image),
                ("/q.avif", Use::Image),
                ("/p.png", Use::Image)
            ]
        );
        let choices: Vec<_> = page.references.iter().rev().take(3).map(|one| one.choice).collect();
        assert!(
            choices.windows(2).all(|pair| pair.first() == pair.last()),
            "{choices:?}"
        );
    }

    #[test]
    fn places_are_those_of_the_sources() {
        let text = format!(
            "{HEAD}\n<main>{}<center>\n{}<blink>x</blink></center></main>",
            mark("a.html", 3),
            mark("b.md", 9)
        );
        let places: Vec<_> = check_page(&text)
            .problems
            .into_iter()
            .map(|one| (one.place.line, one.place.source))
            .collect();
        assert_eq!(
            places,
            [(2, Some("a.html:3".to_owned())), (3, Some("b.md:9".to_owned()))]
        );
    }

    proptest! {
        #[test]
        fn what_a_parser_complains_of_is_told_and_nothing_else(text in "(<!doctype html>)?(<(/?(p|div|a|b|i|table|tr|td|ul|li|h1|form|button|select|option|svg|template|title|body)|br|img|p id=a id=a|div class=\"x\"y)>|</p |<!--|-->|<!|&amp;|&x;|&#0;|[a-z ]){0,12}") {
            let options = ParseOpts {
                tree_builder: TreeBuilderOpts { scripting_enabled: false, ..TreeBuilderOpts::default() },
                ..ParseOpts::default()
            };
            let dom = parse_document(markup5ever_rcdom::RcDom::default(), options).one(text.as_str());
            let complains = !dom.errors.borrow().is_empty();
            let told = check_page(&text).problems.iter().any(|one| matches!(one.rule, "html" | "doctype"));
            prop_assert_eq!(complains, told, "{:?}: {:?}", text, dom.errors);
        }

        #[test]
        fn no_text_is_too_odd(text in "(<(/?(p|div|a|table|tr|td|svg|template|b|select|form|title|script|html|body|li|x-y)( id=a| href='/x')?/?)>|<!--|-->|<!doctype html>|&amp;|&|[a-z <>\"'=]|\u{f8f0}a:1\u{f8f1}){0,40}") {
            let page = check_page(&text);
            prop_assert!(page.problems.iter().all(|one| one.place.line >= 1 && !one.message.is_empty()));
        }
    }
}
