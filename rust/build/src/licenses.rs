//! The comments of scripts that state a licence.

use std::path::Path;

use oxc::allocator::Allocator;
use oxc::parser::Parser;
use oxc::span::SourceType;

/// What to do with the comments that state a licence: `/*! … */`, and those with `@license` or `@preserve`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Licenses {
    /// They stay where they are.
    Keep,
    #[default]
    Drop,
    /// They go into a file beside.
    Extern,
}

/// Returns the comments of a script that state a licence.
pub fn comments(source: &str, filename: &str) -> Vec<String> {
    const MARKS: [&str; 4] = ["/*!", "//!", "@license", "@preserve"];
    if !MARKS.iter().any(|mark| source.contains(mark)) {
        return Vec::new();
    }
    let allocator = Allocator::default();
    let kind = SourceType::from_path(Path::new(filename)).unwrap_or_default();
    let parsed = Parser::new(&allocator, source, kind).parse();
    let legal = parsed.program.comments.iter().filter(|comment| comment.is_legal());
    legal
        .filter_map(|comment| source.get(comment.span.start as usize..comment.span.end as usize))
        .map(ToOwned::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_comments_that_state_a_licence_are_found() {
        let source = "/*! A */\nconst s = '/*! no */'; // @license in a line\n/** @preserve B */\nf();/* c */";
        assert_eq!(
            comments(source, "a.js"),
            ["/*! A */", "// @license in a line", "/** @preserve B */"]
        );
        assert!(comments("f(); // c", "a.js").is_empty());
    }
}
