//! Scripts, through oxc: TypeScript and JSX to JavaScript modules, minified.

mod logic;
mod tails;

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use oxc::allocator::Allocator;
use oxc::ast::ast::{
    ExportAllDeclaration, ExportFromDeclaration, ImportDeclaration, ImportExpression, NewExpression, Program,
};
use oxc::ast_visit::{Visit, walk};
use oxc::codegen::{Codegen, CodegenOptions, CommentOptions, LegalComment};
use oxc::diagnostics::OxcDiagnostic;
use oxc::minifier::{CompressOptions, MangleOptions, Minifier, MinifierOptions};
use oxc::parser::{Parser, ParserReturn};
use oxc::semantic::{Scoping, SemanticBuilder};
use oxc::span::{GetSpan, SourceType, Span};
use oxc::transformer::{TransformOptions, Transformer};

use crate::error::{SourceError, guarded};
use crate::licenses::{Licenses, comments};
use crate::nesting;

/// The language scripts are lowered to: what browsers of about the last two years speak.
pub(crate) const TARGET: &str = "es2022";

/// Returns the modules and files a script refers to, as they are written: static and dynamic imports, re-exports, and
/// `new URL("…", import.meta.url)`. Imports of types alone are left out.
///
/// # Errors
/// The text is no valid script.
pub fn imports(source: &str, filename: &str) -> Result<Vec<String>, SourceError> {
    in_room("the script parser", source, filename, || {
        let allocator = Allocator::default();
        let parsed = parse(&allocator, source, filename, Goal::Module)?;
        let mut found: Vec<String> = Vec::new();
        for one in specifiers(&parsed, source) {
            if !found.contains(&one.text) {
                found.push(one.text);
            }
        }
        Ok(found)
    })
}

/// Minifies a script that stands for itself: one without `import` and `export` shares its names with the page.
///
/// # Errors
/// The text is no valid script.
pub fn minify(source: &str, filename: &str) -> Result<String, SourceError> {
    Ok(minify_with(source, filename, false, Licenses::Drop)?.code)
}

/// A compiled script.
#[derive(Debug, Clone, Default)]
pub struct Made {
    pub code: String,
    /// The source map (ECMA-426), where it was asked for.
    pub map: Option<String>,
    /// The comments that state a licence, where they go elsewhere.
    pub licenses: Vec<String>,
}

/// As [`minify`], with a source map, and with the comments that state a licence.
///
/// # Errors
/// The text is no valid script.
pub fn minify_with(source: &str, filename: &str, source_map: bool, licenses: Licenses) -> Result<Made, SourceError> {
    in_room("the script compiler", source, filename, || {
        let keeps = licenses == Licenses::Keep;
        let mut made = compile(
            source,
            filename,
            Goal::AsWritten,
            Print {
                minify: true,
                source_map,
                keeps,
            },
        )?;
        if licenses == Licenses::Extern {
            made.licenses = comments(source, filename);
        }
        Ok(made)
    })
}

/// How a script is written.
#[derive(Debug, Clone, Copy)]
struct Print {
    minify: bool,
    source_map: bool,
    /// Whether comments that state a licence stay.
    keeps: bool,
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
    let mut places = in_room("the script parser", source, filename, || {
        let allocator = Allocator::default();
        let parsed = parse(&allocator, source, filename, Goal::Module)?;
        Ok(specifiers(&parsed, source))
    })?;
    places.sort_by_key(|one| std::cmp::Reverse(one.range.start));
    let mut led = source.to_owned();
    for one in places {
        if let Some(target) = lead(&one.text) {
            let quoted = serde_json::to_string(&target).unwrap_or_default();
            led.replace_range(one.range, &format!("{quoted}{}", one.attributes));
        }
    }
    let print = Print {
        minify,
        source_map: false,
        keeps: !minify,
    };
    let made = in_room("the script compiler", &led, filename, || {
        compile(&led, filename, Goal::Module, print)
    })?;
    Ok(made.code)
}

/// Runs what reads a script where its levels have room, and takes a panic for an error of the file.
fn in_room<T: Send>(
    what: &str,
    source: &str,
    filename: &str,
    work: impl FnOnce() -> Result<T, SourceError> + Send,
) -> Result<T, SourceError> {
    guarded(what, filename, || nesting::with_room(source, filename, work))
}

/// Minifies a program whose names at the top may be shortened or not, and returns the names that are left.
pub(crate) fn shorten<'a>(allocator: &'a Allocator, program: &mut Program<'a>, top_level: bool) -> Option<Scoping> {
    tails::fold(program, allocator);
    let mangle = MangleOptions {
        // The names at the top of a script that is no module are names of the page.
        top_level: Some(top_level),
        ..MangleOptions::default()
    };
    let options = MinifierOptions {
        mangle: Some(mangle),
        mangle_properties: None,
        compress: Some(CompressOptions::smallest()),
    };
    let scoping = Minifier::new(options).minify(allocator, program).scoping;
    logic::shorten(program, allocator);
    scoping
}

