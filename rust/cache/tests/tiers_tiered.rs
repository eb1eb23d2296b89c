//! Tiers one above the other: what moves up and down, what is dropped, and that purges win.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyperweb_cache::tiers::{
    Fault, LmdbConfig, LmdbTier, News, Purge, PurgeOrder, Reach, Record, RedisConfig, RedisTier, Slot, Tier, TierRules,
    TierStats, TieredCache, TieredConfig, Writes, wall_clock,
};
use support::{Redis, eventually, noise, stamped};

const PATIENCE: Duration = Duration::from_secs(10);

fn nobody() -> Arc<dyn hyperweb_cache::tiers::PurgeListener> {
    Arc::new(|_: &Purge| ())
}

fn get(cache: &TieredCache, key: &str) -> Option<Record> {
    cache.get(key.as_bytes(), wall_clock(), Reach::All)
}

fn put(cache: &TieredCache, key: &str, size: usize, tags: &[&str]) {
    cache.put(&stamped(cache.stamp(), key, noise(size as u64, size), tags));
}

struct Folders {
    shared: tempfile::TempDir,
    disk: tempfile::TempDir,
}

impl Folders {
    fn new() -> Self {
        Self {
            shared: tempfile::tempdir().unwrap(),
            disk: tempfile::tempdir().unwrap(),
        }
    }

    fn tiers(&self) -> [(Arc<dyn Tier>, TierRules); 2] {
        let shared = LmdbTier::new(LmdbConfig::shared(self.shared.path(), 2 << 20));
        let disk = LmdbTier::new(LmdbConfig::disk(self.disk.path(), 32 << 20));
        [
            (Arc::new(shared), TierRules::for_slot(Slot::Shared)),
            (Arc::new(disk), TierRules::for_slot(Slot::Disk)),
        ]
    }

    fn cache(&self) -> TieredCache {
        TieredCache::new(self.tiers(), TieredConfig::default(), nobody())
    }
}

#[test]
fn what_cools_goes_down_and_what_warms_comes_up() {
    let folders = Folders::new();
    let cache = folders.cache();
    for number in 0..300 {
        put(&cache, &number.to_string(), 20_000, &[]);
        if number % 50 == 0 {
            assert!(cache.flush(PATIENCE));
        }
    }
    assert!(cache.flush(PATIENCE));
    let stats = cache.stats();
    assert!(stats.tiers[0].1.evictions > 200, "{stats:?}");
    assert_eq!(stats.tiers[1].1.writes, stats.tiers[0].1.evictions, "{stats:?}");
    // The first has long left the shared memory, and is found on the disk.
    let before = stats.tiers[0].1.writes;
    assert!(get(&cache, "3").is_some());
    assert!(cache.flush(PATIENCE));
    let stats = cache.stats();
    assert_eq!(stats.promotions, 1);
    assert_eq!(stats.tiers[0].1.writes, before + 1);
    assert!(get(&cache, "3").is_some());
    assert_eq!(cache.stats().promotions, 1, "it is found above now");
    for number in 0..300 {
        // Reading moves records up, and others down for them; one that is on its way is in neither place.
        assert!(cache.flush(PATIENCE));
        assert!(get(&cache, &number.to_string()).is_some(), "{number}");
    }
}

#[test]
fn a_record_evicted_from_memory_goes_to_the_highest_tier_that_has_it_not() {
    let folders = Folders::new();
    let cache = folders.cache();
    let record = stamped(cache.stamp(), "key", "value", &["t"]);
    cache.demote(record.clone());
    assert!(cache.flush(PATIENCE));
    assert_eq!(cache.stats().tiers[0].1.writes, 1);
    cache.demote(record.clone());
    assert!(cache.flush(PATIENCE));
    assert_eq!(cache.stats().tiers[0].1.writes, 1, "it is there already");
    cache.purge(&[Purge::tag("t")]);
    cache.demote(record);
    assert!(cache.flush(PATIENCE));
    assert!(get(&cache, "key").is_none(), "it was made before the purge");
}

#[test]
fn a_disk_is_found_again_by_the_next_process() {
    let folders = Folders::new();
    let [(_, _), (disk, rules)] = folders.tiers();
    let rules = TierRules {
        writes: Writes::OnPut,
        ..rules
    };
    let cache = TieredCache::new([(disk, rules)], TieredConfig::default(), nobody());
    put(&cache, "key", 1000, &["t"]);
    drop(cache);
    let cache = folders.cache();
    assert!(get(&cache, "key").is_some(), "dropping writes what waits");
    cache.purge(&[Purge::tag("t")]);
    drop(cache);
    assert!(get(&folders.cache(), "key").is_none());
}

