//! Which folders this process has open.
//!
//! LMDB's record locks (`fcntl`) belong to the process: closing one of two environments in the same files would give up
//! the locks of both, and other processes would take this one for dead.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::trouble::Trouble;

static CLAIMS: Mutex<BTreeSet<Identity>> = Mutex::new(BTreeSet::new());
static GIVEN_BACK: Condvar = Condvar::new();

/// A folder by its device and number, and the process, since one that was forked has the table of its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    process: u32,
    device: u64,
    number: u64,
}

/// The right of one in this process to have a folder open. Dropping it gives it back, so it goes after everything that
/// uses the files.
#[derive(Debug)]
pub(super) struct Claim(Identity);

impl Claim {
    /// Claims a folder that exists.
    pub(super) fn new(folder: &Path) -> Result<Self, Trouble> {
        let found = fs::metadata(folder)?;
        let identity = Identity {
            process: std::process::id(),
            device: found.dev(),
            number: found.ino(),
        };
        if CLAIMS.lock().insert(identity) {
            Ok(Self(identity))
        } else {
            Err(Trouble::Taken(
                "it is open in this process already, which it can be only once".into(),
            ))
        }
    }

    pub(super) const fn identity(&self) -> Identity {
        self.0
    }

    /// Waits until nobody claims a folder; false where somebody still does after that time.
    pub(super) fn wait(identity: Identity, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut claims = CLAIMS.lock();
        while claims.contains(&identity) {
            if GIVEN_BACK.wait_until(&mut claims, until).timed_out() {
                return !claims.contains(&identity);
            }
        }
        true
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        CLAIMS.lock().remove(&self.0);
        GIVEN_BACK.notify_all();
    }
}