fn compile(source: &str, filename: &str, goal: Goal, print: Print) -> Result<Made, SourceError> {
    let minify = print.minify;
    let allocator = Allocator::default();
    let mut program = parse(&allocator, source, filename, goal)?.program;
    let is_module = program.source_type.is_module();
    let semantic = SemanticBuilder::new()
        .with_excess_capacity(2.0)
        .with_enum_eval(true)
        .with_check_syntax_error(true)
        .build(&program);
    if let Some(error) = semantic.diagnostics.iter().next() {
        return Err(located(error, source, filename));
    }
    let options = TransformOptions::from_target(TARGET).map_err(SourceError::new)?;
    let transformed = Transformer::new(&allocator, Path::new(filename), &options)
        .build_with_scoping(semantic.semantic.into_scoping(), &mut program);
    if let Some(error) = transformed.diagnostics.iter().next() {
        return Err(located(error, source, filename));
    }
    let mut scoping = None;
    if minify {
        scoping = shorten(&allocator, &mut program, is_module);
    }
    let options = CodegenOptions {
        minify,
        comments: match (minify, print.keeps) {
            (true, true) => CommentOptions {
                legal: LegalComment::Inline,
                ..CommentOptions::disabled()
            },
            (true, false) => CommentOptions::disabled(),
            (false, _) => CommentOptions::default(),
        },
        source_map_path: print.source_map.then(|| PathBuf::from(filename)),
        ..CodegenOptions::default()
    };
    let written = Codegen::new()
        .with_options(options)
        .with_scoping(scoping)
        .build(&program);
    Ok(Made {
        map: written.map.map(|map| map.to_json_string()),
        code: written.code,
        licenses: Vec::new(),
    })
}

/// What a text is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    Module,
    /// A module where it has `import` or `export` or is named one, and else a script.
    AsWritten,
}

fn parse<'a>(
    allocator: &'a Allocator,
    source: &'a str,
    filename: &str,
    goal: Goal,
) -> Result<ParserReturn<'a>, SourceError> {
    let kind = SourceType::from_path(Path::new(filename)).unwrap_or_default();
    let is_named = [".mjs", ".mts", ".cjs", ".cts"]
        .iter()
        .any(|ending| filename.ends_with(ending));
    let kind = match goal {
        Goal::Module => kind.with_module(true),
        Goal::AsWritten if is_named => kind,
        Goal::AsWritten => kind.with_unambiguous(true),
    };
    let parsed = Parser::new(allocator, source, kind).parse();
    match parsed.diagnostics.iter().next() {
        Some(error) => Err(located(error, source, filename)),
        None => Ok(parsed),
    }
}

/// A reference to another file, as it stands in the text.
struct Specifier {
    /// Its place, quotes included.
    range: Range<usize>,
    text: String,
    /// What has to stand behind it: a browser takes JSON for a module only where the import says so.
    attributes: &'static str,
}

/// All references, in no particular order.
fn specifiers(parsed: &ParserReturn<'_>, source: &str) -> Vec<Specifier> {
    let mut seen = Seen {
        source,
        found: Vec::new(),
        bare: HashMap::new(),
    };
    seen.visit_program(&parsed.program);
    for requests in parsed.module_record.requested_modules.values() {
        for request in requests.iter().filter(|request| !request.is_type) {
            seen.add(request.span);
        }
    }
    for import in &parsed.module_record.dynamic_imports {
        seen.add(import.module_request);
    }
    let Seen { mut found, bare, .. } = seen;
    for one in found.iter_mut().filter(|one| is_json(&one.text)) {
        one.attributes = bare.get(&one.range.start).copied().unwrap_or("");
    }
    found
}

fn is_json(specifier: &str) -> bool {
    let path = specifier.split(['?', '#']).next().unwrap_or("");
    Path::new(path).extension().is_some_and(|ending| ending == "json")
}

/// What only the syntax tree tells.
struct Seen<'s> {
    source: &'s str,
    found: Vec<Specifier>,
    /// Where the specifiers of imports without attributes begin, and what would be their attribute.
    bare: HashMap<usize, &'static str>,
}

impl Seen<'_> {
    fn add(&mut self, span: Span) {
        let range = span.start as usize..span.end as usize;
        let Some(literal) = self.source.get(range.clone()) else {
            return;
        };
        let quote = literal.chars().next().filter(|quote| matches!(quote, '"' | '\'' | '`'));
        let inner = quote.and_then(|quote| literal.strip_prefix(quote)?.strip_suffix(quote));
        if let Some(text) = inner.filter(|text| !text.contains(['\\', '$', '\n'])) {
            self.found.push(Specifier {
                range,
                text: text.to_owned(),
                attributes: "",
            });
        }
    }

    fn text(&self, span: Span) -> &str {
        self.source.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    fn static_import(&mut self, source: Span, has_attributes: bool) {
        if !has_attributes {
            self.bare.insert(source.start as usize, " with{type:\"json\"}");
        }
    }
}

