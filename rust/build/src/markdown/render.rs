//! Renders one text.

use pulldown_cmark::{CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd, html};

use crate::highlight::{escape, highlight};
use crate::markdown::footnotes::Footnotes;
use crate::markdown::slug::Slugs;
use crate::markdown::{Heading, Rendered};

const MORE: &str = "<!--more-->";

/// Renders Markdown. `first_line` is the line of its file on which the text begins, from 1.
pub fn render(text: &str, first_line: u32) -> Rendered {
    render_marked(text, first_line, None)
}

/// Renders Markdown, with a mark of `source` and the line (`check::mark`) in front of each element, where it is given.
pub fn render_marked(text: &str, first_line: u32, source: Option<&str>) -> Rendered {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_GFM
        | Options::ENABLE_DEFINITION_LIST;
    let mut renderer = Renderer {
        lines: Lines::new(text, first_line),
        source,
        slugs: Slugs::default(),
        footnotes: Footnotes::default(),
        found: Rendered::default(),
        out: Vec::new(),
    };
    let mut events = Parser::new_ext(text, options).into_offset_iter();
    while let Some((event, range)) = events.next() {
        renderer.event(event, range.start, &mut events);
    }
    renderer.finish()
}

type Events<'a> = pulldown_cmark::OffsetIter<'a>;

struct Renderer<'a, 's> {
    lines: Lines,
    /// The source that marks name.
    source: Option<&'s str>,
    slugs: Slugs,
    footnotes: Footnotes<'a>,
    found: Rendered,
    out: Vec<Event<'a>>,
}

