//! A tier in LMDB in one process: what it keeps, what it hides, and what damage does to it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use hyperweb_cache::tiers::{
    FaultKind, LmdbConfig, LmdbTier, Origin, Purge, PurgeOrder, Slot, Stamp, Tier, wall_clock,
};
use support::{Told, eventually, noise, read, record, write};

fn shared(folder: &Path) -> LmdbConfig {
    LmdbConfig {
        sweep_every: Duration::ZERO,
        ..LmdbConfig::shared(folder, 4 << 20)
    }
}

fn maintain(tier: &LmdbTier) {
    tier.maintain(wall_clock(), &mut |_| ());
}

fn purge(tier: &LmdbTier, purges: &[Purge]) {
    let orders: Vec<_> = purges
        .iter()
        .map(|purge| PurgeOrder {
            purge: Some(purge.clone()),
            origin: Origin::Here,
        })
        .collect();
    tier.purge(&orders).expect("the purge is obeyed");
}

#[test]
fn a_record_is_read_as_it_was_written_by_another_handle_too() {
    let folder = tempfile::tempdir().unwrap();
    let tier = LmdbTier::new(LmdbConfig::disk(folder.path(), 4 << 20));
    let small = record(&tier, "small", "value", &["a", "b"]);
    let large = record(&tier, "large", noise(1, 100_000), &[]);
    write(&tier, &[small.clone(), large.clone()]);
    assert_eq!(read(&tier, "small"), Some(small.clone()));
    assert_eq!(read(&tier, "large"), Some(large.clone()));
    assert_eq!(read(&tier, "other"), None);
    drop(tier);
    let tier = LmdbTier::new(LmdbConfig::disk(folder.path(), 4 << 20));
    assert_eq!(read(&tier, "small"), Some(small));
    assert_eq!(read(&tier, "large"), Some(large));
    assert_eq!(tier.stats().recreated, 0);
}

#[test]
fn a_record_is_dead_at_its_time_and_by_the_limit_of_the_tier() {
    let folder = tempfile::tempdir().unwrap();
    let tier = LmdbTier::new(LmdbConfig {
        ttl: Some(Duration::from_secs(5)),
        ..shared(folder.path())
    });
    write(&tier, &[record(&tier, "key", "value", &[])]);
    let now = wall_clock();
    assert!(tier.get(b"key", now).is_some());
    assert!(tier.get(b"key", now + 6_000).is_none());
    assert_eq!(tier.stats().expired, 1);
    // What was met dead is removed.
    maintain(&tier);
    assert_eq!(tier.stats().entries, 0);
}

#[test]
fn purges_hide_what_they_mean_and_nothing_else_and_are_swept() {
    let folder = tempfile::tempdir().unwrap();
    let tier = LmdbTier::new(shared(folder.path()));
    let keys = ["/a/1", "/a/2", "/b/1", "/b/2"];
    let records: Vec<_> = keys
        .iter()
        .map(|key| record(&tier, key, "value", &[&key[key.len() - 1..]]))
        .collect();
    let alive = || keys.map(|key| u8::from(read(&tier, key).is_some()));
    write(&tier, &records);
    assert_eq!(alive(), [1, 1, 1, 1]);
    purge(&tier, &[Purge::key(b"/a/1")]);
    assert_eq!(alive(), [0, 1, 1, 1]);
    purge(&tier, &[Purge::prefix(b"/b")]);
    assert_eq!(alive(), [0, 1, 0, 0]);
    // Made before the purges: they come too late.
    write(&tier, &records);
    assert_eq!(alive(), [0, 1, 0, 0]);
    assert_eq!(tier.stats().outrun, 3);
    let fresh: Vec<_> = keys
        .iter()
        .map(|key| record(&tier, key, "value", &[&key[key.len() - 1..]]))
        .collect();
    write(&tier, &fresh);
    assert_eq!(alive(), [1, 1, 1, 1]);
    purge(&tier, &[Purge::tag("2")]);
    assert_eq!(alive(), [1, 0, 1, 0]);
    eventually("what was purged is removed", || {
        maintain(&tier);
        tier.stats().entries == 2
    });
    purge(&tier, &[Purge::All]);
    assert_eq!(alive(), [0, 0, 0, 0]);
    // Another process, that hears of all this from the log only.
    drop(tier);
    let tier = LmdbTier::new(shared(folder.path()));
    write(&tier, &fresh);
    assert!(keys.iter().all(|key| read(&tier, key).is_none()));
}

