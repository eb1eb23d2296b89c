//! Where certificates that the edge fetches are kept, with the account they were fetched by.
//!
//! An authority has a folder of its own: another one's certificates are not taken for its. In it are `account.json`, and
//! for each host `HOST.pem` with the key and the certificate in one file, so that none of both can be of another time.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use serde::{Deserialize, Serialize};

use crate::certificate::Certificate;
use crate::config::CertificateConfig;
use crate::error::EdgeError;

/// A folder for one authority.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
}

/// An account, as it is kept.
#[derive(Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) contact: Vec<String>,
    pub(crate) credentials: AccountCredentials,
}

impl Store {
    /// The folder below `storage` for the authority at `directory`; nobody else can enter it.
    pub(crate) fn open(storage: &Path, directory: &str) -> Result<Self, EdgeError> {
        let host = directory.strip_prefix("https://").unwrap_or(directory);
        let host: String = host
            .chars()
            .take_while(|one| *one != '/')
            .map(|one| {
                if one.is_ascii_alphanumeric() || one == '.' {
                    one
                } else {
                    '_'
                }
            })
            .collect();
        let hash = blake3::hash(directory.as_bytes()).to_hex();
        let folder = storage.join(format!("{host}-{}", hash.get(..8).unwrap_or_default()));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|error| not_kept(&folder, &error))?;
        Ok(Self { folder })
    }

    /// The file of a host's certificate.
    pub(crate) fn file(&self, host: &str) -> PathBuf {
        self.folder.join(format!("{host}.pem"))
    }

    /// What is kept for a host, where it can be used.
    pub(crate) fn certificate(&self, host: &str) -> Option<Certificate> {
        Certificate::read(&CertificateConfig::kept(self.file(host), host)).ok()
    }

    /// Keeps a certificate and its key, once they are found to belong together and to be the host's.
    pub(crate) fn keep(&self, host: &str, key: &str, chain: &str) -> Result<(), EdgeError> {
        let text = format!("{}\n{}\n", key.trim(), chain.trim());
        let file = self.file(host);
        self.write(&file, text.as_bytes(), |aside| {
            let own = CertificateConfig {
                hosts: Vec::new(),
                ..CertificateConfig::kept(aside.to_owned(), host)
            };
            if Certificate::read(&own)?.is_for(host) {
                return Ok(());
            }
            Err(EdgeError::Config(format!(
                "the authority sent a certificate that is not for {host}"
            )))
        })
    }

    /// The account; none where there is none that can be read.
    pub(crate) fn account(&self) -> Option<Kept> {
        serde_json::from_slice(&fs::read(self.account_file()).ok()?).ok()
    }

    pub(crate) fn keep_account(&self, kept: &Kept) -> Result<(), EdgeError> {
        let text = serde_json::to_vec(kept).map_err(|error| EdgeError::Config(error.to_string()))?;
        self.write(&self.account_file(), &text, |_| Ok(()))
    }

    /// Forgets the account, which the authority does not know any more.
    pub(crate) fn forget_account(&self) {
        // It may be gone.
        let _ = fs::remove_file(self.account_file());
    }

    /// Keeps others who share the folder from fetching at the same time, for as long as the file is open. None while
    /// another does.
    pub(crate) fn lock(&self) -> Result<Option<File>, EdgeError> {
        let path = self.folder.join("lock");
        let failed = |error: &io::Error| not_kept(&path, error);
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(&path);
        let file = file.map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(failed(&error)),
        }
    }

    fn account_file(&self) -> PathBuf {
        self.folder.join("account.json")
    }

    /// Writes a file that only this user can read: whole, after it was found good, or not at all.
    fn write(
        &self,
        file: &Path,
        bytes: &[u8],
        check: impl FnOnce(&Path) -> Result<(), EdgeError>,
    ) -> Result<(), EdgeError> {
        let aside = file.with_extension(format!("new-{}", std::process::id()));
        let put = || -> io::Result<()> {
            let _ = fs::remove_file(&aside);
            let mut out = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&aside)?;
            out.write_all(bytes)?;
            out.sync_all()
        };
        let done = put()
            .map_err(|error| not_kept(file, &error))
            .and_then(|()| check(&aside));
        let done = done.and_then(|()| {
            let placed = fs::rename(&aside, file).and_then(|()| File::open(&self.folder)?.sync_all());
            placed.map_err(|error| not_kept(file, &error))
        });
        if done.is_err() {
            let _ = fs::remove_file(&aside);
        }
        done
    }
}

fn not_kept(file: &Path, error: &io::Error) -> EdgeError {
    EdgeError::Certificate {
        file: file.to_owned(),
        what: format!("it cannot be written: {error}"),
        hint: "let the user that the server runs as write there, or name another folder with `acme.storage`",
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::self_signed::self_signed;

    fn store(folder: &Path) -> Store {
        Store::open(folder, "https://a.example:14000/dir").unwrap()
    }

    #[test]
    fn what_is_kept_is_whole_and_for_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder.path().join("acme"));
        assert!(store.certificate("one.example").is_none());
        let (chain, key) = self_signed(&["one.example".to_owned()]).unwrap();
        store.keep("one.example", &key, &chain).unwrap();
        assert_eq!(store.certificate("one.example").unwrap().names, ["one.example"]);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&store.file("one.example")), mode(&store.folder)), (0o600, 0o700));

        // Another's key, another's certificate, and nonsense: what was there stays.
        let (other, other_key) = self_signed(&["two.example".to_owned()]).unwrap();
        for (key, chain) in [
            (&other_key, &chain),
            (&other_key, &other),
            (&key, &"nonsense".to_owned()),
        ] {
            assert!(store.keep("one.example", key, chain).is_err());
            assert_eq!(store.certificate("one.example").unwrap().names, ["one.example"]);
        }
        let names = fs::read_dir(&store.folder).unwrap().map(|one| one.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["one.example.pem"], "nothing is left over");
    }

    #[test]
    fn authorities_are_kept_apart() {
        let folder = tempfile::tempdir().unwrap();
        let other = Store::open(folder.path(), "https://a.example:14000/other").unwrap();
        assert_ne!(store(folder.path()).folder, other.folder);
    }

    #[test]
    fn one_at_a_time_fetches() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (store(folder.path()), store(folder.path()));
        let held = one.lock().unwrap();
        assert!(held.is_some() && other.lock().unwrap().is_none());
        drop(held);
        assert!(other.lock().unwrap().is_some());
    }
}
