//! Stylesheets that scripts import, and those that import from packages.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use oxc_resolver::{ResolveOptions, Resolver};

use super::job::{Draft, Job, Role, shown, stem};
use super::load::text;
use super::plugin::normal;
use super::shared::{Shared, decoded};
use crate::css::{self, Reference, Sheets, Style};
use crate::error::SourceError;
use crate::licenses::Licenses;

/// A stylesheet that a script imports, as others import it.
#[derive(Debug, Clone)]
pub(super) struct Sheet {
    /// A module's text with the names it has for the whole site; of any other, none: it is taken from its file.
    code: Option<String>,
}

/// A stylesheet before it has its name.
pub(super) struct StyleDraft {
    pub(super) name: String,
    /// The file of `assets/` it is made of.
    pub(super) entry: Option<String>,
    pub(super) made: css::Made,
    pub(super) sources: Vec<(String, usize)>,
}

fn is_style(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|ending| ending == "css")
}

/// Returns the script that a stylesheet is to those who import it: for a CSS module the names of its classes.
///
/// # Errors
/// It is no valid CSS.
pub(super) fn load(shared: &Shared, file: &str) -> Result<String, SourceError> {
    if !css::is_module(file) {
        shared.keep_sheet(file, Sheet { code: None });
        return Ok("export default \"\"".to_owned());
    }
    let source = text(shared, Path::new(file))?;
    let name = key(shared.job(), Path::new(file));
    let names = css::names(&source, &name)?;
    let mut gathering = Gathering::of_modules(shared);
    gathering.add(Path::new(file))?;
    let style = Style {
        bundle: true,
        source_map: shared.job().source_maps,
        keep_licenses: true,
        ..Style::default()
    };
    let made = gathering.compile(&name, style)?;
    let mut code = made.code;
    if let Some(map) = made.map {
        code.push_str("\n/*# sourceMappingURL=data:application/json;base64,");
        code.push_str(&base64_simd::STANDARD.encode_to_string(map.as_bytes()));
        code.push_str(" */\n");
    }
    shared.keep_sheet(file, Sheet { code: Some(code) });
    Ok(script(&names))
}

/// Returns a script that exports the names of a CSS module.
fn script(names: &[css::Name]) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let mut imports = String::new();
    let mut consts = String::new();
    let mut object = String::new();
    let mut exports = String::new();
    let mut count = 0;
    for (number, name) in names.iter().enumerate() {
        let mut value = quoted(&name.classes.join(" "));
        for (specifier, other) in &name.from {
            imports.push_str(&format!("import d{count} from {};", quoted(specifier)));
            value.push_str(&format!("+\" \"+d{count}[{}]", quoted(other)));
            count += 1;
        }
        consts.push_str(&format!("const c{number}={value};"));
        object.push_str(&format!("{}:c{number},", quoted(&name.local)));
        if name.local != "default" {
            exports.push_str(&format!("c{number} as {},", quoted(&name.local)));
        }
    }
    format!("{imports}{consts}export default{{{object}}};export{{{exports}}};")
}

/// Returns a stylesheet as it is put into a script (`?inline`).
pub(super) fn inline(shared: &Shared, file: &Path) -> Result<String, SourceError> {
    let mut gathering = Gathering::new(shared);
    let name = gathering.add(file)?;
    Ok(gathering.compile(&name, style(shared.job()))?.code)
}

fn style(job: &Job) -> Style {
    Style {
        minify: job.minify_css,
        targets: job.targets,
        bundle: true,
        source_map: job.source_maps,
        keep_licenses: job.licenses == Licenses::Keep,
    }
}