#[test]
fn more_purges_than_the_log_holds_hide_more_and_never_less() {
    let folder = tempfile::tempdir().unwrap();
    let tier = LmdbTier::new(LmdbConfig {
        purge_log: 8,
        ..shared(folder.path())
    });
    let old = record(&tier, "old", "value", &["meant"]);
    write(&tier, std::slice::from_ref(&old));
    purge(&tier, &[Purge::tag("meant")]);
    for number in 0..20 {
        purge(&tier, &[Purge::tag(&number.to_string())]);
    }
    assert!(read(&tier, "old").is_none());
    write(&tier, &[old]);
    drop(tier);
    let tier = LmdbTier::new(shared(folder.path()));
    assert!(read(&tier, "old").is_none());
    write(&tier, &[record(&tier, "new", "value", &["meant"])]);
    assert!(read(&tier, "new").is_some());
}

#[test]
fn a_purge_heard_from_machines_is_obeyed_once() {
    let folder = tempfile::tempdir().unwrap();
    let tier = LmdbTier::new(shared(folder.path()));
    let order = |origin| {
        [PurgeOrder {
            purge: Some(Purge::tag("t")),
            origin,
        }]
    };
    let fill = || {
        write(&tier, &[record(&tier, "key", "value", &["t"])]);
        read(&tier, "key").is_some()
    };
    tier.purge(&order(Origin::Sent(7))).unwrap();
    assert!(fill());
    // The same purge comes back from the channel, and other processes hear it too.
    tier.purge(&order(Origin::Heard(7))).unwrap();
    tier.purge(&order(Origin::Heard(7))).unwrap();
    assert!(read(&tier, "key").is_some());
    assert_eq!(tier.heard(), 7);
    tier.purge(&order(Origin::Heard(8))).unwrap();
    assert!(read(&tier, "key").is_none());
    assert!(fill());
    tier.purge(&order(Origin::Heard(8))).unwrap();
    assert!(read(&tier, "key").is_some());
}

#[test]
fn a_full_map_lets_the_oldest_go_and_gives_them_down() {
    let folder = tempfile::tempdir().unwrap();
    let tier = LmdbTier::new(shared(folder.path()));
    let mut demoted = Vec::new();
    for number in 0..2000_u64 {
        let size = [200, 3_000, 20_000, 50_000][usize::try_from(number % 4).unwrap()];
        let one = record(&tier, &number.to_string(), noise(number, size), &[]);
        tier.write(&[one], wall_clock(), &mut |record| demoted.push(record));
        // Read by all: it stays.
        assert!(read(&tier, "0").is_some(), "after {number}");
        read(&tier, "0");
    }
    let stats = tier.stats();
    assert_eq!(stats.writes, 2000);
    assert_eq!(stats.lost, 0);
    assert_eq!(stats.recreated, 0);
    assert_eq!(stats.evictions, demoted.len() as u64);
    assert!(stats.evictions > 1500, "{stats:?}");
    assert!(read(&tier, "1999").is_some());
    assert!(read(&tier, "1").is_none());
    let first: Vec<_> = demoted[..3].iter().map(|record| record.key().to_vec()).collect();
    assert_eq!(first, [b"1", b"2", b"3"]);
    assert!(fs::metadata(folder.path().join("data.mdb")).unwrap().len() <= 4 << 20);
}

#[test]
fn a_record_too_large_for_the_tier_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let tier = LmdbTier::new(shared(folder.path()));
    write(&tier, &[record(&tier, "huge", noise(1, 1 << 20), &[])]);
    assert_eq!(tier.stats().refused, 1);
    assert!(read(&tier, "huge").is_none());
}

/// Changes bytes of the only value in the file.
fn damage_value(folder: &Path, value: &[u8]) {
    let path = folder.join("data.mdb");
    let data = fs::read(&path).unwrap();
    let at = data
        .windows(value.len())
        .position(|window| window == value)
        .expect("the value is in the file");
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&[value[0] ^ 1], at as u64).unwrap();
}

#[test]
fn a_record_with_a_wrong_checksum_is_a_miss_and_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let told = Told::default();
    let tier = LmdbTier::new(LmdbConfig {
        fault_sink: told.sink(),
        ..shared(folder.path())
    });
    let value = noise(5, 300);
    write(&tier, &[record(&tier, "key", value.clone(), &[])]);
    damage_value(folder.path(), &value);
    assert!(read(&tier, "key").is_none());
    assert!(read(&tier, "key").is_none());
    assert_eq!(tier.stats().bad_records, 2);
    assert_eq!(told.all().len(), 1, "told once per period");
    assert_eq!(told.all()[0].kind, FaultKind::BadRecord);
    maintain(&tier);
    assert_eq!(tier.stats().entries, 0);
    write(&tier, &[record(&tier, "key", value, &[])]);
    assert!(read(&tier, "key").is_some());
}

