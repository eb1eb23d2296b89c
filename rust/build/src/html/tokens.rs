//! Splits HTML into tokens that together are the text, byte for byte (HTML Standard, section 13.2.5).
//!
//! Nothing is decoded and nothing is mended: what is broken comes out as it went in.

use crate::html::elements::Element;

/// A piece of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token<'a> {
    /// Text between tags, references not decoded.
    Text(&'a str),
    /// What stands in an element that holds no tags: a script, a style, a title, a text area.
    Raw(&'a str),
    /// A start tag.
    Start(Tag<'a>),
    /// An end tag: as it stands, its name, and whether it stands in SVG or `MathML`.
    End {
        raw: &'a str,
        name: &'a str,
        is_foreign: bool,
    },
    /// A comment, or what counts as one, as it stands.
    Comment(&'a str),
    /// A document type, as it stands.
    Doctype(&'a str),
}

/// A start tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag<'a> {
    pub raw: &'a str,
    pub name: &'a str,
    pub(crate) element: Element,
    pub attributes: Vec<Attribute<'a>>,
    pub self_closing: bool,
    /// Whether it stands in SVG or `MathML`.
    pub is_foreign: bool,
}

impl<'a> Tag<'a> {
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value of an attribute as it stands, without quotes; empty where it has none.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.attributes.iter().find(|one| one.name.eq_ignore_ascii_case(name))?;
        Some(found.value.unwrap_or(""))
    }
}

/// An attribute. The value is as it stands, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    pub name: &'a str,
    pub value: Option<&'a str>,
    pub quote: Option<char>,
}

/// The tokens of a text.
#[derive(Debug, Clone)]
pub struct Tokens<'a> {
    text: &'a str,
    at: usize,
    /// The element whose raw text comes next.
    raw: Option<&'a str>,
    /// Open elements of SVG and `MathML`; where the last is one of those that hold HTML, so does what follows.
    foreign: Vec<&'a str>,
}

