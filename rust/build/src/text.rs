//! Small minifiers for text: JSON, XML, and what stands inside a page.

use std::borrow::Cow;
use std::collections::HashMap;

use oxc::allocator::Allocator;
use oxc::ast::ast::Statement;
use oxc::codegen::{Codegen, CodegenOptions, CommentOptions};
use oxc::parser::{ParseOptions, Parser};
use oxc::span::SourceType;

use crate::css::{self, Style, Targets};
use crate::error::guarded;
use crate::{js, nesting};

/// Returns JSON without white space between its tokens, or none where it is not valid.
pub fn json(text: &str) -> Option<String> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in text.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = c == '\\' && !escaped;
        } else if c == '"' {
            in_string = true;
        } else if c.is_ascii_whitespace() {
            continue;
        }
        out.push(c);
    }
    Some(out)
}

/// Returns XML without comments and without the white space that stands alone between two tags; an element that holds
/// nothing has one tag.
///
/// That white space means nothing in feeds and sitemaps; text beside it, CDATA and everything in an element that says
/// `xml:space` is as it was.
pub fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let keeps = text.contains("xml:space");
    // Whether a start tag was written last.
    let mut is_fresh = false;
    while let Some(at) = rest.find('<') {
        let (before, markup) = rest.split_at(at);
        if !before.is_empty() && (keeps || !before.bytes().all(|byte| byte.is_ascii_whitespace())) {
            out.push_str(before);
            is_fresh = false;
        }
        let (end, kept) = if markup.starts_with("<!--") {
            (markup.find("-->").map(|end| end + 3), false)
        } else if markup.starts_with("<![CDATA[") {
            (markup.find("]]>").map(|end| end + 3), true)
        } else {
            (tag_end(markup), true)
        };
        let end = end.unwrap_or(markup.len());
        let tag = markup.get(..end).unwrap_or(markup);
        if let Some(name) = tag.strip_prefix("</").and_then(|tag| tag.strip_suffix('>')) {
            // An element that holds nothing ends in its own tag.
            if std::mem::take(&mut is_fresh) && !keeps {
                out.pop();
                out.push_str("/>");
            } else {
                out.push_str("</");
                out.push_str(name.trim_ascii_end());
                out.push('>');
            }
        } else if kept {
            out.push_str(tag);
            is_fresh = tag.ends_with('>') && !tag.ends_with("/>") && !tag.starts_with("<!") && !tag.starts_with("<?");
        }
        rest = markup.get(end..).unwrap_or("");
    }
    out.push_str(rest.trim_end());
    out
}

/// Where a tag of XML ends.
pub(crate) fn tag_end(markup: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in markup.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == '>' => return Some(at + 1),
            None => {}
        }
    }
    None
}

/// Returns an inline script, smaller, or none where it is not valid.
pub fn script(source: &str, module: bool) -> Option<String> {
    let kind = if module {
        SourceType::mjs()
    } else {
        SourceType::script()
    };
    shorter_script(source, kind, ParseOptions::default())
}

/// Returns the script of an event handler's attribute, smaller, or none where it is not valid.
///
/// It is the body of a function (HTML Standard, section 8.1.8.1), so it may return.
pub(crate) fn handler(source: &str) -> Option<String> {
    let options = ParseOptions {
        allow_return_outside_function: true,
        ..ParseOptions::default()
    };
    shorter_script(source, SourceType::script(), options).filter(|made| !made.is_empty())
}

fn shorter_script(source: &str, kind: SourceType, options: ParseOptions) -> Option<String> {
    let module = kind.is_module();
    let work = || {
        let allocator = Allocator::default();
        let parsed = Parser::new(&allocator, source, kind).with_options(options).parse();
        if !parsed.diagnostics.is_empty() {
            return Ok(None);
        }
        let mut program = parsed.program;
        let scoping = js::shorten(&allocator, &mut program, module);
        let options = CodegenOptions {
            minify: true,
            comments: CommentOptions::disabled(),
            ..CodegenOptions::default()
        };
        let mut code = Codegen::new()
            .with_options(options)
            .with_scoping(scoping)
            .build(&program)
            .code;
        // Of what ends with an empty statement (`for(;;);`) the semicolon is a part.
        let ends_plainly = matches!(
            program.body.last(),
            Some(Statement::ExpressionStatement(_) | Statement::VariableDeclaration(_) | Statement::ReturnStatement(_))
        );
        if ends_plainly && code.ends_with(';') {
            code.pop();
        }
        Ok(Some(code))
    };
    guarded("the script compiler", "script", || {
        nesting::with_room(source, "script", work)
    })
    .ok()
    .flatten()
}

/// Returns an inline stylesheet, smaller, or none where it is not valid.
pub fn style(source: &str, targets: Targets) -> Option<String> {
    let sources = HashMap::from([("style".to_owned(), source.to_owned())]);
    let style = Style {
        minify: true,
        targets,
        keep_licenses: true,
        ..Style::default()
    };
    css::transform("style", &sources, &|_, url| Some(url.to_owned()), style).ok()
}

/// Returns the declarations of a `style` attribute, shorter, or none where they are not valid.
pub(crate) fn declarations(source: &str, targets: Targets) -> Option<String> {
    css::declarations(source, targets).ok()
}

/// Returns a text with single spaces between its words.
pub(crate) fn one_spaced(text: &str) -> Cow<'_, str> {
    let tidy =
        !text.starts_with(' ') && !text.ends_with(' ') && !text.contains("  ") && !text.contains(['\n', '\t', '\r']);
    if tidy {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_strings() {
        assert_eq!(
            json("{ \"a b\" : [ 1 , \"\\\" \\\\\" ] }\n").as_deref(),
            Some("{\"a b\":[1,\"\\\" \\\\\"]}")
        );
        assert_eq!(json("{ a }"), None);
    }

    #[test]
    fn xml_keeps_its_text() {
        let text = "<?xml version=\"1.0\"?>\n<a>\n  <!-- c -->\n  <b x=\"1>2\"> t </b>\n  <![CDATA[ <p> ]]>\n</a>\n";
        assert_eq!(
            xml(text),
            "<?xml version=\"1.0\"?><a><b x=\"1>2\"> t </b><![CDATA[ <p> ]]></a>"
        );
        let empty = "<a ><b c='>'> <!-- d --> </b><b> </b ><e/><![CDATA[]]></a\n>";
        assert_eq!(xml(empty), "<a ><b c='>'/><b/><e/><![CDATA[]]></a>");
        let kept = "<a xml:space='preserve'><b></b></a>";
        assert_eq!(xml(kept), kept);
    }

    #[test]
    fn names_of_the_page_stay_names_of_the_page() {
        let made = script("var shared = 1; function used(value) { return value + shared }", false).unwrap_or_default();
        assert!(
            made.contains("shared") && made.contains("used") && !made.contains("value"),
            "{made}"
        );
    }
}
