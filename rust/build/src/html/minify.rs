//! Makes HTML smaller without changing what is shown.
//!
//! White space is collapsed where it is not shown as it is, and left out beside blocks; comments go, but for those kept
//! on purpose (`<!--!`) and conditional ones; quotes and values that say nothing go; scripts, styles and data in the
//! page are minified as they would be in a file of their own. What cannot be read stays as it is.

use crate::html::elements::{is_block, is_boolean, is_void, keeps_space};
use crate::html::tokens::{Tag, Token, Tokens};
use crate::text;

/// Returns the page, smaller.
pub fn minify(html: &str) -> String {
    let mut writer = Writer {
        out: String::with_capacity(html.len()),
        at_boundary: true,
        pending: false,
        keep: Vec::new(),
    };
    let mut script: Option<Kind> = None;
    for token in Tokens::new(html) {
        match token {
            Token::Text(raw) => writer.text(raw),
            Token::Raw(raw) => writer.raw(raw, script.take()),
            Token::Start(tag) => {
                script = Kind::of(&tag);
                writer.start(&tag);
            }
            Token::End { raw, name } => writer.end(raw, name),
            Token::Comment(raw) => writer.comment(raw),
            Token::Doctype(_) => writer.out.push_str("<!doctype html>"),
        }
    }
    writer.flush();
    writer.out
}

/// What the raw text of an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Script,
    Module,
    Json,
    Style,
}

impl Kind {
    fn of(tag: &Tag<'_>) -> Option<Self> {
        if tag.is_foreign {
            return None;
        }
        if tag.is("style") {
            return Some(Self::Style);
        }
        if !tag.is("script") || tag.get("src").is_some() {
            return None;
        }
        match tag.get("type").unwrap_or("").to_ascii_lowercase().as_str() {
            "" | "text/javascript" | "application/javascript" => Some(Self::Script),
            "module" => Some(Self::Module),
            "application/json" | "application/ld+json" | "importmap" | "speculationrules" => Some(Self::Json),
            _ => None,
        }
    }
}

struct Writer {
    out: String,
    /// Whether what was written last ends a line: white space after it is not shown.
    at_boundary: bool,
    /// Whether a space is owed before the next thing that is not a block.
    pending: bool,
    /// Open elements whose white space is shown as it is, or that are foreign.
    keep: Vec<String>,
}

impl Writer {
    fn text(&mut self, raw: &str) {
        if !self.keep.is_empty() {
            self.flush();
            self.out.push_str(raw);
            self.at_boundary = false;
            return;
        }
        let mut words = raw
            .split(|c: char| c.is_ascii_whitespace())
            .filter(|word| !word.is_empty())
            .peekable();
        if words.peek().is_none() {
            self.pending |= !self.at_boundary;
            return;
        }
        self.pending |= raw.starts_with(|c: char| c.is_ascii_whitespace()) && !self.at_boundary;
        while let Some(word) = words.next() {
            self.flush();
            self.out.push_str(word);
            self.pending = words.peek().is_some();
        }
        self.pending = raw.ends_with(|c: char| c.is_ascii_whitespace());
        self.at_boundary = false;
    }

    fn raw(&mut self, raw: &str, kind: Option<Kind>) {
        let made = match kind {
            Some(Kind::Script) => text::script(raw, false),
            Some(Kind::Module) => text::script(raw, true),
            Some(Kind::Json) => text::json(raw),
            Some(Kind::Style) => text::style(raw),
            None => None,
        };
        // What would end the element early is not put there.
        let made = made.filter(|made| !made.to_ascii_lowercase().contains("</s") && !made.contains("<!--"));
        self.out.push_str(made.as_deref().map_or(raw, str::trim_end));
    }

    fn start(&mut self, tag: &Tag<'_>) {
        let block = !tag.is_foreign && is_block(tag.name);
        if block && self.keep.is_empty() {
            self.pending = false;
        }
        self.flush();
        self.tag(tag);
        if tag.is_foreign {
            if !tag.self_closing && (tag.is("svg") || tag.is("math")) {
                self.keep.push(tag.name.to_ascii_lowercase());
            }
            self.at_boundary = false;
            return;
        }
        let shows_space = tag.get("style").is_some_and(|style| style.contains("white-space"));
        if keeps_space(tag.name) || shows_space && !is_void(tag.name) {
            self.keep.push(tag.name.to_ascii_lowercase());
        }
        self.at_boundary = block || tag.is("br");
    }

    fn end(&mut self, raw: &str, name: &str) {
        let lower = name.to_ascii_lowercase();
        let block = is_block(name);
        if block && self.keep.is_empty() {
            self.pending = false;
        }
        self.flush();
        match raw.trim_end_matches('>').trim_end() {
            plain if plain.len() == name.len() + 2 => {
                self.out.push_str("</");
                self.out.push_str(name);
                self.out.push('>');
            }
            _ => self.out.push_str(raw),
        }
        if let Some(at) = self.keep.iter().rposition(|open| *open == lower) {
            self.keep.truncate(at);
        }
        self.at_boundary = block;
    }

    fn comment(&mut self, raw: &str) {
        let kept = raw.starts_with("<!--!")
            || raw.starts_with("<!--[if")
            || raw.starts_with("<![")
            || raw.contains("<![endif]");
        // In an element that shows its white space the comment may stand between two lines that are kept apart by it.
        if kept || self.keep.iter().any(|open| open == "svg" || open == "math") {
            self.flush();
            self.out.push_str(raw);
        }
    }

    fn flush(&mut self) {
        if std::mem::take(&mut self.pending) {
            self.out.push(' ');
        }
    }

    fn tag(&mut self, tag: &Tag<'_>) {
        self.out.push('<');
        self.out.push_str(tag.name);
        let mut unquoted = false;
        for attribute in &tag.attributes {
            self.out.push(' ');
            self.out.push_str(attribute.name);
            unquoted = false;
            let Some(value) = attribute.value else { continue };
            let trimmed = if attribute.name.eq_ignore_ascii_case("class") {
                text::one_spaced(value)
            } else {
                value.into()
            };
            if !tag.is_foreign
                && (is_boolean(attribute.name) || value.is_empty() && attribute.name != "value")
                && (value.is_empty() || value.eq_ignore_ascii_case(attribute.name))
            {
                continue;
            }
            self.out.push('=');
            let needs_quotes = trimmed.is_empty()
                || trimmed
                    .contains(|c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\'' | '=' | '<' | '>' | '`'));
            if needs_quotes {
                let quote = if trimmed.contains('"') { '\'' } else { '"' };
                self.out.push(quote);
                self.out.push_str(&trimmed);
                self.out.push(quote);
            } else {
                unquoted = true;
                self.out.push_str(&trimmed);
            }
        }
        if tag.self_closing && (tag.is_foreign || !is_void(tag.name)) {
            self.out.push_str(if unquoted { " />" } else { "/>" });
        } else {
            self.out.push('>');
        }
    }
}