impl<'a> Tokens<'a> {
    pub const fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            raw: None,
            foreign: Vec::new(),
        }
    }

    /// The offset of the next token.
    pub const fn offset(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn take(&mut self, length: usize) -> &'a str {
        let rest = self.rest();
        let part = rest.get(..length).unwrap_or(rest);
        self.at += part.len();
        part
    }

    fn is_foreign(&self) -> bool {
        !self.foreign.is_empty() && !self.holds_html(self.foreign.len() - 1)
    }

    /// Goes back to where HTML is held.
    fn leave_foreign(&mut self) {
        let kept = (0..self.foreign.len()).rev().find(|at| self.holds_html(*at));
        self.foreign.truncate(kept.map_or(0, |at| at + 1));
    }

    /// Whether an open element of SVG or `MathML` holds HTML (section 13.2.6.1, integration points).
    fn holds_html(&self, at: usize) -> bool {
        let open = self.foreign.get(..=at).unwrap_or(&[]);
        let is_math = open
            .iter()
            .rev()
            .map(|name| Element::of(name))
            .find(|element| element.is_foreign_root())
            == Some(Element::Math);
        let names: &[&str] = if is_math {
            &["mi", "mo", "mn", "ms", "mtext"]
        } else {
            &["foreignobject", "desc", "title"]
        };
        open.last()
            .is_some_and(|name| names.iter().any(|known| known.eq_ignore_ascii_case(name)))
    }

    fn raw_text(&mut self, element: &str) -> Option<Token<'a>> {
        let rest = self.rest();
        let end = if element.eq_ignore_ascii_case("plaintext") {
            rest.len()
        } else if element.eq_ignore_ascii_case("script") {
            script_end(rest)
        } else {
            end_tag(rest, element, 0).unwrap_or(rest.len())
        };
        (end > 0).then(|| Token::Raw(self.take(end)))
    }

    fn tag(&mut self) -> Token<'a> {
        let rest = self.rest();
        if let Some(mut tag) = start_tag(rest) {
            self.take(tag.raw.len());
            if self.is_foreign() && breaks_out(&tag) {
                self.leave_foreign();
            }
            tag.is_foreign = self.is_foreign() || tag.element.is_foreign_root();
            if tag.is_foreign && !tag.self_closing {
                self.foreign.push(tag.name);
            } else if !tag.is_foreign && tag.element.is_raw_text() {
                self.raw = Some(tag.name);
            }
            return Token::Start(tag);
        }
        // A tag that never ends: the rest is no tag (HTML drops it; here it stays what it is).
        Token::Text(self.take(rest.len()))
    }

    fn end(&mut self) -> Token<'a> {
        let rest = self.rest();
        let name_end = rest
            .get(2..)
            .and_then(|name| name.find(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>'));
        let Some(close) = start_tag_end(rest, 2) else {
            return Token::Text(self.take(rest.len()));
        };
        let name = rest.get(2..2 + name_end.unwrap_or(0)).unwrap_or("");
        if self.is_foreign() && (name.eq_ignore_ascii_case("p") || name.eq_ignore_ascii_case("br")) {
            self.leave_foreign();
        }
        let opened = self.foreign.iter().rposition(|open| open.eq_ignore_ascii_case(name));
        let is_foreign = self.is_foreign() || opened.is_some_and(|at| at + 1 == self.foreign.len());
        if let Some(at) = opened {
            self.foreign.truncate(at);
        }
        Token::End {
            raw: self.take(close),
            name,
            is_foreign,
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if let Some(element) = self.raw.take()
            && let Some(token) = self.raw_text(element)
        {
            return Some(token);
        }
        let rest = self.rest();
        if rest.is_empty() {
            return None;
        }
        let after = rest.as_bytes().get(1).copied();
        let token = match (rest.as_bytes().first(), after) {
            (Some(b'<'), Some(letter)) if letter.is_ascii_alphabetic() => self.tag(),
            (Some(b'<'), Some(b'/')) => match rest.as_bytes().get(2) {
                Some(letter) if letter.is_ascii_alphabetic() => self.end(),
                Some(b'>') => Token::Comment(self.take(3)),
                Some(_) => Token::Comment(self.take(rest.find('>').map_or(rest.len(), |end| end + 1))),
                None => Token::Text(self.take(rest.len())),
            },
            (Some(b'<'), Some(b'!')) => {
                if rest.starts_with("<!--") {
                    Token::Comment(self.take(comment_end(rest)))
                } else if rest.get(..9).is_some_and(|head| head.eq_ignore_ascii_case("<!doctype")) {
                    Token::Doctype(self.take(rest.find('>').map_or(rest.len(), |end| end + 1)))
                } else if self.is_foreign() && rest.starts_with("<![CDATA[") {
                    Token::Text(self.take(rest.find("]]>").map_or(rest.len(), |end| end + 3)))
                } else {
                    Token::Comment(self.take(rest.find('>').map_or(rest.len(), |end| end + 1)))
                }
            }
            (Some(b'<'), Some(b'?')) => Token::Comment(self.take(rest.find('>').map_or(rest.len(), |end| end + 1))),
            _ => {
                // A first letter may have several bytes, and a `<` that begins nothing is text.
                let first = rest.chars().next().map_or(1, char::len_utf8);
                let end = rest
                    .get(first..)
                    .and_then(next_markup)
                    .map_or(rest.len(), |end| end + first);
                Token::Text(self.take(end))
            }
        };
        Some(token)
    }
}

/// Where the next thing that is no text begins.
fn next_markup(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find('<')) {
        let at = from + found;
        match bytes.get(at + 1) {
            Some(next) if next.is_ascii_alphabetic() || matches!(next, b'/' | b'!' | b'?') => return Some(at),
            _ => from = at + 1,
        }
    }
    None
}

/// The length of a comment that stands at the beginning (section 13.2.5.43 and on).
fn comment_end(text: &str) -> usize {
    for short in ["<!-->", "<!--->"] {
        if text.starts_with(short) {
            return short.len();
        }
    }
    let inner = text.get(4..).unwrap_or("");
    let ends = [("-->", 3), ("--!>", 4)];
    let first = ends
        .iter()
        .filter_map(|(mark, length)| inner.find(mark).map(|at| at + length))
        .min();
    first.map_or(text.len(), |end| end + 4)
}