#[test]
fn a_purge_wins_over_fills_promotions_and_demotions_under_way() {
    let folders = Folders::new();
    let config = TieredConfig {
        // A disk that others keep busy is no fault here.
        purge_patience: Duration::from_mins(1),
        ..TieredConfig::default()
    };
    let cache = TieredCache::new(folders.tiers(), config, nobody());
    // The version of a value is in it; a reader must never see one that was purged before its read began.
    let purged = AtomicU64::new(0);
    let current = AtomicU64::new(1);
    let done = AtomicBool::new(false);
    let seen = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    for key in 0..40 {
                        let oldest = purged.load(Ordering::Acquire);
                        if let Some(found) = get(&cache, &key.to_string()) {
                            let version = u64::from_le_bytes(found.value()[..8].try_into().unwrap());
                            assert!(version > oldest, "version {version} was read after {oldest} was purged");
                            seen.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
        scope.spawn(|| {
            let mut key = 0_u64;
            while !done.load(Ordering::Acquire) {
                let stamp = cache.stamp();
                let version = current.load(Ordering::Acquire);
                key += 1;
                // The work takes a moment, in which it is purged.
                std::thread::sleep(Duration::from_micros(key % 5 * 50));
                let mut value = version.to_le_bytes().to_vec();
                value.extend(noise(key, 60_000));
                let record = stamped(stamp, &(key % 40).to_string(), value, &["t"]);
                cache.put(&record);
                if key.is_multiple_of(3) {
                    cache.demote(record);
                }
            }
        });
        // The others end, whatever happens here.
        let _done = SetWhenDropped(&done);
        for version in 1..150 {
            std::thread::sleep(Duration::from_millis(10));
            current.store(version + 1, Ordering::Release);
            // Where a tier is owed it, because it had no room just then, nothing is read from it until it has obeyed.
            let _ = cache.purge(&[Purge::tag("t")]);
            purged.store(version, Ordering::Release);
        }
    });
    let stats = cache.stats();
    assert!(seen.load(Ordering::Relaxed) > 100, "{stats:?}");
    assert!(stats.tiers[0].1.outrun + stats.tiers[0].1.purged > 0, "{stats:?}");
    assert!(stats.tiers.iter().all(|(_, tier)| tier.recreated == 0), "{stats:?}");
}

struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A tier that does not come to an end with its first write until it is let.
#[derive(Default)]
struct Slow {
    let_go: AtomicBool,
    written: AtomicU64,
}

impl Tier for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }
    fn slot(&self) -> Slot {
        Slot::Other
    }
    fn generation(&self) -> u64 {
        1
    }
    fn get(&self, _: &[u8], _: u64) -> Option<Record> {
        None
    }
    fn write(&self, records: &[Record], _: u64, _: &mut dyn FnMut(Record)) {
        while !self.let_go.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.written.fetch_add(records.len() as u64, Ordering::AcqRel);
    }
    fn purge(&self, orders: &[PurgeOrder]) -> Result<Vec<u64>, Fault> {
        Ok(vec![1; orders.len()])
    }
    fn news(&self, _: bool) -> Vec<News> {
        Vec::new()
    }
    fn maintain(&self, _: u64, _: &mut dyn FnMut(Record)) {}
    fn stats(&self) -> TierStats {
        TierStats::default()
    }
}

#[test]
fn a_full_queue_drops_and_counts_and_nobody_waits() {
    for (records, bytes, size) in [(10, usize::MAX, 10), (1000, 10_000, 1_000)] {
        let slow = Arc::new(Slow::default());
        let rules = TierRules {
            queue_records: records,
            queue_bytes: bytes,
            ..TierRules::for_slot(Slot::Other)
        };
        let cache = TieredCache::new(
            [(Arc::clone(&slow) as Arc<dyn Tier>, rules)],
            TieredConfig::default(),
            nobody(),
        );
        for number in 0..100 {
            put(&cache, &number.to_string(), size, &[]);
        }
        let stats = cache.stats();
        assert!(stats.queued[0] <= 10, "{stats:?}");
        assert!(stats.dropped[0] >= 60, "{stats:?}");
        slow.let_go.store(true, Ordering::Release);
        assert!(cache.flush(PATIENCE));
        assert_eq!(slow.written.load(Ordering::Acquire) + cache.stats().dropped[0], 100);
    }
}

