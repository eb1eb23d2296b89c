//! Stylesheets, through lightningcss.

mod dependencies;
mod important;
mod modules;
mod provider;
mod used;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use lightningcss::bundler::{BundleErrorKind, Bundler};
use lightningcss::dependencies::{Dependency, DependencyOptions};
use lightningcss::error::{Error, ErrorLocation, ParserError};
use lightningcss::properties::Property;
use lightningcss::properties::custom::{Token, TokenList, TokenOrValue};
use lightningcss::stylesheet::{MinifyOptions, ParserFlags, ParserOptions, PrinterOptions, StyleAttribute, StyleSheet};
use lightningcss::targets::Browsers;
pub use lightningcss::targets::Targets;
use parcel_sourcemap::SourceMap;

pub use dependencies::{Reference, dependencies, references};
use important::{Important, each_style, important, is_mark, mark};
pub use modules::{Name, is_module, names};
use provider::{NotThere, Provider};
pub use used::used;

use crate::error::{SourceError, guarded};
use crate::nesting;

/// Returns the browsers that browserslist `queries` name; where there are none, those of the last two years.
///
/// Android's own browser is Chrome since 2021. Named in its old numbers it would make the compiler take rules apart: its
/// table does not say which selectors that one understands.
///
/// # Errors
/// A query is none.
pub fn targets(queries: &[String]) -> Result<Targets, SourceError> {
    let browsers = if queries.is_empty() {
        last_two_years()
    } else {
        Browsers::from_browserslist(queries)
            .map_err(|error| {
                SourceError::new(format!("not a query for browsers: {error}"))
                    .hint("write queries as for browserslist, such as `chrome >= 120`, `last 2 versions` or `> 0.5%`")
            })?
            .unwrap_or_default()
    };
    Ok(Targets::from(Browsers {
        android: None,
        ..browsers
    }))
}

fn last_two_years() -> Browsers {
    let version = |major: u32, minor: u32| Some(major << 16 | minor << 8);
    Browsers {
        chrome: version(131, 0),
        edge: version(131, 0),
        firefox: version(132, 0),
        safari: version(18, 1),
        ios_saf: version(18, 1),
        samsung: version(27, 0),
        opera: version(115, 0),
        android: None,
        ie: None,
    }
}

/// How a stylesheet is written.
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    pub minify: bool,
    /// The browsers it is lowered for; for `Targets::default()` it stays in the words it is in.
    pub targets: Targets,
    /// Whether what it imports is put into it.
    pub bundle: bool,
    /// Whether there is a map of where each rule comes from.
    pub source_map: bool,
    /// Whether the comments at its top that state a licence stay.
    pub keep_licenses: bool,
}

/// A stylesheet with what it imports.
#[derive(Debug, Clone, Copy)]
pub struct Sheets<'s> {
    /// Their texts, by name.
    pub sources: &'s HashMap<String, String>,
    /// Where imports lead that do not lead to a file beside: importing sheet, NUL, what it says → name.
    pub imports: &'s HashMap<String, String>,
}

/// A compiled stylesheet.
#[derive(Debug, Clone, Default)]
pub struct Made {
    pub code: String,
    /// The source map (ECMA-426), where it was asked for.
    pub map: Option<String>,
    /// The comments that state a licence, without what marks them as comments.
    pub licenses: Vec<String>,
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
    style: Style,
) -> Result<String, SourceError> {
    let imports = HashMap::new();
    let sheets = Sheets {
        sources,
        imports: &imports,
    };
    Ok(compile(entry, sheets, lead, style)?.code)
}

/// As [`transform`], with all that comes of it.
///
/// A stylesheet named `*.module.css` has names of its own, as [`names`] tells them.
///
/// # Errors
/// A text is no valid CSS.
pub fn compile(
    entry: &str,
    sheets: Sheets<'_>,
    lead: &dyn Fn(&str, &str) -> Option<String>,
    style: Style,
) -> Result<Made, SourceError> {
    for (name, text) in sheets.sources {
        nesting::styles(text, name)?;
    }
    guarded("the CSS compiler", entry, || {
        match bundle(entry, sheets, lead, style, Merging::Free)? {
            Some(made) => Ok(made),
            None => Ok(bundle(entry, sheets, lead, style, Merging::Guarded)?.unwrap_or_default()),
        }
    })
}

