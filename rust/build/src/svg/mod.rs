//! SVG files, smaller: what is drawn is the same.

pub(crate) mod path;

use std::fmt::Write as _;

use crate::css::Targets;
use crate::text;

/// Returns SVG without comments, white space that is not shown, and what its numbers, styles and tags do not need.
pub fn minify(source: &str, targets: Targets) -> String {
    let mut writer = Writer {
        out: String::with_capacity(source.len()),
        open: Vec::new(),
        keeps_space: source.contains("xml:space"),
        is_fresh: false,
        targets,
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
    writer.out.push_str(rest.trim_ascii_end());
    writer.out
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
    keeps_space: bool,
    /// Whether a start tag was written last.
    is_fresh: bool,
    targets: Targets,
}

impl<'a> Writer<'a> {
    fn text(&mut self, raw: &str) {
        let is_space = raw.bytes().all(|byte| byte.is_ascii_whitespace());
        let is_shown = self.keeps_space || self.open.iter().any(|name| shows_text(name));
        if is_space && !is_shown {
            return;
        }
        let made = match self.open.last() {
            // References would have to be decoded first.
            Some(&"style") if !raw.contains('&') => text::style(raw, self.targets),
            _ => None,
        };
        let made = made.filter(|made| !made.contains(['<', '&']));
        let made = made.as_deref().unwrap_or(raw);
        self.is_fresh &= made.is_empty();
        self.out.push_str(made);
    }

    fn markup(&mut self, markup: &'a str) {
        if markup.starts_with("<!--") {
            return;
        }
        if let Some(name) = markup.strip_prefix("</") {
            let name = name.trim_end_matches('>').trim_ascii_end();
            self.open.pop();
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
        if let Some(tag) = Tag::read(markup) {
            if !tag.closes {
                self.open.push(tag.name);
            }
            tag.write(&mut self.out, self.targets);
            self.is_fresh = !tag.closes;
        } else {
            self.out.push_str(markup);
            self.is_fresh = false;
        }
    }
}

struct Tag<'a> {
    name: &'a str,
    /// Names, values and their quotes.
    attributes: Vec<(&'a str, &'a str, char)>,
    closes: bool,
}

impl<'a> Tag<'a> {
    /// Reads a start tag; none where it is not one as XML has them.
    fn read(markup: &'a str) -> Option<Self> {
        let inner = markup.strip_prefix('<')?.strip_suffix('>')?;
        let (inner, closes) = inner.strip_suffix('/').map_or((inner, false), |inner| (inner, true));
        let name_end = inner.find(|c: char| c.is_ascii_whitespace()).unwrap_or(inner.len());
        let (name, mut rest) = inner.split_at(name_end);
        if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            return None;
        }
        let mut attributes = Vec::new();
        loop {
            rest = rest.trim_ascii_start();
            if rest.is_empty() {
                return Some(Self {
                    name,
                    attributes,
                    closes,
                });
            }
            let (name, value) = rest.split_once('=')?;
            let value = value.trim_ascii_start();
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let (value, after) = value.get(1..)?.split_once(quote)?;
            attributes.push((name.trim_ascii_end(), value, quote));
            rest = after;
        }
    }

    fn write(&self, out: &mut String, targets: Targets) {
        let _ = write!(out, "<{}", self.name);
        for (name, value, quote) in &self.attributes {
            let made = match *name {
                "d" => path::shorter(value),
                "style" if !value.contains('&') => {
                    text::declarations(value, targets).filter(|made| !made.contains(['<', '&', *quote]))
                }
                _ => None,
            };
            let value = made.as_deref().unwrap_or(value);
            let _ = write!(out, " {name}={quote}{value}{quote}");
        }
        out.push_str(if self.closes { "/>" } else { ">" });
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
            "<?xml version=\"1.0\"?><!DOCTYPE svg [ <!ENTITY a \"b>\"> ]><svg xmlns='http://www.w3.org/2000/svg' viewBox=\"0 0 1 1\">\
             <style>.a{fill:red}</style><g><path style=\"fill:red\" d=\"M0 0 1 1\"/></g>\
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

    proptest! {
        #[test]
        fn any_text_is_survived(text in "([<>/!='\" a-d-]|<svg>|</svg>|<style>|</style>|<!--|-->|<!\\[CDATA\\[|\\]\\]>|<path d='M0 0'/>|é){0,40}") {
            made(&text);
        }
    }
}
