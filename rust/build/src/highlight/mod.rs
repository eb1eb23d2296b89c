//! Code with classes for its colours, through syntect's grammars.
//!
//! A class is one letter for what a piece is: `k` keyword, `s` string, `c` comment, `m` number, `f` function, `t` type,
//! `a` attribute, `g` tag, `o` operator, `e` escape, `v` property, `l` language constant, `i` and `d` lines of a diff.

mod seen;

use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};

use seen::{Piece, Seen, State};

/// Longer code is shown without colours.
const LONGEST: usize = 256 << 10;

const CLASSES: [(&str, &str); 27] = [
    ("comment", "c"),
    ("constant.character.escape", "e"),
    ("string", "s"),
    ("constant.numeric", "m"),
    ("constant.language", "l"),
    ("keyword.operator", "o"),
    ("storage.type.function", "k"),
    ("keyword", "k"),
    ("storage", "k"),
    ("entity.name.function", "f"),
    ("support.function", "f"),
    ("variable.function", "f"),
    ("support.macro", "f"),
    ("entity.name.macro", "f"),
    ("entity.name.tag", "g"),
    ("entity.other.attribute-name", "a"),
    ("variable.annotation", "a"),
    ("meta.annotation", "a"),
    ("entity.name", "t"),
    ("support.type.property-name", "v"),
    ("support.type", "t"),
    ("support.class", "t"),
    ("entity.other.inherited-class", "t"),
    ("variable.other.member", "v"),
    ("support.constant", "l"),
    ("markup.inserted", "i"),
    ("markup.deleted", "d"),
];

fn syntaxes() -> &'static SyntaxSet {
    static SYNTAXES: OnceLock<SyntaxSet> = OnceLock::new();
    SYNTAXES.get_or_init(two_face::syntax::extra_newlines)
}

fn classes() -> &'static [(Scope, &'static str)] {
    static SCOPES: OnceLock<Vec<(Scope, &'static str)>> = OnceLock::new();
    SCOPES.get_or_init(|| {
        CLASSES
            .iter()
            .filter_map(|(name, class)| Some((Scope::new(name).ok()?, *class)))
            .collect()
    })
}

fn syntax(language: &str) -> Option<&'static SyntaxReference> {
    let known = match language {
        "" | "text" | "plain" | "txt" => return None,
        "shell" | "console" | "sh" => "bash",
        "jsonc" => "json",
        other => other,
    };
    syntaxes().find_syntax_by_token(known)
}

/// Returns code as HTML with classes; where the language is not known, as plain HTML.
pub fn highlight(code: &str, language: &str) -> String {
    static SEEN: OnceLock<Seen> = OnceLock::new();
    coloured(code, language, SEEN.get_or_init(Seen::default))
}

/// Where in a code one is: behind a state that has a number, or behind one that has none.
enum Place {
    Known(usize),
    Own(Arc<State>),
}

fn coloured(code: &str, language: &str, seen: &Seen) -> String {
    let mut out = String::with_capacity(code.len() * 2);
    let Some(syntax) = syntax(language).filter(|_| code.len() <= LONGEST) else {
        escape(&mut out, code);
        return out;
    };
    let begin = || State {
        parse: ParseState::new(syntax),
        stack: ScopeStack::new(),
    };
    let start = seen.start(language, begin);
    let mut place = start.map_or_else(|| Place::Own(Arc::new(begin())), Place::Known);
    let mut open: Option<&str> = None;
    for line in code.split_inclusive('\n') {
        if let Place::Known(number) = place
            && let Some(known) = seen.line(number, line)
        {
            write_pieces(&mut out, &mut open, line, &known.pieces);
            place = Place::Known(known.next);
            continue;
        }
        let (number, state) = match place {
            Place::Known(number) => (Some(number), seen.state(number)),
            Place::Own(state) => (None, Some(state)),
        };
        let mut state = state.map_or_else(begin, Arc::unwrap_or_clone);
        let pieces = take_apart(&mut state, line);
        write_pieces(&mut out, &mut open, line, &pieces);
        let next = number.and_then(|number| seen.keep(number, line, &pieces, &state));
        place = next.map_or_else(|| Place::Own(Arc::new(state)), Place::Known);
    }
    if open.is_some() {
        out.push_str("</span>");
    }
    out
}

/// Takes a line apart, and leads the state behind it.
fn take_apart(state: &mut State, line: &str) -> Vec<Piece> {
    let Ok(operations) = state.parse.parse_line(line, syntaxes()) else {
        return vec![(line.len(), None)];
    };
    let mut pieces: Vec<Piece> = Vec::with_capacity(operations.len() + 1);
    let mut add = |length: usize, class: Option<&'static str>| match pieces.last_mut() {
        _ if length == 0 => {}
        Some((before, same)) if *same == class => *before += length,
        _ => pieces.push((length, class)),
    };
    let mut at = 0;
    for (offset, operation) in operations {
        if offset > at {
            add(offset - at, class(&state.stack));
            at = offset;
        }
        if state.stack.apply(&operation).is_err() {
            state.stack = ScopeStack::new();
        }
    }
    add(line.len() - at.min(line.len()), class(&state.stack));
    pieces
}

