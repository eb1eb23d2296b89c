//! Stylesheets, through lightningcss.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use lightningcss::bundler::{Bundler, ResolveResult, SourceProvider};
use lightningcss::dependencies::{Dependency, DependencyOptions};
use lightningcss::error::{Error, ErrorLocation};
use lightningcss::stylesheet::{MinifyOptions, ParserFlags, ParserOptions, PrinterOptions, StyleSheet};
use lightningcss::targets::{Browsers, Targets};

use crate::error::{SourceError, guarded};

/// The browsers stylesheets are made for: those of about the last two years.
fn targets() -> Targets {
    let version = |major: u32, minor: u32| Some(major << 16 | minor << 8);
    Targets::from(Browsers {
        chrome: version(120, 0),
        edge: version(120, 0),
        firefox: version(121, 0),
        safari: version(17, 2),
        ios_saf: version(17, 2),
        samsung: version(23, 0),
        opera: version(106, 0),
        android: version(120, 0),
        ie: None,
    })
}

/// Returns the URLs a stylesheet refers to: its imports first, then what it loads by `url()`.
///
/// # Errors
/// The text is no valid CSS.
pub fn references(source: &str, filename: &str) -> Result<Vec<String>, SourceError> {
    guarded("the CSS parser", filename, || {
        let sheet = parse(source, filename)?;
        let printed = sheet
            .to_css(PrinterOptions {
                analyze_dependencies: Some(DependencyOptions::default()),
                ..PrinterOptions::default()
            })
            .map_err(|error| located(&error, source, filename))?;
        let found = printed.dependencies.unwrap_or_default();
        let imports = found.iter().filter_map(|one| match one {
            Dependency::Import(import) => Some(import.url.clone()),
            Dependency::Url(_) => None,
        });
        let urls = found.iter().filter_map(|one| match one {
            Dependency::Url(url) => Some(url.url.clone()),
            Dependency::Import(_) => None,
        });
        let mut all: Vec<String> = imports.chain(urls).filter(|url| !url.starts_with("data:")).collect();
        let mut seen = std::collections::HashSet::new();
        all.retain(|url| seen.insert(url.clone()));
        Ok(all)
    })
}

/// Bundles a stylesheet with what it imports, lowers it for the browsers there are, and leads its references elsewhere.
///
/// `sources` has the text of the stylesheet `entry` and of all it imports, by name; `lead` answers where a reference
/// of a stylesheet leads, given the stylesheet's name and the reference.
///
/// # Errors
/// A text is no valid CSS.
pub fn transform(
    entry: &str,
    sources: &HashMap<String, String>,
    lead: &dyn Fn(&str, &str) -> Option<String>,
    minify: bool,
) -> Result<String, SourceError> {
    guarded("the CSS compiler", entry, || {
        let made = bundle(entry, sources, lead, minify, true)?;
        // The compiler is known to lose `!important` when it merges rules that do not stand next to each other. What is
        // printed without merging tells how many there should be.
        if !minify || !made.contains("!important") && !sources.values().any(|text| text.contains("!important")) {
            return Ok(made);
        }
        let unmerged = bundle(entry, sources, lead, minify, false)?;
        Ok(
            if made.matches("!important").count() < unmerged.matches("!important").count() {
                unmerged
            } else {
                made
            },
        )
    })
}

fn bundle(
    entry: &str,
    sources: &HashMap<String, String>,
    lead: &dyn Fn(&str, &str) -> Option<String>,
    minify: bool,
    merge: bool,
) -> Result<String, SourceError> {
    let provider = Provider { sources };
    let options = ParserOptions {
        flags: ParserFlags::NESTING | ParserFlags::CUSTOM_MEDIA,
        ..ParserOptions::default()
    };
    let text = |file: &str| sources.get(file).map_or("", String::as_str);
    let mut sheet = Bundler::new(&provider, None, options)
        .bundle(Path::new(entry))
        .map_err(|error| {
            let file = error.loc.as_ref().map_or(entry, |loc| loc.filename.as_str()).to_owned();
            located(&error, text(&file), &file)
        })?;
    if merge {
        sheet
            .minify(MinifyOptions {
                targets: targets(),
                ..MinifyOptions::default()
            })
            .map_err(|error| located(&error, text(entry), entry))?;
    }
    let printed = sheet
        .to_css(PrinterOptions {
            minify,
            targets: targets(),
            analyze_dependencies: Some(DependencyOptions::default()),
            ..PrinterOptions::default()
        })
        .map_err(|error| located(&error, text(entry), entry))?;
    let mut code = printed.code;
    for dependency in printed.dependencies.unwrap_or_default() {
        let (placeholder, url, file) = match dependency {
            Dependency::Url(url) => (url.placeholder, url.url, url.loc.file_path),
            Dependency::Import(import) => (import.placeholder, import.url, import.loc.file_path),
        };
        let target = lead(&file, &url).unwrap_or(url);
        code = code.replace(&placeholder, &target.replace('"', "%22").replace('\n', ""));
    }
    Ok(code)
}

