//! Finds a site's source files, and which of them changed, by looking at their sizes and times before their bytes.

mod walk;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use foldhash::HashMap;
use rayon::prelude::*;

use crate::error::SourceError;
use walk::{FOLDERS, Walk, ignored, unreadable};
use watch::Watch;

const MAGIC: [u8; 8] = *b"HWSRC\0\0\x01";
const HASH: usize = 16;

type Hash = [u8; HASH];
type Kept = (String, (Stat, Hash));
/// Files as they were met, and whether any of them is a link.
type Walked = (Vec<(String, Stat)>, bool);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    size: u64,
    modified: i128,
    inode: u64,
}

impl Stat {
    /// The time of the last change, in whole seconds since 1970, as a Last-Modified field has it.
    fn seconds(&self) -> u64 {
        u64::try_from(self.modified / 1_000_000_000).unwrap_or(0)
    }
}

/// The source files of a site.
#[derive(Debug)]
pub struct Sources {
    root: PathBuf,
    state: PathBuf,
    max_file: u64,
    known: HashMap<String, (Stat, Hash)>,
    found: BTreeMap<String, (Stat, Hash)>,
    changed: bool,
    redated: Vec<String>,
    watch: Option<Watch>,
    /// Whether the last scan is whole, so that only what is told to be changed since need be looked at.
    is_whole: bool,
    has_links: bool,
}

/// What changed since the last look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// The hash of each file that changed; none where it is gone.
    Some(BTreeMap<String, Option<String>>),
    /// All files anew: what changed is not known.
    All(BTreeMap<String, String>),
}

impl Sources {
    /// Takes a site's folder, the file where the last scan is kept, and the size over which a file is refused.
    pub fn new(root: &Path, state: &Path, max_file: u64) -> Self {
        let known = fs::read(state)
            .ok()
            .and_then(|bytes| decode(&bytes))
            .unwrap_or_default();
        Self {
            root: root.to_owned(),
            state: state.to_owned(),
            max_file,
            known,
            found: BTreeMap::new(),
            changed: true,
            redated: Vec::new(),
            watch: None,
            is_whole: false,
            has_links: false,
        }
    }

    /// Lets the kernel tell what changes from now on; `skipped` are folders that are none of the sources. Returns
    /// whether it does: the watches of a system are counted.
    pub fn watch(&mut self, skipped: &[PathBuf]) -> bool {
        self.watch = Watch::begin(&self.root, skipped);
        self.is_whole = false;
        self.watch.is_some()
    }

    /// Waits until a file changed, at most so long. Returns whether one did; without a watch, one may always have.
    pub fn wait(&self, timeout: Duration) -> bool {
        if let Some(watch) = &self.watch {
            return watch.wait(timeout);
        }
        std::thread::sleep(timeout);
        true
    }

    /// Looks at what changed since the last look: at the files that are told to have, or at all.
    ///
    /// # Errors
    /// What cannot be used, as for [`scan`](Self::scan).
    pub fn look(&mut self, skipped: &[PathBuf]) -> Result<Changes, Vec<SourceError>> {
        let told = self.watch.as_mut().map(Watch::changes);
        if let Some(Some(told)) = told.as_ref()
            && self.is_whole
            && !told.contains(".buildignore")
        {
            return match self.look_at(told) {
                Ok(changed) => Ok(Changes::Some(changed)),
                Err(errors) => {
                    self.is_whole = false;
                    Err(errors)
                }
            };
        }
        if told == Some(None) {
            self.watch(skipped);
        }
        self.is_whole = false;
        let all = self.scan(false)?;
        // What a link leads to may change without the link.
        self.is_whole = self.watch.is_some() && !self.has_links;
        Ok(Changes::All(all))
    }

