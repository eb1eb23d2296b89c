//! The memory tier against a simple reference, and under many threads.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use hyperweb_cache::{Cache, Config, Inserted, Options, Policy, Value};
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
    for round in 0..if cfg!(miri) { 600 } else { 3000 } {
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
    let rounds = if cfg!(miri) { 300 } else { 50_000 };
    for round in 0..rounds {
        put(&cache, "k", round, &options(1 << 40, 0, &[]), round);
    }
    let stats = cache.stats();
    assert_eq!((stats.entries, value(&cache, "k", rounds)), (1, Some(rounds - 1)));
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
        for number in 1..=if cfg!(miri) { 20 } else { 3000 } {
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
    SoftPurgeKey(u8),
    SoftPurgeTag(u8),
    SoftPurgePrefix(u8),
    Reclaim,
    Maintain,
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
        1 => (0u8..24).prop_map(Step::SoftPurgeKey),
        1 => (0u8..4).prop_map(Step::SoftPurgeTag),
        1 => (0u8..3).prop_map(Step::SoftPurgePrefix),
        1 => Just(Step::Reclaim),
        1 => Just(Step::Maintain),
        2 => (0u64..30).prop_map(Step::Wait),
    ]
}

/// What the model knows of an entry.
struct Known {
    value: u64,
    fresh_until: u64,
    grace: u64,
    tag: u8,
}

impl Known {
    fn soften(&mut self, now: u64) {
        self.fresh_until = self.fresh_until.min(now);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 512 }))]

    #[test]
    fn behaves_as_a_map_with_deadlines(
        steps in proptest::collection::vec(step(), 1..200),
        policy in proptest::sample::select(vec![Policy::S3Fifo, Policy::TinyLfu, Policy::Lru, Policy::Lfu, Policy::Auto]),
    ) {
        let cache: Cache<u64> = Cache::new(Config {
            limit_bytes: 1 << 30,
            policy,
            shards: 16,
            ..Config::default()
        });
        let mut model: HashMap<String, Known> = HashMap::new();
        let mut now = 0;
        let name = |key: u8| format!("{}/{key}", key % 3);
        for (number, step) in (0u64..).zip(steps) {
            match step {
                Step::Put(key, ttl, grace, tag) => {
                    put(&cache, &name(key), number, &options(ttl, grace, &[&tag.to_string()]), now);
                    model.insert(name(key), Known { value: number, fresh_until: now + ttl, grace, tag });
                }
                Step::Get(key) => {
                    let wanted = model.get(&name(key)).filter(|known| now < known.fresh_until + known.grace);
                    let reader = cache.pin();
                    let key = name(key);
                    let found = reader.get(key.as_bytes(), now);
                    prop_assert_eq!(found.map(|entry| *entry.value()), wanted.map(|known| known.value));
                    if let (Some(found), Some(wanted)) = (found, wanted) {
                        prop_assert_eq!(found.is_fresh(now), now < wanted.fresh_until);
                        prop_assert_eq!(found.key(), key.as_bytes());
                        let tags = found.tags();
                        prop_assert_eq!(tags[0].as_ref(), wanted.tag.to_string());
                    }
                }
                Step::PurgeKey(key) => {
                    cache.purge_key(name(key).as_bytes());
                    model.remove(&name(key));
                }
                Step::PurgeTag(tag) => {
                    cache.purge_tags([tag.to_string().as_str()]);
                    model.retain(|_, known| known.tag != tag);
                }
                Step::PurgePrefix(prefix) => {
                    cache.purge_prefix(format!("{prefix}/").as_bytes());
                    model.retain(|key, _| !key.starts_with(&format!("{prefix}/")));
                }
                Step::PurgeAll => {
                    cache.purge_all();
                    model.clear();
                }
                // What is made stale twice before anyone looks may be counted from either time: look at once.
                Step::SoftPurgeKey(key) => {
                    cache.soft_purge_key(name(key).as_bytes(), now);
                    model.get_mut(&name(key)).into_iter().for_each(|known| known.soften(now));
                }
                Step::SoftPurgeTag(tag) => {
                    cache.reclaim();
                    cache.soft_purge_tags([tag.to_string().as_str()], now);
                    model.values_mut().filter(|known| known.tag == tag).for_each(|known| known.soften(now));
                }
                Step::SoftPurgePrefix(prefix) => {
                    cache.soft_purge_prefix(format!("{prefix}/").as_bytes(), now);
                    let meant = model.iter_mut().filter(|(key, _)| key.starts_with(&format!("{prefix}/")));
                    meant.for_each(|(_, known)| known.soften(now));
                }
                Step::Reclaim => {
                    cache.reclaim();
                }
                Step::Maintain => while !cache.maintain(now) {},
                Step::Wait(time) => now += time,
            }
        }
        cache.reclaim();
        // Within two ticks of the timer what is over is gone.
        while !cache.maintain(now + 512) {}
        let left = model.values().filter(|known| now + 512 < known.fresh_until + known.grace).count();
        prop_assert_eq!(cache.stats().entries, left as u64);
    }
}