/// Where the end tag of `element` begins, from `from` on.
fn end_tag(text: &str, element: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = from;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find("</")) {
        let start = at + found;
        let name = text.get(start + 2..start + 2 + element.len());
        let after = bytes.get(start + 2 + element.len());
        if name.is_some_and(|name| name.eq_ignore_ascii_case(element))
            && after.is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>'))
        {
            return Some(start);
        }
        at = start + 2;
    }
    None
}

/// Where a script ends: a `<script` in a `<!--` opens another level (section 13.2.5.15 and on).
fn script_end(text: &str) -> usize {
    let mut at = 0;
    let mut escaped = false;
    let mut double = false;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(found) = rest.find(['<', '-']) else {
            return text.len();
        };
        let here = rest.get(found..).unwrap_or("");
        at += found;
        if !escaped && here.starts_with("<!--") {
            escaped = true;
            at += 2;
        } else if escaped && here.starts_with("-->") {
            (escaped, double) = (false, false);
            at += 3;
        } else if end_tag(here, "script", 0) == Some(0) {
            if !double {
                return at;
            }
            double = false;
            at += 2;
        } else {
            let opens = here.get(..7).is_some_and(|head| head.eq_ignore_ascii_case("<script"))
                && here
                    .as_bytes()
                    .get(7)
                    .is_some_and(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>'));
            double |= escaped && opens;
            at += 1;
        }
    }
    text.len()
}

/// Where in a tag a byte stands (sections 13.2.5.8 and 13.2.5.32 to 13.2.5.39).
#[derive(Clone, Copy)]
enum Within {
    TagName,
    BeforeName,
    Name,
    AfterName,
    BeforeValue,
    Value,
}

/// The end of a tag whose name begins at a place: the first `>` that is in no quoted value.
fn start_tag_end(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = from;
    let mut within = Within::TagName;
    while let Some(byte) = bytes.get(at) {
        within = match (within, byte) {
            (_, b'>') => return Some(at + 1),
            (Within::BeforeValue, b'"' | b'\'') => {
                at += 1 + bytes.get(at + 1..)?.iter().position(|other| other == byte)?;
                Within::BeforeName
            }
            (Within::Name | Within::AfterName, b'=') => Within::BeforeValue,
            (Within::Name, byte) if byte.is_ascii_whitespace() => Within::AfterName,
            (Within::TagName | Within::Value, byte) if byte.is_ascii_whitespace() => Within::BeforeName,
            (_, byte) if byte.is_ascii_whitespace() => within,
            (Within::TagName | Within::Name | Within::AfterName, b'/') => Within::BeforeName,
            // An equals sign at the beginning is a part of the name.
            (Within::BeforeName, b'/') => within,
            (Within::BeforeName | Within::AfterName, _) => Within::Name,
            (Within::BeforeValue, _) => Within::Value,
            _ => within,
        };
        at += 1;
    }
    None
}

/// Whether a tag in SVG or `MathML` ends it (section 13.2.6.5).
fn breaks_out(tag: &Tag<'_>) -> bool {
    const NAMES: [&str; 44] = [
        "b",
        "big",
        "blockquote",
        "body",
        "br",
        "center",
        "code",
        "dd",
        "div",
        "dl",
        "dt",
        "em",
        "embed",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "head",
        "hr",
        "i",
        "img",
        "li",
        "listing",
        "menu",
        "meta",
        "nobr",
        "ol",
        "p",
        "pre",
        "ruby",
        "s",
        "small",
        "span",
        "strong",
        "strike",
        "sub",
        "sup",
        "table",
        "tt",
        "u",
        "ul",
        "var",
    ];
    NAMES.iter().any(|known| tag.is(known))
        || tag.is("font") && ["color", "face", "size"].iter().any(|name| tag.get(name).is_some())
}