fn write_pieces<'a>(out: &mut String, open: &mut Option<&'a str>, line: &str, pieces: &[(usize, Option<&'a str>)]) {
    let mut at = 0;
    for (length, class) in pieces {
        write(out, open, *class, line.get(at..at + length).unwrap_or(""));
        at += length;
    }
}

fn class(stack: &ScopeStack) -> Option<&'static str> {
    stack.scopes.iter().rev().find_map(|scope| {
        classes()
            .iter()
            .find(|(prefix, _)| prefix.is_prefix_of(*scope))
            .map(|(_, class)| *class)
    })
}

/// Writes a piece, in the span that is open where it is of the same class.
fn write<'a>(out: &mut String, open: &mut Option<&'a str>, class: Option<&'a str>, text: &str) {
    if text.is_empty() {
        return;
    }
    let blank = text.bytes().all(|byte| byte.is_ascii_whitespace());
    if !blank && *open != class {
        if open.is_some() {
            out.push_str("</span>");
        }
        if let Some(class) = class {
            let _ = write!(out, "<span class=\"{class}\">");
        }
        *open = class;
    }
    escape(out, text);
}

/// Writes text so that it is text in HTML.
pub(crate) fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
}

/// The stylesheet for these classes: colours as variables, light ones, and dark ones where the reader prefers them or
/// the page says `data-theme="dark"`.
pub fn stylesheet() -> String {
    let light = "--code-k:#8839a8;--code-s:#2f6f3e;--code-c:#6a737d;--code-m:#9a4b00;--code-f:#1f56b0;--code-t:#8a5a00;\
                 --code-a:#7a5200;--code-g:#116644;--code-o:#4a5568;--code-e:#a3326b;--code-v:#1d5f74;--code-l:#9a4b00;\
                 --code-i:#1a6b2f;--code-d:#a8281f";
    let dark = "--code-k:#d2a1f2;--code-s:#9bd0a5;--code-c:#8b949e;--code-m:#f0b47a;--code-f:#8fbdf7;--code-t:#e6c37a;\
                --code-a:#e0c080;--code-g:#7fd3ad;--code-o:#b4bdca;--code-e:#f39ac0;--code-v:#8fd0e0;--code-l:#f0b47a;\
                --code-i:#8fdd9f;--code-d:#f7a09a";
    let mut css = format!(
        ":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}\n:root[data-theme=dark]{{{dark}}}\n"
    );
    for class in ["k", "s", "c", "m", "f", "t", "a", "g", "o", "e", "v", "l", "i", "d"] {
        let more = if class == "c" { ";font-style:italic" } else { "" };
        let _ = writeln!(css, "pre.code .{class}{{color:var(--code-{class}){more}}}");
    }
    css
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_before_is_coloured_as_it_was_then() {
        let codes = [
            (
                "python",
                "def a(b: int) -> str:\n    \"\"\"Doc\n    goes on\"\"\"\n    return f\"{b}\"\n",
            ),
            ("python", "    return f\"{b}\"\n\"\"\"Doc\ndef a(b: int) -> str:\n"),
            ("rust", "/* a\n b */ fn c() {}\nfn c() {}\n b */ fn c() {}\n"),
            ("html", "<script>\nlet a = `\n</script>\n`\n</script>\n<p class=a>\n"),
            ("rust", "fn c() {}"),
        ];
        let shared = Seen::default();
        for _ in 0..2 {
            for (language, code) in codes {
                let alone = coloured(code, language, &Seen::default());
                assert_eq!(coloured(code, language, &shared), alone, "{language}: {code}");
            }
        }
    }

    #[test]
    fn pieces_have_classes_and_the_text_stays() {
        let made = highlight("fn main() { let a = \"x<y\"; } // done\n", "rust");
        assert!(
            made.contains("<span class=\"s\">&quot;x&lt;y&quot;</span>") && made.contains("class=\"c\""),
            "{made}"
        );
        let plain: String = made
            .split('<')
            .map(|part| part.split_once('>').map_or(part, |(_, text)| text))
            .collect();
        assert_eq!(plain, "fn main() { let a = &quot;x&lt;y&quot;; } // done\n");
        assert_eq!(highlight("a < b", "no-such-language"), "a &lt; b");
        for language in ["typescript", "toml", "bash", "python", "css", "html", "json", "sql"] {
            assert!(syntax(language).is_some(), "{language}");
        }
    }
}
