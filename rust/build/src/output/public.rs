//! The plain files of a built site.
//!
//! New files are written to a folder aside. Only when the pack is on the disk too are they put in place, by renaming, so
//! that a build that fails leaves what was there.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Where files too large for the pack are, relative to `dist`, each under its hash.
const LARGE: &str = "large";
/// Stands in `dist` while files are put in place: where a build finds it, the one before was stopped in between.
const PUBLISHING: &str = ".publishing";

/// Returns the file that answers for a URL path: `/a/` is `a/index.html`, `/a.css` is `a.css`.
pub fn public_path(url: &str) -> Option<String> {
    let bare = url.strip_prefix('/')?;
    let unsafe_part = |part: &str| part == "." || part == ".." || part.contains(['\\', '\0']);
    if bare.split('/').any(unsafe_part) || bare.contains("//") {
        return None;
    }
    let name = bare.rsplit('/').next().unwrap_or("");
    Some(match (name.is_empty(), name.contains('.')) {
        (true, _) => format!("{bare}index.html"),
        (false, true) => bare.to_owned(),
        (false, false) => format!("{bare}/index.html"),
    })
}

#[derive(Debug)]
pub(crate) struct Public {
    folder: PathBuf,
    staging: PathBuf,
    /// Where all plain files are put aside, each under its path, when there are none yet.
    tree: Option<PathBuf>,
    folders: HashSet<PathBuf>,
    staged: Vec<(PathBuf, String)>,
    expected: HashSet<String>,
    /// Files too large for the pack, each under its hash.
    large: PathBuf,
    expected_large: HashSet<String>,
    publishing: PathBuf,
    /// Whether the plain files may be of another build than the pack.
    is_doubtful: bool,
    pub(crate) written: usize,
    pub(crate) removed: usize,
}

impl Public {
    pub(crate) fn create(dist: &Path) -> io::Result<Self> {
        let staging = dist.join(".staging");
        if staging.exists() {
            fs::remove_dir_all(&staging)?;
        }
        fs::create_dir_all(&staging)?;
        let folder = dist.join("public");
        let publishing = dist.join(PUBLISHING);
        Ok(Self {
            tree: fs::symlink_metadata(&folder).is_err().then(|| staging.join("tree")),
            folders: HashSet::new(),
            staged: Vec::new(),
            expected: HashSet::new(),
            large: dist.join(LARGE),
            expected_large: HashSet::new(),
            is_doubtful: publishing.exists(),
            publishing,
            folder,
            staging,
            written: 0,
            removed: 0,
        })
    }

    /// Keeps the file of a response that is as it was. False where there is none.
    pub(crate) fn keep(&mut self, path: &str, size: u64) -> bool {
        let there = !self.is_doubtful
            && fs::symlink_metadata(self.folder.join(path)).is_ok_and(|found| found.is_file() && found.len() == size);
        if there {
            self.expected.insert(path.to_owned());
        }
        there
    }

    /// Writes a file aside.
    pub(crate) fn stage(&mut self, path: &str, bytes: &[u8]) -> Result<(), (PathBuf, io::Error)> {
        let aside = self.next(path)?;
        fs::write(&aside, bytes).map_err(|error| (aside, error))
    }

    /// Copies a large file to where the pack finds it, under the name of its hash, and puts the same file aside under
    /// its own. What a pack refers to is thus never changed by a later build.
    pub(crate) fn stage_large(
        &mut self,
        path: &str,
        source: &Path,
        size: u64,
        hash: &str,
    ) -> Result<(), (PathBuf, io::Error)> {
        let kept = self.large.join(hash);
        if !fs::metadata(&kept).is_ok_and(|found| found.len() == size) {
            let copy = self.staging.join(hash);
            fs::create_dir_all(&self.large)
                .and_then(|()| fs::copy(source, &copy))
                .and_then(|_| File::open(&copy)?.sync_all())
                .and_then(|()| fs::rename(&copy, &kept))
                .map_err(|error| (kept.clone(), error))?;
        }
        self.stage_kept(path, hash)
    }

    /// Puts a large file that an earlier build kept aside under its own name.
    pub(crate) fn stage_kept(&mut self, path: &str, hash: &str) -> Result<(), (PathBuf, io::Error)> {
        self.keep_large(hash);
        let kept = self.large.join(hash);
        let aside = self.next(path)?;
        // Where the file system has no hard links, it is there twice.
        fs::hard_link(&kept, &aside)
            .or_else(|_| fs::copy(&kept, &aside).map(drop))
            .map_err(|error| (kept, error))
    }

    /// Keeps a large file that a pack refers to.
    pub(crate) fn keep_large(&mut self, hash: &str) {
        self.expected_large.insert(hash.to_owned());
    }