impl<'a> Renderer<'a, '_> {
    fn event(&mut self, event: Event<'a>, at: usize, events: &mut Events<'a>) {
        self.mark(&event, at);
        match event {
            Event::Start(Tag::Heading { level, id, classes, .. }) => {
                let inner = self.inner(events, |end| matches!(end, TagEnd::Heading(_)));
                let level = level as u8;
                let text = plain(&inner);
                let id = match id {
                    Some(id) => self.slugs.claim(&id),
                    None => self.slugs.make(&text),
                };
                let mut made = format!("<h{level} id=\"");
                escape(&mut made, &id);
                made.push('"');
                if !classes.is_empty() {
                    made.push_str(" class=\"");
                    escape(&mut made, &classes.join(" "));
                    made.push('"');
                }
                made.push('>');
                html::push_html(&mut made, inner.into_iter());
                made.push_str(" <a class=\"anchor\" href=\"#");
                escape(&mut made, &id);
                made.push_str("\" aria-label=\"Link to this section\">#</a>");
                made.push_str(&format!("</h{level}>\n"));
                self.found.toc.push(Heading { level, id, text });
                self.out.push(Event::Html(made.into()));
            }
            Event::Start(Tag::CodeBlock(kind)) => {
                let language = match &kind {
                    CodeBlockKind::Fenced(info) => info.split([',', ' ', '{']).next().unwrap_or("").to_owned(),
                    CodeBlockKind::Indented => String::new(),
                };
                let mut code = String::new();
                for (event, _) in events.by_ref() {
                    match event {
                        Event::Text(text) => code.push_str(&text),
                        Event::End(TagEnd::CodeBlock) => break,
                        _ => {}
                    }
                }
                self.out.push(Event::Html(code_block(&code, &language).into()));
            }
            Event::Start(Tag::Table(alignment)) => {
                self.out
                    .push(Event::Html("<div class=\"table\" tabindex=\"0\">\n".into()));
                self.out.push(Event::Start(Tag::Table(alignment)));
            }
            Event::End(TagEnd::Table) => {
                self.out.push(Event::End(TagEnd::Table));
                self.out.push(Event::Html("</div>\n".into()));
            }
            Event::Start(Tag::Image { dest_url, title, .. }) => {
                self.refer(&dest_url, at);
                let inner = self.inner(events, |end| matches!(end, TagEnd::Image));
                self.out
                    .push(Event::InlineHtml(image(&dest_url, &plain(&inner), &title).into()));
            }
            Event::Start(Tag::Link {
                link_type,
                dest_url,
                title,
                id,
            }) => {
                self.refer(&dest_url, at);
                self.out.push(Event::Start(Tag::Link {
                    link_type,
                    dest_url,
                    title,
                    id,
                }));
            }
            Event::Start(Tag::FootnoteDefinition(name)) => {
                let inner = self.inner(events, |end| matches!(end, TagEnd::FootnoteDefinition));
                self.footnotes.define(name, inner);
            }
            Event::FootnoteReference(name) => {
                let made = self.footnotes.refer(&name);
                self.out.push(Event::InlineHtml(made.into()));
            }
            Event::Html(ref raw) if raw.trim() == MORE => self.out.push(Event::Html(MORE.into())),
            Event::Text(ref text) => {
                self.found.words += text.split_whitespace().count();
                self.out.push(event);
            }
            other => self.out.push(other),
        }
    }

    /// Renders what is in an element, up to its end.
    fn inner(&mut self, events: &mut Events<'a>, is_end: impl Fn(&TagEnd) -> bool) -> Vec<Event<'a>> {
        let outer = std::mem::take(&mut self.out);
        while let Some((event, range)) = events.next() {
            match &event {
                Event::End(end) if is_end(end) => break,
                _ => self.event(event, range.start, events),
            }
        }
        std::mem::replace(&mut self.out, outer)
    }

    fn mark(&mut self, event: &Event<'a>, at: usize) {
        let Some(source) = self.source else { return };
        let begins = match event {
            // Between the parts of a table nothing may stand.
            Event::Start(tag) => !matches!(tag, Tag::TableHead | Tag::TableRow | Tag::TableCell),
            // In the middle of a tag or a comment no mark may stand.
            Event::Html(raw) | Event::InlineHtml(raw) => raw.trim_start().starts_with('<') && raw.trim() != MORE,
            _ => false,
        };
        if begins {
            let mark = crate::check::mark(source, self.lines.of(at));
            self.out.push(Event::InlineHtml(mark.into()));
        }
    }

    fn refer(&mut self, url: &CowStr<'a>, at: usize) {
        self.found.references.push((url.to_string(), self.lines.of(at)));
    }

    fn finish(mut self) -> Rendered {
        let more = self
            .out
            .iter()
            .position(|event| matches!(event, Event::Html(raw) if &**raw == MORE));
        let summary_end = more.or_else(|| {
            let first = self
                .out
                .iter()
                .position(|event| matches!(event, Event::End(TagEnd::Paragraph)));
            first.map(|at| at + 1)
        });
        let from = if more.is_some() {
            0
        } else {
            self.out
                .iter()
                .position(|event| matches!(event, Event::Start(Tag::Paragraph)))
                .unwrap_or(0)
        };
        if let Some(summary) = summary_end.and_then(|end| self.out.get(from..end)) {
            let shown = summary.iter().filter(|event| !is_footnote(event)).cloned();
            html::push_html(&mut self.found.summary, shown);
        }
        let body = self
            .out
            .into_iter()
            .filter(|event| !matches!(event, Event::Html(raw) if &**raw == MORE));
        html::push_html(&mut self.found.html, body);
        self.footnotes.write(&mut self.found.html);
        self.found
    }
}

fn is_footnote(event: &Event<'_>) -> bool {
    matches!(event, Event::InlineHtml(raw) if raw.starts_with("<sup class=\"footnote-ref\">"))
}

fn code_block(code: &str, language: &str) -> String {
    let mut made = String::from("<pre class=\"code\"");
    if !language.is_empty() {
        made.push_str(" data-lang=\"");
        escape(&mut made, language);
        made.push('"');
    }
    made.push_str("><code>");
    made.push_str(&highlight(code, language));
    made.push_str("</code></pre>\n");
    made
}

fn image(url: &str, alt: &str, title: &str) -> String {
    let mut made = String::from("<img src=\"");
    escape(&mut made, url);
    made.push_str("\" alt=\"");
    escape(&mut made, alt);
    if !title.is_empty() {
        made.push_str("\" title=\"");
        escape(&mut made, title);
    }
    made.push_str("\" loading=\"lazy\" decoding=\"async\">");
    made
}

