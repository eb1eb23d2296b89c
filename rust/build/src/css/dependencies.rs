//! What a stylesheet refers to.

use lightningcss::dependencies::{Dependency, DependencyOptions};
use lightningcss::stylesheet::PrinterOptions;

use super::{located, parse};
use crate::error::{SourceError, guarded};
use crate::nesting;

/// Something a stylesheet refers to, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// Another stylesheet.
    Import(String),
    /// What `url()` loads.
    Url(String),
}

/// Returns what a stylesheet refers to: its imports first, then what it loads by `url()`.
///
/// # Errors
/// The text is no valid CSS.
pub fn dependencies(source: &str, filename: &str) -> Result<Vec<Reference>, SourceError> {
    nesting::styles(source, filename)?;
    guarded("the CSS parser", filename, || {
        let sheet = parse(source, filename)?;
        let printed = sheet
            .to_css(PrinterOptions {
                analyze_dependencies: Some(DependencyOptions::default()),
                ..PrinterOptions::default()
            })
            .map_err(|error| located(&error, source, filename))?;
        let mut imports = Vec::new();
        let mut urls = Vec::new();
        for one in printed.dependencies.unwrap_or_default() {
            match one {
                Dependency::Import(import) => imports.push(Reference::Import(import.url)),
                Dependency::Url(url) if !url.url.starts_with("data:") => urls.push(Reference::Url(url.url)),
                Dependency::Url(_) => {}
            }
        }
        imports.append(&mut urls);
        let mut seen: Vec<Reference> = Vec::new();
        for one in imports {
            if !seen.contains(&one) {
                seen.push(one);
            }
        }
        Ok(seen)
    })
}

/// As [`dependencies`], of one kind and the other alike, each URL once.
///
/// # Errors
/// The text is no valid CSS.
pub fn references(source: &str, filename: &str) -> Result<Vec<String>, SourceError> {
    let mut urls: Vec<String> = Vec::new();
    for found in dependencies(source, filename)? {
        let (Reference::Import(url) | Reference::Url(url)) = found;
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    Ok(urls)
}