/// Minifies the declarations of a `style` attribute.
///
/// # Errors
/// The text is no valid list of declarations.
pub fn declarations(source: &str, targets: Targets) -> Result<String, SourceError> {
    const NAME: &str = "style";
    nesting::styles(source, NAME)?;
    guarded("the CSS compiler", NAME, || {
        let mut style =
            StyleAttribute::parse(source, ParserOptions::default()).map_err(|error| located(&error, source, NAME))?;
        style.minify(MinifyOptions {
            targets,
            ..MinifyOptions::default()
        });
        let options = PrinterOptions {
            minify: true,
            targets,
            ..PrinterOptions::default()
        };
        let printed = style.to_css(options).map_err(|error| located(&error, source, NAME))?;
        Ok(printed.code)
    })
}

/// How rules are merged.
///
/// The compiler takes a rule for overridden by a later one of the same selectors and properties, and drops it, even where
/// it alone is `!important`. What there was before tells whether any was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Merging {
    Free,
    /// Rules with an `!important` declaration are told apart while it merges: each has a property of its own.
    Guarded,
}

/// Compiles a stylesheet; none where it lost an `!important` declaration by merging freely.
fn bundle(
    entry: &str,
    sheets: Sheets<'_>,
    lead: &dyn Fn(&str, &str) -> Option<String>,
    style: Style,
    merging: Merging,
) -> Result<Option<Made>, SourceError> {
    let Style { minify, targets, .. } = style;
    let provider = Provider {
        sheets,
        bundle: style.bundle,
    };
    let text = |file: &str| sheets.sources.get(file).map_or("", String::as_str);
    let mut map = style.source_map.then(|| SourceMap::new("/"));
    let mut sheet = read(entry, &provider, map.as_mut())?;
    if minify {
        each_style(&mut sheet.rules, &mut |style| {
            let both = style.declarations.declarations.iter_mut();
            for property in both.chain(&mut style.declarations.important_declarations) {
                if let Property::Unparsed(unparsed) = property {
                    tighten(&mut unparsed.value);
                }
            }
        });
    }
    if merging == Merging::Guarded {
        let mut number = 0;
        each_style(&mut sheet.rules, &mut |style| {
            if !style.declarations.important_declarations.is_empty() {
                number += 1;
                style.declarations.declarations.push(mark(number));
            }
        });
    }
    // White space and comments may stand between the mark and the word.
    let may_lose = merging == Merging::Free && sheets.sources.values().any(|text| text.contains('!'));
    let written = if may_lose {
        important(&mut sheet.rules)
    } else {
        Important::new()
    };
    sheet
        .minify(MinifyOptions {
            targets,
            ..MinifyOptions::default()
        })
        .map_err(|error| located(&error, text(entry), entry))?;
    if merging == Merging::Guarded {
        each_style(&mut sheet.rules, &mut |style| {
            style.declarations.declarations.retain(|property| !is_mark(property));
        });
    }
    if !written.is_empty() {
        let kept = important(&mut sheet.rules);
        let is_lost = |(place, count): (&String, &usize)| kept.get(place).is_none_or(|found| found < count);
        if written.iter().any(is_lost) {
            return Ok(None);
        }
    }
    let mut made = Made {
        licenses: sheet.license_comments.iter().map(ToString::to_string).collect(),
        ..Made::default()
    };
    if !style.keep_licenses {
        sheet.license_comments.clear();
    }
    let printed = sheet
        .to_css(PrinterOptions {
            minify,
            targets,
            source_map: map.as_mut(),
            analyze_dependencies: Some(DependencyOptions::default()),
            ..PrinterOptions::default()
        })
        .map_err(|error| located(&error, text(entry), entry))?;
    made.code = printed.code;
    for dependency in printed.dependencies.unwrap_or_default() {
        let (placeholder, url, file) = match dependency {
            Dependency::Url(url) => (url.placeholder, url.url, url.loc.file_path),
            Dependency::Import(import) => (import.placeholder, import.url, import.loc.file_path),
        };
        let target = lead(&file, &url).unwrap_or(url).replace('"', "%22").replace('\n', "");
        if minify && !target.is_empty() && !target.contains(needs_quotes) {
            let written = (format!("url(\"{placeholder}\")"), format!("url({target})"));
            replace(&mut made.code, &written.0, &written.1, map.as_mut());
        }
        replace(&mut made.code, &placeholder, &target, map.as_mut());
    }
    if let Some(mut map) = map {
        let written = map.to_json(None);
        made.map = Some(written.map_err(|error| SourceError::new(format!("no source map: {error}")).in_file(entry))?);
    }
    Ok(Some(made))
}

