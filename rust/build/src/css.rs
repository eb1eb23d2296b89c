//! Stylesheets, through lightningcss.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use lightningcss::bundler::{BundleErrorKind, Bundler, ResolveResult, SourceProvider};
use lightningcss::dependencies::{Dependency, DependencyOptions};
use lightningcss::error::{Error, ErrorLocation, ParserError};
use lightningcss::properties::Property;
use lightningcss::properties::custom::{CustomProperty, CustomPropertyName, Token, TokenList, TokenOrValue};
use lightningcss::rules::style::StyleRule;
use lightningcss::rules::{CssRule, CssRuleList};
use lightningcss::stylesheet::{MinifyOptions, ParserFlags, ParserOptions, PrinterOptions, StyleAttribute, StyleSheet};
use lightningcss::targets::Browsers;
pub use lightningcss::targets::Targets;
use lightningcss::traits::ToCss;
use lightningcss::values::ident::DashedIdent;

use crate::error::{SourceError, guarded};

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
#[derive(Debug, Clone, Copy)]
pub struct Style {
    pub minify: bool,
    /// The browsers it is lowered for; for `Targets::default()` it stays in the words it is in.
    pub targets: Targets,
    /// Whether what it imports is put into it.
    pub bundle: bool,
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
    style: Style,
) -> Result<String, SourceError> {
    guarded("the CSS compiler", entry, || {
        let (made, kept) = bundle(entry, sources, lead, style, Merging::Free)?;
        // White space and comments may stand between the mark and the word.
        if !sources.values().any(|text| text.contains('!')) {
            return Ok(made);
        }
        let (_, written) = bundle(entry, sources, lead, style, Merging::None)?;
        let is_lost = |(place, count): (&String, &usize)| kept.get(place).is_none_or(|found| found < count);
        if written.iter().any(is_lost) {
            return Ok(bundle(entry, sources, lead, style, Merging::Guarded)?.0);
        }
        Ok(made)
    })
}

/// Minifies the declarations of a `style` attribute.
///
/// # Errors
/// The text is no valid list of declarations.
pub fn declarations(source: &str, targets: Targets) -> Result<String, SourceError> {
    const NAME: &str = "style";
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
/// it alone is `!important`. What there is without merging tells whether any was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Merging {
    Free,
    /// Rules with an `!important` declaration are told apart while it merges: each has a property of its own.
    Guarded,
    /// Not at all, and nothing is lowered that is lowered with it: only good for counting.
    None,
}

fn bundle(
    entry: &str,
    sources: &HashMap<String, String>,
    lead: &dyn Fn(&str, &str) -> Option<String>,
    style: Style,
    merging: Merging,
) -> Result<(String, Important), SourceError> {
    let Style { minify, targets, .. } = style;
    let provider = Provider {
        sources,
        bundle: style.bundle,
    };
    let text = |file: &str| sources.get(file).map_or("", String::as_str);
    let at_fault = |error: &Error<BundleErrorKind<'_, NotThere>>| {
        let file = error.loc.as_ref().map_or(entry, |loc| loc.filename.as_str());
        let missing = matches!(error.kind, BundleErrorKind::ResolverError(_));
        let found = located(error, text(file), file);
        if missing { found.hint(NotThere::HINT) } else { found }
    };
    let warnings = Warnings::default();
    let mut sheet = match Bundler::new(&provider, None, options(entry, None)).bundle(Path::new(entry)) {
        Err(error) if matches!(error.kind, BundleErrorKind::ParserError(ParserError::InvalidMediaQuery)) => {
            Bundler::new(&provider, None, options(entry, Some(&warnings))).bundle(Path::new(entry))
        }
        other => other,
    }
    .map_err(|error| at_fault(&error))?;
    only_media_queries(&warnings, |error| {
        let file = error.loc.as_ref().map_or(entry, |loc| loc.filename.as_str());
        located(error, text(file), file)
    })?;
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
    if merging != Merging::None {
        sheet
            .minify(MinifyOptions {
                targets,
                ..MinifyOptions::default()
            })
            .map_err(|error| located(&error, text(entry), entry))?;
    }
    if merging == Merging::Guarded {
        each_style(&mut sheet.rules, &mut |style| {
            style.declarations.declarations.retain(|property| !is_mark(property));
        });
    }
    let important = important(&mut sheet.rules);
    let printed = sheet
        .to_css(PrinterOptions {
            minify,
            targets,
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
        let target = lead(&file, &url).unwrap_or(url).replace('"', "%22").replace('\n', "");
        if minify && !target.is_empty() && !target.contains(needs_quotes) {
            code = code.replace(&format!("url(\"{placeholder}\")"), &format!("url({target})"));
        }
        code = code.replace(&placeholder, &target);
    }
    Ok((code, important))
}

/// How often each selector has each property as `!important`.
type Important = HashMap<String, usize>;

fn important(rules: &mut CssRuleList<'_>) -> Important {
    let mut found = Important::new();
    each_style(rules, &mut |style| {
        for property in &style.declarations.important_declarations {
            let name = property.property_id().name().to_owned();
            for selector in &style.selectors.0 {
                let selector = selector.to_css_string(PrinterOptions::default()).unwrap_or_default();
                *found.entry(format!("{selector}\0{name}")).or_default() += 1;
            }
        }
    });
    found
}

/// Whether a character cannot stand in a `url()` without quotes (CSS Syntax, section 4.3.6).
fn needs_quotes(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '(' | ')' | '\\')
}

const MARK: &str = "--hyperweb-important-";

fn mark<'a>(number: u32) -> Property<'a> {
    Property::Custom(CustomProperty {
        name: CustomPropertyName::Custom(DashedIdent(format!("{MARK}{number}").into())),
        value: TokenList(Vec::new()),
    })
}

fn is_mark(property: &Property<'_>) -> bool {
    matches!(property, Property::Custom(custom) if custom.name.as_ref().starts_with(MARK))
}

/// Shows every style rule, the nested ones too.
fn each_style<'a>(rules: &mut CssRuleList<'a>, show: &mut impl FnMut(&mut StyleRule<'a>)) {
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

struct Provider<'s> {
    bundle: bool,
    sources: &'s HashMap<String, String>,
}

#[derive(Debug)]
struct NotThere(String);

impl NotThere {
    const HINT: &str =
        "a name is looked for beside the file that imports it, and from assets/ where it begins with /assets/";
}

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
        if !self.bundle || specifier.contains("://") || specifier.starts_with("//") {
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
                assert!(!made.contains(MARK), "{made}");
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