    fn look_at(&mut self, told: &BTreeSet<String>) -> Result<BTreeMap<String, Option<String>>, Vec<SourceError>> {
        let mut walk = self.begin_walk()?;
        for path in told {
            walk.one(path);
        }
        if !walk.errors.is_empty() {
            return Err(walk.errors);
        }
        let has_links = walk.has_links;
        let mut now: BTreeMap<String, (Stat, Hash)> = BTreeMap::new();
        for (path, stat) in walk.found {
            let known = self.found.get(&path).filter(|(before, _)| *before == stat);
            let hash = match known {
                Some((_, hash)) => *hash,
                None => hash_file(&self.root.join(&path)).map_err(|error| vec![unreadable(&path, &error)])?,
            };
            now.insert(path, (stat, hash));
        }
        let mut changed = BTreeMap::new();
        self.redated.clear();
        for path in told {
            let inner = format!("{path}/");
            let is_of = |name: &String| name == path || name.starts_with(&inner);
            let before: Vec<String> = self
                .found
                .range(path.clone()..)
                .map(|(name, _)| name)
                .take_while(|name| name.starts_with(path.as_str()))
                .filter(|name| is_of(name))
                .cloned()
                .collect();
            for name in before {
                if !now.contains_key(&name) {
                    self.found.remove(&name);
                    self.known.remove(&name);
                    changed.insert(name, None);
                }
            }
        }
        for (path, (stat, hash)) in now {
            let before = self.found.insert(path.clone(), (stat, hash));
            self.known.insert(path.clone(), (stat, hash));
            if before.is_none_or(|(before, _)| before.seconds() != stat.seconds()) {
                self.redated.push(path.clone());
            }
            if before.is_none_or(|(_, before)| before != hash) {
                changed.insert(path, Some(hex(&hash)));
            }
        }
        self.changed = !changed.is_empty();
        self.has_links |= has_links;
        self.is_whole &= !has_links;
        Ok(changed)
    }

    /// Scans, and returns the hash of each file by its path. Files whose size, time and inode are as they were are not
    /// read; with `fresh` all are.
    ///
    /// # Errors
    /// What cannot be used: unreadable files, links that lead out of the site, what is no file.
    pub fn scan(&mut self, fresh: bool) -> Result<BTreeMap<String, String>, Vec<SourceError>> {
        let (walk, has_links) = self.walk()?;
        self.has_links = has_links;
        let known = &self.known;
        let root = &self.root;
        let results: Vec<Result<Kept, SourceError>> = walk
            .into_par_iter()
            .with_min_len(64)
            .map(|(path, stat)| {
                if let Some((before, hash)) = known.get(&path).filter(|(before, _)| !fresh && *before == stat) {
                    return Ok((path, (*before, *hash)));
                }
                let hash = hash_file(&root.join(&path)).map_err(|error| unreadable(&path, &error))?;
                Ok((path, (stat, hash)))
            })
            .collect();
        let mut errors = Vec::new();
        self.found = results
            .into_iter()
            .filter_map(|one| one.map_err(|error| errors.push(error)).ok())
            .collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let same =
            |(path, (_, hash)): (&String, &(Stat, Hash))| self.known.get(path).is_some_and(|(_, other)| other == hash);
        self.changed = self.found.len() != self.known.len() || !self.found.iter().all(same);
        let redated = |(path, (stat, _)): (&String, &(Stat, Hash))| {
            let before = self.known.get(path).map(|(before, _)| before.seconds());
            (before != Some(stat.seconds())).then(|| path.clone())
        };
        self.redated = self.found.iter().filter_map(redated).collect();
        let hashes = self
            .found
            .iter()
            .map(|(path, (_, hash))| (path.clone(), hex(hash)))
            .collect();
        self.known = self.found.iter().map(|(path, kept)| (path.clone(), *kept)).collect();
        Ok(hashes)
    }

    /// Whether the last scan found anything but what was known before it.
    pub const fn changed(&self) -> bool {
        self.changed
    }

    /// The files that the last scan found with another time of change, in whole seconds, than was known before it.
    pub fn redated(&self) -> &[String] {
        &self.redated
    }

    /// The time of the last change of each file that the last scan found, in seconds since 1970.
    pub fn times(&self) -> impl Iterator<Item = (&str, u64)> {
        let found = self.found.iter();
        found.map(|(path, (stat, _))| (path.as_str(), stat.seconds()))
    }

    /// Whether all files are as they were at the last scan that was kept, by sizes and times alone.
    pub fn is_current(&self) -> bool {
        let Ok((walk, _)) = self.walk() else { return false };
        walk.len() == self.known.len()
            && walk
                .iter()
                .all(|(path, stat)| self.known.get(path).is_some_and(|(before, _)| before == stat))
    }

    /// Keeps what the last scan found, for the next process.
    ///
    /// # Errors
    /// The state file cannot be written.
    pub fn save(&self) -> std::io::Result<()> {
        let aside = self.state.with_extension(std::process::id().to_string());
        let mut file = File::create(&aside)?;
        file.write_all(&encode(&self.found))?;
        drop(file);
        fs::rename(aside, &self.state)
    }

