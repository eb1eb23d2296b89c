//! Tags, and how short their attributes can be.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::svg::{Document, is_of_editor, number, path};
use crate::text;

/// A start tag.
pub(super) struct Tag<'a> {
    pub name: &'a str,
    /// Names, values and their quotes.
    attributes: Vec<(&'a str, &'a str, char)>,
    /// Whether it is an end tag, too.
    pub closes: bool,
}

impl<'a> Tag<'a> {
    /// Reads a start tag; none where it is not one as XML has them.
    pub(super) fn read(markup: &'a str) -> Option<Self> {
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

    pub(super) fn write(&self, out: &mut String, document: &Document<'_>) {
        let _ = write!(out, "<{}", self.name);
        for (name, value, quote) in &self.attributes {
            if !document.is_looked_at && says_nothing(self.name, name, value, document) {
                continue;
            }
            let made = shorter(name, value, document).filter(|made| !made.contains(['<', '&', *quote]));
            let value = made.as_deref().unwrap_or(value);
            let _ = write!(out, " {name}={quote}{value}{quote}");
        }
        out.push_str(if self.closes { "/>" } else { ">" });
    }
}

/// Returns a value that means the same, or none where it is best as it is.
fn shorter<'v>(name: &str, value: &'v str, document: &Document<'_>) -> Option<Cow<'v, str>> {
    if value.contains('&') {
        return None;
    }
    match name {
        "d" => path::shorter(value, document.paths).map(Cow::Owned),
        "style" => text::declarations(value, document.targets).map(Cow::Owned),
        "points" => number::list(value, true).map(Cow::Owned),
        "viewBox" | "stroke-dasharray" => number::list(value, false).map(Cow::Owned),
        // What a stylesheet's selector asks for is the text.
        _ if document.is_looked_at => None,
        "fill" | "stroke" | "stop-color" | "flood-color" | "lighting-color" | "color" => {
            let value = value.trim_ascii();
            let is_plain = value.len() > 3 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'#');
            // Not every renderer knows colours with an alpha channel.
            let is_colour = (is_plain && value != "transparent" || value.starts_with("rgb(")) && !value.contains(';');
            let made = is_colour
                .then(|| text::declarations(&format!("color:{value}"), document.targets))
                .flatten()?;
            let made = made.strip_prefix("color:").filter(|made| made.len() < value.len())?;
            Some(Cow::Owned(made.to_owned()))
        }
        "x" | "y" | "width" | "height" | "rx" | "ry" | "cx" | "cy" | "r" | "x1" | "x2" | "y1" | "y2"
        | "stroke-width" | "font-size" | "stroke-miterlimit" | "opacity" | "fill-opacity" | "stroke-opacity"
        | "stop-opacity" | "offset" => {
            // Without a unit they are pixels.
            let value = value.trim_ascii();
            let (plain, unit) = value.strip_suffix('%').map_or((value, ""), |plain| (plain, "%"));
            let made = number::list(plain.strip_suffix("px").unwrap_or(plain), false)?;
            (!made.contains(' ')).then(|| Cow::Owned(made + unit))
        }
        _ => None,
    }
}

/// Whether an attribute says what holds without it, or is only read by editors.
fn says_nothing(element: &str, name: &str, value: &str, document: &Document<'_>) -> bool {
    if let Some(prefix) = name.strip_prefix("xmlns:") {
        // Its declaration, where nothing else has the prefix.
        return is_of_editor(&format!("{prefix}:")) || !document.has_prefix(prefix);
    }
    match (element, name) {
        ("svg", "version" | "baseProfile" | "enable-background" | "contentScriptType" | "contentStyleType") => true,
        ("svg", "x" | "y") => matches!(value, "0" | "0px"),
        _ => is_of_editor(name),
    }
}
