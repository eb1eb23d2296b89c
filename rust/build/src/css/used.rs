//! The rules of a stylesheet that a page uses.
//!
//! A rule stays where each part of a selector of it is on the page: its elements, classes, ids and attributes, wherever they
//! stand. So what scripts only move stays right, and nothing is dropped that could match.

use std::collections::HashSet;

use lightningcss::rules::keyframes::KeyframesName;
use lightningcss::rules::{CssRule, CssRuleList};
use lightningcss::selector::{Component, Selector};
use lightningcss::stylesheet::{PrinterOptions, StyleSheet};
use lightningcss::traits::ToCss;

use super::{located, parse};
use crate::error::{SourceError, guarded};
use crate::html::Names;
use crate::nesting;

/// Returns the rules of a stylesheet that a page of these names uses, minified.
///
/// # Errors
/// The text is no valid CSS.
pub fn used(source: &str, filename: &str, names: &Names) -> Result<String, SourceError> {
    nesting::styles(source, filename)?;
    guarded("the CSS compiler", filename, || {
        let mut sheet = parse(source, filename)?;
        sheet.license_comments.clear();
        retain(&mut sheet.rules, names);
        let print = |sheet: &StyleSheet<'_>| {
            let printed = sheet.to_css(PrinterOptions {
                minify: true,
                ..PrinterOptions::default()
            });
            printed.map(|printed| printed.code)
        };
        let whole = print(&sheet).map_err(|error| located(&error, source, filename))?;
        if !whole.contains("@keyframes") && !whole.contains("@font-face") && !whole.contains("keyframes ") {
            return Ok(whole);
        }
        // What is left says which animations and fonts there have to be.
        let named = spoken(&sheet.rules);
        sheet.rules.0.retain(|rule| match rule {
            CssRule::Keyframes(keyframes) => match &keyframes.name {
                KeyframesName::Ident(name) => named.contains(name.0.as_ref()),
                KeyframesName::Custom(name) => named.contains(name.as_ref()),
            },
            CssRule::FontFace(_) => rule
                .to_css_string(PrinterOptions::default())
                .ok()
                .and_then(|text| family(&text))
                .is_none_or(|name| named.contains(&name)),
            _ => true,
        });
        print(&sheet).map_err(|error| located(&error, source, filename))
    })
}

/// Returns the family that a `@font-face` rule defines.
fn family(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("font-family:")?;
    let value = rest.split([';', '}']).next()?.trim();
    Some(value.trim_matches(['"', '\'']).to_owned())
}

/// Returns the words of all that is no animation and no font, and its strings.
fn spoken(rules: &CssRuleList<'_>) -> String {
    let others = rules
        .0
        .iter()
        .filter(|rule| !matches!(rule, CssRule::Keyframes(_) | CssRule::FontFace(_)));
    others
        .filter_map(|rule| rule.to_css_string(PrinterOptions::default()).ok())
        .collect::<Vec<_>>()
        .join("\n")
}

fn retain(rules: &mut CssRuleList<'_>, names: &Names) {
    rules.0.retain_mut(|rule| match rule {
        CssRule::Style(style) => {
            style.selectors.0.retain(|selector| can_match(selector, names));
            if style.selectors.0.is_empty() {
                return false;
            }
            retain(&mut style.rules, names);
            !style.declarations.declarations.is_empty()
                || !style.declarations.important_declarations.is_empty()
                || !style.rules.0.is_empty()
        }
        CssRule::Nesting(nesting) => {
            nesting.style.selectors.0.retain(|selector| can_match(selector, names));
            retain(&mut nesting.style.rules, names);
            !nesting.style.selectors.0.is_empty()
        }
        CssRule::Media(media) => kept(&mut media.rules, names),
        CssRule::Supports(supports) => kept(&mut supports.rules, names),
        CssRule::Container(container) => kept(&mut container.rules, names),
        CssRule::Scope(scope) => kept(&mut scope.rules, names),
        CssRule::StartingStyle(starting) => kept(&mut starting.rules, names),
        // An empty one still says where the layer comes among others.
        CssRule::LayerBlock(layer) => {
            retain(&mut layer.rules, names);
            true
        }
        _ => true,
    });
}

fn kept(rules: &mut CssRuleList<'_>, names: &Names) -> bool {
    retain(rules, names);
    !rules.0.is_empty()
}

fn can_match(selector: &Selector<'_>, names: &Names) -> bool {
    selector.iter_raw_match_order().all(|part| match part {
        Component::LocalName(name) => names.tags.contains(name.lower_name.as_ref()),
        Component::ID(name) => has(&names.ids, name.as_ref(), names),
        Component::Class(name) => has(&names.classes, name.as_ref(), names),
        Component::AttributeInNoNamespaceExists { local_name_lower, .. } => {
            has(&names.attributes, local_name_lower.as_ref(), names)
        }
        Component::AttributeInNoNamespace { local_name, .. } => has(&names.attributes, local_name.as_ref(), names),
        Component::Where(some) | Component::Is(some) | Component::Any(_, some) => {
            some.iter().any(|selector| can_match(selector, names))
        }
        _ => true,
    })
}

fn has(there: &HashSet<String>, name: &str, names: &Names) -> bool {
    there.contains(name) || names.words.contains(name) || names.also.contains(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn left(css: &str, html: &str) -> String {
        used(css, "a.css", &Names::of(html, None)).unwrap()
    }

    #[test]
    fn a_rule_stays_where_all_it_names_is_on_the_page() {
        let page = "<!doctype html><body class='a b'><p id=x data-y>text</p>";
        for (css, wanted) in [
            (".a{top:0}.c{top:0}", ".a{top:0}"),
            (".a .c,.b p{top:0}", ".b p{top:0}"),
            ("#x{top:0}#y{top:0}", "#x{top:0}"),
            ("[data-y]{top:0}[data-z=\"1\"]{top:0}", "[data-y]{top:0}"),
            ("p:hover::before{top:0}h1{top:0}", "p:hover:before{top:0}"),
            (":is(.a,.c) p{top:0}:is(.c,.d){top:0}", ":is(.a,.c) p{top:0}"),
            (":root{--a:1}html{top:0}*{top:0}", ":root{--a:1}html{top:0}*{top:0}"),
            (".a:not(.c){top:0}", ".a:not(.c){top:0}"),
            (
                "@media print{.c{top:0}}@media print{.a{top:0}}",
                "@media print{.a{top:0}}",
            ),
            ("@layer l{.c{top:0}}", "@layer l{}"),
            (".a{.c{top:0}}.a{top:1px;.b{top:0}}", ".a{top:1px;& .b{top:0}}"),
        ] {
            assert_eq!(left(css, page), wanted, "{css}");
        }
    }

    #[test]
    fn animations_and_fonts_stay_where_something_names_them() {
        let css = "@keyframes f{to{top:0}}@keyframes g{to{top:0}}.a{animation:f 1s}.c{animation:g 1s}\
                   @font-face{font-family:F;src:url(f)}@font-face{font-family:G;src:url(g)}p{font-family:F}";
        let made = left(css, "<p class=a>");
        assert!(
            made.contains("@keyframes f") && !made.contains("@keyframes g"),
            "{made}"
        );
        assert!(made.contains("url(f)") && !made.contains("url(g)"), "{made}");
    }

    #[test]
    fn the_first_view_ends_after_some_elements() {
        let page = "<body><p class=a><p class=b><p class=c>";
        let names = Names::of(page, Some(2));
        assert_eq!(
            used(".a{top:0}.b{top:0}.c{top:0}", "a.css", &names).unwrap(),
            ".a{top:0}.b{top:0}"
        );
    }
}
