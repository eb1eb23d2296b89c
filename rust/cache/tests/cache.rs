//! The memory tier against a simple reference, and under many threads.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hyperweb_cache::{Cache, Config, Inserted, Options};
use proptest::prelude::*;

fn options(ttl: u64, grace: u64, tags: &[&str]) -> Options {
    Options {
        weight: 100,
        ttl,
        grace,
        tags: tags.iter().map(|tag| (*tag).into()).collect(),
    }
}

fn large() -> Cache<u64> {
    Cache::new(Config {
        limit_bytes: 1 << 30,
        ..Config::default()
    })
}

fn put(cache: &Cache<u64>, key: &str, value: u64, options: &Options, now: u64) -> Inserted {
    cache.insert(key.as_bytes(), value, options, cache.begin_fill(), now)
}

fn value(cache: &Cache<u64>, key: &str, now: u64) -> Option<u64> {
    cache.get(key.as_bytes(), now).map(|entry| entry.value)
}

#[test]
fn an_entry_is_fresh_then_stale_then_gone() {
    let cache = large();
    put(&cache, "k", 1, &options(100, 50, &[]), 1000);
    assert!(cache.get(b"k", 1099).unwrap().is_fresh(1099));
    assert!(!cache.get(b"k", 1100).unwrap().is_fresh(1100));
    assert_eq!(value(&cache, "k", 1150), None);
}

#[test]
fn purges_hide_what_they_name_and_nothing_else() {
    let cache = large();
    put(&cache, "/a", 1, &options(99, 0, &["x", "y"]), 0);
    put(&cache, "/b", 2, &options(99, 0, &["y"]), 0);
    put(&cache, "/c", 3, &options(99, 0, &["z"]), 0);
    put(&cache, "/d/e", 4, &options(99, 0, &[]), 0);
    cache.purge_tags(["x"]);
    assert_eq!((value(&cache, "/a", 1), value(&cache, "/b", 1)), (None, Some(2)));
    assert_eq!(cache.reclaim(), 1);
    assert!(cache.purge_key(b"/b") && !cache.purge_key(b"/b"));
    cache.purge_prefix(b"/d/");
    assert_eq!(value(&cache, "/d/e", 1), None);
    assert_eq!(cache.reclaim(), 1);
    assert_eq!(value(&cache, "/c", 1), Some(3));
    put(&cache, "/a", 5, &options(99, 0, &["x"]), 0);
    assert_eq!(
        value(&cache, "/a", 1),
        Some(5),
        "a purge does not touch what comes after it"
    );
    cache.purge_all();
    assert_eq!(value(&cache, "/a", 1), None);
    assert_eq!(cache.reclaim(), 2);
    assert_eq!(cache.stats().entries, 0);
    assert_eq!(cache.stats().bytes, 0);
}

#[test]
fn a_purge_wins_over_the_fill_it_overtakes() {
    let cache = large();
    let fill = |key: &[u8], purge: &dyn Fn()| {
        let token = cache.begin_fill();
        purge();
        cache.insert(key, 1, &options(99, 0, &["t"]), token, 0)
    };
    assert_eq!(fill(b"a", &|| cache.purge_tags(["t"])), Inserted::PurgedMeanwhile);
    assert_eq!(
        fill(b"a", &|| assert!(!cache.purge_key(b"a"))),
        Inserted::PurgedMeanwhile
    );
    assert_eq!(fill(b"a", &|| cache.purge_prefix(b"a")), Inserted::PurgedMeanwhile);
    assert_eq!(fill(b"a", &|| cache.purge_all()), Inserted::PurgedMeanwhile);
    assert_eq!(fill(b"a", &|| cache.purge_tags(["other"])), Inserted::Kept);
}

#[test]
fn the_limit_holds_and_what_is_hot_stays() {
    let cache: Cache<u64> = Cache::new(Config {
        limit_bytes: 100_000,
        shards: 4,
        ..Config::default()
    });
    for key in 0..20 {
        put(&cache, &format!("hot{key}"), key, &options(1 << 40, 0, &[]), 0);
    }
    for round in 0..3000 {
        for key in 0..20 {
            value(&cache, &format!("hot{key}"), 0);
        }
        put(&cache, &format!("once{round}"), round, &options(1 << 40, 0, &[]), 0);
        assert!(cache.stats().bytes <= 100_000);
    }
    let kept = (0..20)
        .filter(|key| value(&cache, &format!("hot{key}"), 0).is_some())
        .count();
    assert_eq!(kept, 20, "what is asked for once pushed out what is hot");
    let big = Options {
        weight: 50_000,
        ..options(9, 0, &[])
    };
    assert_eq!(put(&cache, "big", 0, &big, 0), Inserted::TooLarge);
    cache.set_limit(5000);
    assert!(cache.stats().bytes <= 5000);
}

