//! How the limit follows the machine.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyperweb_cache::{Decision, Governor, Readings, SizeWatch, SizingConfig, SystemReader};
use proptest::prelude::*;

const MB: u64 = 1 << 20;

fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

const SECOND: &str = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

#[test]
fn the_smallest_limit_from_the_group_up_counts() {
    let root = machine(&[
        ("proc/self/cgroup", "0::/web.slice/hyperweb.service\n"),
        ("proc/self/mountinfo", SECOND),
        ("proc/meminfo", "MemTotal: 8000 kB\nMemAvailable:    4000 kB\n"),
        ("proc/self/status", "Name:\tx\nVmRSS:\t    100 kB\n"),
        (
            "proc/pressure/memory",
            "some avg10=3.50 avg60=0.00 avg300=0.00 total=0\nfull avg10=1.00 avg60=0 avg300=0 total=0\n",
        ),
        ("sys/fs/cgroup/web.slice/memory.max", "2000000\n"),
        ("sys/fs/cgroup/web.slice/memory.high", "1500000\n"),
        ("sys/fs/cgroup/web.slice/memory.current", "900000\n"),
        ("sys/fs/cgroup/web.slice/memory.stat", "anon 5\ninactive_file 100000\n"),
        ("sys/fs/cgroup/web.slice/hyperweb.service/memory.max", "max\n"),
        ("sys/fs/cgroup/web.slice/hyperweb.service/memory.high", "1800000\n"),
        ("sys/fs/cgroup/web.slice/hyperweb.service/memory.current", "800000\n"),
        (
            "sys/fs/cgroup/web.slice/hyperweb.service/memory.pressure",
            "some avg10=12.25 avg60=0.00 avg300=0.00 total=0\n",
        ),
    ]);
    let expected = Readings {
        limit: Some(1_500_000),
        used: Some(800_000),
        available: Some(4_096_000),
        resident: Some(102_400),
        pressure: Some(12.25),
    };
    assert_eq!(SystemReader::new(root.path()).read(), expected);
}

#[test]
fn version_one_counts_where_version_two_has_no_memory() {
    let mounts = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                  41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    let root = machine(&[
        ("proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/a/b\n0::/\n"),
        ("proc/self/mountinfo", mounts),
        ("proc/self/statm", "700 50 3 5 0 123 0\n"),
        (
            "proc/pressure/memory",
            "some avg10=0.50 avg60=0.00 avg300=0.00 total=0\n",
        ),
        ("sys/fs/cgroup/unified/cgroup.procs", ""),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "5000000\n"),
        ("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "400000\n"),
        (
            "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes",
            "9223372036854771712\n",
        ),
    ]);
    let found = SystemReader::new(root.path()).read();
    assert_eq!((found.limit, found.used), (Some(5_000_000), Some(400_000)));
    assert_eq!(
        (found.resident, found.pressure, found.available),
        (Some(50 * 4096), Some(0.5), None)
    );
}

#[test]
fn a_group_that_is_not_to_be_seen_is_the_top_of_what_is() {
    let root = machine(&[
        ("proc/self/cgroup", "0::/docker/abc\n"),
        (
            "proc/self/mountinfo",
            "31 23 0:28 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
        ),
        ("sys/fs/cgroup/memory.max", "3000000\n"),
    ]);
    assert_eq!(SystemReader::new(root.path()).read().limit, Some(3_000_000));
    let escaping = machine(&[
        ("proc/self/cgroup", "0::/../../etc\n"),
        ("proc/self/mountinfo", SECOND),
        ("sys/fs/cgroup/memory.max", "3000000\n"),
        ("etc/memory.max", "1\n"),
    ]);
    assert_eq!(SystemReader::new(escaping.path()).read().limit, Some(3_000_000));
    assert_eq!(SystemReader::new(Path::new("/nonexistent")).read(), Readings::default());
}

#[cfg(target_os = "linux")]
#[test]
fn this_machine_is_read() {
    let found = SystemReader::default().read();
    assert!(found.resident.unwrap() > 100_000 && found.available.unwrap() > found.resident.unwrap());
}

/// A machine with a cache in it: the cache fills what it may, and takes `cost` hundredths for each byte it counts.
#[derive(Debug, Clone)]
struct Model {
    memory: u64,
    others: u64,
    rest: u64,
    cost: u64,
    group: bool,
    held: u64,
}

impl Model {
    fn readings(&self, pressure: f64) -> Readings {
        let resident = self.rest + self.held * self.cost / 100;
        Readings {
            limit: self.group.then_some(self.memory),
            used: self.group.then_some(self.others + resident),
            available: Some(self.memory.saturating_sub(self.others + resident)),
            resident: Some(resident),
            pressure: Some(pressure),
        }
    }

    fn step(&mut self, governor: &mut Governor, pressure: f64) -> u64 {
        let (limit, _) = governor.decide(self.held, &self.readings(pressure));
        self.held = limit;
        limit
    }
}

fn models(costs: std::ops::Range<u64>) -> impl Strategy<Value = Model> {
    (100..4000u64, 0..60u64, 10..60u64, costs, any::<bool>()).prop_map(|(memory, others, rest, cost, group)| Model {
        memory: memory * MB,
        others: memory * MB * others / 100,
        rest: rest * MB,
        cost,
        group,
        held: 0,
    })
}

