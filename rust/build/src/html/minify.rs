//! Makes HTML smaller without changing what is shown.
//!
//! White space is collapsed where it is not shown as it is, and left out beside blocks; comments go, but for those kept
//! on purpose (`<!--!`), conditional ones and a server's (`<!--#`); tags, quotes, references and values that say nothing
//! go; scripts, styles and data in the page are minified as they would be in a file of their own. What cannot be read
//! stays as it is.

use crate::css::Targets;
use crate::html::attributes::{Notation, push_name, write_tag};
use crate::html::elements::Element;
use crate::html::entities::{Place, decoded};
use crate::html::omit::{Kind, Piece, omissible};
use crate::html::tokens::{Tag, Token, Tokens};
use crate::svg::path::Freedom;
use crate::text;

/// Returns the page, smaller; its styles are lowered for `targets`.
pub fn minify(html: &str, targets: Targets) -> String {
    let written = write(html, targets, Tree::AsWritten);
    if written.unclear {
        return html.to_owned();
    }
    match omissible(&written.pieces) {
        Some(omitted) => written.without(&omitted),
        // Where a parser mends the tree, white space that is not shown can have a part in that.
        None => write(html, targets, Tree::Mended).out,
    }
}

fn write(html: &str, targets: Targets, tree: Tree) -> Writer<'_> {
    let mut writer = Writer {
        out: String::with_capacity(html.len()),
        pieces: Vec::with_capacity(html.len() / 16),
        line: Line::Begins,
        pending: false,
        trailing: Vec::new(),
        keep: Vec::new(),
        foreign: Vec::new(),
        notation: Notation {
            ascii: is_ascii(html),
            targets,
            // Segments stay: a stylesheet of the page may put markers on them.
            paths: if html.contains(" d=") {
                Freedom::of(html).min(Freedom::Commands)
            } else {
                Freedom::None
            },
        },
        tree,
        unclear: false,
    };
    let mut holds: Option<Holds> = None;
    let mut in_noscript = false;
    for token in Tokens::new(html) {
        // To a browser with scripts, `noscript` holds text and ends at its end tag, wherever that stands.
        writer.unclear |= in_noscript && has_end_of_noscript(&token);
        match &token {
            Token::Start(tag) if tag.element == Element::Noscript && !tag.is_foreign => in_noscript = true,
            Token::End { name, .. } if Element::of(name) == Element::Noscript => in_noscript = false,
            _ => {}
        }
        match token {
            Token::Text(raw) => writer.text(raw),
            Token::Raw(raw) => writer.raw(raw, holds.take()),
            Token::Start(tag) => {
                holds = Holds::of(&tag);
                writer.start(&tag);
            }
            Token::End { name, is_foreign, .. } => writer.end(name, is_foreign),
            Token::Comment(raw) => writer.comment(raw),
            Token::Doctype(raw) => writer.doctype(raw),
        }
    }
    writer.flush();
    writer
}

/// Whether the end tag of a `noscript` stands within something else.
fn has_end_of_noscript(token: &Token<'_>) -> bool {
    let raw = match token {
        Token::Text(raw) | Token::Raw(raw) | Token::Comment(raw) | Token::Doctype(raw) => raw,
        Token::Start(tag) => tag.raw,
        // Where it is that end tag, it does not stand within.
        Token::End { raw, .. } => raw.get(1..).unwrap_or(""),
    };
    raw.contains("</") && raw.to_ascii_lowercase().contains("</noscript")
}

/// Whether only ASCII can be written: nothing tells that the page is UTF-8, and nothing in it would be read otherwise.
fn is_ascii(html: &str) -> bool {
    let says_utf8 = || {
        Tokens::new(html)
            .take_while(|token| !matches!(token, Token::Start(tag) if tag.element == Element::Body))
            .any(|token| {
                let Token::Start(tag) = token else { return false };
                let is_utf8 = |value: &str| value.to_ascii_lowercase().contains("utf-8");
                tag.element == Element::Meta
                    && (tag.get("charset").is_some_and(is_utf8) || tag.get("content").is_some_and(is_utf8))
            })
    };
    html.is_ascii() && !says_utf8()
}

/// What an element that has no tags holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Script,
    Module,
    Json,
    Style,
    Title,
}

