//! The attributes of a start tag, written as short as they can be.

use std::borrow::Cow;

use crate::css::Targets;
use crate::html::elements::{Element, is_boolean, is_url};
use crate::html::entities::{Place, decoded};
use crate::html::tokens::{Attribute, Tag};
use crate::svg::path::{self, Freedom};
use crate::text;

/// What values are written in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Notation {
    /// Whether other characters than ASCII's cannot be written.
    pub ascii: bool,
    /// The browsers that styles are lowered for.
    pub targets: Targets,
    /// What may be changed of the paths of drawings.
    pub paths: Freedom,
}

/// Writes a start tag.
pub(crate) fn write_tag(out: &mut String, tag: &Tag<'_>, notation: Notation) {
    if let Some(charset) = charset(tag) {
        out.push_str("<meta charset=");
        out.push_str(&charset.to_ascii_lowercase());
        out.push('>');
        return;
    }
    out.push('<');
    push_name(out, tag.name, tag.is_foreign);
    let mut ends_open = false;
    let mut ends_bare = false;
    for (at, attribute) in tag.attributes.iter().enumerate() {
        if is_repeated(tag, at) || !tag.is_foreign && says_nothing(tag, attribute) {
            continue;
        }
        // Behind a name alone, an equals sign would give it a value.
        let is_apart = ends_bare && attribute.name.starts_with('=');
        out.push(if is_apart { '/' } else { ' ' });
        push_name(out, attribute.name, tag.is_foreign);
        ends_open = false;
        let raw = attribute.value.unwrap_or("");
        let value = decoded(raw, Place::Value, notation.ascii);
        let value = if tag.is_foreign {
            let path = (attribute.name == "d")
                .then(|| path::shorter(&value, notation.paths))
                .flatten();
            path.map_or(value, Cow::Owned)
        } else {
            shorter(tag, attribute.name, value, notation.targets)
        };
        ends_bare = value.is_empty();
        if !ends_bare {
            out.push('=');
            ends_open = write_value(out, &value);
        }
    }
    if tag.self_closing && tag.is_foreign {
        out.push_str(if ends_open { " />" } else { "/>" });
    } else {
        out.push('>');
    }
}

/// The encoding that a tag of HTML 4 states, and nothing else (HTML Standard, section 4.2.5.3).
fn charset<'a>(tag: &Tag<'a>) -> Option<&'a str> {
    if tag.element != Element::Meta || tag.is_foreign || tag.attributes.len() != 2 {
        return None;
    }
    let is_type = |name: &str| name.trim_ascii().eq_ignore_ascii_case("content-type");
    tag.get("http-equiv").filter(|name| is_type(name))?;
    let (kind, charset) = tag.get("content")?.split_once(';')?;
    let charset = charset.trim_ascii();
    let charset = charset
        .get(..8)
        .filter(|name| name.eq_ignore_ascii_case("charset="))
        .and(charset.get(8..))?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_html = kind.trim_ascii().eq_ignore_ascii_case("text/html");
    (is_html && !charset.is_empty() && charset.bytes().all(is_plain)).then_some(charset)
}

/// Names of HTML's own are of one case (HTML Standard, section 13.1.2); those of SVG are not.
pub(crate) fn push_name(out: &mut String, name: &str, is_foreign: bool) {
    if is_foreign || !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        out.push_str(name);
    } else {
        out.push_str(&name.to_ascii_lowercase());
    }
}

/// Writes a value, in the quotes it needs, and tells whether it stands in none.
fn write_value(out: &mut String, value: &str) -> bool {
    let (mut double, mut single, mut open) = (0, 0, true);
    for byte in value.bytes() {
        match byte {
            b'"' => double += 1,
            b'\'' => single += 1,
            b'=' | b'<' | b'>' | b'`' | b' ' | b'\t' | b'\n' | b'\r' | 0x0c => open = false,
            _ => {}
        }
    }
    if open && double + single == 0 {
        out.push_str(value);
        return true;
    }
    let (quote, escaped) = if double <= single {
        ('"', "&#34;")
    } else {
        ('\'', "&#39;")
    };
    out.push(quote);
    for (number, part) in value.split(quote).enumerate() {
        if number > 0 {
            out.push_str(escaped);
        }
        out.push_str(part);
    }
    out.push(quote);
    false
}