proptest! {
    #[test]
    fn on_a_machine_that_does_not_change_the_limit_settles(mut model in models(100..300), share in 1..100u8) {
        let mut governor = Governor::new(SizingConfig { share, ..SizingConfig::default() });
        let limits: Vec<u64> = (0..400).map(|_| model.step(&mut governor, 0.0)).collect();
        let last = &limits[350..];
        prop_assert!(last.iter().all(|limit| limit == &last[0]), "{last:?}");
    }

    #[test]
    fn the_cap_is_never_passed(mut model in models(100..200), cap in 100..2000u64, noise in prop::collection::vec(0.0..30.0, 100)) {
        let cap = cap * MB;
        let config = SizingConfig { cap: Some(cap), share: 95, ..SizingConfig::default() };
        let mut governor = Governor::new(config);
        for pressure in noise {
            model.step(&mut governor, pressure);
            let resident = model.readings(0.0).resident.unwrap();
            prop_assert!(resident <= cap.max(model.rest), "{resident} of {cap}");
        }
    }

    #[test]
    fn any_readings_give_a_limit_within_what_is_allowed(
        held in any::<u64>(),
        all in prop::collection::vec((any::<Option<u64>>(), any::<Option<u64>>(), any::<Option<u64>>(), any::<Option<u64>>(), any::<Option<f64>>()), 1..20),
    ) {
        let mut governor = Governor::new(SizingConfig::default());
        for (limit, used, available, resident, pressure) in all {
            let readings = Readings { limit, used, available, resident, pressure };
            let before = governor.limit();
            let (next, why) = governor.decide(held, &readings);
            prop_assert_eq!(governor.limit(), Some(next));
            if let Some(before) = before {
                prop_assert!(next <= before.saturating_add(before / 8).max(8 * MB));
                prop_assert!(why == Decision::Cap || next >= before - before / 4);
                prop_assert_eq!(why == Decision::Keep, next == before);
            }
        }
    }

    #[test]
    fn what_is_no_proc_file_is_no_reading(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&text).into_owned();
        let root = machine(&[
            ("proc/self/cgroup", &text), ("proc/self/mountinfo", &text), ("proc/meminfo", &text),
            ("proc/self/status", &text), ("proc/pressure/memory", &text), ("sys/fs/cgroup/memory.max", &text),
        ]);
        let found = SystemReader::new(root.path()).read();
        prop_assert_eq!((found.available, found.resident), (None, None));
    }
}

#[test]
fn pressure_is_relieved_in_steps_and_the_limit_comes_back_later_each_time() {
    let mut model = Model {
        memory: 1000 * MB,
        others: 0,
        rest: 20 * MB,
        cost: 100,
        group: true,
        held: 0,
    };
    let mut governor = Governor::new(SizingConfig::default());
    let full = model.step(&mut governor, 0.0);
    assert_eq!(full, 400 * MB / 100 * 100);
    // What waits for memory goes on while the cache holds more than 250 MB.
    let mut waits = Vec::new();
    let mut calm = 0;
    for _ in 0..2000 {
        let pressed = model.held > 250 * MB;
        let before = model.held;
        model.step(&mut governor, if pressed { 20.0 } else { 0.0 });
        if pressed {
            assert!(model.held >= before - before / 7, "one step is a bounded part");
            if calm > 0 {
                waits.push(calm);
            }
            calm = 0;
        } else {
            calm += 1;
        }
    }
    assert!(
        waits.len() < 8 && waits.windows(2).all(|pair| pair[1] > pair[0]),
        "{waits:?}"
    );
}

#[test]
fn a_fixed_limit_stands_but_for_the_room_there_is() {
    let config = SizingConfig {
        fixed: Some(300 * MB),
        ..SizingConfig::default()
    };
    let readings = |available| Readings {
        available: Some(available * MB),
        ..Readings::default()
    };
    assert_eq!(Governor::new(config).decide(0, &readings(5000)).0, 300 * MB);
    assert_eq!(Governor::new(config).decide(0, &readings(100)).0, 90 * MB);
    assert_eq!(
        Governor::new(SizingConfig::default()).decide(0, &Readings::default()).0,
        128 * MB
    );
}

#[test]
fn the_watch_follows_the_machine_and_ends_with_its_handle() {
    let root = machine(&[("proc/meminfo", "MemAvailable: 1000000 kB\n")]);
    let limit = Arc::new(AtomicU64::new(0));
    let set = Arc::clone(&limit);
    let watch = SizeWatch::start(
        SystemReader::new(root.path()),
        Governor::new(SizingConfig::default()),
        Duration::from_millis(1),
        || 0,
        move |bytes| set.store(bytes, Ordering::SeqCst),
    )
    .unwrap();
    assert_eq!(limit.load(Ordering::SeqCst), 1_024_000_000 / 100 * 40);
    // Put in place at once: the watch may read at any moment.
    fs::write(root.path().join("less"), "MemAvailable: 100000 kB\n").unwrap();
    fs::rename(root.path().join("less"), root.path().join("proc/meminfo")).unwrap();
    while limit.load(Ordering::SeqCst) > 45_000_000 {
        std::thread::yield_now();
    }
    drop(watch);
    assert_eq!(Arc::strong_count(&limit), 1, "the thread has ended");
}