impl Holds {
    fn of(tag: &Tag<'_>) -> Option<Self> {
        if tag.is_foreign {
            return None;
        }
        match tag.element {
            Element::Style => Some(Self::Style),
            Element::Title => Some(Self::Title),
            Element::Script if tag.get("src").is_none() => {
                match tag.get("type").unwrap_or("").trim_ascii().to_ascii_lowercase().as_str() {
                    "" | "text/javascript" | "application/javascript" => Some(Self::Script),
                    "module" => Some(Self::Module),
                    "application/json" | "application/ld+json" | "importmap" | "speculationrules" => Some(Self::Json),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// What stands in the line before the place that is written at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Nothing: white space is not shown.
    Begins,
    /// A space: another is not shown.
    Spaced,
    Filled,
}

/// What a parser makes of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tree {
    AsWritten,
    /// Something else than its tags say: white space is made one space, and never left out.
    Mended,
}

struct Writer<'a> {
    out: String,
    pieces: Vec<Piece<'a>>,
    line: Line,
    /// Whether a space is owed before the next thing that is not a block.
    pending: bool,
    /// The spaces that were written last, where only ends of inline elements came after them.
    trailing: Vec<usize>,
    /// Open elements whose white space is shown as it is, or that are foreign.
    keep: Vec<&'a str>,
    /// Open elements of SVG and `MathML`.
    foreign: Vec<&'a str>,
    notation: Notation,
    tree: Tree,
    /// Whether it cannot be told what of the page is HTML.
    unclear: bool,
}

impl<'a> Writer<'a> {
    fn piece(&mut self, kind: Kind, element: Element, name: &'a str) {
        self.pieces.push(Piece {
            kind,
            element,
            name,
            end: self.out.len(),
            is_idle: false,
        });
    }

    fn text(&mut self, raw: &str) {
        if !self.keep.is_empty() {
            let is_space = raw.bytes().all(|byte| byte.is_ascii_whitespace());
            if is_space && !self.foreign.is_empty() && !self.foreign.iter().any(|name| shows_text(name)) {
                return;
            }
            if raw.starts_with("<![CDATA[") {
                self.out.push_str(raw);
            } else {
                self.out.push_str(&decoded(raw, Place::Text, self.notation.ascii));
            }
            self.piece(Kind::Text, Element::Other, "");
            self.line = Line::Filled;
            return;
        }
        let decoded = decoded(raw, Place::Text, self.notation.ascii);
        if self.tree == Tree::Mended {
            for (number, word) in decoded.split(|c: char| c.is_ascii_whitespace()).enumerate() {
                if number > 0 && !self.out.ends_with(' ') {
                    self.out.push(' ');
                }
                self.out.push_str(word);
            }
            self.piece(Kind::Text, Element::Other, "");
            return;
        }
        let mut words = decoded.split_ascii_whitespace();
        let begins_spaced = decoded.starts_with(|c: char| c.is_ascii_whitespace());
        self.pending |= begins_spaced && self.line == Line::Filled;
        let Some(first) = words.next() else { return };
        self.flush();
        self.trailing.clear();
        self.out.push_str(first);
        for word in words {
            self.out.push(' ');
            self.out.push_str(word);
        }
        self.piece(Kind::Text, Element::Other, "");
        self.pending = decoded.ends_with(|c: char| c.is_ascii_whitespace());
        self.line = Line::Filled;
    }

    fn raw(&mut self, raw: &str, holds: Option<Holds>) {
        let made = match holds {
            Some(Holds::Script) => text::script(raw, false),
            Some(Holds::Module) => text::script(raw, true),
            Some(Holds::Json) => text::json(raw),
            Some(Holds::Style) => text::style(raw, self.notation.targets),
            Some(Holds::Title) => {
                let title = text::one_spaced(raw);
                self.out.push_str(&decoded(&title, Place::Text, self.notation.ascii));
                self.piece(Kind::Text, Element::Other, "");
                return;
            }
            None => None,
        };
        // What would end the element early is not put there.
        let made = made.filter(|made| !made.to_ascii_lowercase().contains("</s") && !made.contains("<!--"));
        self.out.push_str(made.as_deref().map_or(raw, str::trim_end));
        self.piece(Kind::Text, Element::Other, "");
    }

    fn start(&mut self, tag: &Tag<'a>) {
        let element = tag.element;
        if tag.is_foreign {
            self.trailing.clear();
            self.flush();
            self.write(tag);
            if !tag.self_closing {
                if element.is_foreign_root() {
                    self.keep.push(tag.name);
                }
                self.foreign.push(tag.name);
            }
            self.line = Line::Filled;
            return;
        }
        // A tag that ends SVG.
        self.unclear |= self.foreign.last().is_some_and(|name| !holds_html(name));
        let takes_lines = element.is_block() || element == Element::Br;
        if takes_lines && self.keep.is_empty() {
            self.end_line();
        } else if !element.is_invisible() {
            self.flush();
        }
        self.trailing.clear();
        self.write(tag);
        let shows_space = tag.get("style").is_some_and(|style| style.contains("white-space"));
        if element.keeps_space() || shows_space && !element.is_void() {
            self.keep.push(tag.name);
        }
        if takes_lines || element.is_inline_box() {
            self.line = Line::Begins;
        } else if element.is_void() && !element.is_invisible() || element == Element::Iframe {
            self.line = Line::Filled;
        }
    }

    fn write(&mut self, tag: &Tag<'a>) {
        let before = self.out.len();
        write_tag(&mut self.out, tag, self.notation);
        let kind = Kind::Start {
            bare: self.out.len() - before == tag.name.len() + 2,
            alone: tag.self_closing,
            foreign: tag.is_foreign,
        };
        self.piece(kind, tag.element, tag.name);
    }

    fn end(&mut self, name: &'a str, is_foreign: bool) {
        let element = Element::of(name);
        let takes_lines = !is_foreign && (element.is_block() || element.is_inline_box());
        if takes_lines && self.keep.is_empty() {
            self.end_line();
        } else if self.pending && (is_foreign || !element.is_invisible()) {
            self.flush();
            self.trailing.push(self.pieces.len() - 1);
        }
        self.out.push_str("</");
        push_name(&mut self.out, name, is_foreign);
        self.out.push('>');
        self.piece(Kind::End { foreign: is_foreign }, element, name);
        let same = |open: &&str| open.eq_ignore_ascii_case(name);
        if is_foreign {
            match self.foreign.iter().rposition(same) {
                Some(at) => self.foreign.truncate(at),
                // It ends SVG where an element of its name is open around that, and nothing where none is.
                None => self.unclear = true,
            }
        }
        if let Some(at) = self.keep.iter().rposition(same) {
            self.keep.truncate(at);
        }
        if !is_foreign && element.is_block() {
            self.line = Line::Begins;
        } else if is_foreign || !element.is_invisible() {
            self.line = Line::Filled;
        }
    }

    fn comment(&mut self, raw: &str) {
        let kept = raw.starts_with("<!--!")
            || raw.starts_with("<!--#")
            || raw.starts_with("<!--[if")
            || raw.starts_with("<![")
            || raw.contains("<![endif]");
        if kept {
            self.trailing.clear();
            self.flush();
            self.out.push_str(raw);
        } else if self.divides() {
            self.out.push_str("<!---->");
        } else {
            return;
        }
        self.piece(Kind::Comment, Element::Other, "");
    }

    /// Whether a comment here keeps apart what would be something else together: two halves of a tag or a reference, or
    /// the begin of an element and a line's end that would be taken for a part of it.
    fn divides(&self) -> bool {
        if self.pending {
            return false;
        }
        match self.pieces.last().map(|piece| piece.kind) {
            Some(Kind::Text) => {
                let mut tail = self.out.bytes().rev().take(32);
                tail.next()
                    .is_some_and(|last| matches!(last, b'<' | b'/' | b'!' | b'?'))
                    || self.out.bytes().rev().take(32).any(|byte| byte == b'&')
            }
            Some(Kind::Start { .. }) => !self.keep.is_empty(),
            _ => false,
        }
    }

    fn doctype(&mut self, raw: &str) {
        if is_standard(raw) {
            self.out.push_str("<!doctype html>");
            self.piece(Kind::Doctype, Element::Other, "");
        } else {
            self.out.push_str(raw);
            self.piece(Kind::Comment, Element::Other, "");
        }
    }

    /// Leaves out the white space that ends a line.
    fn end_line(&mut self) {
        self.pending = false;
        for at in self.trailing.drain(..) {
            if let Some(piece) = self.pieces.get_mut(at) {
                piece.is_idle = true;
            }
        }
    }

    fn flush(&mut self) {
        if std::mem::take(&mut self.pending) {
            self.out.push(' ');
            self.piece(Kind::Space, Element::Other, "");
            self.line = Line::Spaced;
        }
    }

    /// Returns what is written without the pieces that may be left out.
    fn without(&self, omitted: &[bool]) -> String {
        let mut made = String::with_capacity(self.out.len());
        let mut from = 0;
        let mut start = 0;
        for (piece, omit) in self.pieces.iter().zip(omitted) {
            if *omit {
                made.push_str(self.out.get(from..start).unwrap_or(""));
                from = piece.end;
            }
            start = piece.end;
        }
        made.push_str(self.out.get(from..).unwrap_or(""));
        made
    }
}

/// Elements of SVG and `MathML` that may hold HTML.
fn holds_html(name: &str) -> bool {
    const NAMES: [&str; 8] = ["foreignobject", "desc", "title", "mi", "mo", "mn", "ms", "mtext"];
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Elements of SVG and `MathML` that show the text they hold, or pass it on.
fn shows_text(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "text",
        "tspan",
        "textpath",
        "title",
        "desc",
        "style",
        "script",
        "foreignobject",
        "math",
        "mtext",
        "ms",
        "mi",
        "mn",
        "annotation",
    ];
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a document type is one of those that ask for no quirks (HTML Standard, section 13.2.6.4.1).
fn is_standard(doctype: &str) -> bool {
    const STRICT: [&str; 5] = [
        "-//w3c//dtd html 4.0//en",
        "-//w3c//dtd html 4.01//en",
        "-//w3c//dtd xhtml 1.0 strict//en",
        "-//w3c//dtd xhtml 1.1//en",
        "about:legacy-compat",
    ];
    let lower = doctype.to_ascii_lowercase();
    let inner = lower.get(9..).unwrap_or("").trim_end_matches('>').trim_ascii();
    let Some(rest) = inner.strip_prefix("html") else {
        return false;
    };
    rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_whitespace()) && STRICT.iter().any(|id| rest.contains(id))
}