/// Whether an attribute of the same name stands before it: only the first counts (section 13.2.5.33).
fn is_repeated(tag: &Tag<'_>, at: usize) -> bool {
    let Some((this, before)) = tag.attributes.get(..=at).and_then(<[_]>::split_last) else {
        return false;
    };
    before.iter().any(|one| one.name.eq_ignore_ascii_case(this.name))
}

/// Whether an attribute says what holds without it, and no stylesheet is likely to ask for it.
///
/// The `type` of an `input` or a `button` is not among them: stylesheets do ask for `[type=text]`.
fn says_nothing(tag: &Tag<'_>, attribute: &Attribute<'_>) -> bool {
    use Element as E;
    let name = |name: &str| attribute.name.eq_ignore_ascii_case(name);
    let value = attribute.value.unwrap_or("").trim_ascii();
    let is = |known: &[&str]| known.iter().any(|known| known.eq_ignore_ascii_case(value));
    match tag.element {
        E::Script if name("type") => is(&["text/javascript", "application/javascript"]),
        E::Script if name("language") => is(&["javascript"]) && tag.get("type").is_none_or(is_javascript),
        E::Style if name("type") => is(&["text/css"]),
        E::Link if name("type") => {
            is(&["text/css"])
                && tag
                    .get("rel")
                    .is_some_and(|rel| rel.trim_ascii().eq_ignore_ascii_case("stylesheet"))
        }
        E::Style | E::Link if name("media") => is(&["all"]),
        E::Form if name("method") => is(&["get"]),
        E::Area if name("shape") => is(&["rect"]),
        E::Td | E::Th if name("colspan") || name("rowspan") => is(&["1"]),
        _ => false,
    }
}

fn is_javascript(kind: &str) -> bool {
    ["", "text/javascript", "application/javascript"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(kind.trim_ascii()))
}

/// Returns a value that means the same; an empty one is not written.
fn shorter<'v>(tag: &Tag<'_>, name: &str, value: Cow<'v, str>, targets: Targets) -> Cow<'v, str> {
    use Element as E;
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    if is_boolean(name) {
        let is_plain = value.eq_ignore_ascii_case(name) || value.eq_ignore_ascii_case("true");
        return if is_plain { Cow::Borrowed("") } else { value };
    }
    if is("class") || is("rel") || is("sizes") || is("srcset") {
        return one_spaced(value);
    }
    if is("style") {
        return text::declarations(&value, targets).map_or_else(|| trimmed(value), Cow::Owned);
    }
    if tag.element == E::Meta {
        let is_of = |kind: &str| tag.get("name").is_some_and(|name| name.eq_ignore_ascii_case(kind));
        if is("content") && (is_of("viewport") || is_of("robots")) {
            let parts = value
                .split(',')
                .map(|part| part.trim_ascii().trim_end_matches(".0"))
                .filter(|part| !part.is_empty());
            return Cow::Owned(parts.collect::<Vec<_>>().join(","));
        }
        if is("charset") {
            return Cow::Owned(value.trim_ascii().to_ascii_lowercase());
        }
        return value;
    }
    if name.get(..2).is_some_and(|on| on.eq_ignore_ascii_case("on")) {
        return text::handler(&value).map_or_else(|| trimmed(value), Cow::Owned);
    }
    if is("accept") {
        let kinds: Vec<&str> = value.split(',').map(str::trim_ascii).collect();
        return Cow::Owned(kinds.join(","));
    }
    if is_url(name) || is("media") {
        return trimmed(value);
    }
    value
}

fn trimmed(value: Cow<'_, str>) -> Cow<'_, str> {
    let short = value.trim_ascii();
    if short.len() == value.len() {
        value
    } else {
        Cow::Owned(short.to_owned())
    }
}

fn one_spaced(value: Cow<'_, str>) -> Cow<'_, str> {
    match value {
        Cow::Borrowed(value) => text::one_spaced(value),
        Cow::Owned(value) => Cow::Owned(text::one_spaced(&value).into_owned()),
    }
}
