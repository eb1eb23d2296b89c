//! Where the compiler has stylesheets from.

use std::path::{Path, PathBuf};

use lightningcss::bundler::{ResolveResult, SourceProvider};

use super::Sheets;

/// Stylesheets by name.
pub(super) struct Provider<'s> {
    pub(super) bundle: bool,
    pub(super) sheets: Sheets<'s>,
}

#[derive(Debug)]
pub(super) struct NotThere(String);

impl NotThere {
    pub(super) const HINT: &str =
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
        self.sheets
            .sources
            .get(&*name)
            .map(String::as_str)
            .ok_or_else(|| NotThere(name.into_owned()))
    }

    fn resolve(&self, specifier: &str, from: &Path) -> Result<ResolveResult, NotThere> {
        if !self.bundle || specifier.contains("://") || specifier.starts_with("//") {
            return Ok(ResolveResult::External(specifier.to_owned()));
        }
        if let Some(name) = self.sheets.imports.get(&format!("{}\0{specifier}", from.display())) {
            return Ok(ResolveResult::File(PathBuf::from(name)));
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