/// Makes the stylesheets of all scripts, and those that were asked for by themselves.
///
/// # Errors
/// One is no valid CSS, or imports what is not there.
pub(super) fn sheets(job: &Job, shared: &Shared, drafts: &mut [Draft]) -> Result<Vec<StyleDraft>, SourceError> {
    let mut made = Vec::new();
    for draft in drafts.iter_mut() {
        if draft.role == Role::Worker {
            continue;
        }
        let files: Vec<&String> = draft.ids.iter().filter(|id| is_style(id)).collect();
        if files.is_empty() {
            continue;
        }
        let mut gathering = Gathering::new(shared);
        let mut imports = String::new();
        for file in files {
            let name = gathering.add(Path::new(file))?;
            imports.push_str(&format!(
                "@import {};",
                serde_json::to_string(&name).unwrap_or_default()
            ));
            gathering.imports.insert(format!("{ENTRY}\0{name}"), name);
        }
        gathering.sources.insert(ENTRY.to_owned(), imports);
        let bare = draft.file.strip_prefix("_chunks/").unwrap_or(&draft.file);
        let name = format!("_chunks/{}.css", bare.split('.').next().unwrap_or(bare));
        draft.styles.push(name.clone());
        made.push(StyleDraft {
            name,
            entry: None,
            made: gathering.compile(ENTRY, style(job))?,
            sources: gathering.sizes(),
        });
    }
    for (name, file) in &job.sheets {
        let mut gathering = if css::is_module(file) {
            Gathering::of_modules(shared)
        } else {
            Gathering::new(shared)
        };
        let key = gathering.add(Path::new(file))?;
        made.push(StyleDraft {
            name: name.clone(),
            entry: Some(name.clone()),
            made: gathering.compile(&key, style(job))?,
            sources: gathering.sizes(),
        });
    }
    Ok(made)
}

/// The name of a stylesheet that is in no file: the imports of a script.
const ENTRY: &str = "(the stylesheets of a script)";

/// A stylesheet with all it imports.
struct Gathering<'s> {
    shared: &'s Shared,
    resolver: Resolver,
    sources: HashMap<String, String>,
    /// Where an import leads: importing sheet, NUL, what it says → sheet.
    imports: HashMap<String, String>,
    /// Where anything else is served from.
    urls: HashMap<String, String>,
    seen: BTreeSet<PathBuf>,
    /// CSS modules are taken as they were written: what they are put together to is compiled as a module.
    keeps_modules: bool,
}

impl<'s> Gathering<'s> {
    /// For what is a CSS module itself.
    fn of_modules(shared: &'s Shared) -> Self {
        Self {
            keeps_modules: true,
            ..Self::new(shared)
        }
    }

    fn new(shared: &'s Shared) -> Self {
        let strings = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        Self {
            shared,
            resolver: Resolver::new(ResolveOptions {
                condition_names: strings(&["style", "browser", "import", "default"]),
                main_fields: strings(&["style", "main"]),
                extensions: strings(&[".css"]),
                prefer_relative: true,
                ..ResolveOptions::default()
            }),
            sources: HashMap::default(),
            imports: HashMap::default(),
            urls: HashMap::default(),
            seen: BTreeSet::new(),
            keeps_modules: false,
        }
    }

    /// Reads a stylesheet and what it imports. Returns its name.
    fn add(&mut self, file: &Path) -> Result<String, SourceError> {
        let name = key(self.shared.job(), file);
        if !self.seen.insert(file.to_owned()) {
            return Ok(name);
        }
        self.shared.input(&file.to_string_lossy());
        let kept = self.shared.sheet(&file.to_string_lossy()).and_then(|sheet| sheet.code);
        let kept = kept.filter(|_| !self.keeps_modules);
        let is_done = kept.is_some();
        let source = match kept {
            Some(code) => code,
            None => text(self.shared, file)?,
        };
        if !is_done {
            let shown = shown(self.shared.job(), &file.to_string_lossy());
            for found in css::dependencies(&source, &shown)? {
                match &found {
                    Reference::Import(specifier) => self.import(file, &name, specifier, &shown, &source)?,
                    Reference::Url(url) => self.url(file, &name, url, &shown, &source)?,
                }
            }
        }
        self.sources.insert(name.clone(), source);
        Ok(name)
    }