/// Reads a stylesheet and what it imports as one.
fn read<'s>(
    entry: &str,
    provider: &'s Provider<'s>,
    mut map: Option<&mut SourceMap>,
) -> Result<StyleSheet<'s>, SourceError> {
    let text = |file: &str| provider.sheets.sources.get(file).map_or("", String::as_str);
    let at_fault = |error: &Error<BundleErrorKind<'_, NotThere>>| {
        let file = error.loc.as_ref().map_or(entry, |loc| loc.filename.as_str());
        let missing = matches!(error.kind, BundleErrorKind::ResolverError(_));
        let found = located(error, text(file), file);
        if missing { found.hint(NotThere::HINT) } else { found }
    };
    let alone = text(entry);
    // A bundle of one needs no bundler, but for the map that it writes into.
    let imports = || alone.to_ascii_lowercase().contains("@import") || alone.contains("@\\");
    if map.is_none() && !is_module(entry) && !imports() {
        return parse(alone, entry);
    }
    let modules = is_module(entry).then(modules::config).transpose()?;
    let options = |warnings: Option<&Warnings<'s>>| ParserOptions {
        css_modules: modules.clone(),
        ..options(entry, warnings)
    };
    let warnings = Warnings::default();
    let path = Path::new(entry);
    let sheet = match Bundler::new(provider, map.as_deref_mut(), options(None)).bundle(path) {
        Err(error) if matches!(error.kind, BundleErrorKind::ParserError(ParserError::InvalidMediaQuery)) => {
            Bundler::new(provider, map, options(Some(&warnings))).bundle(path)
        }
        other => other,
    }
    .map_err(|error| at_fault(&error))?;
    only_media_queries(&warnings, |error| {
        let file = error.loc.as_ref().map_or(entry, |loc| loc.filename.as_str());
        located(error, text(file), file)
    })?;
    Ok(sheet)
}

/// Puts one text in another's place everywhere, and moves what the map says of the rest of the line.
fn replace(code: &mut String, old: &str, new: &str, mut map: Option<&mut SourceMap>) {
    let mut from = 0;
    while let Some(at) = code.get(from..).and_then(|rest| rest.find(old)).map(|at| at + from) {
        if let Some(map) = map.as_deref_mut() {
            let before = code.get(..at).unwrap_or("");
            let line = before.bytes().filter(|byte| *byte == b'\n').count();
            let column = before.rsplit('\n').next().unwrap_or("").encode_utf16().count() + old.len();
            let count = |text: &str| i64::try_from(text.encode_utf16().count()).unwrap_or(0);
            let moved = count(new) - count(old);
            if let (Ok(line), Ok(column)) = (u32::try_from(line), u32::try_from(column)) {
                // A line without anything behind has nothing to move.
                let _ = map.offset_columns(line, column, moved);
            }
        }
        code.replace_range(at..at + old.len(), new);
        from = at + new.len();
    }
}

/// Whether a character cannot stand in a `url()` without quotes (CSS Syntax, section 4.3.6).
fn needs_quotes(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '(' | ')' | '\\')
}

fn parse<'a>(source: &'a str, filename: &str) -> Result<StyleSheet<'a>, SourceError> {
    let warnings = Warnings::default();
    let sheet = match StyleSheet::parse(source, options(filename, None)) {
        Err(error) if matches!(error.kind, ParserError::InvalidMediaQuery) => {
            StyleSheet::parse(source, options(filename, Some(&warnings)))
        }
        other => other,
    }
    .map_err(|error| located(&error, source, filename))?;
    only_media_queries(&warnings, |error| located(error, source, filename))?;
    Ok(sheet)
}

/// What the parser passes over, where it is to.
type Warnings<'a> = Arc<RwLock<Vec<Error<ParserError<'a>>>>>;

fn options<'a>(filename: &str, warnings: Option<&Warnings<'a>>) -> ParserOptions<'a> {
    ParserOptions {
        filename: filename.to_owned(),
        flags: ParserFlags::NESTING | ParserFlags::CUSTOM_MEDIA,
        error_recovery: warnings.is_some(),
        warnings: warnings.cloned(),
        ..ParserOptions::default()
    }
}

