//! What is noted of a page while it is read.

use std::collections::HashMap;
use std::rc::Rc;

use html5ever::ns;

use super::elements::{is_custom, is_known, is_obsolete_attribute, nearest, obsolete};
use super::marks::Marks;
use super::model::misplaced;
use super::node::{Handle, Node};
use super::{Page, Problem, Reference, Use};

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

    pub(super) fn page(mut self, marks: &Marks<'_>) -> Page {
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