    fn begin_walk(&self) -> Result<Walk<'_>, Vec<SourceError>> {
        Ok(Walk {
            root: &self.root,
            ignored: ignored(&self.root)?,
            max_file: self.max_file,
            found: Vec::new(),
            errors: Vec::new(),
            has_links: false,
        })
    }

    /// All source files.
    fn walk(&self) -> Result<Walked, Vec<SourceError>> {
        let mut walk = self.begin_walk()?;
        for folder in FOLDERS {
            let path = self.root.join(folder);
            if path.is_symlink() {
                walk.link(folder.to_owned(), &path);
            } else if path.exists() {
                walk.folder(folder, 1);
            }
        }
        walk.top();
        if walk.errors.is_empty() {
            Ok((walk.found, walk.has_links))
        } else {
            Err(walk.errors)
        }
    }
}

fn hash_file(path: &Path) -> std::io::Result<Hash> {
    let mut file = File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hasher.update(buffer.get(..count).unwrap_or(&[]));
    }
    let mut short = [0; HASH];
    short.copy_from_slice(&hasher.finalize().as_bytes()[..HASH]);
    Ok(short)
}

fn encode(found: &BTreeMap<String, (Stat, Hash)>) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(u32::try_from(found.len()).unwrap_or(u32::MAX).to_le_bytes());
    for (path, (stat, hash)) in found {
        bytes.extend(u32::try_from(path.len()).unwrap_or(0).to_le_bytes());
        bytes.extend(path.as_bytes());
        bytes.extend(stat.size.to_le_bytes());
        bytes.extend(stat.modified.to_le_bytes());
        bytes.extend(stat.inode.to_le_bytes());
        bytes.extend(hash);
    }
    let sum = blake3::hash(&bytes);
    bytes.extend(&sum.as_bytes()[..HASH]);
    bytes
}

