//! What is wrong with a page, and what other pages have to know of it.
//!
//! A page is read by a conforming parser (html5ever), a token at a time: what the parser complains of, and what it puts
//! into the tree, is known to the byte. Content models and obsolete features follow the HTML Standard, sections 3, 4
//! and 16.

mod elements;
mod marks;
mod model;
mod node;
mod notes;
mod page;
mod sink;
mod told;

use rayon::prelude::*;

pub use marks::{mark, strip};
pub use page::check_page;

/// Something wrong with a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The rule's name, as it is silenced by.
    pub rule: &'static str,
    pub message: String,
    /// What to do.
    pub hint: String,
    pub place: Place,
}

/// Where something stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The line of the page's text, from 1.
    pub line: u32,
    /// The source it was made from, `templates/base.html:12`, where the text is marked.
    pub source: Option<String>,
}

/// What a reference is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A reader follows it.
    Link,
    /// A form is sent there.
    Form,
    /// A picture that is shown.
    Image,
    /// A stylesheet.
    Style,
    /// A script.
    Script,
    /// Anything else a browser loads, or a page is described by.
    Other,
}

impl Use {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Form => "form",
            Self::Image => "image",
            Self::Style => "style",
            Self::Script => "script",
            Self::Other => "other",
        }
    }
}

/// A reference of a page, to itself or elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub url: String,
    pub kind: Use,
    /// References of one number are a choice of which a browser loads one.
    pub choice: u32,
    pub place: Place,
}

/// What was found in a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    pub title: String,
    pub title_place: Place,
    /// The names that a fragment may have.
    pub anchors: Vec<String>,
    pub references: Vec<Reference>,
    /// What relative references are relative to, where the page says so.
    pub base: Option<String>,
    /// The page that this one is a copy of, as it says.
    pub canonical: Option<String>,
    /// Whether it asks search engines to leave it out.
    pub hidden: bool,
    pub problems: Vec<Problem>,
}

/// Checks pages, `threads` at a time (0 is one for each core).
pub fn check_pages(pages: &[String], threads: usize) -> Vec<Page> {
    let all = || pages.par_iter().map(|page| check_page(page)).collect();
    if pages.len() < 2 || threads == 1 {
        return pages.iter().map(|page| check_page(page)).collect();
    }
    match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
        Ok(pool) => pool.install(all),
        Err(_) => all(),
    }
}
