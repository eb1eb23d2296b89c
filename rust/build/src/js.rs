//! Scripts, through oxc: TypeScript and JSX to JavaScript modules, minified.

use std::path::Path;

use oxc::allocator::Allocator;
use oxc::codegen::{Codegen, CodegenOptions, CommentOptions};
use oxc::diagnostics::OxcDiagnostic;
use oxc::minifier::{CompressOptions, MangleOptions, Minifier, MinifierOptions};
use oxc::parser::{Parser, ParserReturn};
use oxc::semantic::SemanticBuilder;
use oxc::span::SourceType;
use oxc::transformer::{TransformOptions, Transformer};

use crate::error::{SourceError, guarded};

/// The language scripts are lowered to: what browsers of about the last two years speak.
const TARGET: &str = "es2022";

/// Returns the modules and files a script refers to, as they are written: static and dynamic imports, re-exports, and
/// `new URL("…", import.meta.url)`. Imports of types alone are left out.
///
/// # Errors
/// The text is no valid script.
pub fn imports(source: &str, filename: &str) -> Result<Vec<String>, SourceError> {
    guarded("the script parser", filename, || {
        let allocator = Allocator::default();
        let parsed = parse(&allocator, source, filename)?;
        let mut found: Vec<String> = Vec::new();
        for (_, text) in specifiers(&parsed, source) {
            if !found.contains(&text) {
                found.push(text);
            }
        }
        Ok(found)
    })
}

/// Compiles a script to a JavaScript module, with its imports led to where `lead` says.
///
/// # Errors
/// The text is no valid script.
pub fn transform(
    source: &str,
    filename: &str,
    lead: &dyn Fn(&str) -> Option<String>,
    minify: bool,
) -> Result<String, SourceError> {
    guarded("the script compiler", filename, || {
        let mut led = source.to_owned();
        {
            let allocator = Allocator::default();
            let parsed = parse(&allocator, source, filename)?;
            let mut places = specifiers(&parsed, source);
            places.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
            for (range, text) in places {
                if let Some(target) = lead(&text) {
                    let quoted = serde_json::to_string(&target).unwrap_or_default();
                    led.replace_range(range, &quoted);
                }
            }
        }
        let allocator = Allocator::default();
        let mut program = parse(&allocator, &led, filename)?.program;
        let semantic = SemanticBuilder::new()
            .with_excess_capacity(2.0)
            .with_enum_eval(true)
            .build(&program);
        if let Some(error) = semantic.diagnostics.iter().next() {
            return Err(located(error, &led, filename));
        }
        let options = TransformOptions::from_target(TARGET).map_err(SourceError::new)?;
        let transformed = Transformer::new(&allocator, Path::new(filename), &options)
            .build_with_scoping(semantic.semantic.into_scoping(), &mut program);
        if let Some(error) = transformed.diagnostics.iter().next() {
            return Err(located(error, &led, filename));
        }
        let mut scoping = None;
        if minify {
            let mangle = MangleOptions {
                top_level: Some(true),
                ..MangleOptions::default()
            };
            let options = MinifierOptions {
                mangle: Some(mangle),
                mangle_properties: None,
                compress: Some(CompressOptions::smallest()),
            };
            scoping = Minifier::new(options).minify(&allocator, &mut program).scoping;
        }
        let options = CodegenOptions {
            minify,
            comments: if minify {
                CommentOptions::disabled()
            } else {
                CommentOptions::default()
            },
            ..CodegenOptions::default()
        };
        Ok(Codegen::new()
            .with_options(options)
            .with_scoping(scoping)
            .build(&program)
            .code)
    })
}

fn parse<'a>(allocator: &'a Allocator, source: &'a str, filename: &str) -> Result<ParserReturn<'a>, SourceError> {
    let kind = SourceType::from_path(Path::new(filename))
        .unwrap_or_default()
        .with_module(true);
    let parsed = Parser::new(allocator, source, kind).parse();
    match parsed.diagnostics.iter().next() {
        Some(error) => Err(located(error, source, filename)),
        None => Ok(parsed),
    }
}