#[test]
fn what_goes_for_want_of_room_is_shown_once_and_whole() {
    let shown = Arc::new(Mutex::new(HashMap::new()));
    let seen = Arc::clone(&shown);
    let config = Config {
        limit_bytes: 20_000,
        ..Config::default()
    };
    let cache: Cache<u64> = Cache::with_evicted(config, move |gone| {
        assert_eq!(gone.entry.tags()[0].as_ref(), "t");
        let key = String::from_utf8(gone.entry.key().to_vec()).unwrap();
        assert_eq!(
            seen.lock().unwrap().insert(key, *gone.entry.value()),
            None,
            "shown twice"
        );
    });
    for number in 0..500 {
        put(&cache, &format!("key{number}"), number, &options(1 << 40, 0, &["t"]), 0);
    }
    let shown = shown.lock().unwrap();
    assert_eq!(shown.len() as u64, cache.stats().evictions);
    for number in 0..500 {
        let key = format!("key{number}");
        let is_shown = shown.get(&key) == Some(&number);
        assert!(
            is_shown != value(&cache, &key, 0).is_some(),
            "{key} is here and gone, or neither"
        );
    }
}

#[test]
#[cfg_attr(miri, ignore = "it needs very many entries")]
fn a_smaller_limit_is_come_to_step_by_step() {
    let cache: Cache<u64> = Cache::new(Config {
        limit_bytes: 1 << 30,
        partitions: 1,
        ..Config::default()
    });
    for number in 0..50_000 {
        put(&cache, &format!("key{number}"), number, &options(1 << 40, 0, &[]), 0);
    }
    cache.set_limit(1_000_000);
    let mut calls = 1;
    while !cache.maintain(0) {
        calls += 1;
    }
    assert!(cache.stats().bytes <= 1_000_000 && cache.stats().entries > 1000);
    assert!(calls > 1, "all of it was done in one call");
}

#[test]
fn the_hottest_keys_are_named_first() {
    // Uses are counted with each entry here; a sketch, which the others have, may take one key for another.
    let cache = Cache::new(Config {
        policy: Policy::S3Fifo,
        ..Config::default()
    });
    for number in 0..1000 {
        put(&cache, &format!("key{number}"), number, &options(1 << 40, 0, &[]), 0);
    }
    for _ in 0..5 {
        for number in 100..110 {
            value(&cache, &format!("key{number}"), 0);
        }
    }
    let hottest = cache.hottest(10);
    assert_eq!(hottest.len(), 10);
    for (key, frequency) in hottest {
        let number: u64 = String::from_utf8(key.to_vec()).unwrap()[3..].parse().unwrap();
        assert!(
            (100..110).contains(&number) && frequency >= 3,
            "{number} with {frequency}"
        );
    }
}

#[test]
fn tags_are_purged_by_what_their_names_say() {
    let cache = large();
    for (key, tag) in [("a", "post:1"), ("b", "post:2"), ("c", "user:1")] {
        put(&cache, key, 1, &options(99, 0, &[tag]), 0);
    }
    let token = cache.begin_fill();
    assert_eq!(cache.purge_tags_where(|tag| tag.starts_with("post:")), 2);
    assert_eq!(
        ["a", "b", "c"].map(|key| value(&cache, key, 1).is_some()),
        [false, false, true]
    );
    assert_eq!(cache.reclaim(), 2);
    let late = cache.insert(b"d", 1, &options(99, 0, &["post:3"]), token, 1);
    assert_eq!(late, Inserted::PurgedMeanwhile, "it began before the purge");
}

