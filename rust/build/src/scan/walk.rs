//! A walk over the source files of a site, or to one of them: what is one, what is hidden, and what cannot be used.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::error::SourceError;
use crate::scan::Stat;

/// The folders of a site that hold sources.
pub(super) const FOLDERS: [&str; 7] = ["assets", "content", "data", "locales", "pages", "static", "templates"];
/// Deeper folders are refused: a link may have made a circle.
const DEEPEST: usize = 64;

pub(super) fn ignored(root: &Path) -> Result<Option<Gitignore>, Vec<SourceError>> {
    let file = root.join(".buildignore");
    match fs::metadata(&file) {
        Ok(found) if found.is_file() => {}
        // Reading a pipe would wait for whoever writes to it.
        Ok(_) => {
            return Err(vec![
                SourceError::new("this is no regular file")
                    .in_file(".buildignore")
                    .hint("put a file with the syntax of .gitignore in its place, or remove it"),
            ]);
        }
        Err(_) => return Ok(None),
    }
    let mut builder = GitignoreBuilder::new(root);
    let problem = builder.add(&file);
    let bad = |error: ignore::Error| {
        vec![
            SourceError::new(format!("not valid: {error}"))
                .in_file(".buildignore")
                .hint("it has the syntax of .gitignore"),
        ]
    };
    if let Some(error) = problem {
        return Err(bad(error));
    }
    builder.build().map(Some).map_err(bad)
}

/// A walk over the files of a site.
pub(super) struct Walk<'s> {
    pub(super) root: &'s Path,
    pub(super) ignored: Option<Gitignore>,
    pub(super) max_file: u64,
    pub(super) found: Vec<(String, Stat)>,
    pub(super) errors: Vec<SourceError>,
    pub(super) has_links: bool,
}

impl Walk<'_> {
    /// The files of the site's own folder that matter: its settings and its Python.
    pub(super) fn top(&mut self) {
        let Ok(entries) = fs::read_dir(self.root) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            self.top_file(name, &entry.path());
        }
    }

    fn top_file(&mut self, name: &str, file: &Path) {
        let python = Path::new(name).extension().is_some_and(|ending| ending == "py");
        if !python && name != "site.toml" && name != ".buildignore" {
            return;
        }
        if file.is_symlink() {
            self.link(name.to_owned(), file);
        } else if file.is_file() {
            self.file(name.to_owned(), file);
        }
    }

    /// One file or folder, by its path relative to the site, as a walk over all of it would find it.
    pub(super) fn one(&mut self, path: &str) {
        let Some((first, _)) = path.split_once('/') else {
            // A file of the site's own folder, or a folder of sources as a whole.
            let file = self.root.join(path);
            if FOLDERS.contains(&path) {
                if file.is_symlink() {
                    self.link(path.to_owned(), &file);
                } else if file.exists() {
                    self.folder(path, 1);
                }
            } else {
                self.top_file(path, &file);
            }
            return;
        };
        if !FOLDERS.contains(&first) || self.root.join(first).is_symlink() {
            return;
        }
        // Each part of the path is looked at as a walk would: one that is hidden or ignored hides all below.
        let parts: Vec<&str> = path.split('/').collect();
        let mut at = first.to_owned();
        for (number, name) in parts.iter().enumerate().skip(1) {
            let file = self.root.join(&at).join(name);
            let Ok(found) = fs::symlink_metadata(&file) else { return };
            let is_last = number + 1 == parts.len();
            if !is_last && (!found.is_dir() || self.is_hidden(&at, name, true)) {
                return;
            }
            if is_last {
                self.entry(&at, name, &file, found.file_type(), number + 1);
            }
            at = format!("{at}/{name}");
        }
    }

    fn is_hidden(&self, folder: &str, name: &str, is_folder: bool) -> bool {
        // Hidden files are an editor's or a tool's; `.well-known` is the web's (RFC 8615).
        if name.starts_with('.') && name != ".well-known" || name == "__pycache__" || name.ends_with('~') {
            return true;
        }
        let matched = |rules: &Gitignore| rules.matched(format!("{folder}/{name}"), is_folder).is_ignore();
        self.ignored.as_ref().is_some_and(matched)
    }

    pub(super) fn folder(&mut self, folder: &str, depth: usize) {
        if depth > DEEPEST {
            self.errors.push(
                SourceError::new("folders are nested too deep")
                    .in_file(folder)
                    .hint("look for a link that leads back"),
            );
            return;
        }
        let entries = match fs::read_dir(self.root.join(folder)) {
            Ok(entries) => entries,
            Err(error) => return self.errors.push(unreadable(folder, &error)),
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                let said = format!(
                    "the name of a file in {folder}/ is not UTF-8: {}",
                    name.to_string_lossy()
                );
                self.errors
                    .push(SourceError::new(said).in_file(folder).hint("rename it"));
                continue;
            };
            let Ok(kind) = entry.file_type() else { continue };
            self.entry(folder, name, &entry.path(), kind, depth);
        }
    }

    fn entry(&mut self, folder: &str, name: &str, file: &Path, kind: fs::FileType, depth: usize) {
        if self.is_hidden(folder, name, kind.is_dir()) {
            return;
        }
        let path = format!("{folder}/{name}");
        if kind.is_dir() {
            self.folder(&path, depth + 1);
        } else if kind.is_file() {
            self.file(path, file);
        } else if kind.is_symlink() {
            self.link(path, file);
        } else {
            self.errors.push(
                SourceError::new("this is no regular file")
                    .in_file(path)
                    .hint("remove it, or name it in .buildignore"),
            );
        }
    }

    pub(super) fn link(&mut self, path: String, file: &Path) {
        self.has_links = true;
        let target = match file.canonicalize() {
            Ok(target) => target,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return self.errors.push(
                    SourceError::new("this link leads to nothing")
                        .in_file(path)
                        .hint("remove it, or put in place what it leads to"),
                );
            }
            Err(error) => return self.errors.push(unreadable(&path, &error)),
        };
        let inside = self.root.canonicalize().is_ok_and(|root| target.starts_with(root));
        if inside && target.is_file() {
            self.file(path, file);
        } else {
            let said = if inside {
                "this link leads to a folder"
            } else {
                "this link leads out of the site"
            };
            self.errors.push(
                SourceError::new(said)
                    .in_file(path)
                    .hint("copy what it leads to into the site"),
            );
        }
    }

    fn file(&mut self, path: String, file: &Path) {
        match fs::metadata(file) {
            Ok(found) if found.len() > self.max_file => {
                let said = format!(
                    "the file has {} bytes, and at most {} are read",
                    found.len(),
                    self.max_file
                );
                self.errors
                    .push(SourceError::new(said).in_file(path).hint("raise `build.max_file`"));
            }
            Ok(found) => {
                let modified = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
                self.found.push((
                    path,
                    Stat {
                        size: found.len(),
                        modified,
                        inode: found.ino(),
                    },
                ));
            }
            Err(error) => self.errors.push(unreadable(&path, &error)),
        }
    }
}

pub(super) fn unreadable(path: &str, error: &std::io::Error) -> SourceError {
    SourceError::new(format!("cannot be read: {error}"))
        .in_file(path)
        .hint("check its permissions")
}
