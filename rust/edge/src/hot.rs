//! The pages that were hot before a restart.
//!
//! Of each there is the site, the host and the path. Those with a query are left out: what somebody searched for is nobody
//! else's business.

use std::collections::VecDeque;
use std::path::Path;

use hyperweb_cache::{HotKey, Snapshot, SnapshotError, SnapshotLimits};
use parking_lot::Mutex;

use crate::log::warn;
use crate::responses::Responses;
use crate::store::key;
use crate::warmer::Cold;

const LIMITS: SnapshotLimits = SnapshotLimits {
    keys: 10_000,
    key_bytes: 2 << 10,
    file_bytes: 4 << 20,
};

/// Pages to fetch, hottest first.
#[derive(Debug, Default)]
pub(crate) struct Hot {
    left: Mutex<VecDeque<HotKey>>,
}

impl Hot {
    /// Those of a file; none where there is no file, or it is damaged.
    pub(crate) fn load(path: &Path) -> Self {
        let snapshot = Snapshot::load(path, LIMITS).unwrap_or_else(|error| {
            if !matches!(&error, SnapshotError::Io(error) if error.kind() == std::io::ErrorKind::NotFound) {
                warn(&format!("{}: {error}; nothing is warmed from it", path.display()));
            }
            Snapshot::default()
        });
        Self {
            left: Mutex::new(snapshot.keys.into()),
        }
    }

    /// The hottest that is still to be fetched. It stays until it is [`done`](Self::done), so that it is hot still where
    /// the edge ends before.
    pub(crate) fn next(&self) -> Option<Cold> {
        let mut left = self.left.lock();
        loop {
            let found = page(&left.front()?.key);
            if found.is_some() {
                return found;
            }
            left.pop_front();
        }
    }

    pub(crate) fn done(&self) {
        self.left.lock().pop_front();
    }

    /// Writes down what is hot now: what is kept, and what was hot before and is still to be fetched.
    pub(crate) fn save(&self, path: &Path, responses: &Responses) -> Result<(), SnapshotError> {
        let kept = responses
            .hottest(LIMITS.keys * 2)
            .into_iter()
            .map(|(key, uses)| HotKey {
                frequency: u32::from(uses),
                key,
            });
        let left = self.left.lock().clone();
        let all = kept.filter(|one| page(&one.key).is_some()).chain(left);
        Snapshot::hottest(all, LIMITS).save(path)
    }
}

/// The page of a key of the cache; none where it has a query, or is that of a variant, which has more in it.
fn page(bytes: &[u8]) -> Option<Cold> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut parts = text.split('\0');
    let (site, path, query, host) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_secure = parts.next() == Some("s");
    let is_whole = key(site, host, path, None, is_secure) == bytes;
    (is_whole && query.is_empty()).then(|| Cold {
        site: site.into(),
        host: host.into(),
        path: path.into(),
        is_secure,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_page_where_it_has_no_query() {
        let found = page(&key("s", "h:1", "/a b/", None, true)).unwrap();
        assert_eq!(
            (&*found.site, &*found.host, &*found.path, found.is_secure),
            ("s", "h:1", "/a b/", true)
        );
        assert!(!page(&key("s", "h", "/", None, false)).unwrap().is_secure);
        assert_eq!(page(&key("s", "h", "/", Some("q=secret"), false)), None);
        let variant = [key("s", "h", "/", None, false), b"\naccept\rx".to_vec()].concat();
        assert_eq!(page(&variant), None);
        for bad in [&b""[..], b"s", b"s\0/\0\0", b"\xff\0\0\0\0"] {
            assert_eq!(page(bad), None);
        }
    }

    #[test]
    fn what_is_left_of_a_file_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hot");
        assert_eq!(Hot::load(&path).next(), None);
        let keys = ["/a", "/b"].map(|path| HotKey {
            frequency: 3,
            key: key("s", "h", path, None, false).into(),
        });
        Snapshot { keys: keys.into() }.save(&path).unwrap();
        let hot = Hot::load(&path);
        assert_eq!(hot.next().map(|cold| cold.path), Some("/a".into()));
        hot.done();
        hot.save(&path, &Responses::new(1 << 20)).unwrap();
        let hot = Hot::load(&path);
        assert_eq!(hot.next().map(|cold| cold.path), Some("/b".into()));
        hot.done();
        assert_eq!(hot.next(), None);
        std::fs::write(&path, b"damaged").unwrap();
        assert_eq!(Hot::load(&path).next(), None);
    }
}