/// Refuses what the parser passed over, but for media queries: one that a browser does not know never matches there (Media
/// Queries 4, section 3.2), and old stylesheets have them to speak to a single browser.
fn only_media_queries<'a>(
    warnings: &Warnings<'a>,
    at_fault: impl Fn(&Error<ParserError<'a>>) -> SourceError,
) -> Result<(), SourceError> {
    let found = warnings.read().unwrap_or_else(PoisonError::into_inner);
    match found
        .iter()
        .find(|error| !matches!(error.kind, ParserError::InvalidMediaQuery))
    {
        Some(error) => Err(at_fault(error)),
        None => Ok(()),
    }
}

/// Takes the white space beside commas out of a value that the compiler does not know.
fn tighten(value: &mut TokenList<'_>) {
    let is_comma = |token: Option<&TokenOrValue<'_>>| matches!(token, Some(TokenOrValue::Token(Token::Comma)));
    let is_idle = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| value.0.get(before));
        value.0.get(at).is_some_and(TokenOrValue::is_whitespace) && (is_comma(before) || is_comma(value.0.get(at + 1)))
    };
    let idle: Vec<bool> = (0..value.0.len()).map(is_idle).collect();
    let mut idle = idle.into_iter();
    value.0.retain(|_| !idle.next().unwrap_or(false));
    for token in &mut value.0 {
        match token {
            TokenOrValue::Function(function) => tighten(&mut function.arguments),
            TokenOrValue::Var(variable) => variable.fallback.iter_mut().for_each(tighten),
            _ => {}
        }
    }
}