/// A machine with tiers of its own and one it shares.
struct Machine {
    folders: Folders,
    heard: Arc<Mutex<Vec<Purge>>>,
}

impl Machine {
    fn new() -> Self {
        Self {
            folders: Folders::new(),
            heard: Arc::default(),
        }
    }

    fn start(&self, redis: &Redis) -> TieredCache {
        let remote = RedisTier::new(RedisConfig {
            heartbeat: Duration::from_millis(100),
            breaker_pause: Duration::from_millis(50),
            ..RedisConfig::new(redis.url(), "fleet")
        });
        let mut tiers: Vec<(Arc<dyn Tier>, TierRules)> = self.folders.tiers().into();
        tiers[1].1.writes = Writes::OnPut;
        tiers.push((Arc::new(remote), TierRules::for_slot(Slot::Remote)));
        let heard = Arc::clone(&self.heard);
        let listener = move |purge: &Purge| heard.lock().unwrap().push(purge.clone());
        let cache = TieredCache::new(tiers, TieredConfig::default(), Arc::new(listener));
        eventually("it knows the purges of the fleet", || {
            cache.stamp().get(Slot::Remote) > 0
        });
        cache
    }
}

#[test]
fn a_purge_reaches_the_tiers_and_the_memory_of_other_machines() {
    let Some(redis) = Redis::start() else { return };
    let (here, there) = (Machine::new(), Machine::new());
    let (one, two) = (here.start(&redis), there.start(&redis));
    put(&one, "key", 1_000, &["t"]);
    assert!(one.flush(PATIENCE));
    // Found on the server, and copied into the tiers of the second machine.
    eventually("it is found there", || get(&two, "key").is_some());
    get(&two, "key");
    assert!(two.flush(PATIENCE));
    assert!(two.get(b"key", wall_clock(), Reach::Machine).is_some());
    assert!(one.purge(&[Purge::tag("t")]).owed.is_empty());
    assert!(get(&one, "key").is_none());
    eventually("the second machine hears", || !there.heard.lock().unwrap().is_empty());
    assert!(get(&two, "key").is_none());
    assert_eq!(*there.heard.lock().unwrap(), [Purge::tag("t")]);
}

#[test]
fn a_machine_that_was_off_makes_good_what_was_purged_meanwhile() {
    let Some(redis) = Redis::start() else { return };
    let (here, there) = (Machine::new(), Machine::new());
    let one = here.start(&redis);
    {
        let two = there.start(&redis);
        for key in ["stays", "goes"] {
            put(&two, key, 1_000, &[key]);
        }
        assert!(two.flush(PATIENCE));
        eventually("the state of the fleet is noted", || {
            std::thread::sleep(Duration::from_millis(100));
            true
        });
    }
    assert!(one.purge(&[Purge::tag("goes")]).owed.is_empty());
    let two = there.start(&redis);
    eventually("what was purged is gone", || {
        two.get(b"goes", wall_clock(), Reach::Machine).is_none()
    });
    assert!(two.get(b"stays", wall_clock(), Reach::Machine).is_some());
}

#[test]
fn while_the_server_is_away_the_machine_goes_on_and_owes_its_purges() {
    let Some(mut redis) = Redis::start() else { return };
    let (here, there) = (Machine::new(), Machine::new());
    let (one, two) = (here.start(&redis), there.start(&redis));
    put(&one, "key", 1_000, &["t"]);
    assert!(one.flush(PATIENCE));
    eventually("it is found there", || get(&two, "key").is_some());
    assert!(two.flush(PATIENCE));
    redis.kill();
    assert!(get(&one, "key").is_some());
    assert_eq!(one.purge(&[Purge::tag("t")]).owed, ["redis"]);
    assert!(get(&one, "key").is_none());
    put(&one, "other", 1_000, &["t"]);
    eventually("it is kept here", || get(&one, "other").is_some());
    redis.restart();
    eventually("the purge is told", || one.stats().owed == [0, 0, 0]);
    eventually("the other machine heard of it", || {
        there
            .heard
            .lock()
            .unwrap()
            .iter()
            .any(|purge| matches!(purge, Purge::All) || *purge == Purge::tag("t"))
    });
    assert!(get(&two, "key").is_none());
}
