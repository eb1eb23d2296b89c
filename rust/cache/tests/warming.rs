//! Warming from a snapshot and from logs.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::{Cell, RefCell};
use std::fs;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hyperweb_cache::{
    HotKey, LogLimits, Pace, Pacer, Snapshot, SnapshotError, SnapshotLimits, WarmupConfig, read_log, warm, warm_async,
};
use proptest::prelude::*;

fn keys() -> impl Strategy<Value = Vec<HotKey>> {
    let key = prop::collection::vec(any::<u8>(), 0..40);
    prop::collection::vec((any::<u32>(), key), 0..50).prop_map(|all| {
        let key = |(frequency, key): (u32, Vec<u8>)| HotKey {
            frequency,
            key: key.into(),
        };
        all.into_iter().map(key).collect()
    })
}

const SMALL: SnapshotLimits = SnapshotLimits {
    keys: 20,
    key_bytes: 30,
    file_bytes: 500,
};

proptest! {
    #[test]
    fn a_snapshot_is_the_hottest_and_reads_as_it_was_written(all in keys()) {
        let snapshot = Snapshot::hottest(all.clone(), SMALL);
        let bytes = snapshot.encode();
        prop_assert!(bytes.len() <= SMALL.file_bytes && snapshot.keys.len() <= SMALL.keys);
        prop_assert_eq!(&Snapshot::decode(&bytes, SMALL).unwrap(), &snapshot);
        let mut sorted: Vec<_> = all.into_iter().filter(|one| one.key.len() <= 30).collect();
        sorted.sort_by(|one, other| other.cmp(one));
        prop_assert_eq!(&snapshot.keys[..], &sorted[..snapshot.keys.len()]);
    }

    #[test]
    fn damage_is_always_seen(all in keys(), at in any::<prop::sample::Index>(), bit in 0..8u8, cut in any::<prop::sample::Index>()) {
        let limits = SnapshotLimits::default();
        let bytes = Snapshot::hottest(all, limits).encode();
        let mut damaged = bytes.clone();
        damaged[at.index(bytes.len())] ^= 1 << bit;
        prop_assert!(Snapshot::decode(&damaged, limits).is_err());
        prop_assert!(Snapshot::decode(&bytes[..cut.index(bytes.len())], limits).is_err());
    }

    #[test]
    fn any_bytes_with_a_right_checksum_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200), count in any::<u32>()) {
        let mut bytes = b"hwhotkey\x01\0\0\0".to_vec();
        bytes.extend(count.to_le_bytes());
        bytes.extend(body);
        bytes.extend(xxhash_rust::xxh3::xxh3_64(&bytes).to_le_bytes());
        if let Ok(read) = Snapshot::decode(&bytes, SnapshotLimits::default()) {
            prop_assert_eq!(read.encode(), bytes);
        }
    }

    #[test]
    fn any_log_is_read_within_its_bounds(log in prop::collection::vec(any::<u8>(), 0..400), lines in prop::collection::vec("[ -~]{0,60}", 0..20)) {
        let limits = LogLimits { line_bytes: 50, bytes: 1000, pages: 3 };
        let all = [log, lines.join("\n").into_bytes()].concat();
        let found = read_log(&all[..], limits).unwrap();
        let counted: u64 = found.pages.iter().map(|(_, count)| count).sum();
        prop_assert!(found.pages.len() <= 3 && counted + found.passed_by + found.bad <= found.lines);
    }
}

#[test]
fn a_snapshot_is_replaced_at_once_and_a_missing_or_large_one_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hot");
    let limits = SnapshotLimits::default();
    assert!(matches!(Snapshot::load(&path, limits), Err(SnapshotError::Io(_))));
    let one = |frequency| Snapshot {
        keys: vec![HotKey {
            frequency,
            key: b"/a".as_slice().into(),
        }],
    };
    one(1).save(&path).unwrap();
    one(2).save(&path).unwrap();
    assert_eq!(Snapshot::load(&path, limits).unwrap(), one(2));
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing is left beside it"
    );
    let small = SnapshotLimits {
        file_bytes: 10,
        ..limits
    };
    assert!(matches!(Snapshot::load(&path, small), Err(SnapshotError::TooLarge)));
    assert!(one(3).save(&folder.path().join("missing/hot")).is_err());
}