    fn next(&mut self, path: &str) -> Result<PathBuf, (PathBuf, io::Error)> {
        self.expected.insert(path.to_owned());
        let Some(tree) = &self.tree else {
            let aside = self.staging.join(self.staged.len().to_string());
            self.staged.push((aside.clone(), path.to_owned()));
            return Ok(aside);
        };
        let aside = tree.join(path);
        if let Some(folder) = aside.parent()
            && !self.folders.contains(folder)
        {
            fs::create_dir_all(folder).map_err(|error| (folder.to_owned(), error))?;
            self.folders.insert(folder.to_owned());
        }
        self.written += 1;
        Ok(aside)
    }

    /// Puts the new files in place and removes those that are no longer there. `before` are the files of the build
    /// that this one takes over from, where there is one: only those can be too many.
    pub(crate) fn publish(&mut self, before: Option<impl Iterator<Item = String>>) -> Result<(), (PathBuf, io::Error)> {
        fs::write(&self.publishing, []).map_err(|error| (self.publishing.clone(), error))?;
        if let Some(tree) = self.tree.as_ref().filter(|tree| tree.exists()) {
            fs::rename(tree, &self.folder).map_err(|error| (self.folder.clone(), error))?;
        }
        for (aside, path) in &self.staged {
            let dest = self.folder.join(path);
            let folder = dest.parent().unwrap_or(&self.folder);
            if !self.folders.contains(folder) {
                make_folder(&self.folder, folder).map_err(|error| (folder.to_owned(), error))?;
                self.folders.insert(folder.to_owned());
            }
            if fs::symlink_metadata(&dest).is_ok_and(|found| found.is_dir()) {
                fs::remove_dir_all(&dest).map_err(|error| (dest.clone(), error))?;
            }
            fs::rename(aside, &dest).map_err(|error| (dest.clone(), error))?;
            self.written += 1;
        }
        remove_unknown(&self.large, "", &self.expected_large).map_err(|error| (self.large.clone(), error))?;
        // Only an empty folder can be removed so.
        let _ = fs::remove_dir(&self.large);
        if self.tree.is_some() {
            return Ok(());
        }
        let root = self.folder.clone();
        self.removed = match before.filter(|_| !self.is_doubtful) {
            Some(before) => self.remove_old(before),
            None => remove_unknown(&root, "", &self.expected).map(|(removed, _)| removed),
        }
        .map_err(|error| (root, error))?;
        Ok(())
    }

    /// Removes those of the files of the build before that this one has not, and the folders that are empty then.
    fn remove_old(&self, before: impl Iterator<Item = String>) -> io::Result<usize> {
        let mut removed = 0;
        for path in before.filter(|path| !self.expected.contains(path)) {
            let file = self.folder.join(&path);
            match fs::remove_file(&file) {
                Ok(()) => removed += 1,
                // It was never written, or a folder stands in its place now, or its folder is one no more.
                Err(_) if !file.is_file() => continue,
                Err(error) => return Err(error),
            }
            let parents = file.ancestors().skip(1).take_while(|parent| *parent != self.folder);
            for parent in parents {
                // Only an empty folder can be removed so.
                if fs::remove_dir(parent).is_err() {
                    break;
                }
            }
        }
        Ok(removed)
    }

    /// Notes that the pack is in place too.
    pub(crate) fn published(&self) -> Result<(), (PathBuf, io::Error)> {
        fs::remove_file(&self.publishing).map_err(|error| (self.publishing.clone(), error))
    }
}

impl Drop for Public {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the next build begins.
        let _ = fs::remove_dir_all(&self.staging);
    }
}

/// Makes a folder below `root`. A link or a file that stands where a folder should be is replaced, never followed.
fn make_folder(root: &Path, folder: &Path) -> io::Result<()> {
    let mut at = root.to_owned();
    fs::create_dir_all(&at)?;
    for part in folder.strip_prefix(root).unwrap_or(folder).components() {
        at.push(part);
        match fs::symlink_metadata(&at) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                fs::remove_file(&at)?;
                fs::create_dir(&at)?;
            }
            Err(_) => fs::create_dir(&at)?,
        }
    }
    Ok(())
}

/// Removes what is not expected. Returns how many files that were, and whether anything is left.
fn remove_unknown(folder: &Path, prefix: &str, expected: &HashSet<String>) -> io::Result<(usize, bool)> {
    let (mut removed, mut is_left) = (0, false);
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok((0, false));
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            let (inner, is_needed) = remove_unknown(&entry.path(), &format!("{path}/"), expected)?;
            removed += inner;
            // Only an empty folder can be removed so.
            is_left |= is_needed || fs::remove_dir(entry.path()).is_err();
        } else if expected.contains(&path) {
            is_left = true;
        } else {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok((removed, is_left))
}
