//! CSS modules: stylesheets whose names are their own, as others have them.

use lightningcss::css_modules::{Config, CssModuleReference, Pattern};
use lightningcss::stylesheet::{ParserOptions, PrinterOptions, StyleSheet};

use super::{located, options};
use crate::error::{SourceError, guarded};
use crate::nesting;

/// A name of a CSS module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// What it is called in the stylesheet.
    pub local: String,
    /// What it is called on a page, followed by what it is composed of.
    pub classes: Vec<String>,
    /// What it is composed of in other files: the import, and the name there.
    pub from: Vec<(String, String)>,
}

/// Whether a stylesheet is a CSS module, by its name.
pub fn is_module(name: &str) -> bool {
    name.ends_with(".module.css")
}

/// Returns the names of a CSS module, in the order of the alphabet.
///
/// # Errors
/// The text is no valid CSS.
pub fn names(source: &str, filename: &str) -> Result<Vec<Name>, SourceError> {
    nesting::styles(source, filename)?;
    guarded("the CSS parser", filename, || {
        let sheet = StyleSheet::parse(
            source,
            ParserOptions {
                css_modules: Some(config()?),
                ..options(filename, None)
            },
        )
        .map_err(|error| located(&error, source, filename))?;
        let printed = sheet
            .to_css(PrinterOptions::default())
            .map_err(|error| located(&error, source, filename))?;
        let mut names: Vec<Name> = Vec::new();
        for (local, export) in printed.exports.unwrap_or_default() {
            let mut classes = vec![export.name];
            let mut from = Vec::new();
            for composed in export.composes {
                match composed {
                    CssModuleReference::Local { name } | CssModuleReference::Global { name } => classes.push(name),
                    CssModuleReference::Dependency { name, specifier } => from.push((specifier, name)),
                }
            }
            names.push(Name { local, classes, from });
        }
        names.sort_by(|one, other| one.local.cmp(&other.local));
        Ok(names)
    })
}

/// How names are made: by the file's name, so that they are the same wherever the site is built.
pub(super) fn config() -> Result<Config, SourceError> {
    let pattern =
        Pattern::parse("[local]_[hash]").map_err(|_| SourceError::new("the names of CSS modules have no pattern"))?;
    Ok(Config {
        pattern,
        ..Config::default()
    })
}
