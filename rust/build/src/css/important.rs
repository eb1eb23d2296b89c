//! `!important` declarations, which the compiler loses where it merges rules.

use std::collections::HashMap;

use lightningcss::properties::Property;
use lightningcss::properties::custom::{CustomProperty, CustomPropertyName, TokenList};
use lightningcss::rules::style::StyleRule;
use lightningcss::rules::{CssRule, CssRuleList};
use lightningcss::stylesheet::PrinterOptions;
use lightningcss::traits::ToCss;
use lightningcss::values::ident::DashedIdent;

/// How often each selector has each property as `!important`.
pub(super) type Important = HashMap<String, usize>;

pub(super) fn important(rules: &mut CssRuleList<'_>) -> Important {
    let mut found = Important::new();
    each_style(rules, &mut |style| {
        if style.declarations.important_declarations.is_empty() {
            return;
        }
        for selector in &style.selectors.0 {
            let selector = selector.to_css_string(PrinterOptions::default()).unwrap_or_default();
            for property in &style.declarations.important_declarations {
                let name = property.property_id();
                *found.entry(format!("{selector}\0{}", name.name())).or_default() += 1;
            }
        }
    });
    found
}

pub(super) const MARK: &str = "--hyperweb-important-";

pub(super) fn mark<'a>(number: u32) -> Property<'a> {
    Property::Custom(CustomProperty {
        name: CustomPropertyName::Custom(DashedIdent(format!("{MARK}{number}").into())),
        value: TokenList(Vec::new()),
    })
}

pub(super) fn is_mark(property: &Property<'_>) -> bool {
    matches!(property, Property::Custom(custom) if custom.name.as_ref().starts_with(MARK))
}

/// Shows every style rule, the nested ones too.
pub(super) fn each_style<'a>(rules: &mut CssRuleList<'a>, show: &mut impl FnMut(&mut StyleRule<'a>)) {
    for rule in &mut rules.0 {
        match rule {
            CssRule::Style(style) => {
                show(style);
                each_style(&mut style.rules, show);
            }
            CssRule::Nesting(nesting) => {
                show(&mut nesting.style);
                each_style(&mut nesting.style.rules, show);
            }
            CssRule::Media(media) => each_style(&mut media.rules, show),
            CssRule::Supports(supports) => each_style(&mut supports.rules, show),
            CssRule::MozDocument(document) => each_style(&mut document.rules, show),
            CssRule::LayerBlock(layer) => each_style(&mut layer.rules, show),
            CssRule::Container(container) => each_style(&mut container.rules, show),
            CssRule::Scope(scope) => each_style(&mut scope.rules, show),
            CssRule::StartingStyle(starting) => each_style(&mut starting.rules, show),
            _ => {}
        }
    }
}