#[test]
fn logs_of_every_kind_are_counted() {
    let log = br#"127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /a?b=1 HTTP/1.0" 200 2326
::1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a?b=1 HTTP/1.1" 304 0 "http://www.example.com/\"x" "Mozilla/4.08 [en]"
Example.com:443 10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /v HTTP/1.1" 200 1 "-" "x"
127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "POST /a HTTP/1.0" 200 2326
127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /missing HTTP/1.0" 404 2326
127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "\x16\x03\x01" 400 0
{"status": 200, "request": {"method": "GET", "host": "Example.com", "uri": "/v"}}
{"status": "200", "request_method": "GET", "request_uri": "/n"}
{"status": 200, "request": "GET /n HTTP/2.0"}
{"status": 500, "uri": "/n"}
{"status": 200}
{broken
https://user@example.com:8443/v#part
http://example.org
/a?b=1

not a line
"#;
    let found = read_log(&log[..], LogLimits::default()).unwrap();
    let pages: Vec<_> = found
        .pages
        .iter()
        .map(|(page, count)| (page.host.as_deref().unwrap_or(""), &*page.target, *count))
        .collect();
    let expected = [
        ("", "/a?b=1", 3),
        ("example.com", "/v", 3),
        ("", "/n", 2),
        ("example.org", "/", 1),
    ];
    assert_eq!(pages, expected);
    assert_eq!((found.lines, found.passed_by, found.bad), (16, 3, 4));
}

#[test]
fn what_is_asked_for_most_is_kept_however_many_pages_there_are() {
    let log: String = (0..3000)
        .flat_map(|number| ["/hot\n".to_owned(), format!("/cold/{number}\n")])
        .collect();
    let limits = LogLimits {
        pages: 10,
        ..LogLimits::default()
    };
    let found = read_log(log.as_bytes(), limits).unwrap();
    assert_eq!((&*found.pages[0].0.target, found.bad), ("/hot", 0));
    assert!(found.pages.len() <= 10 && found.pages[0].1 > 2000);
}

/// Follows a pacer through made-up time, and returns how many fetches it allowed.
fn fetches(config: WarmupConfig, time: Duration, load: impl Fn(Duration) -> f64) -> u32 {
    let mut pacer = Pacer::new(config);
    let (mut now, mut count) = (Duration::ZERO, 0);
    while now < time {
        match pacer.next(now, load(now)) {
            Pace::Fetch => count += 1,
            Pace::Pause(pause) => now += pause,
            Pace::End => break,
        }
    }
    count
}

#[test]
fn warming_keeps_its_rate_and_yields() {
    let config = WarmupConfig {
        rate: 100.0,
        most_time: Duration::from_mins(1),
        ..WarmupConfig::default()
    };
    let ten = Duration::from_secs(10);
    assert!((995..=1001).contains(&fetches(config, ten, |_| 0.0)));
    assert!(
        (495..=505).contains(&fetches(config, ten, |_| 0.55)),
        "half way it goes at half the rate"
    );
    assert_eq!(fetches(config, ten, |_| 0.9), 0);
    assert_eq!(fetches(config, ten, |_| f64::NAN), 0);
    let busy_then_idle = |now: Duration| if now < ten / 2 { 1.0 } else { 0.0 };
    let after = fetches(config, ten, busy_then_idle);
    assert!(
        (490..=502).contains(&after),
        "{after}: what was not spent is not made up for"
    );
    assert!(fetches(config, Duration::from_hours(1), |_| 0.0) <= 6001, "it ends");
}

#[tokio::test]
async fn the_hottest_are_fetched_first_until_it_is_stopped() {
    let config = WarmupConfig {
        rate: 1e6,
        ..WarmupConfig::default()
    };
    let stop = AtomicBool::new(false);
    let order = RefCell::new(Vec::new());
    let fetch = |key: u32| {
        order.borrow_mut().push(key);
        stop.store(key == 2, std::sync::atomic::Ordering::Relaxed);
        key != 1
    };
    let report = warm(vec![0, 1, 2, 3].into_iter(), config, || 0.0, fetch, &stop);
    assert_eq!(
        (&order.borrow()[..], report.fetched, report.failed, report.left),
        (&[0, 1, 2][..], 2, 1, 1)
    );
    let count = Cell::new(0);
    let fetch = |_: u32| {
        count.set(count.get() + 1);
        std::future::ready(true)
    };
    let report = warm_async(vec![1; 5].into_iter(), config, || 0.0, fetch).await;
    assert_eq!((report.fetched, count.get(), report.left), (5, 5, 0));
}
