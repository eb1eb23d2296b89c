//! The folder of an environment: who may open it, what is in the way, and whether its files are still the same.
//!
//! Beside LMDB's `data.mdb` and `lock.mdb` there are two files of ours. `gate` is locked by whoever opens the
//! environment, for as long as that takes. `alive` is locked, shared, by every process that has it open, and holds the
//! largest size the data file was seen with. The kernel gives both locks back when a process dies.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::inspect::inspect;
use super::trouble::Trouble;

/// Another process that opens the environment has it within this time, or is stopped.
const GATE_PATIENCE: Duration = Duration::from_secs(3);

pub(super) struct Folder {
    path: PathBuf,
}

/// The right to open the environment or to put its files aside.
pub(super) struct Gate {
    _file: File,
}

impl Folder {
    pub(super) fn new(path: &Path) -> Result<Self, Trouble> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Self { path: path.into() })
    }

    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data.mdb")
    }

    fn lock(&self) -> PathBuf {
        self.path.join("lock.mdb")
    }

    /// Waits for the right to open.
    pub(super) fn gate(&self) -> Result<Gate, Trouble> {
        let file = self.own_file("gate")?;
        let until = Instant::now() + GATE_PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Gate { _file: file }),
                Err(fs::TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(fs::TryLockError::WouldBlock) => {
                    return Err(Trouble::Other(
                        "another process is opening it and does not finish".into(),
                    ));
                }
                Err(fs::TryLockError::Error(error)) => return Err(error.into()),
            }
        }
    }

    /// The file that says who has it open, and whether nobody has. It is locked in neither case.
    pub(super) fn alive(&self) -> Result<(File, bool), Trouble> {
        let file = self.own_file("alive")?;
        let alone = match file.try_lock() {
            Ok(()) => {
                file.unlock()?;
                true
            }
            Err(fs::TryLockError::WouldBlock) => false,
            Err(fs::TryLockError::Error(error)) => return Err(error.into()),
        };
        Ok((file, alone))
    }

    /// Says what is wrong with the data file, before it is mapped. All its pages are looked at only where nobody changes
    /// them meanwhile.
    pub(super) fn check(&self, alive: &File, alone: bool, pages: u64) -> Result<(), String> {
        let file = match File::open(self.data()) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        // What is known comes first: meanwhile another process may make the file longer, and note that.
        let known = known_size(alive);
        let length = file.metadata().map_err(|error| error.to_string())?.len();
        if length < known {
            return Err(format!("its file has {length} bytes and had {known}"));
        }
        if alone {
            inspect(&file, pages)?;
        }
        Ok(())
    }

    /// Puts the files away, the data file under another name or not at all.
    pub(super) fn set_aside(&self, _gate: &Gate, alive: &File, keep: bool) -> Result<(), Trouble> {
        let data = self.data();
        let gone = if keep {
            fs::rename(&data, self.path.join("damaged.mdb"))
        } else {
            fs::remove_file(&data)
        };
        for outcome in [gone, fs::remove_file(self.lock())] {
            match outcome {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        alive.write_all_at(&0_u64.to_ne_bytes(), 0)?;
        Ok(())
    }

    fn own_file(&self, name: &str) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.path.join(name))
    }

    /// Begins to watch the files that were just opened.
    pub(super) fn watch(&self) -> io::Result<Watch> {
        let file = |path: PathBuf| {
            let found = fs::metadata(&path)?;
            Ok::<_, io::Error>(Watched {
                path,
                identity: (found.dev(), found.ino()),
                largest: AtomicU64::new(found.len()),
            })
        };
        Ok(Watch {
            data: file(self.data())?,
            lock: file(self.lock())?,
            checked_at: AtomicU64::new(0),
        })
    }
}

fn known_size(alive: &File) -> u64 {
    let mut bytes = [0; 8];
    alive
        .read_exact_at(&mut bytes, 0)
        .map_or(0, |()| u64::from_ne_bytes(bytes))
}

/// Whether the files at their paths are those that are mapped, and not shorter than they were: LMDB never shortens them,
/// and a map past the end of its file is a SIGBUS.
pub(super) struct Watch {
    data: Watched,
    lock: Watched,
    checked_at: AtomicU64,
}

struct Watched {
    path: PathBuf,
    identity: (u64, u64),
    largest: AtomicU64,
}

impl Watched {
    fn is_whole(&self) -> bool {
        // What is known comes first: meanwhile the file may become longer, and another thread see that.
        let known = self.largest.load(Ordering::Relaxed);
        fs::metadata(&self.path).is_ok_and(|found| {
            self.largest.fetch_max(found.len(), Ordering::Relaxed);
            (found.dev(), found.ino()) == self.identity && known <= found.len()
        })
    }
}

impl Watch {
    /// Looks at most once in a millisecond of `now`.
    pub(super) fn is_whole(&self, now: u64) -> bool {
        if self.checked_at.load(Ordering::Relaxed) == now {
            return true;
        }
        self.checked_at.store(now, Ordering::Relaxed);
        self.look()
    }

    pub(super) fn look(&self) -> bool {
        self.data.is_whole() && self.lock.is_whole()
    }

    /// Gives the lock file its length again, where it was cut short, and returns whether it was: LMDB writes to its map
    /// when it closes. What was in it is lost, and with it who reads and who writes.
    pub(super) fn mend_lock(&self) -> bool {
        if self.lock.is_whole() {
            return false;
        }
        let length = self.lock.largest.load(Ordering::Relaxed);
        let file = OpenOptions::new().write(true).open(&self.lock.path);
        file.is_ok_and(|file| {
            file.metadata()
                .is_ok_and(|found| (found.dev(), found.ino()) == self.lock.identity && found.len() < length)
                && file.set_len(length).is_ok()
        })
    }

    /// Notes the size of the data file for those who open it later.
    pub(super) fn note_size(&self, alive: &File) {
        let largest = self.data.largest.load(Ordering::Relaxed);
        if largest > known_size(alive) {
            // Not noted, a file that is cut short is found by the walk through its pages.
            let _ = alive.write_all_at(&largest.to_ne_bytes(), 0);
        }
    }
}
