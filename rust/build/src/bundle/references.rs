//! `new URL("./file", import.meta.url)` in scripts.

use std::ops::Range;
use std::path::Path;

use oxc::allocator::Allocator;
use oxc::ast::ast::{Argument, NewExpression};
use oxc::ast_visit::{Visit, walk};
use oxc::parser::Parser;
use oxc::span::{GetSpan, SourceType, Span};

use crate::error::SourceError;

/// A file that a script refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// Its place, quotes included.
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

/// Returns the files a script refers to by `new URL()`, as they are written.
///
/// # Errors
/// It is no valid script.
pub(super) fn references(source: &str, filename: &str) -> Result<Vec<Reference>, SourceError> {
    let allocator = Allocator::default();
    let kind = SourceType::from_path(Path::new(filename)).unwrap_or_default();
    let parsed = Parser::new(&allocator, source, kind.with_module(true)).parse();
    if parsed.diagnostics.iter().next().is_some() {
        return Err(SourceError::new("not a valid script"));
    }
    let mut seen = Seen {
        source,
        found: Vec::new(),
    };
    seen.visit_program(&parsed.program);
    Ok(seen.found)
}

struct Seen<'s> {
    source: &'s str,
    found: Vec<Reference>,
}

impl Seen<'_> {
    fn text(&self, span: Span) -> &str {
        self.source.get(span.start as usize..span.end as usize).unwrap_or("")
    }
}

impl<'a> Visit<'a> for Seen<'_> {
    fn visit_new_expression(&mut self, it: &NewExpression<'a>) {
        if let ([Argument::StringLiteral(url), base], "URL") = (it.arguments.as_slice(), self.text(it.callee.span()))
            && self.text(base.span()) == "import.meta.url"
            && (url.value.starts_with('.') || url.value.starts_with("/assets/"))
        {
            self.found.push(Reference {
                range: url.span.start as usize..url.span.end as usize,
                text: url.value.to_string(),
            });
        }
        walk::walk_new_expression(self, it);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_code_refers_to_files() {
        let source = "// new URL('./a', import.meta.url)\nnew Worker(new URL('./w.ts', import.meta.url));\n\
                      const s = `new URL('./b', import.meta.url)`; new URL('./c', base); new URL('x:y', import.meta.url);";
        let found = references(source, "a.ts").unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].text, "./w.ts");
        assert_eq!(&source[found[0].range.clone()], "'./w.ts'");
        assert!(references("let x = ;", "a.ts").is_err());
    }
}
