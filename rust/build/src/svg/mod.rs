//! SVG files, smaller: what is drawn is the same.

mod number;
pub(crate) mod path;
mod tag;

use std::fmt::Write as _;

use crate::css::Targets;
use crate::svg::path::Freedom;
use crate::svg::tag::Tag;
use crate::text;

/// Returns SVG without comments, white space that is not shown, what no renderer reads, and what its numbers, colours,
/// styles and tags do not need.
pub fn minify(source: &str, targets: Targets) -> String {
    let mut writer = Writer {
        out: String::with_capacity(source.len()),
        open: Vec::new(),
        showing: 0,
        skipped: 0,
        keeps_space: source.contains("xml:space"),
        is_fresh: false,
        document: Document::of(source, targets),
    };
    let mut rest = source.trim_ascii_start();
    while let Some(at) = rest.find('<') {
        let (before, markup) = rest.split_at(at);
        writer.text(before);
        let end = if markup.starts_with("<!--") {
            markup.find("-->").map(|end| end + 3)
        } else if markup.starts_with("<![CDATA[") {
            markup.find("]]>").map(|end| end + 3)
        } else if markup.starts_with("<!") {
            doctype_end(markup)
        } else if markup.starts_with("<?") {
            markup.find("?>").map(|end| end + 2)
        } else {
            text::tag_end(markup)
        };
        let Some((markup, after)) = end.and_then(|end| markup.split_at_checked(end)) else {
            rest = markup;
            break;
        };
        writer.markup(markup);
        rest = after;
    }
    if writer.skipped > 0 {
        // What was to be left out never ends: the file is broken.
        return source.to_owned();
    }
    writer.out.push_str(rest.trim_ascii_end());
    writer.out
}

/// What is known of the whole file.
#[derive(Debug, Clone, Copy)]
struct Document<'a> {
    source: &'a str,
    targets: Targets,
    paths: Freedom,
    /// Whether a script or a stylesheet may look at more of the file than is drawn.
    is_looked_at: bool,
}

impl<'a> Document<'a> {
    fn of(source: &'a str, targets: Targets) -> Self {
        let looks = ["<script", "<?xml-stylesheet", "@import", "<!ENTITY", "<!ATTLIST"];
        let asks_for_attributes = source.contains("<style") && source.contains('[');
        Self {
            source,
            targets,
            paths: Freedom::of(source),
            is_looked_at: asks_for_attributes || looks.iter().any(|mark| source.contains(mark)),
        }
    }

    /// Whether an element or attribute is of a namespace that only editors read, or tells what no renderer shows.
    fn is_unread(&self, name: &str) -> bool {
        !self.is_looked_at && (name == "metadata" || is_of_editor(name))
    }

    /// Whether a name with a prefix of a namespace stands anywhere that is kept.
    fn has_prefix(&self, prefix: &str) -> bool {
        let mark = format!("{prefix}:");
        let (before, rest) = self.source.split_once("<metadata").unwrap_or((self.source, ""));
        let after = rest.split_once("</metadata").map_or(rest, |(_, after)| after);
        before.contains(&mark) || after.contains(&mark)
    }
}

fn is_of_editor(name: &str) -> bool {
    const PREFIXES: [&str; 5] = ["inkscape", "sodipodi", "sketch", "serif", "bx"];
    name.split_once(':')
        .is_some_and(|(prefix, _)| PREFIXES.contains(&prefix))
}

/// Where a document type ends: its declarations stand in brackets.
fn doctype_end(markup: &str) -> Option<usize> {
    let close = markup.find('>')?;
    match markup.find('[') {
        Some(open) if open < close => {
            let inner = markup.get(open..)?.find(']')? + open;
            Some(markup.get(inner..)?.find('>')? + inner + 1)
        }
        _ => Some(close + 1),
    }
}

struct Writer<'a> {
    out: String,
    /// The names of the elements that are open.
    open: Vec<&'a str>,
    /// How many of them show text.
    showing: usize,
    /// How many elements are open that are left out.
    skipped: usize,
    keeps_space: bool,
    /// Whether a start tag was written last.
    is_fresh: bool,
    document: Document<'a>,
}