/// What is done to the file of a tier that is not open.
fn after_damage(damage: impl FnOnce(&Path)) -> (LmdbTier, Told, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let tier = LmdbTier::new(LmdbConfig::disk(folder.path(), 16 << 20));
    let records: Vec<_> = (0..500)
        .map(|number| record(&tier, &number.to_string(), noise(number, 5_000), &["t"]))
        .collect();
    write(&tier, &records);
    drop(tier);
    damage(&folder.path().join("data.mdb"));
    let told = Told::default();
    let tier = LmdbTier::new(LmdbConfig {
        fault_sink: told.sink(),
        ..LmdbConfig::disk(folder.path(), 16 << 20)
    });
    (tier, told, folder)
}

fn is_made_anew(tier: &LmdbTier, told: &Told, folder: &Path) {
    assert!(tier.is_open());
    assert_eq!(tier.stats().recreated, 1);
    assert!(told.all().iter().any(|fault| fault.kind == FaultKind::Damaged));
    assert!(folder.join("damaged.mdb").exists(), "it is kept to be looked at");
    assert!(read(tier, "1").is_none());
    write(tier, &[record(tier, "1", "anew", &[])]);
    assert!(read(tier, "1").is_some());
}

#[test]
fn a_file_cut_short_is_put_aside_when_it_is_opened() {
    for length in [100, 4096, 12_288, 1_000_000] {
        let (tier, told, folder) = after_damage(|path| {
            OpenOptions::new()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(length)
                .unwrap();
        });
        is_made_anew(&tier, &told, folder.path());
    }
}

#[test]
fn a_file_of_something_else_is_put_aside() {
    for byte in [0_u8, 0xff, b'x'] {
        let (tier, told, folder) = after_damage(|path| {
            let length = fs::metadata(path).unwrap().len();
            fs::write(path, vec![byte; usize::try_from(length).unwrap()]).unwrap();
        });
        is_made_anew(&tier, &told, folder.path());
    }
}

#[test]
fn pages_that_point_nowhere_are_found_before_they_are_mapped() {
    // Each page but the first two in turn is made nonsense of; most hold values, whose checksums find it, and the
    // others are of the trees, which must not be followed.
    let mut anew = 0;
    for step in 0..24_u64 {
        let (tier, _, _folder) = after_damage(|path| {
            let file = OpenOptions::new().write(true).open(path).unwrap();
            let pages = file.metadata().unwrap().len() / 4096;
            let page = 2 + step * (pages - 2) / 24;
            for page in page..(page + pages / 24).min(pages) {
                file.write_all_at(&noise(page, 4096), page * 4096).unwrap();
            }
        });
        let found = (0..500).filter(|key| read(&tier, &key.to_string()).is_some()).count();
        if tier.stats().recreated == 1 {
            anew += 1;
            assert_eq!(found, 0);
        }
        write(&tier, &[record(&tier, "after", "value", &[])]);
        assert!(read(&tier, "after").is_some() || tier.stats().recreated == 0);
    }
    assert!(anew > 0);
}

#[test]
fn random_bytes_in_a_file_never_end_the_process() {
    for seed in 0..40_u64 {
        let (tier, _, _folder) = after_damage(|path| {
            let file = OpenOptions::new().write(true).open(path).unwrap();
            let length = file.metadata().unwrap().len();
            let places = noise(seed, 64);
            for place in places.chunks(8) {
                let at = u64::from_le_bytes(place.try_into().unwrap()) % (length - 8);
                file.write_all_at(&place[..=usize::from(place[7] % 7)], at).unwrap();
            }
        });
        for key in 0..500 {
            read(&tier, &key.to_string());
        }
        let records: Vec<_> = (0..50)
            .map(|number| record(&tier, &number.to_string(), noise(number, 9_000), &["t"]))
            .collect();
        write(&tier, &records);
        maintain(&tier);
    }
}