fn start_tag(text: &str) -> Option<Tag<'_>> {
    let is_name_end = |c: char| c.is_ascii_whitespace() || c == '/' || c == '>';
    let name_end = 1 + text.get(1..)?.find(is_name_end)?;
    let name = text.get(1..name_end)?;
    let mut attributes = Vec::new();
    let mut at = name_end;
    let mut self_closing = false;
    loop {
        let rest = text.get(at..)?;
        let skipped = rest.find(|c: char| !c.is_ascii_whitespace())?;
        at += skipped;
        let rest = text.get(at..)?;
        if rest.starts_with('>') {
            at += 1;
            break;
        }
        if rest.starts_with('/') {
            self_closing = rest.starts_with("/>");
            at += 1;
            continue;
        }
        self_closing = false;
        // An equals sign at the beginning is a part of the name (section 13.2.5.32).
        let from = usize::from(rest.starts_with('='));
        let name_end = from + rest.get(from..)?.find(|c: char| c == '=' || is_name_end(c))?;
        let name = rest.get(..name_end)?;
        at += name_end;
        let gap = text.get(at..)?;
        let value_at = gap.find(|c: char| !c.is_ascii_whitespace())?;
        if gap.as_bytes().get(value_at) != Some(&b'=') {
            attributes.push(Attribute {
                name,
                value: None,
                quote: None,
            });
            continue;
        }
        at += value_at + 1;
        let gap = text.get(at..)?;
        at += gap.find(|c: char| !c.is_ascii_whitespace())?;
        let rest = text.get(at..)?;
        match rest.chars().next()? {
            quote @ ('"' | '\'') => {
                let end = rest.get(1..)?.find(quote)?;
                attributes.push(Attribute {
                    name,
                    value: rest.get(1..=end),
                    quote: Some(quote),
                });
                at += end + 2;
            }
            '>' => attributes.push(Attribute {
                name,
                value: Some(""),
                quote: None,
            }),
            _ => {
                let end = rest.find(|c: char| c.is_ascii_whitespace() || c == '>')?;
                attributes.push(Attribute {
                    name,
                    value: rest.get(..end),
                    quote: None,
                });
                at += end;
            }
        }
    }
    let element = Element::of(name);
    Some(Tag {
        raw: text.get(..at)?,
        name,
        element,
        attributes,
        self_closing,
        is_foreign: element.is_foreign_root(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn joined(text: &str) -> String {
        Tokens::new(text)
            .map(|token| match token {
                Token::Text(raw) | Token::Raw(raw) | Token::Comment(raw) | Token::Doctype(raw) => raw,
                Token::Start(tag) => tag.raw,
                Token::End { raw, .. } => raw,
            })
            .collect()
    }

    #[test]
    fn attributes_in_every_style() {
        let text = "<a b='1 \">' c=\"d\" e=f g h = i j/>";
        let Some(Token::Start(tag)) = Tokens::new(text).next() else {
            unreachable!()
        };
        let found: Vec<_> = tag.attributes.iter().map(|one| (one.name, one.value)).collect();
        assert_eq!(
            found,
            [
                ("b", Some("1 \">")),
                ("c", Some("d")),
                ("e", Some("f")),
                ("g", None),
                ("h", Some("i")),
                ("j", None)
            ]
        );
        assert!(tag.self_closing);
    }

    #[test]
    fn raw_text_holds_no_tags() {
        let text =
            "<script>if (a<b) '</p>'</script><title>a<b</title><textarea><p></textarea><svg><style><a/></style></svg>";
        let raw: Vec<_> = Tokens::new(text)
            .filter_map(|token| if let Token::Raw(raw) = token { Some(raw) } else { None })
            .collect();
        assert_eq!(raw, ["if (a<b) '</p>'", "a<b", "<p>"]);
        let escaped = "<script><!--<script></script>--></script>x";
        assert_eq!(
            Tokens::new(escaped).nth(1),
            Some(Token::Raw("<!--<script></script>-->"))
        );
    }

    proptest! {
        #[test]
        fn the_tokens_are_the_text(text in "([<>/!='\" a-d-]|<script>|</script>|<!--|-->|<svg>|</svg>|<p a=b>|é){0,40}") {
            prop_assert_eq!(joined(&text), text);
        }

        #[test]
        fn any_text_survives(text in any::<String>()) {
            prop_assert_eq!(joined(&text), text);
        }
    }
}