#[test]
fn what_is_over_is_reclaimed_by_later_inserts() {
    let cache: Cache<u64> = Cache::new(Config {
        limit_bytes: 1 << 30,
        shards: 1,
        ..Config::default()
    });
    for key in 0..100 {
        put(&cache, &format!("old{key}"), key, &options(10, 0, &[]), 0);
    }
    for key in 0..40 {
        put(&cache, &format!("new{key}"), key, &options(1 << 40, 0, &[]), 1000);
    }
    assert_eq!(cache.stats().entries, 40);
}

#[test]
fn replacing_one_key_for_ever_does_not_grow() {
    let cache: Cache<u64> = Cache::new(Config {
        limit_bytes: 1 << 30,
        shards: 1,
        ..Config::default()
    });
    for round in 0..50_000 {
        put(&cache, "k", round, &options(1 << 40, 0, &[]), round);
    }
    let stats = cache.stats();
    assert_eq!((stats.entries, value(&cache, "k", 50_000)), (1, Some(49_999)));
    assert!(stats.bytes < 1000);
}

#[test]
fn no_thread_reads_a_value_older_than_the_purge_it_saw() {
    let cache = Arc::new(large());
    let version = Arc::new(AtomicU64::new(0));
    let purged = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let token = cache.begin_fill();
                    let made = version.load(Ordering::SeqCst);
                    cache.insert(b"k", made, &options(1 << 40, 0, &["t"]), token, 0);
                }
            });
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let least = purged.load(Ordering::SeqCst);
                    if let Some(entry) = cache.get(b"k", 0) {
                        assert!(
                            entry.value >= least,
                            "{} was read after {least} was purged",
                            entry.value
                        );
                    }
                }
            });
        }
        for number in 1..=3000 {
            version.store(number, Ordering::SeqCst);
            cache.purge_tags(["t"]);
            purged.store(number, Ordering::SeqCst);
            std::thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u64, u64, u8),
    Get(u8),
    PurgeKey(u8),
    PurgeTag(u8),
    PurgePrefix(u8),
    PurgeAll,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..24, 0u64..40, 0u64..40, 0u8..4).prop_map(|(key, ttl, grace, tag)| Step::Put(key, ttl, grace, tag)),
        4 => (0u8..24).prop_map(Step::Get),
        1 => (0u8..24).prop_map(Step::PurgeKey),
        1 => (0u8..4).prop_map(Step::PurgeTag),
        1 => (0u8..3).prop_map(Step::PurgePrefix),
        1 => Just(Step::PurgeAll),
        2 => (0u64..30).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn behaves_as_a_map_with_deadlines(steps in proptest::collection::vec(step(), 1..200)) {
        let cache = large();
        let mut model: HashMap<String, (u64, u64, u8)> = HashMap::new();
        let mut now = 0;
        let name = |key: u8| format!("{}/{key}", key % 3);
        for (number, step) in (0u64..).zip(steps) {
            match step {
                Step::Put(key, ttl, grace, tag) => {
                    put(&cache, &name(key), number, &options(ttl, grace, &[&tag.to_string()]), now);
                    model.insert(name(key), (number, now + ttl + grace, tag));
                }
                Step::Get(key) => {
                    let wanted = model.get(&name(key)).filter(|(_, dead, _)| now < *dead).map(|(value, ..)| *value);
                    prop_assert_eq!(value(&cache, &name(key), now), wanted);
                }
                Step::PurgeKey(key) => {
                    cache.purge_key(name(key).as_bytes());
                    model.remove(&name(key));
                }
                Step::PurgeTag(tag) => {
                    cache.purge_tags([tag.to_string().as_str()]);
                    model.retain(|_, (.., other)| *other != tag);
                }
                Step::PurgePrefix(prefix) => {
                    cache.purge_prefix(format!("{prefix}/").as_bytes());
                    model.retain(|key, _| !key.starts_with(&format!("{prefix}/")));
                }
                Step::PurgeAll => {
                    cache.purge_all();
                    model.clear();
                }
                Step::Wait(time) => now += time,
            }
        }
    }
}