#[test]
fn a_file_cut_short_or_removed_while_it_is_open_is_left_and_made_anew() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 3] = [
        ("cut short", |path| {
            File::options().write(true).open(path).unwrap().set_len(8192).unwrap();
        }),
        ("removed", |path| fs::remove_file(path).unwrap()),
        ("lock file cut short", |path| {
            File::options()
                .write(true)
                .open(path.with_file_name("lock.mdb"))
                .unwrap()
                .set_len(0)
                .unwrap();
        }),
    ];
    for (name, harm) in harms {
        let folder = tempfile::tempdir().unwrap();
        let tier = LmdbTier::new(shared(folder.path()));
        let before = tier.generation();
        for number in 0..100 {
            write(&tier, &[record(&tier, &number.to_string(), noise(number, 5_000), &[])]);
        }
        harm(&folder.path().join("data.mdb"));
        std::thread::sleep(Duration::from_millis(2));
        assert!(read(&tier, "99").is_none(), "{name}: a miss, not a signal");
        assert!(!tier.is_open());
        eventually(name, || {
            maintain(&tier);
            tier.is_open()
        });
        assert!(tier.faults().count(FaultKind::Damaged) > 0);
        // What was made before is not taken in: what was purged since is not known.
        let mut stamp = Stamp::default();
        stamp.set(Slot::Shared, before);
        write(&tier, &[support::stamped(stamp, "old", "value", &[])]);
        assert!(read(&tier, "old").is_none());
        write(&tier, &[record(&tier, "new", "value", &[])]);
        assert!(read(&tier, "new").is_some(), "{name}");
    }
}

/// A disk of a few megabytes, where mounting is permitted.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .output()
            .ok()?;
        if !mounted.status.success() {
            eprintln!("skipped: needs to mount a small disk, which is not permitted here");
            return None;
        }
        Some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_lets_the_oldest_go_and_it_goes_on() {
    let Some(disk) = SmallDisk::mount("3m") else { return };
    let told = Told::default();
    let tier = LmdbTier::new(LmdbConfig {
        fault_sink: told.sink(),
        ..LmdbConfig::disk(disk.0.path().join("cache"), 64 << 20)
    });
    for number in 0..600_u64 {
        write(&tier, &[record(&tier, &number.to_string(), noise(number, 20_000), &[])]);
    }
    let stats = tier.stats();
    assert!(tier.faults().count(FaultKind::Full) > 0, "{stats:?}");
    assert_eq!(
        told.all().iter().filter(|fault| fault.kind == FaultKind::Full).count(),
        1
    );
    let kept = (0..600).filter(|key| read(&tier, &key.to_string()).is_some()).count();
    assert!(kept > 20, "{kept} are kept, {stats:?}");
    write(&tier, &[record(&tier, "after", "value", &["t"])]);
    assert!(read(&tier, "after").is_some());
    purge(&tier, &[Purge::tag("t")]);
    assert!(read(&tier, "after").is_none(), "purges find room too");
}

#[test]
fn threads_may_end_while_it_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2_000 {
        let tier = LmdbTier::new(LmdbConfig::shared(folder.path(), 1 << 20));
        assert!(tier.is_open());
        // A scope ends with what the threads run, and not with the threads: those are still being taken down.
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert!(tier.get(b"nothing", wall_clock()).is_none()));
            }
        });
    }
}

#[test]
fn a_folder_is_open_once_in_a_process_and_the_second_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let first = LmdbTier::new(shared(folder.path()));
    write(&first, &[record(&first, "key", "value", &[])]);
    let told = Told::default();
    let second = LmdbTier::new(LmdbConfig {
        fault_sink: told.sink(),
        ..shared(&folder.path().join("../").join(folder.path().file_name().unwrap()))
    });
    assert!(!second.is_open());
    assert!(
        told.all()[0].detail.contains("open in this process already"),
        "{:?}",
        told.all()
    );
    assert!(read(&second, "key").is_none());
    assert!(read(&first, "key").is_some(), "the first is as it was");
    let fault = LmdbTier::new_once(shared(folder.path())).expect_err("it is refused");
    assert!(fault.detail.contains(folder.path().to_str().unwrap()), "{fault}");
    drop(first);
    eventually("it takes over", || {
        maintain(&second);
        second.is_open()
    });
    assert!(read(&second, "key").is_some());
    assert_eq!(second.stats().recreated, 0);
}

#[test]
fn more_threads_may_read_one_after_another_than_there_are_places_for_readers() {
    let folder = tempfile::tempdir().unwrap();
    let tier = LmdbTier::new(LmdbConfig {
        max_readers: 64,
        ..shared(folder.path())
    });
    write(&tier, &[record(&tier, "key", "value", &[])]);
    for _ in 0..1000 {
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(read(&tier, "key").is_some()));
        });
    }
    assert_eq!(tier.faults().total(), 0);
}