/// Reads what `encode` wrote; none where it is damaged, which only means that all files are read again.
fn decode(bytes: &[u8]) -> Option<HashMap<String, (Stat, Hash)>> {
    let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(HASH)?)?;
    if blake3::hash(body).as_bytes().get(..HASH)? != sum {
        return None;
    }
    let mut rest = body.strip_prefix(&MAGIC)?;
    let mut take = |count: usize| {
        let (part, after) = rest.split_at_checked(count)?;
        rest = after;
        Some(part)
    };
    let count = u32::from_le_bytes(take(4)?.try_into().ok()?) as usize;
    let mut found = HashMap::default();
    for _ in 0..count {
        let length = u32::from_le_bytes(take(4)?.try_into().ok()?) as usize;
        let path = std::str::from_utf8(take(length)?).ok()?.to_owned();
        let size = u64::from_le_bytes(take(8)?.try_into().ok()?);
        let modified = i128::from_le_bytes(take(16)?.try_into().ok()?);
        let inode = u64::from_le_bytes(take(8)?.try_into().ok()?);
        found.insert(path, (Stat { size, modified, inode }, take(HASH)?.try_into().ok()?));
    }
    Some(found)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    fn site() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("site");
        for (path, text) in [
            ("site.toml", "t"),
            ("content/a.md", "1"),
            ("content/b/c.md", "2"),
            ("assets/.hidden", "x"),
            ("other/x", "y"),
        ] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        }
        (folder, root)
    }

    #[test]
    fn a_file_saved_again_without_a_change_has_another_date_and_no_other_hash() {
        let (_folder, root) = site();
        let state = root.join("state");
        let scan = |seconds: u64, nanoseconds: u32| {
            let time = std::time::UNIX_EPOCH + std::time::Duration::new(seconds, nanoseconds);
            let file = File::options().append(true).open(root.join("content/a.md")).unwrap();
            file.set_modified(time).unwrap();
            let mut sources = Sources::new(&root, &state, 1000);
            sources.scan(false).unwrap();
            sources.save().unwrap();
            let time = sources.times().find(|(path, _)| *path == "content/a.md").unwrap().1;
            (sources.changed(), sources.redated().to_vec(), time)
        };
        assert_eq!(scan(1000, 0).1.len(), 3);
        assert_eq!(scan(1000, 5), (false, vec![], 1000));
        assert_eq!(scan(2000, 5), (false, vec!["content/a.md".to_owned()], 2000));
    }

    #[test]
    fn a_change_is_seen_and_nothing_else_is() {
        let (_folder, root) = site();
        let state = root.join("state");
        let scan = || {
            let mut sources = Sources::new(&root, &state, 1000);
            let files = sources.scan(false).unwrap();
            sources.save().unwrap();
            (files, sources.changed())
        };
        let (first, changed) = scan();
        assert!(changed);
        assert_eq!(
            first.keys().collect::<Vec<_>>(),
            ["content/a.md", "content/b/c.md", "site.toml"]
        );
        assert_eq!(scan(), (first.clone(), false));
        assert!(Sources::new(&root, &state, 1000).is_current());
        fs::write(root.join("content/a.md"), "22").unwrap();
        assert!(!Sources::new(&root, &state, 1000).is_current());
        let (second, changed) = scan();
        assert!(changed && second["content/a.md"] != first["content/a.md"]);
        fs::write(&state, "damaged").unwrap();
        assert_eq!(scan().0, second);
    }

    fn with(mut known: BTreeMap<String, String>, changes: Changes) -> BTreeMap<String, String> {
        match changes {
            Changes::All(all) => all,
            Changes::Some(some) => {
                for (path, hash) in some {
                    match hash {
                        Some(hash) => drop(known.insert(path, hash)),
                        None => drop(known.remove(&path)),
                    }
                }
                known
            }
        }
    }

    #[test]
    fn what_is_looked_at_bit_by_bit_is_what_a_scan_finds() {
        let (_folder, root) = site();
        let mut sources = Sources::new(&root, &root.join("state"), 1000);
        assert!(sources.watch(&[]));
        let first = sources.look(&[]).unwrap();
        assert!(matches!(first, Changes::All(_)));
        let mut known = with(BTreeMap::new(), first);
        let steps: [&dyn Fn(); 9] = [
            &|| fs::write(root.join("content/a.md"), "other").unwrap(),
            &|| fs::remove_file(root.join("content/b/c.md")).unwrap(),
            &|| fs::create_dir_all(root.join("pages/x/y")).unwrap(),
            &|| fs::write(root.join("pages/x/y/z.html"), "z").unwrap(),
            &|| fs::write(root.join("content/.a.md.swp"), "z").unwrap(),
            &|| fs::rename(root.join("pages/x"), root.join("content/x")).unwrap(),
            &|| fs::write(root.join(".buildignore"), "content/x/\n").unwrap(),
            &|| fs::write(root.join("content/x/y/z.html"), "zz").unwrap(),
            &|| fs::remove_dir_all(root.join("content")).unwrap(),
        ];
        for (number, step) in steps.iter().enumerate() {
            step();
            known = with(known, sources.look(&[]).unwrap());
            let wanted = Sources::new(&root, &root.join("none"), 1000).scan(false).unwrap();
            assert_eq!(known, wanted, "after step {number}");
        }
    }

    #[test]
    fn what_is_ignored_is_not_there() {
        let (_folder, root) = site();
        fs::write(root.join(".buildignore"), "content/b/\n").unwrap();
        let files = Sources::new(&root, &root.join("s"), 1000).scan(false).unwrap();
        assert_eq!(
            files.keys().collect::<Vec<_>>(),
            [".buildignore", "content/a.md", "site.toml"]
        );
    }

    #[test]
    fn what_is_no_file_cannot_say_what_is_ignored() {
        let (_folder, root) = site();
        fs::create_dir(root.join(".buildignore")).unwrap();
        let errors = Sources::new(&root, &root.join("s"), 1000).scan(false).unwrap_err();
        assert_eq!(errors[0].file.as_deref(), Some(".buildignore"));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let (folder, root) = site();
        fs::write(folder.path().join("secret"), "s").unwrap();
        symlink(folder.path().join("secret"), root.join("content/out.md")).unwrap();
        symlink(root.join("content/a.md"), root.join("content/in.md")).unwrap();
        symlink(root.join("content/gone"), root.join("content/nothing.md")).unwrap();
        fs::write(root.join("content/big.md"), "x".repeat(2000)).unwrap();
        std::process::Command::new("mkfifo")
            .arg(root.join("static_fifo"))
            .status()
            .unwrap();
        fs::create_dir(root.join("static")).unwrap();
        fs::rename(root.join("static_fifo"), root.join("static/fifo")).unwrap();
        let errors = Sources::new(&root, &root.join("s"), 1000).scan(false).unwrap_err();
        let mut files: Vec<_> = errors.iter().map(|error| error.file.clone().unwrap()).collect();
        files.sort();
        assert!(errors.iter().all(|error| error.hint.is_some()));
        let dangling = |error: &&SourceError| error.message == "this link leads to nothing";
        assert_eq!(errors.iter().filter(dangling).count(), 1);
        assert_eq!(
            files,
            ["content/big.md", "content/nothing.md", "content/out.md", "static/fifo"]
        );
    }

    proptest! {
        #[test]
        fn any_state_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
            let mut sealed = MAGIC.to_vec();
            sealed.extend(&bytes);
            let sum = blake3::hash(&sealed);
            sealed.extend(&sum.as_bytes()[..HASH]);
            let _ = decode(&sealed);
        }
    }
}
