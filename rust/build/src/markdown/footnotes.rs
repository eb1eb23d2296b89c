//! Footnotes: numbered in the order they are referred to, and set at the end with a way back.

use std::collections::HashMap;
use std::fmt::Write;

use pulldown_cmark::{CowStr, Event, html};

#[derive(Debug, Default)]
pub(crate) struct Footnotes<'a> {
    order: Vec<CowStr<'a>>,
    uses: HashMap<CowStr<'a>, usize>,
    texts: HashMap<CowStr<'a>, Vec<Event<'a>>>,
}

impl<'a> Footnotes<'a> {
    /// Returns the HTML of a reference.
    pub(crate) fn refer(&mut self, name: &CowStr<'a>) -> String {
        let number = self.order.iter().position(|known| known == name).unwrap_or_else(|| {
            self.order.push(name.clone());
            self.order.len() - 1
        }) + 1;
        let uses = self.uses.entry(name.clone()).or_default();
        *uses += 1;
        let again = if *uses > 1 { format!("-{uses}") } else { String::new() };
        format!("<sup class=\"footnote-ref\"><a href=\"#fn-{number}\" id=\"fnref-{number}{again}\">{number}</a></sup>")
    }

    pub(crate) fn define(&mut self, name: CowStr<'a>, events: Vec<Event<'a>>) {
        self.texts.entry(name).or_insert(events);
    }

    /// Writes those that are referred to.
    pub(crate) fn write(mut self, out: &mut String) {
        if self.order.is_empty() {
            return;
        }
        out.push_str("<section class=\"footnotes\" role=\"doc-endnotes\"><ol>\n");
        for (number, name) in (1..).zip(&self.order) {
            let _ = write!(out, "<li id=\"fn-{number}\">");
            let mut text = String::new();
            html::push_html(&mut text, self.texts.remove(name).unwrap_or_default().into_iter());
            let back =
                format!(" <a class=\"footnote-back\" href=\"#fnref-{number}\" aria-label=\"Back to the text\">↩</a>");
            match text.trim_end().strip_suffix("</p>") {
                Some(open) => {
                    let _ = write!(out, "{open}{back}</p>");
                }
                None => {
                    let _ = write!(out, "{text}{back}");
                }
            }
            out.push_str("</li>\n");
        }
        out.push_str("</ol></section>\n");
    }
}