impl<'a> Visit<'a> for Seen<'_> {
    fn visit_import_declaration(&mut self, it: &ImportDeclaration<'a>) {
        self.static_import(it.source.span, it.with_clause.is_some());
    }

    fn visit_export_from_declaration(&mut self, it: &ExportFromDeclaration<'a>) {
        self.static_import(it.source.span, it.with_clause.is_some());
    }

    fn visit_export_all_declaration(&mut self, it: &ExportAllDeclaration<'a>) {
        self.static_import(it.source.span, it.with_clause.is_some());
    }

    fn visit_import_expression(&mut self, it: &ImportExpression<'a>) {
        if it.options.is_none() {
            let start = it.source.span().start as usize;
            self.bare.insert(start, ",{with:{type:\"json\"}}");
        }
        walk::walk_import_expression(self, it);
    }

    /// `new URL("./x", import.meta.url)`.
    fn visit_new_expression(&mut self, it: &NewExpression<'a>) {
        if let ([url, base], "URL") = (it.arguments.as_slice(), self.text(it.callee.span()))
            && self.text(base.span()) == "import.meta.url"
            && self.text(url.span()).get(1..2) == Some(".")
        {
            self.add(url.span());
        }
        walk::walk_new_expression(self, it);
    }
}

/// What to do where the parser does not say it: it stops at the first token that cannot stand where it does.
const HINT: &str = "look at what stands here and just before it: something is missing, left open or one too many";

fn located(error: &OxcDiagnostic, source: &str, filename: &str) -> SourceError {
    let mut found = SourceError::new(format!("not a valid script: {}", error.message)).in_file(filename);
    found = found.hint(error.help.as_deref().map_or_else(|| HINT.to_owned(), str::to_owned));
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
    fn the_names_of_a_script_that_is_no_module_stay() {
        let made = minify("function greet(who) { const text = who + 1; return text }", "a.js").unwrap();
        assert!(made.contains("function greet(") && !made.contains("text"), "{made}");
        assert_eq!(minify("let a = 1", "a.mjs").unwrap(), "");
        assert_eq!(
            minify("let long = f(); export default long", "a.ts").unwrap(),
            "let e=f();export default e;"
        );
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
    fn what_only_looks_like_a_reference_is_left_alone() {
        let source = "// new URL('./a.png', import.meta.url)\n/* import('./b') */\nconst s = \"new URL('./c.png', import.meta.url)\";\nconst t = `new URL('./d.png', import.meta.url)`;\nconst u = new URL( /* here */ './e.png' , import.meta.url );\nconst v = new URL('./f.png', base); export { s, t, u, v };";
        assert_eq!(imports(source, "a.js").unwrap(), ["./e.png"]);
        let made = transform(source, "a.js", &|_| Some("/N".to_owned()), false).unwrap();
        assert!(made.contains("new URL('./c.png', import.meta.url)"), "{made}");
        assert!(made.contains("\"/N\"") && made.contains("./f.png"), "{made}");
    }

    #[test]
    fn imports_of_json_say_that_they_are() {
        let lead = |name: &str| name.starts_with("./").then(|| format!("/n{}", &name[1..]));
        let with = "with{type:\"json\"}";
        for (source, wanted) in [
            ("import a from './d.json'; console.log(a)", 1),
            ("import a from './d.json' with { type: 'json' }; console.log(a)", 1),
            ("export { default as a } from './d.json'", 1),
            ("import a from './d.js'; console.log(a)", 0),
        ] {
            let made = transform(source, "a.ts", &lead, true).unwrap();
            assert_eq!(made.matches(with).count(), wanted, "{made}");
            assert!(made.contains("\"/n/d.js"), "{made}");
        }
        let made = transform("console.log(await import('./d.json'))", "a.js", &lead, true).unwrap();
        assert!(made.contains("{with:{type:`json`}}"), "{made}");
        let source = "console.log(await import('./d.json', { with: { type: 'json' } }))";
        let made = transform(source, "a.mjs", &lead, true).unwrap();
        assert_eq!(made.matches("with:").count(), 1, "{made}");
        let made = transform("new Worker(new URL('./d.json', import.meta.url))", "a.js", &lead, true).unwrap();
        assert!(!made.contains("with"), "{made}");
    }

    #[test]
    fn a_fault_is_shown_where_it_stands() {
        let error = imports("let a = 1;\nlet = ;\n", "assets/x.ts").unwrap_err();
        assert_eq!((error.file.as_deref(), error.line), (Some("assets/x.ts"), Some(2)));
        assert!(transform("const a = 1; const a = 2;", "x.js", &|_| None, true).is_err());
    }
}
