//! Marks in a page's text that say which line of which source comes next.
//!
//! A mark stands in front of a tag, between two characters of the private use area: no reader sees it, and no template
//! that measures or cuts text is likely to cut it.

use super::Place;

const OPEN: char = '\u{f8f0}';
const CLOSE: char = '\u{f8f1}';
/// The longest source and line that is taken for a mark, in bytes.
const LONGEST: usize = 1024;

/// Returns the mark of a line of a source.
pub fn mark(source: &str, line: u32) -> String {
    format!("{OPEN}{source}:{line}{CLOSE}")
}

/// Where the tags of a text come from.
#[derive(Debug, Default)]
pub struct Marks<'a> {
    /// Offsets in the text without marks, in order, with the source and line.
    marks: Vec<(usize, &'a str)>,
    /// Offsets at which lines begin, after the first.
    lines: Vec<usize>,
}

/// Returns a text without its marks, and these.
pub fn strip(text: &str) -> (String, Marks<'_>) {
    let mut clean = String::with_capacity(text.len());
    let mut marks = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        let (before, after) = rest.split_at(at);
        clean.push_str(before);
        let inner = after.get(OPEN.len_utf8()..).unwrap_or("");
        match inner.find([CLOSE, OPEN, '\n']) {
            Some(end) if end <= LONGEST && inner.get(end..).is_some_and(|end| end.starts_with(CLOSE)) => {
                marks.push((clean.len(), inner.get(..end).unwrap_or("")));
                rest = inner.get(end + CLOSE.len_utf8()..).unwrap_or("");
            }
            _ => {
                clean.push(OPEN);
                rest = inner;
            }
        }
    }
    clean.push_str(rest);
    let breaks = clean.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    let lines = breaks.map(|(at, _)| at + 1).collect();
    (clean, Marks { marks, lines })
}

impl Marks<'_> {
    /// The place of an offset of the text without marks.
    pub fn place(&self, at: usize) -> Place {
        let line = u32::try_from(self.lines.partition_point(|start| *start <= at) + 1).unwrap_or(u32::MAX);
        let before = self.marks.partition_point(|(mark, _)| *mark <= at);
        let source = before.checked_sub(1).and_then(|index| self.marks.get(index));
        Place {
            line,
            source: source.map(|(_, source)| (*source).to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_mark_names_the_source_of_what_follows() {
        let text = format!("<p>\n{}<b>{}<i>", mark("a.html", 7), mark("b.md", 2));
        let (clean, marks) = strip(&text);
        assert_eq!(clean, "<p>\n<b><i>");
        assert_eq!(marks.place(0).source, None);
        let place = marks.place(4);
        assert_eq!((place.line, place.source.as_deref()), (2, Some("a.html:7")));
        assert_eq!(marks.place(7).source.as_deref(), Some("b.md:2"));
    }

    proptest! {
        #[test]
        fn what_is_no_mark_stays(text in "[\u{f8f0}\u{f8f1}ab\n<]{0,20}") {
            let (clean, _) = strip(&text);
            prop_assert_eq!(
                clean.chars().filter(|c| *c == '<' || *c == '\n').count(),
                text.chars().filter(|c| *c == '\n').count() + clean.matches('<').count()
            );
            prop_assert!(clean.len() <= text.len());
        }
    }
}