fn located<T: std::fmt::Display>(error: &Error<T>, source: &str, file: &str) -> SourceError {
    let found = SourceError::new(format!("not valid CSS: {}", error.kind))
        .in_file(file)
        .hint("a rule is written `selector { name: value; }`: look for what is missing here, or left open above");
    match &error.loc {
        Some(ErrorLocation { line, column, .. }) => found.at(source, line + 1, *column),
        None => found,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use lightningcss::targets::Features;

    use super::*;

    const SMALL: Style = Style {
        minify: true,
        targets: Targets {
            browsers: None,
            include: Features::empty(),
            exclude: Features::empty(),
        },
        bundle: true,
        source_map: false,
        keep_licenses: true,
    };

    fn made(text: &str) -> String {
        transformed(text, true)
    }

    fn transformed(text: &str, minify: bool) -> String {
        let sources = HashMap::from([("a.css".to_owned(), text.to_owned())]);
        let style = Style {
            minify,
            targets: targets(&[]).unwrap(),
            bundle: true,
            ..Style::default()
        };
        transform("a.css", &sources, &|_, _| None, style).unwrap()
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
            transform("app.css", &sources, &lead, SMALL).unwrap(),
            "p{background:url(/n.png)}body{color:red}"
        );
        assert_eq!(references(&sources["app.css"], "app.css").unwrap(), ["./parts/a.css"]);
        assert_eq!(references(&sources["parts/a.css"], "a").unwrap(), ["../img/x.png"]);
    }

    #[test]
    fn what_stands_alone_keeps_its_imports() {
        let text = "@import 'b.css' layer(x) print;@import url(https://e.org/c.css);a{color:red}";
        let sources = HashMap::from([("a.css".to_owned(), text.to_owned())]);
        let alone = Style { bundle: false, ..SMALL };
        assert_eq!(
            transform("a.css", &sources, &|_, _| None, alone).unwrap(),
            "@import \"b.css\" layer(x) print;@import \"https://e.org/c.css\";a{color:red}"
        );
    }

    #[test]
    fn important_declarations_are_never_lost() {
        for (text, wanted) in [
            (".a{color:red!important}.b{margin:0}.a{color:blue}", 1),
            (".a{color:red!important}.x{top:0}.a{color:red}", 1),
            (".a{color:red ! important}.x{top:0}.a{color:red}", 1),
            (".a{color:red!/**/IMPORTANT}.x{top:0}.a{color:red}", 1),
            (
                ".a{margin:1px!important}.b{color:red}.a{margin:1px;padding:2px!important}",
                2,
            ),
            ("@media print{.a{color:red!important}.x{top:0}.a{color:red}}", 1),
            ("@layer l{.p{.a{color:red!important}.x{top:0}.a{color:red}}}", 1),
        ] {
            for minify in [true, false] {
                let made = transformed(text, minify);
                assert_eq!(made.matches("!important").count(), wanted, "{text} → {made}");
                assert!(!made.contains(important::MARK), "{made}");
            }
        }
    }

    #[test]
    fn what_guards_important_declarations_keeps_nothing_from_being_lowered_or_merged() {
        let lossy = ".a{color:red!important}.x{top:0}.a{color:red}";
        let rest = "@custom-media --wide (min-width: 40em);@media (--wide){b{user-select:none}}                    i{left:0}i{right:0}";
        let (plain, guarded) = (made(rest), made(&format!("{lossy}{rest}")));
        assert!(guarded.ends_with(&plain), "{guarded} does not end with {plain}");
        assert!(
            plain.contains("(width>=40em)") && plain.contains("i{left:0;right:0}"),
            "{plain}"
        );
        assert!(plain.contains("-webkit-user-select:none;"), "{plain}");
    }

    #[test]
    fn rules_with_important_declarations_are_merged_where_nothing_is_lost() {
        assert_eq!(
            made(".a{display:block!important}.b{display:block!important}"),
            ".a,.b{display:block!important}"
        );
    }

    #[test]
    fn browsers_are_named_by_queries_and_without_any_nothing_is_lowered() {
        let sources = HashMap::from([("a.css".to_owned(), "a{user-select:none;b{top:0}}".to_owned())]);
        let made = |queries: &[&str]| {
            let queries: Vec<String> = queries.iter().map(|query| (*query).to_owned()).collect();
            let style = Style {
                minify: true,
                targets: targets(&queries).unwrap(),
                bundle: true,
                ..Style::default()
            };
            transform("a.css", &sources, &|_, _| None, style).unwrap()
        };
        assert_eq!(made(&["chrome 130"]), "a{user-select:none;& b{top:0}}");
        assert_eq!(
            made(&["safari 15", "chrome 130"]),
            "a{-webkit-user-select:none;user-select:none}a b{top:0}"
        );
        let plain = transform("a.css", &sources, &|_, _| None, SMALL).unwrap();
        assert_eq!(plain, made(&["chrome 130"]));
        let error = targets(&["nonsense 3".to_owned()]).unwrap_err();
        assert!(error.message.contains("nonsense") && error.hint.is_some(), "{error}");
    }

    #[test]
    fn what_stands_in_one_rule_stays_in_one() {
        assert_eq!(
            made("button, [type=button], ::placeholder { color: red }"),
            "button,[type=button],::placeholder{color:red}"
        );
    }

    #[test]
    fn references_have_the_quotes_they_need() {
        let text = "a{background:url('a b.png')}b{background:url(\"c.png\")}c{background:url('d(1).png')}";
        assert_eq!(
            made(text),
            "a{background:url(\"a b.png\")}b{background:url(c.png)}c{background:url(\"d(1).png\")}"
        );
    }

    #[test]
    fn values_the_compiler_does_not_know_lose_the_space_beside_commas() {
        assert_eq!(
            made("a { color: RGBA(var(--a , 1), 2 , 3) ; --b: 1 , 2 }"),
            "a{color:RGBA(var(--a,1),2,3);--b:1 , 2}"
        );
    }

    #[test]
    fn a_media_query_no_browser_knows_is_passed_over_and_nothing_else_is() {
        let hack = "@media screen and (min-width:0\\0 ){a{color:red}}b{color:red}";
        assert!(made(hack).ends_with("b{color:red}"), "{}", made(hack));
        assert!(references(hack, "a.css").is_ok());
        let sources = HashMap::from([("a.css".to_owned(), format!("{hack}\n}} c {{"))]);
        let error = transform("a.css", &sources, &|_, _| None, SMALL).unwrap_err();
        assert_eq!(error.line, Some(2), "{error}");
    }

    #[test]
    fn a_fault_is_shown_where_it_stands() {
        let error = references("a { color: red }\n} b {", "assets/x.css").unwrap_err();
        assert_eq!((error.file.as_deref(), error.line), (Some("assets/x.css"), Some(2)));
        assert!(error.frame.unwrap().contains("> 2 |"));
        let sources = HashMap::from([("a.css".to_owned(), "@import 'no.css';".to_owned())]);
        let error = transform("a.css", &sources, &|_, _| None, SMALL).unwrap_err();
        assert!(error.message.contains("no.css"), "{error}");
    }
}