#[test]
fn readers_at_once_read_what_is_written_meanwhile_whole() {
    let folder = tempfile::tempdir().unwrap();
    let tier = LmdbTier::new(shared(folder.path()));
    let value = |round: u64| noise(round, 3_000 + usize::try_from(round % 5).unwrap() * 4_000);
    write(&tier, &[record(&tier, "key", value(0), &[])]);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let found = read(&tier, "key").expect("it is always there");
                    let round = u64::from_le_bytes(found.tags().next().unwrap_or(&[0; 8]).try_into().unwrap());
                    assert!(found.value() == value(round));
                }
            });
        }
        for round in 1..100_u64 {
            let tag = String::from_utf8(round.to_le_bytes().map(|byte| byte & 0x7f).to_vec()).unwrap();
            let named = u64::from_le_bytes(tag.as_bytes().try_into().unwrap());
            write(&tier, &[record(&tier, "key", value(named), &[&tag])]);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!((tier.stats().bad_records, tier.faults().total()), (0, 0));
}

#[test]
fn a_soft_purge_makes_stale_and_leaves_the_grace() {
    let folder = tempfile::tempdir().unwrap();
    let tier = LmdbTier::new(shared(folder.path()));
    let keys = ["/a/1", "/a/2", "/b/1"];
    let fill = || {
        let records = keys.map(|key| record(&tier, key, "value", &[&key[3..]]));
        write(&tier, &records);
    };
    let before = wall_clock();
    let fresh = |tier: &LmdbTier| {
        keys.map(|key| {
            let times = read(tier, key).expect("it is not hidden").times;
            assert!(
                (29_999..=30_001).contains(&(times.dead_at - times.fresh_until)),
                "its grace stays"
            );
            u8::from(times.fresh_until > wall_clock())
        })
    };
    for (purge_of, expected) in [
        (Purge::key(b"/a/1"), [0, 1, 1]),
        (Purge::tag("1"), [0, 1, 0]),
        (Purge::prefix(b"/a"), [0, 0, 1]),
        (Purge::All, [0, 0, 0]),
    ] {
        fill();
        assert_eq!(fresh(&tier), [1, 1, 1]);
        purge(&tier, &[purge_of.softly(wall_clock())]);
        assert_eq!(fresh(&tier), expected);
    }
    // By the clock of one that is ahead it is stale from now on, and not fresh until then.
    fill();
    purge(&tier, &[Purge::tag("1").softly(wall_clock() + 3_600_000)]);
    assert_eq!(fresh(&tier), [0, 1, 0]);
    purge(&tier, &[Purge::tag("1").softly(wall_clock())]);
    // Sweeping removes what is dead by it, and nothing before.
    for _ in 0..10 {
        maintain(&tier);
    }
    assert_eq!(tier.stats().entries, 3);
    assert!(tier.get(b"/a/1", wall_clock() + 31_000).is_none());
    assert!(tier.get(b"/a/2", wall_clock() + 31_000).is_some());
    // Whoever opens it later knows, and a hard purge hides what was made stale.
    drop(tier);
    let tier = LmdbTier::new(shared(folder.path()));
    assert!(read(&tier, "/a/1").unwrap().times.fresh_until <= wall_clock());
    assert!(read(&tier, "/a/2").unwrap().times.fresh_until >= before + 30_000);
    purge(&tier, &[Purge::tag("1")]);
    assert!(read(&tier, "/a/1").is_none());
    assert!(read(&tier, "/a/2").is_some());
}

#[test]
fn soft_purges_that_are_forgotten_hide_what_they_made_stale() {
    let folder = tempfile::tempdir().unwrap();
    let tier = LmdbTier::new(LmdbConfig {
        purge_log: 4,
        ..shared(folder.path())
    });
    write(&tier, &[record(&tier, "old", "value", &["meant"])]);
    purge(&tier, &[Purge::tag("meant").softly(wall_clock())]);
    for _ in 0..20 {
        purge(&tier, &[Purge::tag("other").softly(wall_clock())]);
    }
    assert!(
        read(&tier, "old").is_some(),
        "the same purge again takes no more room in the log"
    );
    for number in 0..20 {
        purge(&tier, &[Purge::tag(&number.to_string())]);
        maintain(&tier);
    }
    drop(tier);
    let tier = LmdbTier::new(shared(folder.path()));
    assert!(read(&tier, "old").is_none(), "nobody knows any more that it is stale");
}
