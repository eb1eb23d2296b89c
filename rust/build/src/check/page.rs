//! Reads one page, a token at a time.

use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{ParseOpts, parse_document};

use super::Page;
use super::marks::strip;
use super::sink::Sink;
use crate::html::Tokens;

/// Checks a page, the text of which may be marked.
pub fn check_page(text: &str) -> Page {
    let (clean, marks) = strip(text);
    let options = ParseOpts {
        tree_builder: TreeBuilderOpts {
            scripting_enabled: false,
            ..TreeBuilderOpts::default()
        },
        ..ParseOpts::default()
    };
    let mut parser = parse_document(Sink::new(), options);
    let mut tokens = Tokens::new(&clean);
    loop {
        let at = tokens.offset();
        let Some(token) = tokens.next() else { break };
        parser.tokenizer.sink.sink.begin(at, Some(token));
        parser.process(StrTendril::from_slice(clean.get(at..tokens.offset()).unwrap_or("")));
    }
    parser.tokenizer.sink.sink.begin(clean.len(), None);
    parser.finish().page(&marks)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::check::{Use, mark};

    const HEAD: &str = "<!doctype html><html lang=en><head><meta charset=utf-8><title>T</title></head><body>";

    fn found(body: &str) -> Vec<(&'static str, String)> {
        let page = check_page(&format!("{HEAD}{body}</body></html>"));
        page.problems.into_iter().map(|one| (one.rule, one.message)).collect()
    }

    fn rules(body: &str) -> Vec<&'static str> {
        found(body).into_iter().map(|one| one.0).collect()
    }

    #[test]
    fn a_good_page_has_no_problems() {
        let body = "<header><nav><ul><li><a href=/>Home</a></ul></nav></header><main><h1 id=top>T</h1><p>Text &amp; <em>more</em>\
                    <p>Another<ul><li>one<li>two</ul><table><tr><td>1<td>2</table><dl><dt>a<dd>b</dl>\
                    <figure><picture><source srcset='/a.avif 1x, /b.avif 2x'><img src=/a.png alt=A></picture><figcaption>c</figcaption></figure>\
                    <a href=#top><img src=/x.svg alt=Up></a><button aria-label=Close><svg viewBox='0 0 1 1'><path d='M0 0'/></svg></button>\
                    <label for=q>Q</label><input id=q><my-part><div>x</div></my-part><template><p id=q></template>\
                    <details><summary><h2>S</h2></summary><div>d</div></details><a href=/b><div>block</div></a></main>";
        assert_eq!(found(body), []);
    }

    #[test]
    fn what_a_parser_mends_is_told() {
        for (body, wanted) in [
            ("<div><p>x", "`<div>` is never closed"),
            ("<p><div>x</div></p>", "`</p>` closes nothing"),
            ("</section>", "`</section>` closes nothing"),
            ("<b><i>x</b></i>", "`</b>` stands where `<i>` is still open"),
            ("<p a=1 a=2>x", "an attribute stands on this tag twice"),
            ("<div/>x</div>", "`<div/>` does not close itself"),
            (
                "a & b &nosuch; c",
                "`&` begins a character reference that there is not, or that is not closed",
            ),
            ("1 < 2 <3", "`<` with a space behind it begins no tag"),
            (
                "<p title=\"a\"id=b>x",
                "two attributes stand side by side without a space",
            ),
            ("<p title=\"a\">x</p title>", "`</p>` has attributes"),
            (
                "<table>x<tr><td>1</table>",
                "text stands in a table, in none of its cells",
            ),
            ("<td>x", "`<td>` may not stand here, in `<body>`"),
            ("<a href=/>x<a href=/b>y</a>", "`<a>` may not stand here, in `<a>`"),
            ("<!-- a -- b --!>", "this is no well-formed comment"),
            (
                "<a href=x\"y>z</a>",
                "`\"` stands in an attribute's value without quotes",
            ),
        ] {
            let found = found(body);
            assert_eq!(
                found.first().map(|one| one.1.as_str()),
                Some(wanted),
                "{body}: {found:?}"
            );
            assert_eq!(found.first().map(|one| one.0), Some("html"), "{body}");
        }
    }

    #[test]
    fn what_follows_from_an_error_is_no_other() {
        for body in [
            "<a href=/>x<a href=/b>y</a></a>",
            "<h1>a<h2>b</h2></h1>",
            "<form>a<form>b</form></form>",
            "<b><i>x</b></i>",
            "<div><b><i>x</div></i></b>",
        ] {
            assert_eq!(found(body).len(), 1, "{body}: {:?}", found(body));
        }
    }

    #[test]
    fn what_stands_in_the_wrong_place_is_told() {
        for (body, wanted) in [
            ("<span><div>x</div></span>", "`<div>` may not stand in `<span>`"),
            ("<h2><p>x</p></h2>", "`<p>` may not stand in `<h2>`"),
            ("<ul><div>x</div></ul>", "`<div>` may not stand in `<ul>`"),
            ("<div><li>x</li></div>", "`<li>` may not stand in `<div>`"),
            ("<a href=/><button>x</button></a>", "`<button>` may not stand in `<a>`"),
            (
                "<label>a<label>b</label></label>",
                "`<label>` may not stand in `<label>`",
            ),
            (
                "<span><a href=/><div>x</div></a></span>",
                "`<div>` may not stand in `<span>`",
            ),
        ] {
            let found = found(body);
            assert_eq!(found, [("nesting", wanted.to_owned())], "{body}");
        }
    }

    #[test]
    fn every_rule_can_fail() {
        for (body, rule) in [
            ("<i id=a></i><i id=a></i>", "duplicate-id"),
            ("<sectoin>x</sectoin>", "unknown-element"),
            ("<center>x</center>", "obsolete"),
            ("<p align=left>x</p>", "obsolete"),
            ("<img src=/a.png>", "alt"),
            ("<a href=/></a>", "empty-link"),
            ("<a href=/><img src=/a.png alt=''></a>", "empty-link"),
            ("<label for=no>x</label>", "dead-id"),
            ("<img alt=x>", "dead-link"),
        ] {
            assert_eq!(rules(body), [rule], "{body}");
        }
        let bare = check_page("<p>x");
        let rules: Vec<_> = bare.problems.iter().map(|one| one.rule).collect();
        assert_eq!(rules, ["doctype", "lang", "charset", "title"]);
    }

    #[test]
    fn what_other_pages_ask_is_noted() {
        let page = check_page(
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=robots content=noindex><title> A  &amp; B </title>\
             <link rel=stylesheet href=/a.css><link rel=canonical href=/x/><h1 id=é>x</h1><a name=old href='/b?a=1&amp;b=2#c'>y</a>\
             <picture><source srcset='/p,1.avif 1x,/q.avif 2x'><img src=/p.png alt=p></picture><img src=data:, alt=d>",
        );
        assert_eq!((page.title.as_str(), page.hidden), ("A & B", true));
        assert_eq!(page.anchors, ["é", "old"]);
        assert_eq!(page.canonical.as_deref(), Some("/x/"));
        let urls: Vec<_> = page.references.iter().map(|one| (one.url.as_str(), one.kind)).collect();
        assert_eq!(
            urls,
            [
                ("/a.css", Use::Style),
                ("/x/", Use::Other),
                ("/b?a=1&b=2#c", Use::Link),
                ("/p,1.avif", Use::Image),
                ("/q.avif", Use::Image),
                ("/p.png", Use::Image)
            ]
        );
        let choices: Vec<_> = page.references.iter().rev().take(3).map(|one| one.choice).collect();
        assert!(
            choices.windows(2).all(|pair| pair.first() == pair.last()),
            "{choices:?}"
        );
    }

    #[test]
    fn places_are_those_of_the_sources() {
        let text = format!(
            "{HEAD}\n<main>{}<center>\n{}<blink>x</blink></center></main>",
            mark("a.html", 3),
            mark("b.md", 9)
        );
        let places: Vec<_> = check_page(&text)
            .problems
            .into_iter()
            .map(|one| (one.place.line, one.place.source))
            .collect();
        assert_eq!(
            places,
            [(2, Some("a.html:3".to_owned())), (3, Some("b.md:9".to_owned()))]
        );
    }

    proptest! {
        #[test]
        fn what_a_parser_complains_of_is_told_and_nothing_else(text in "(<!doctype html>)?(<(/?(p|div|a|b|i|table|tr|td|ul|li|h1|form|button|select|option|svg|template|title|body)|br|img|p id=a id=a|div class=\"x\"y)>|</p |<!--|-->|<!|&amp;|&x;|&#0;|[a-z ]){0,12}") {
            let options = ParseOpts {
                tree_builder: TreeBuilderOpts { scripting_enabled: false, ..TreeBuilderOpts::default() },
                ..ParseOpts::default()
            };
            let dom = parse_document(markup5ever_rcdom::RcDom::default(), options).one(text.as_str());
            let complains = !dom.errors.borrow().is_empty();
            let told = check_page(&text).problems.iter().any(|one| matches!(one.rule, "html" | "doctype"));
            prop_assert_eq!(complains, told, "{:?}: {:?}", text, dom.errors);
        }

        #[test]
        fn no_text_is_too_odd(text in "(<(/?(p|div|a|table|tr|td|svg|template|b|select|form|title|script|html|body|li|x-y)( id=a| href='/x')?/?)>|<!--|-->|<!doctype html>|&amp;|&|[a-z <>\"'=]|\u{f8f0}a:1\u{f8f1}){0,40}") {
            let page = check_page(&text);
            prop_assert!(page.problems.iter().all(|one| one.place.line >= 1 && !one.message.is_empty()));
        }
    }
}