/// The places of all specifiers, quotes included, with their texts.
fn specifiers(parsed: &ParserReturn<'_>, source: &str) -> Vec<(std::ops::Range<usize>, String)> {
    let mut found = Vec::new();
    let mut add = |start: u32, end: u32| {
        let range = start as usize..end as usize;
        let Some(literal) = source.get(range.clone()) else {
            return;
        };
        let quote = literal.chars().next().filter(|quote| matches!(quote, '"' | '\'' | '`'));
        let inner = quote.and_then(|quote| literal.strip_prefix(quote)?.strip_suffix(quote));
        if let Some(text) = inner.filter(|text| !text.contains(['\\', '$', '\n'])) {
            found.push((range, text.to_owned()));
        }
    };
    for requests in parsed.module_record.requested_modules.values() {
        for request in requests.iter().filter(|request| !request.is_type) {
            add(request.span.start, request.span.end);
        }
    }
    for import in &parsed.module_record.dynamic_imports {
        add(import.module_request.start, import.module_request.end);
    }
    for (start, end) in asset_urls(source) {
        add(
            u32::try_from(start).unwrap_or(u32::MAX),
            u32::try_from(end).unwrap_or(u32::MAX),
        );
    }
    found
}

/// The places of the first argument of each `new URL("./x", import.meta.url)`.
fn asset_urls(source: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (at, opening) in source.match_indices("new URL(") {
        let start = at + opening.len();
        let rest = source.get(start..).unwrap_or("");
        let Some(end) = rest.find(',') else { continue };
        let argument = rest.get(..end).unwrap_or("").trim();
        let after = rest.get(end + 1..).unwrap_or("").trim_start();
        if argument.len() > 2 && argument.get(1..2) == Some(".") && after.starts_with("import.meta.url") {
            let offset = start + rest.find(argument).unwrap_or(0);
            found.push((offset, offset + argument.len()));
        }
    }
    found
}

fn located(error: &OxcDiagnostic, source: &str, filename: &str) -> SourceError {
    let mut found = SourceError::new(format!("not a valid script: {}", error.message)).in_file(filename);
    if let Some(help) = &error.help {
        found = found.hint(help.to_string());
    }
    match error.labels.iter().next() {
        Some(label) => found.at_offset(source, label.offset() as usize),
        None => found,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn typescript_becomes_a_small_module() {
        let source = "import { a } from './a';\nimport type { T } from './types';\nenum E { X = 1 }\nexport function longName(value: number): number { const doubled: number = value * 2; return doubled + a + E.X; }\n";
        let lead = |name: &str| (name == "./a").then(|| "/assets/a.1f.js".to_owned());
        let made = transform(source, "assets/x.ts", &lead, true).unwrap();
        assert!(made.contains("from\"/assets/a.1f.js\""), "{made}");
        assert!(
            !made.contains("number") && !made.contains("types") && !made.contains("doubled"),
            "{made}"
        );
        assert!(made.contains("longName"), "what is exported keeps its name: {made}");
        assert_eq!(imports(source, "assets/x.ts").unwrap(), ["./a"]);
    }

    #[test]
    fn all_ways_to_refer_are_found() {
        let source = "export * from './b'; export const c = () => import('./c');\nconst d = new URL('./d.png', import.meta.url); const e = new URL(x, import.meta.url);";
        let mut found = imports(source, "a.js").unwrap();
        found.sort();
        assert_eq!(found, ["./b", "./c", "./d.png"]);
        let made = transform(source, "a.js", &|name| Some(format!("/n{}", &name[1..])), true).unwrap();
        for part in ["/n/b", "/n/c", "/n/d.png"] {
            assert!(made.contains(part), "{made}");
        }
    }

    #[test]
    fn a_fault_is_shown_where_it_stands() {
        let error = imports("let a = 1;\nlet = ;\n", "assets/x.ts").unwrap_err();
        assert_eq!((error.file.as_deref(), error.line), (Some("assets/x.ts"), Some(2)));
        assert!(transform("const a = 1; const a = 2;", "x.js", &|_| None, true).is_err());
    }
}
