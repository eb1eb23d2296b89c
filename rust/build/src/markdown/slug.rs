//! The anchors of headings.

use std::collections::HashMap;

/// Gives each heading of a page an anchor of its own: its words in lower case joined by hyphens, and a number where
/// another has the same.
#[derive(Debug, Default)]
pub(crate) struct Slugs {
    taken: HashMap<String, usize>,
}

impl Slugs {
    pub(crate) fn make(&mut self, text: &str) -> String {
        let mut slug = String::with_capacity(text.len());
        for c in text.chars().flat_map(char::to_lowercase) {
            if c.is_alphanumeric() || c == '_' {
                slug.push(c);
            } else if (c.is_whitespace() || c == '-') && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        let slug = slug.trim_matches('-');
        self.claim(if slug.is_empty() { "section" } else { slug })
    }

    /// Takes an anchor that was asked for by name, or the next one that is free.
    pub(crate) fn claim(&mut self, slug: &str) -> String {
        let mut candidate = slug.to_owned();
        while let Some(count) = self.taken.get_mut(&candidate) {
            *count += 1;
            candidate = format!("{slug}-{count}");
        }
        self.taken.insert(candidate.clone(), 0);
        candidate
    }
}