    fn import(
        &mut self,
        file: &Path,
        name: &str,
        specifier: &str,
        shown: &str,
        source: &str,
    ) -> Result<(), SourceError> {
        if specifier.contains("://") || specifier.starts_with("//") {
            return Ok(());
        }
        match self.find(file, specifier) {
            Some(found) => {
                let other = self.add(&found)?;
                self.imports.insert(format!("{name}\0{specifier}"), other);
                Ok(())
            }
            None => Err(missing(
                &format!("there is no stylesheet `{specifier}` to import"),
                specifier,
                shown,
                source,
            )),
        }
    }

    fn url(&mut self, file: &Path, name: &str, url: &str, shown: &str, source: &str) -> Result<(), SourceError> {
        let bare = url.split(['?', '#']).next().unwrap_or("");
        if bare.is_empty() || url.contains(':') || url.starts_with("//") {
            return Ok(());
        }
        if url.starts_with('/') && !url.starts_with("/assets/") {
            return Ok(());
        }
        let rest = url.get(bare.len()..).unwrap_or("");
        let path = decoded(bare);
        let found = match path.strip_prefix("/assets/") {
            Some(inside) => self.shared.assets().join(inside),
            None => normal(&file.parent().unwrap_or(Path::new("/")).join(&path)),
        };
        let found = Some(found).filter(|found| self.shared.has(found));
        let found = found.or_else(|| self.find(file, &path));
        let Some(found) = found else {
            if file.components().any(|part| part.as_os_str() == "node_modules") {
                return Ok(());
            }
            return Err(missing(&format!("`{url}` leads to no file"), url, shown, source));
        };
        let served = self.shared.url(&found);
        let served = served.map_err(|error| SourceError::new(format!("cannot be read: {error}")).in_file(shown))?;
        self.urls.insert(format!("{name}\0{url}"), format!("{served}{rest}"));
        Ok(())
    }

    fn find(&self, file: &Path, specifier: &str) -> Option<PathBuf> {
        if let Some(inside) = specifier.strip_prefix("/assets/") {
            return Some(self.shared.assets().join(inside)).filter(|file| self.shared.has(file));
        }
        let folder = file.parent()?;
        let specifier = specifier.strip_prefix('~').unwrap_or(specifier);
        Some(self.resolver.resolve(folder, specifier).ok()?.into_path_buf())
    }

    fn compile(&self, entry: &str, style: Style) -> Result<css::Made, SourceError> {
        let sheets = Sheets {
            sources: &self.sources,
            imports: &self.imports,
        };
        let lead = |file: &str, url: &str| self.urls.get(&format!("{file}\0{url}")).cloned();
        css::compile(entry, sheets, &lead, style)
    }

    fn sizes(&self) -> Vec<(String, usize)> {
        let real = self.seen.iter();
        let mut sizes: Vec<_> = real
            .map(|file| {
                let size = self.sources.get(&key(self.shared.job(), file)).map_or(0, String::len);
                (shown(self.shared.job(), &file.to_string_lossy()), size)
            })
            .collect();
        sizes.sort();
        sizes
    }
}

/// Returns the name of a stylesheet: that in `assets/`, so that the names of a CSS module are the same in all of the site.
fn key(job: &Job, file: &Path) -> String {
    match file.strip_prefix(job.root.join("assets")) {
        Ok(inside) => inside.to_string_lossy().into_owned(),
        Err(_) => shown(job, &file.to_string_lossy()),
    }
}

fn missing(message: &str, what: &str, shown: &str, source: &str) -> SourceError {
    let is_package = !what.starts_with(['.', '/']) && what.contains('/') || !stem(what).contains(['.', '/']);
    let hint = if is_package {
        "a name is looked for beside the file, then in node_modules: look whether the package is installed"
    } else {
        "a name is looked for beside the file that has it, and in assets/ where it begins with /assets/"
    };
    let error = SourceError::new(message).in_file(shown).hint(hint);
    match source.find(what) {
        Some(offset) => error.at_offset(source, offset),
        None => error,
    }
}
