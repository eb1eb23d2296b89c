//! What all runs of one job know of: the files read, the workers and stylesheets met.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::job::{Job, Naming, shown, stem};
use super::styles::Sheet;
use crate::error::SourceError;

/// How many letters of a hash a name has.
pub(super) const HASH: usize = 10;

#[derive(Debug)]
pub(super) struct Shared {
    job: Job,
    inputs: Mutex<BTreeSet<String>>,
    files: Mutex<BTreeMap<String, String>>,
    led: Mutex<BTreeSet<String>>,
    /// Scripts that are loaded on their own: file → name.
    workers: Mutex<BTreeMap<String, String>>,
    sheets: Mutex<HashMap<String, Sheet>>,
    faults: Mutex<Vec<SourceError>>,
}

fn lock<T>(one: &Mutex<T>) -> MutexGuard<'_, T> {
    one.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(job: &Job) -> Arc<Self> {
        Arc::new(Self {
            job: job.clone(),
            inputs: Mutex::default(),
            files: Mutex::default(),
            led: Mutex::default(),
            workers: Mutex::default(),
            sheets: Mutex::default(),
            faults: Mutex::default(),
        })
    }

    pub(super) fn job(&self) -> &Job {
        &self.job
    }

    pub(super) fn assets(&self) -> PathBuf {
        self.job.root.join("assets")
    }

    /// Whether there is such a file, made or read.
    pub(super) fn has(&self, file: &Path) -> bool {
        file.is_file() || self.job.texts.contains_key(&*file.to_string_lossy())
    }

    pub(super) fn input(&self, file: &str) {
        lock(&self.inputs).insert(file.to_owned());
    }

    pub(super) fn fault(&self, error: SourceError) {
        lock(&self.faults).push(error);
    }

    pub(super) fn take_faults(&self) -> Vec<SourceError> {
        let mut found = std::mem::take(&mut *lock(&self.faults));
        found.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
        found.dedup();
        found
    }

    pub(super) fn keep_sheet(&self, file: &str, sheet: Sheet) {
        lock(&self.sheets).insert(file.to_owned(), sheet);
    }

    pub(super) fn sheet(&self, file: &str) -> Option<Sheet> {
        lock(&self.sheets).get(file).cloned()
    }

    /// Returns where a file is served from, which is read for its hash where it is none of the site's assets.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn url(&self, file: &Path) -> std::io::Result<String> {
        let text = file.to_string_lossy().into_owned();
        if let Some(name) = self.asset(file)
            && let Some(url) = self.job.urls.get(&name)
        {
            lock(&self.led).insert(name);
            return Ok(url.clone());
        }
        let bytes = std::fs::read(file)?;
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        let ending = name.get(stem(&name).len()..).unwrap_or("");
        let url = encoded(&format!("/assets/_files/{}.{}{ending}", stem(&name), digest(&bytes)));
        self.input(&text);
        lock(&self.files).insert(url.clone(), text);
        Ok(url)
    }

    /// Returns the name of a file in `assets/`.
    pub(super) fn asset(&self, file: &Path) -> Option<String> {
        let inside = file.strip_prefix(self.assets()).ok()?;
        inside.to_str().map(ToOwned::to_owned)
    }

    /// Returns where a script is served from that is loaded on its own: what stands for its hash is known later.
    pub(super) fn worker(&self, file: &Path) -> String {
        let name = worker_name(&self.job, file);
        lock(&self.workers).insert(file.to_string_lossy().into_owned(), name.clone());
        worker_url(&self.job, &name)
    }

    /// Returns a worker that is not yet made: its file and its name.
    pub(super) fn next_worker(&self, done: &BTreeSet<String>) -> Option<(String, String)> {
        let workers = lock(&self.workers);
        let next = workers.iter().find(|(file, _)| !done.contains(*file));
        next.map(|(file, name)| (file.clone(), name.clone()))
    }

    /// Returns the files that were read, those that are served as they are, and the assets that are referred to.
    pub(super) fn finish(&self) -> (Vec<String>, Vec<(String, String)>, Vec<String>) {
        (
            lock(&self.inputs).iter().cloned().collect(),
            lock(&self.files).clone().into_iter().collect(),
            lock(&self.led).iter().cloned().collect(),
        )
    }
}

fn worker_name(job: &Job, file: &Path) -> String {
    let text = file.to_string_lossy();
    if let Ok(inside) = file.strip_prefix(job.root.join("assets")) {
        return format!("_workers/{}", inside.to_string_lossy());
    }
    // Of a package: two of them may have files of one name.
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    let which = digest(shown(job, &text).as_bytes());
    format!("_workers/{which}/{}", name.unwrap_or_default())
}

pub(super) fn worker_url(job: &Job, name: &str) -> String {
    let stem = stem(name);
    match job.naming {
        Naming::Plain => encoded(&format!("/assets/{stem}.js")),
        Naming::Mapped | Naming::Hashed => encoded(&format!("/assets/{stem}.{}.js", token(name))),
    }
}

/// Returns what stands for the hash of a worker until it is known; nothing else in a script looks like it.
pub(super) fn token(name: &str) -> String {
    digest(format!("worker {name}").as_bytes())
}

/// Returns the hash of some bytes as it stands in names.
pub(super) fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes)
        .to_hex()
        .as_str()
        .get(..HASH)
        .unwrap_or("")
        .to_owned()
}

/// Returns the path that stands in a URL.
pub(super) fn decoded(url: &str) -> String {
    let mut bytes = Vec::with_capacity(url.len());
    let mut rest = url.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = code
            .filter(|_| *first == b'%')
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = after.get(if byte.is_some() { 2 } else { 0 }..).unwrap_or(&[]);
    }
    String::from_utf8(bytes).unwrap_or_else(|_| url.to_owned())
}

/// Returns a path as it stands in a URL.
pub(super) fn encoded(path: &str) -> String {
    use std::fmt::Write as _;
    path.bytes().fold(String::with_capacity(path.len()), |mut url, byte| {
        if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
        url
    })
}
