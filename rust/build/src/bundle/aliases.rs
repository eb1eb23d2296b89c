//! Imports by the names of a `tsconfig.json` (`compilerOptions.paths`), which look like those of packages.

use std::path::{Path, PathBuf};

use oxc_resolver::{ResolveOptions, Resolver, TsconfigDiscovery};

/// What scripts may end with, in the order in which an import without an ending is looked for.
const ENDINGS: [&str; 6] = [".ts", ".tsx", ".mts", ".jsx", ".js", ".mjs"];

/// Returns the file below `folder` that each import means, given the importing script and what it says; none where it
/// means a package, another file, or nothing.
pub fn aliases(folder: &Path, imports: &[(PathBuf, String)]) -> Vec<Option<PathBuf>> {
    let endings = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    let resolver = Resolver::new(ResolveOptions {
        extensions: endings(&ENDINGS),
        // TypeScript is imported by the name it will have.
        extension_alias: vec![
            (".js".to_owned(), endings(&[".js", ".ts", ".tsx"])),
            (".mjs".to_owned(), endings(&[".mjs", ".mts"])),
        ],
        tsconfig: Some(TsconfigDiscovery::Auto),
        ..ResolveOptions::default()
    });
    let find = |(file, specifier): &(PathBuf, String)| {
        let bare = specifier.split(['?', '#']).next().unwrap_or("");
        let found = resolver.resolve_file(file, bare).ok()?.into_path_buf();
        let is_package = found.components().any(|part| part.as_os_str() == "node_modules");
        (found.starts_with(folder) && !is_package).then_some(found)
    };
    imports.iter().map(find).collect()
}