impl<'a> Writer<'a> {
    fn text(&mut self, raw: &str) {
        let is_space = raw.bytes().all(|byte| byte.is_ascii_whitespace());
        let is_shown = self.keeps_space || self.showing > 0;
        if self.skipped > 0 || is_space && !is_shown {
            return;
        }
        let made = match self.open.last() {
            // References would have to be decoded first.
            Some(&"style") if !raw.contains('&') => text::style(raw, self.document.targets),
            _ => None,
        };
        let made = made.filter(|made| !made.contains(['<', '&']));
        let made = made.as_deref().unwrap_or(raw);
        self.is_fresh &= made.is_empty();
        self.out.push_str(made);
    }

    fn markup(&mut self, markup: &'a str) {
        if markup.starts_with("<!--") || self.is_idle(markup) {
            return;
        }
        if let Some(name) = markup.strip_prefix("</") {
            if self.skipped > 0 {
                self.skipped -= 1;
                return;
            }
            let name = name.trim_end_matches('>').trim_ascii_end();
            let closed = self.open.pop();
            self.showing -= usize::from(closed.is_some_and(shows_text));
            // An element that holds nothing ends in its own tag.
            let is_empty = std::mem::take(&mut self.is_fresh);
            if is_empty {
                self.out.pop();
                self.out.push_str("/>");
            } else {
                let _ = write!(self.out, "</{name}>");
            }
            return;
        }
        let tag = Tag::read(markup);
        if self.skipped > 0 || tag.as_ref().is_some_and(|tag| self.document.is_unread(tag.name)) {
            let opens = tag.map_or(!markup.starts_with("<!") && !markup.starts_with("<?"), |tag| {
                !tag.closes
            });
            self.skipped += usize::from(opens);
            return;
        }
        if let Some(tag) = tag {
            if !tag.closes {
                self.open.push(tag.name);
                self.showing += usize::from(shows_text(tag.name));
            }
            tag.write(&mut self.out, &self.document);
            self.is_fresh = !tag.closes;
        } else {
            self.out.push_str(markup);
            self.is_fresh = false;
        }
    }

    /// Whether it is a declaration that says what holds without it: that the file is XML 1.0 in UTF-8, and SVG.
    fn is_idle(&self, markup: &str) -> bool {
        if let Some(declared) = markup.strip_prefix("<?xml ") {
            let encoding = declared.split_once("encoding").map(|(_, rest)| rest);
            let encoding = encoding.and_then(|rest| rest.split(['"', '\'']).nth(1));
            return !declared.contains("1.1") && encoding.is_none_or(|name| name.eq_ignore_ascii_case("utf-8"));
        }
        markup.starts_with("<!DOCTYPE") && !markup.contains('[') && !self.document.is_looked_at
    }
}