/// Puts values of every size and kind in, over one another too, and sees that each is dropped once.
fn are_dropped_once_each<V: Value>(make: impl Fn(&Arc<()>) -> V) {
    let alive = Arc::new(());
    let cache: Cache<V> = Cache::new(Config {
        limit_bytes: 20_000,
        ..Config::default()
    });
    let long = vec![7u8; 70_000];
    for round in 0..600u32 {
        let key = (round % 90).to_le_bytes();
        cache.insert(&key, make(&alive), &options(1 << 40, 0, &["t"]), cache.begin_fill(), 0);
        if round % 50 == 0 {
            cache.purge_key(&key);
            cache.purge_tags(["t"]);
        }
    }
    cache.set_limit(10_000_000);
    cache.insert(
        &long,
        make(&alive),
        &options(1 << 40, 0, &["t", "u"]),
        cache.begin_fill(),
        0,
    );
    assert_eq!(cache.pin().get(&long, 0).map(|entry| entry.key().len()), Some(70_000));
    while !cache.maintain(0) {}
    let entries = usize::try_from(cache.stats().entries).unwrap();
    // What went is freed when the readers of other tests have moved on, twice.
    for _ in 0..2000 {
        if Arc::strong_count(&alive) == entries + 1 {
            break;
        }
        cache.maintain(0);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(Arc::strong_count(&alive), entries + 1);
    drop(cache);
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
fn values_are_dropped_once_each() {
    are_dropped_once_each(|alive| (Arc::clone(alive), 5u128));
    are_dropped_once_each(Arc::clone);
}

#[test]
fn a_value_is_never_seen_with_the_lease_of_another() {
    // The key is written over and over: what is odd is fresh for ever, what is even for a moment and then stale.
    let cache: Cache<Arc<u64>> = Cache::new(Config::default());
    let rounds = if cfg!(miri) { 100 } else { 200_000u64 };
    let put = |round: u64| {
        let (ttl, grace) = if round % 2 == 1 { (1 << 40, 0) } else { (5, 1 << 20) };
        let tags: &[&str] = if round % 1000 < 500 { &[] } else { &["t"] };
        cache.insert(b"k", Arc::new(round), &options(ttl, grace, tags), cache.begin_fill(), 0);
    };
    put(0);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (1..rounds).for_each(put));
        let cache = &cache;
        scope.spawn(move || {
            let mut last = 0;
            while !writer.is_finished() {
                let reader = cache.pin();
                let entry = reader.get(b"k", 9).unwrap();
                let round = **entry.value();
                assert!(round >= last, "{round} was seen after {last}");
                assert!(round % 2 == 1 || !entry.is_fresh(9), "{round} is stale");
                last = round;
            }
        });
    });
    assert_eq!(cache.stats().entries, 1);
    assert_eq!(**cache.pin().get(b"k", 0).unwrap().value(), rounds - 1);
}

#[test]
fn a_value_in_place_of_another_weighs_and_lasts_what_it_says() {
    let cache = large();
    put(&cache, "k", 1, &options(100, 0, &[]), 0);
    let before = cache.stats().bytes;
    let heavy = Options {
        weight: 1000,
        ..options(5000, 0, &[])
    };
    assert_eq!(put(&cache, "k", 2, &heavy, 0), Inserted::Kept);
    assert_eq!(cache.stats().bytes, before + 1000 - options(0, 0, &[]).weight);
    cache.maintain(4000);
    assert_eq!(value(&cache, "k", 4000), Some(2), "the old one's time is no matter");
    put(&cache, "k", 3, &options(10, 0, &[]), 4000);
    cache.maintain(6000);
    assert_eq!(
        (value(&cache, "k", 6000), cache.stats().entries),
        (None, 0),
        "it is let go in time"
    );
    assert_eq!(cache.stats().bytes, 0);
    // Purged, and written again: the new one is from after the purge.
    put(&cache, "k", 4, &options(1 << 40, 0, &["t"]), 0);
    cache.purge_tags(["t"]);
    assert_eq!(value(&cache, "k", 0), None);
    put(&cache, "k", 5, &options(1 << 40, 0, &["t"]), 0);
    assert_eq!(value(&cache, "k", 0), Some(5));
    cache.purge_prefix(b"k");
    assert_eq!(value(&cache, "k", 0), None);
    put(&cache, "k", 6, &options(1 << 40, 0, &["t"]), 0);
    cache.reclaim();
    assert_eq!(value(&cache, "k", 0), Some(6));
}

#[test]
fn threads_that_read_write_and_purge_at_once_see_only_what_was_put() {
    for policy in ["s3-fifo", "w-tinylfu", "lru", "lfu", "auto"] {
        let cache: Cache<Vec<u64>> = Cache::new(Config {
            limit_bytes: 100_000,
            policy: Policy::named(policy).unwrap(),
            shards: 4,
            ..Config::default()
        });
        let rounds = if cfg!(miri) { 60 } else { 30_000 };
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let cache = &cache;
                scope.spawn(move || {
                    let mut state = thread + 1;
                    for round in 0..rounds {
                        state = state
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1_442_695_040_888_963_407);
                        let key = (state >> 33) % 2000;
                        let bytes = key.to_le_bytes();
                        let reader = cache.pin();
                        if let Some(entry) = reader.get(&bytes, round) {
                            assert_eq!(
                                (entry.key(), entry.value().as_slice()),
                                (bytes.as_slice(), [key; 3].as_slice())
                            );
                        }
                        match state >> 20 & 31 {
                            0..10 => {
                                let tag = (key % 7).to_string();
                                let options = options(round % 50, round % 3, &[&tag]);
                                cache.insert(&bytes, vec![key; 3], &options, cache.begin_fill(), round);
                            }
                            10 => _ = cache.purge_key(&bytes),
                            11 => cache.purge_tags([(key % 7).to_string().as_str()]),
                            12 => cache.soft_purge_tags(["3"], round),
                            13 if round % 64 == 0 => cache.purge_prefix(&bytes[..1]),
                            14 if round % 64 == 0 => _ = cache.maintain(round),
                            15 if round % 64 == 0 => cache.set_limit(50_000 + key * 50),
                            _ => {}
                        }
                    }
                });
            }
        });
        cache.purge_all();
        cache.reclaim();
        let stats = cache.stats();
        assert_eq!((stats.entries, stats.bytes), (0, 0), "{policy}");
    }
}