fn parse<'a>(source: &'a str, filename: &str) -> Result<StyleSheet<'a>, SourceError> {
    let options = ParserOptions {
        filename: filename.to_owned(),
        flags: ParserFlags::NESTING | ParserFlags::CUSTOM_MEDIA,
        ..ParserOptions::default()
    };
    StyleSheet::parse(source, options).map_err(|error| located(&error, source, filename))
}

fn located<T: std::fmt::Display>(error: &Error<T>, source: &str, file: &str) -> SourceError {
    let found = SourceError::new(format!("not valid CSS: {}", error.kind)).in_file(file);
    match &error.loc {
        Some(ErrorLocation { line, column, .. }) => found.at(source, line + 1, *column),
        None => found,
    }
}

struct Provider<'s> {
    sources: &'s HashMap<String, String>,
}

#[derive(Debug)]
struct NotThere(String);

impl std::fmt::Display for NotThere {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "there is no stylesheet {} to import", self.0)
    }
}

impl std::error::Error for NotThere {}

impl SourceProvider for Provider<'_> {
    type Error = NotThere;

    fn read<'a>(&'a self, file: &Path) -> Result<&'a str, NotThere> {
        let name = file.to_string_lossy();
        self.sources
            .get(&*name)
            .map(String::as_str)
            .ok_or_else(|| NotThere(name.into_owned()))
    }

    fn resolve(&self, specifier: &str, from: &Path) -> Result<ResolveResult, NotThere> {
        if specifier.contains("://") || specifier.starts_with("//") {
            return Ok(ResolveResult::External(specifier.to_owned()));
        }
        if let Some(name) = specifier.strip_prefix("/assets/") {
            return Ok(ResolveResult::File(PathBuf::from(name)));
        }
        let mut parts: Vec<&str> = Vec::new();
        let folder = from.parent().and_then(Path::to_str).unwrap_or("");
        for part in folder.split('/').chain(specifier.split('/')) {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                other => parts.push(other),
            }
        }
        Ok(ResolveResult::File(PathBuf::from(parts.join("/"))))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn made(text: &str) -> String {
        let sources = HashMap::from([("a.css".to_owned(), text.to_owned())]);
        transform("a.css", &sources, &|_, _| None, true).unwrap()
    }

    #[test]
    fn imports_are_inlined_and_references_led_elsewhere() {
        let sources = HashMap::from([
            (
                "app.css".to_owned(),
                "@import './parts/a.css'; body { color: #ff0000 }".to_owned(),
            ),
            (
                "parts/a.css".to_owned(),
                "p { background: url(../img/x.png) }".to_owned(),
            ),
        ]);
        let lead =
            |file: &str, url: &str| (file == "parts/a.css" && url == "../img/x.png").then(|| "/n.png".to_owned());
        assert_eq!(
            transform("app.css", &sources, &lead, true).unwrap(),
            "p{background:url(\"/n.png\")}body{color:red}"
        );
        assert_eq!(references(&sources["app.css"], "app.css").unwrap(), ["./parts/a.css"]);
        assert_eq!(references(&sources["parts/a.css"], "a").unwrap(), ["../img/x.png"]);
    }

    #[test]
    fn important_declarations_are_never_lost() {
        for text in [
            ".a{color:red!important}.b{margin:0}.a{color:blue}",
            ".a{color:red!important}.x{top:0}.a{color:red}",
            ".a{margin:1px!important}.b{color:red}.a{margin:1px;padding:2px!important}",
        ] {
            let wanted = made_unmerged(text).matches("!important").count();
            assert_eq!(
                made(text).matches("!important").count(),
                wanted,
                "{text} → {}",
                made(text)
            );
        }
    }

    fn made_unmerged(text: &str) -> String {
        let sources = HashMap::from([("a.css".to_owned(), text.to_owned())]);
        bundle("a.css", &sources, &|_, _| None, true, false).unwrap()
    }

    #[test]
    fn a_fault_is_shown_where_it_stands() {
        let error = references("a { color: red }\n} b {", "assets/x.css").unwrap_err();
        assert_eq!((error.file.as_deref(), error.line), (Some("assets/x.css"), Some(2)));
        assert!(error.frame.unwrap().contains("> 2 |"));
        let sources = HashMap::from([("a.css".to_owned(), "@import 'no.css';".to_owned())]);
        let error = transform("a.css", &sources, &|_, _| None, true).unwrap_err();
        assert!(error.message.contains("no.css"), "{error}");
    }
}