/// Elements that show the text they hold, or are of another language.
fn shows_text(name: &str) -> bool {
    matches!(
        name,
        "text" | "tspan" | "textPath" | "title" | "desc" | "style" | "script" | "foreignObject" | "metadata"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn made(text: &str) -> String {
        minify(text, Targets::default())
    }

    #[test]
    fn what_is_drawn_stays() {
        let text = "<?xml version=\"1.0\"?>\n<!DOCTYPE svg [ <!ENTITY a \"b>\"> ]>\n<svg xmlns='http://www.w3.org/2000/svg'\n  \
                    viewBox=\"0 0 1 1\">\n <!-- c -->\n <style> .a { fill: #ff0000 } </style>\n <g >\n  <path style=\"fill: #ff0000;\" \
                    d=\"M 0,0 L 1.0,1\" ></path>\n </g>\n <text x = \"1\"> a <tspan>b</tspan> </text>\n <g></g></svg>\n";
        assert_eq!(
            made(text),
            "<!DOCTYPE svg [ <!ENTITY a \"b>\"> ]><svg xmlns='http://www.w3.org/2000/svg' viewBox=\"0 0 1 1\">\
             <style>.a{fill:red}</style><g><path style=\"fill:red\" d=\"M0 0l1 1\"/></g>\
             <text x=\"1\"> a <tspan>b</tspan> </text><g/></svg>"
        );
        assert_eq!(made(&made(text)), made(text));
        assert_eq!(
            made("<svg><a b=c/><![CDATA[ <x> ]]></svg"),
            "<svg><a b=c/><![CDATA[ <x> ]]></svg"
        );
        assert_eq!(
            made("<svg xml:space=\"preserve\"> <g/> </svg>"),
            "<svg xml:space=\"preserve\"> <g/> </svg>"
        );
    }

    #[test]
    fn what_no_renderer_reads_goes() {
        let head = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \
                    \"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd\">";
        let body = "<svg version=\"1.1\" x=\"0px\" y='0' xmlns:inkscape=\"i\" xmlns:rdf=\"r\" xmlns:xlink=\"x\" xmlns:q=\"q\" \
                    inkscape:version=\"1\"><metadata><rdf:a><b/></rdf:a></metadata><inkscape:view><g/></inkscape:view>\
                    <g q:a=\"1\"/></svg>";
        assert_eq!(
            made(&format!("{head}{body}")),
            "<svg xmlns:q=\"q\"><g q:a=\"1\"/></svg>"
        );
        let linked = "<svg xmlns:xlink=\"x\"><use xlink:href=\"#a\"/></svg>";
        assert_eq!(made(linked), linked);
        for kept in [
            "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><svg/>",
            "<?xml version=\"1.1\"?><svg/>",
            "<svg version=\"1.1\"><script>a</script></svg>",
            "<svg version=\"1.1\"><style>[version]{fill:red}</style></svg>",
            "<svg><metadata>",
        ] {
            assert_eq!(made(kept), kept);
        }
    }

    #[test]
    fn numbers_and_colours_are_short() {
        for (attributes, wanted) in [
            ("fill=\"#FF0000\" stroke='rgb(0, 0, 0)'", "fill=\"red\" stroke='#000'"),
            (
                "fill=\"white\" stroke=\"none\" color=\"black\"",
                "fill=\"#fff\" stroke=\"none\" color=\"#000\"",
            ),
            (
                "fill=\"url(#a)\" stroke=\"currentColor\"",
                "fill=\"url(#a)\" stroke=\"currentColor\"",
            ),
            (
                "fill=\"transparent\" stroke=\"inherit\"",
                "fill=\"transparent\" stroke=\"inherit\"",
            ),
            (
                "x=\"0.50px\" width=\"100%\" height=\"10em\"",
                "x=\".5\" width=\"100%\" height=\"10em\"",
            ),
            (
                "x=\"1 -2\" r=\"+1.0\" points=\"1.0,2 3,-4\"",
                "x=\"1 -2\" r=\"1\" points=\"1 2 3-4\"",
            ),
        ] {
            assert_eq!(made(&format!("<svg {attributes}/>")), format!("<svg {wanted}/>"));
        }
        let asked = "<svg fill=\"#ff0000\"><style>[fill=\"#ff0000\"]{top:0}</style></svg>";
        assert!(made(asked).starts_with("<svg fill=\"#ff0000\">"), "{}", made(asked));
    }

    #[test]
    fn paths_that_are_animated_or_marked_keep_what_they_are_made_of() {
        let path = "<path d=\"M0 0 L 5 0 L 5 5 L 0 0 z\"/>";
        for (other, wanted) in [
            ("", "M0 0h5v5z"),
            ("<marker/>", "M0 0h5v5L0 0z"),
            ("<animate attributeName=\"d\"/>", "M0 0 5 0 5 5 0 0z"),
        ] {
            assert_eq!(
                made(&format!("<svg>{path}{other}</svg>")),
                format!("<svg><path d=\"{wanted}\"/>{other}</svg>")
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "([<>/!='\" a-d-]|<svg>|</svg>|<style>|</style>|<!--|-->|<!\\[CDATA\\[|\\]\\]>|<path d='M0 0'/>|é){0,40}") {
            made(&text);
        }
    }
}