fn plain(events: &[Event<'_>]) -> String {
    let mut text = String::new();
    for event in events {
        match event {
            Event::Text(part) | Event::Code(part) => text.push_str(part),
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            _ => {}
        }
    }
    text
}

/// Where lines begin.
struct Lines {
    starts: Vec<usize>,
    first: u32,
}

impl Lines {
    fn new(text: &str, first: u32) -> Self {
        let breaks = text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n')
            .map(|(at, _)| at + 1);
        Self {
            starts: breaks.collect(),
            first,
        }
    }

    fn of(&self, at: usize) -> u32 {
        let before = self.starts.partition_point(|start| *start <= at);
        self.first.saturating_add(u32::try_from(before).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn headings_have_anchors_of_their_own() {
        let made = render("# Größe & `code`\n\n## Same\n\n## Same\n\n## Named {#mine}\n", 1);
        let found: Vec<_> = made
            .toc
            .iter()
            .map(|one| (one.level, one.id.as_str(), one.text.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                (1, "größe-code", "Größe & code"),
                (2, "same", "Same"),
                (2, "same-1", "Same"),
                (2, "mine", "Named")
            ]
        );
        assert!(
            made.html
                .contains("<h2 id=\"same-1\">Same <a class=\"anchor\" href=\"#same-1\"")
        );
    }

    #[test]
    fn footnotes_stand_at_the_end() {
        let made = render(
            "A[^b] and B[^a], A again[^b].\n\n[^a]: First *note*.\n\n[^b]: Second.\n",
            1,
        );
        assert!(
            made.html
                .contains("<li id=\"fn-1\"><p>Second. <a class=\"footnote-back\" href=\"#fnref-1\""),
            "{}",
            made.html
        );
        assert!(made.html.contains("id=\"fnref-1-2\"") && made.html.contains("<em>note</em>"));
        assert!(!made.summary.contains("footnote-ref"));
    }

    #[test]
    fn references_know_their_lines() {
        let made = render("a [l](/x/)\n\n![alt \"q\"](i.png \"T\")\n", 5);
        assert_eq!(made.references, [("/x/".to_owned(), 5), ("i.png".to_owned(), 7)]);
        let image = "<img src=\"i.png\" alt=\"alt &quot;q&quot;\" title=\"T\" loading=\"lazy\" decoding=\"async\">";
        assert!(made.html.contains(image), "{}", made.html);
    }

    #[test]
    fn marks_name_the_lines_of_elements_and_change_nothing_else() {
        let text =
            "# T\n\nA [l](/x/)\nand ![i](/i.png) <b>raw</b>\n\n<div\nid=x>\n\n| a |\n|---|\n| *1* |\n\n- one\n- two\n";
        let marked = render_marked(text, 3, Some("a.md"));
        let plain = render(text, 3);
        let (clean, marks) = crate::check::strip(&marked.html);
        let words = |text: &str| text.split_whitespace().collect::<String>();
        assert_eq!(words(&clean), words(&plain.html));
        assert_eq!((marked.references, marked.toc), (plain.references, plain.toc));
        for (element, line) in [
            ("<h1", 3),
            ("<a href=\"/x/", 5),
            ("<img", 6),
            ("<b>", 6),
            ("<div\n", 8),
            ("<em", 13),
            ("<li>two", 16),
        ] {
            let at = clean.find(element).unwrap_or(usize::MAX);
            assert_eq!(marks.place(at).source, Some(format!("a.md:{line}")), "{element}");
        }
    }

    #[test]
    fn tables_code_tasks_and_alerts() {
        let made = render(
            "| a |\n|---|\n| 1 |\n\n- [x] done\n\n> [!NOTE]\n> Hear\n\n```rust,ignore\nfn a() {}\n```\n",
            1,
        );
        for part in [
            "<div class=\"table\"",
            "type=\"checkbox\"",
            "markdown-alert-note",
            "data-lang=\"rust\"",
            "class=\"k\"",
        ] {
            assert!(made.html.contains(part), "{part} in {}", made.html);
        }
    }

    #[test]
    fn the_summary_ends_where_it_says() {
        let made = render("# T\n\nOne.\n\nTwo.\n\n<!--more-->\n\nThree.\n", 1);
        assert!(made.summary.contains("Two") && !made.summary.contains("Three") && !made.html.contains("more"));
        assert_eq!(render("# T\n\nOne.\n\nTwo.\n", 1).summary, "<p>One.</p>\n");
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in "([#*_`>|~^!\\[\\]()\n -]|[a-z]|<!--more-->|```|é|\\[\\^a\\]:?){0,60}") {
            let made = render(&text, 1);
            prop_assert!(made.references.iter().all(|(_, line)| *line >= 1));
        }
    }
}
