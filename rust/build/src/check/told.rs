//! What a parser complains of, in words that say what to do.

use crate::html::{Tag, Token};

/// What is wrong, and what to do.
pub(super) type Told = (String, String);

/// Puts an error of the parser into words.
///
/// `open` names the innermost open element and `holds` says whether one of the name of an end tag is open.
pub(super) fn told(error: &str, now: Option<&Token<'_>>, open: &str, holds: bool) -> Told {
    if let Some(found) = characters(error) {
        return found;
    }
    if error == "Non-space table text" {
        return said(
            "text stands in a table, in none of its cells",
            "put it into a `<td>`, a `<th>` or a `<caption>`",
        );
    }
    match now {
        Some(Token::Start(tag)) => start(error, tag, open),
        Some(Token::End { name, .. }) => end(error, name, open, holds),
        Some(Token::Doctype(_)) => said(
            "this document type makes browsers behave as they did in the nineties, or stands in the wrong place",
            "write `<!doctype html>`, once, at the very beginning",
        ),
        Some(Token::Comment(_)) => said("this is no well-formed comment", "a comment is `<!-- text -->`"),
        Some(Token::Text(_) | Token::Raw(_)) => (
            format!("text may not stand in `<{open}>`"),
            "move it into the body of the page".to_owned(),
        ),
        None if open.is_empty() => said("the text ends too early", "close what is open"),
        None => (
            format!("`<{open}>` is never closed"),
            format!("write `</{open}>` where it ends"),
        ),
    }
}

/// What the tokenizer says: it names characters and states of its own.
fn characters(error: &str) -> Option<Told> {
    if error == "Duplicate attribute" {
        return Some(said(
            "an attribute stands on this tag twice",
            "a browser takes the first: remove the other",
        ));
    }
    if error.contains("haracter reference") {
        return Some(said(
            "`&` begins a character reference that there is not, or that is not closed",
            "write `&amp;` for the sign itself, and end a reference with `;`",
        ));
    }
    if error.starts_with("Saw EOF") {
        return Some(said(
            "the text ends in the middle of a tag or comment",
            "is a `>`, a quote or a `-->` missing?",
        ));
    }
    let rest = error.strip_prefix("Saw ")?;
    let letter = rest.chars().next()?;
    let state = rest.split_once(" in state ").map_or("", |(_, state)| state);
    let shown = if letter.is_whitespace() {
        "a space".to_owned()
    } else {
        format!("`{letter}`")
    };
    Some(if state.contains("AfterAttributeValue") {
        said(
            "two attributes stand side by side without a space",
            "put a space between them",
        )
    } else if state.contains("AttributeValue") {
        said(
            "an attribute has a `=` and no value",
            "give it a value, or take the `=` out",
        )
    } else if state.contains("Attribute") {
        (
            format!("{shown} stands in the name of an attribute"),
            "is a quote or a `>` missing before it?".to_owned(),
        )
    } else if state == "TagOpen" || state == "EndTagOpen" {
        (
            format!("`<` with {shown} behind it begins no tag"),
            "write `&lt;` for the sign itself".to_owned(),
        )
    } else if state.contains("Comment") {
        said(
            "this is no well-formed comment",
            "a comment is `<!-- text -->`, and holds no other",
        )
    } else if letter == '\0' {
        said("there is a NUL character in the text", "take it out")
    } else if state.contains("MarkupDeclaration") {
        said(
            "`<!` begins neither a comment nor a document type",
            "a comment is `<!-- text -->`",
        )
    } else if state.contains("Doctype") {
        said("this document type is not well formed", "write `<!doctype html>`")
    } else {
        (
            format!("{shown} may not stand here"),
            "is a quote or a `>` missing before it?".to_owned(),
        )
    })
}

fn start(error: &str, tag: &Tag<'_>, open: &str) -> Told {
    let name = tag.name.to_ascii_lowercase();
    if error == "Unacknowledged self-closing tag" {
        let hint = format!("HTML ignores the `/`: write `<{name}></{name}>`");
        return (format!("`<{name}/>` does not close itself"), hint);
    }
    let message = format!("`<{name}>` may not stand here, in `<{open}>`");
    let hint = match name.as_str() {
        "a" => "a link may not stand in another: close the first with `</a>`",
        "button" => "a button may not stand in another: close the first with `</button>`",
        "form" => "a form may not stand in another: close the first with `</form>`",
        "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => "a heading may not stand in another: close the first one",
        "td" | "th" => "a cell stands in a `<tr>`",
        "tr" => "a row stands in a `<table>`",
        "tbody" | "thead" | "tfoot" | "caption" | "col" | "colgroup" => "it stands in a `<table>`",
        "html" | "head" | "body" => "the page has one already",
        "image" => "write `<img>`",
        _ if matches!(open, "table" | "tbody" | "thead" | "tfoot" | "tr") => "in a table it stands in a cell",
        _ if open == "head" => "it belongs into the body",
        _ => "move it, or close what is open before it",
    };
    (message, hint.to_owned())
}

fn end(error: &str, name: &str, open: &str, holds: bool) -> Told {
    let name = name.to_ascii_lowercase();
    match error {
        "Attributes on an end tag" => {
            return (
                format!("`</{name}>` has attributes"),
                "they stand on the start tag".to_owned(),
            );
        }
        "Self-closing end tag" => return (format!("`</{name}/>` has a `/` too many"), format!("write `</{name}>`")),
        "Unexpected open tag at end of body" => {
            return (
                format!("`<{open}>` is never closed"),
                format!("write `</{open}>` where it ends"),
            );
        }
        _ => {}
    }
    if holds && open != name {
        let message = format!("`</{name}>` stands where `<{open}>` is still open");
        return (
            message,
            format!("write `</{open}>` before it: what is opened last is closed first"),
        );
    }
    let hint = match name.as_str() {
        "p" => "the paragraph has ended before: a list, a table, a `<div>` or another block ends it",
        "br" => "write `<br>`",
        _ => "take it out, or look for the start tag that is missing",
    };
    (format!("`</{name}>` closes nothing"), hint.to_owned())
}

fn said(message: &str, hint: &str) -> Told {
    (message.to_owned(), hint.to_owned())
}
