//! What a page has that a stylesheet can name.

use std::collections::HashSet;
use std::sync::Arc;

use super::tokens::{Token, Tokens};

/// The elements, classes, ids and attributes of a page.
#[derive(Debug, Clone, Default)]
pub struct Names {
    pub tags: HashSet<String>,
    pub classes: HashSet<String>,
    pub ids: HashSet<String>,
    pub attributes: HashSet<String>,
    /// Words of the page's own scripts, which may add what they name.
    pub words: HashSet<String>,
    /// Words of all other scripts.
    pub also: Arc<HashSet<String>>,
}

impl Names {
    /// Returns the names of a page, or of its first view: so many elements of its body.
    pub fn of(html: &str, first: Option<usize>) -> Self {
        let mut names = Self::default();
        // A browser makes these up where they are not written.
        names.tags.extend(["html", "head", "body"].map(str::to_owned));
        let mut is_script = false;
        let mut count = 0;
        for token in Tokens::new(html) {
            let tag = match token {
                Token::Start(tag) => tag,
                Token::Raw(text) if is_script => {
                    names.words.extend(words(text).map(str::to_owned));
                    continue;
                }
                _ => continue,
            };
            let name = tag.name.to_ascii_lowercase();
            is_script = name == "script";
            if !OF_HEAD.contains(&name.as_str()) {
                count += 1;
            }
            if first.is_some_and(|most| count > most) {
                break;
            }
            for attribute in &tag.attributes {
                let value = decoded(attribute.value.unwrap_or(""));
                let called = attribute.name.to_ascii_lowercase();
                match called.as_str() {
                    "class" => names.classes.extend(value.split_ascii_whitespace().map(str::to_owned)),
                    "id" => drop(names.ids.insert(value)),
                    _ => {}
                }
                names.attributes.insert(called);
            }
            names.tags.insert(name);
        }
        names
    }
}

/// What no reader sees of a page does not count for what is seen first.
const OF_HEAD: [&str; 11] = [
    "html", "head", "body", "title", "meta", "link", "script", "style", "base", "noscript", "template",
];

/// Returns the words of a script that can be names.
pub fn words(script: &str) -> impl Iterator<Item = &str> {
    let parts = script.split(|letter: char| !(letter.is_alphanumeric() || matches!(letter, '-' | '_')));
    parts.filter(|word| !word.is_empty())
}

fn decoded(value: &str) -> String {
    if value.contains('&') {
        let plain = value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
        return plain.replace("&#39;", "'").replace("&amp;", "&");
    }
    value.to_owned()
}
