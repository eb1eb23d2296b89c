//! Which files changed since it was asked last, told by the kernel (inotify).
//!
//! What is written before the question is in the answer: events are in the queue when the call that caused them returns,
//! so nobody has to wait for a quiet moment, and what is saved while a build runs is told at the next question.

use std::collections::{BTreeSet, HashMap};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

/// Folders that are not looked into: what is built, and what belongs to tools.
const SKIPPED: [&str; 4] = [".git", ".hyperweb", "__pycache__", "node_modules"];
/// Deeper folders are no part of a site.
const DEEPEST: usize = 64;

/// A folder that is watched with all that is in it.
#[derive(Debug)]
pub(super) struct Watch {
    root: PathBuf,
    skipped: Vec<PathBuf>,
    queue: OwnedFd,
    /// The path of each folder that is watched, relative to the root.
    folders: HashMap<i32, String>,
}

impl Watch {
    /// Begins to watch; none where the system watches no more folders for us. `skipped` are folders that are none of
    /// the site's sources.
    pub(super) fn begin(root: &Path, skipped: &[PathBuf]) -> Option<Self> {
        let queue = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
        let mut watch = Self {
            root: root.to_owned(),
            skipped: skipped.to_vec(),
            queue,
            folders: HashMap::new(),
        };
        watch.add("", 0).then_some(watch)
    }

    /// The files and folders that changed, relative to the root; none where that is not known, and the watch is of no
    /// use any more.
    pub(super) fn changes(&mut self) -> Option<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        let mut made = Vec::new();
        let mut buffer = [MaybeUninit::uninit(); 8 << 10];
        let mut reader = Reader::new(self.queue.as_fd(), &mut buffer);
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(rustix::io::Errno::WOULDBLOCK) => break,
                Err(_) => return None,
            };
            let flags = event.events();
            // More happened than the kernel keeps, or the site's folder itself was moved away.
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                return None;
            }
            let Some(folder) = self.folders.get(&event.wd()) else {
                continue;
            };
            if flags.contains(ReadFlags::IGNORED) {
                if folder.is_empty() {
                    return None;
                }
                self.folders.remove(&event.wd());
                continue;
            }
            let Some(name) = event.file_name() else {
                if flags.contains(ReadFlags::MOVE_SELF) {
                    // Its watches go on under a name that is not its own any more.
                    return None;
                }
                continue;
            };
            let Ok(name) = name.to_str() else { return None };
            let path = if folder.is_empty() {
                name.to_owned()
            } else {
                format!("{folder}/{name}")
            };
            if flags.contains(ReadFlags::ISDIR) && flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
                made.push(path.clone());
            }
            found.insert(path);
        }
        for path in made {
            if !self.add(&path, path.matches('/').count() + 1) {
                return None;
            }
        }
        Some(found)
    }

    /// Waits until something changed, at most so long. Returns whether something did.
    pub(super) fn wait(&self, timeout: Duration) -> bool {
        let limit = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        let mut asked = [PollFd::new(&self.queue, PollFlags::IN)];
        poll(&mut asked, Some(&limit)).is_ok_and(|ready| ready > 0)
    }

    /// Watches a folder and those in it. What is not there any more need not be.
    fn add(&mut self, path: &str, depth: usize) -> bool {
        let folder = self.root.join(path);
        if depth > DEEPEST || self.skipped.contains(&folder) {
            return true;
        }
        let flags = WatchFlags::CREATE
            | WatchFlags::MODIFY
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR
            | WatchFlags::DONT_FOLLOW;
        match inotify::add_watch(&self.queue, &folder, flags) {
            Ok(number) => drop(self.folders.insert(number, path.to_owned())),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return true,
            Err(_) => return false,
        }
        let Ok(entries) = std::fs::read_dir(&folder) else {
            return true;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let (Some(name), Ok(kind)) = (name.to_str(), entry.file_type()) else {
                continue;
            };
            if kind.is_dir() && !SKIPPED.contains(&name) {
                let inner = if path.is_empty() {
                    name.to_owned()
                } else {
                    format!("{path}/{name}")
                };
                if !self.add(&inner, depth + 1) {
                    return false;
                }
            }
        }
        true
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use super::*;

    fn changed(watch: &mut Watch) -> Vec<String> {
        watch.changes().unwrap().into_iter().collect()
    }

    #[test]
    fn what_was_written_before_the_question_is_in_the_answer() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("content/a")).unwrap();
        fs::create_dir_all(root.join("dist/a")).unwrap();
        let mut watch = Watch::begin(root, &[root.join("dist")]).unwrap();
        assert!(changed(&mut watch).is_empty() && !watch.wait(Duration::ZERO));
        fs::write(root.join("content/a/b.md"), "1").unwrap();
        fs::write(root.join("dist/a/b.md"), "1").unwrap();
        assert!(watch.wait(Duration::ZERO));
        assert_eq!(changed(&mut watch), ["content/a/b.md"]);
        fs::create_dir_all(root.join("data/deep/er")).unwrap();
        fs::write(root.join("data/deep/er/x.json"), "1").unwrap();
        assert!(changed(&mut watch).contains(&"data".to_owned()));
        fs::write(root.join("data/deep/er/x.json"), "2").unwrap();
        assert_eq!(changed(&mut watch), ["data/deep/er/x.json"]);
        fs::remove_file(root.join("content/a/b.md")).unwrap();
        assert_eq!(changed(&mut watch), ["content/a/b.md"]);
        // Under another name the paths of its watches are wrong.
        fs::rename(root.join("content"), root.join("pages")).unwrap();
        assert!(watch.changes().is_none());
    }

    #[test]
    fn the_end_of_the_folder_is_the_end_of_the_watch() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("site");
        fs::create_dir_all(root.join("content")).unwrap();
        let mut watch = Watch::begin(&root, &[]).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert!(watch.changes().is_none());
    }
}
