//! Several processes with one tier, some of which are killed.
//!
//! This file has a `main` of its own: it runs itself again as the other processes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "support/raw_unsafe.rs"]
#[allow(dead_code, reason = "it only writes here")]
mod raw_unsafe;
mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyperweb_cache::tiers::{
    LmdbConfig, LmdbTier, Origin, Purge, PurgeOrder, Reach, Slot, Tier, TierRules, TieredCache, TieredConfig,
    wall_clock,
};
use support::{eventually, noise, read, record, write};

const MAP: u64 = 8 << 20;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, role, folder] = arguments.as_slice() {
        let folder = Path::new(folder);
        match role.as_str() {
            "obey" => return obey(folder),
            "churn" => return churn(folder),
            "hold" => return hold(folder),
            _ => {}
        }
    }
    let only = arguments.get(1).filter(|argument| !argument.starts_with('-'));
    let tests: [(&str, fn()); 7] = [
        ("what_one_writes_another_reads", what_one_writes_another_reads),
        (
            "a_purge_hides_at_once_in_all_processes",
            a_purge_hides_at_once_in_all_processes,
        ),
        ("a_writer_killed_in_its_transaction", a_writer_killed_in_its_transaction),
        (
            "a_writer_stopped_in_its_transaction",
            a_writer_stopped_in_its_transaction,
        ),
        ("processes_killed_at_any_moment", processes_killed_at_any_moment),
        ("all_go_over_to_the_file_made_anew", all_go_over_to_the_file_made_anew),
        (
            "a_fork_does_not_read_in_the_place_of_its_parent",
            a_fork_does_not_read_in_the_place_of_its_parent,
        ),
    ];
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in tests {
            println!("{name}: test");
        }
        return;
    }
    for (name, test) in tests {
        if only.is_none_or(|only| name.contains(only.as_str())) {
            test();
            println!("test {name} ... ok");
        }
    }
}

fn open(folder: &Path) -> LmdbTier {
    LmdbTier::new(LmdbConfig::shared(folder, MAP))
}

/// A folder in shared memory, where there is some.
fn shared_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

/// Does as it is told, line by line.
fn obey(folder: &Path) {
    let tier = open(folder);
    let mut stdin = std::io::stdin().lock();
    let mut line = String::new();
    loop {
        line.clear();
        if stdin.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut words = line.split_whitespace();
        let (order, name) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        match order {
            "put" => {
                write(&tier, &[record(&tier, name, noise(1, 2_000), &["t"])]);
                println!("done");
            }
            "get" => println!("{}", if read(&tier, name).is_some() { "hit" } else { "miss" }),
            "purge" => {
                purge(&tier, Purge::tag(name));
                println!("done");
            }
            "maintain" => {
                tier.maintain(wall_clock(), &mut |_| ());
                println!("done");
            }
            _ => println!("unknown"),
        }
    }
}

fn purge(tier: &LmdbTier, purge: Purge) {
    let order = PurgeOrder {
        purge: Some(purge),
        origin: Origin::Here,
    };
    tier.purge(&[order]).expect("the purge is obeyed");
}

/// A value that shows by itself whether it is one that was written under its key.
fn value(key: u64, round: u64) -> Bytes {
    let length = 100 + usize::try_from((key * 977 + round * 131) % 30_000).unwrap();
    let mut value = key.to_le_bytes().to_vec();
    value.extend(round.to_le_bytes());
    value.extend(noise(key ^ round, length));
    value.into()
}

fn is_value(key: u64, found: &[u8]) -> bool {
    let round = u64::from_le_bytes(found[8..16].try_into().unwrap());
    found == value(key, round)
}

/// Writes, reads, purges and sweeps until it is killed.
fn churn(folder: &Path) {
    let tier = LmdbTier::new(LmdbConfig {
        sweep_every: Duration::ZERO,
        ..LmdbConfig::shared(folder, MAP)
    });
    let seed = u64::from(std::process::id());
    for round in 0.. {
        let records: Vec<_> = (0..8)
            .map(|number| {
                let key = (seed + round * 7 + number * 13) % 400;
                record(&tier, &key.to_string(), value(key, round), &[&format!("t{}", key % 10)])
            })
            .collect();
        write(&tier, &records);
        for key in 0..20 {
            let key = (round * 31 + key) % 400;
            if let Some(found) = read(&tier, &key.to_string()) {
                assert!(is_value(key, found.value()), "what is read was written");
            }
        }
        if round % 5 == 0 {
            purge(&tier, Purge::tag(&format!("t{}", round % 10)));
        }
        tier.maintain(wall_clock(), &mut |_| ());
        assert_eq!(tier.stats().recreated, 0, "the file is never found damaged");
    }
}

/// Begins to write, and does not end.
fn hold(folder: &Path) {
    let raw = raw_unsafe::Raw::open(folder, usize::try_from(MAP).unwrap()).unwrap();
    raw.write_for_ever().unwrap();
    println!("held");
    std::thread::sleep(Duration::from_mins(1));
}

struct Other {
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Other {
    fn start(role: &str, folder: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .arg(role)
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self {
            process,
            orders,
            answers,
        }
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn tell(&mut self, order: &str) -> String {
        writeln!(self.orders.as_mut().unwrap(), "{order}").unwrap();
        self.answer()
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn what_one_writes_another_reads() {
    let folder = shared_folder();
    let tier = open(folder.path());
    let mut other = Other::start("obey", folder.path());
    assert_eq!(other.tell("get mine"), "miss");
    write(&tier, &[record(&tier, "mine", "value", &[])]);
    assert_eq!(other.tell("get mine"), "hit");
    assert_eq!(other.tell("put theirs"), "done");
    assert!(read(&tier, "theirs").is_some());
    // One that starts later finds what is there, and nobody's file is made anew.
    let mut third = Other::start("obey", folder.path());
    assert_eq!(third.tell("get theirs"), "hit");
    assert_eq!(tier.stats().recreated, 0);
}

fn a_purge_hides_at_once_in_all_processes() {
    let folder = shared_folder();
    let tier = open(folder.path());
    let mut other = Other::start("obey", folder.path());
    for round in 0..200 {
        let key = format!("k{round}");
        let late = record(&tier, "late", "value", &["t"]);
        assert_eq!(other.tell(&format!("put {key}")), "done");
        assert!(read(&tier, &key).is_some());
        if round % 2 == 0 {
            assert_eq!(other.tell("purge t"), "done");
            assert!(read(&tier, &key).is_none());
            let news = tier.news(true);
            assert_eq!(news.len(), 1, "it is heard once");
            assert_eq!(news[0].purge, Purge::tag("t"));
        } else {
            purge(&tier, Purge::tag("t"));
            assert_eq!(other.tell(&format!("get {key}")), "miss");
            assert!(tier.news(true).is_empty(), "one's own purge is no news");
        }
        // What was being made when it was purged comes too late, whoever purged.
        write(&tier, &[late]);
        assert!(read(&tier, "late").is_none());
    }
}

fn a_writer_killed_in_its_transaction() {
    let folder = shared_folder();
    let tier = open(folder.path());
    write(&tier, &[record(&tier, "before", "value", &["t"])]);
    for _ in 0..10 {
        let mut holder = Other::start("hold", folder.path());
        assert_eq!(holder.answer(), "held");
        assert!(read(&tier, "before").is_some(), "readers wait for nobody");
        holder.kill();
        write(&tier, &[record(&tier, "after", "value", &["t"])]);
        assert!(read(&tier, "after").is_some());
    }
    assert_eq!(tier.stats().lost, 0);
}

fn a_writer_stopped_in_its_transaction() {
    let folder = shared_folder();
    let tier: Arc<dyn Tier> = Arc::new(open(folder.path()));
    let rules = TierRules {
        queue_records: 10,
        ..TierRules::for_slot(Slot::Shared)
    };
    let config = TieredConfig {
        purge_patience: Duration::from_millis(100),
        ..TieredConfig::default()
    };
    let cache = TieredCache::new([(Arc::clone(&tier), rules)], config, Arc::new(|_: &Purge| ()));
    let made = |key: &str| support::stamped(cache.stamp(), key, "value", &["t"]);
    let get = |key: &str| cache.get(key.as_bytes(), wall_clock(), Reach::All);
    cache.put(&made("before"));
    assert!(cache.flush(Duration::from_secs(5)));
    let mut holder = Other::start("hold", folder.path());
    assert_eq!(holder.answer(), "held");
    support::signal(&holder.process, "STOP");
    let began = Instant::now();
    for number in 0..100 {
        cache.put(&made(&number.to_string()));
    }
    assert!(get("before").is_some(), "readers wait for nobody");
    assert!(cache.stats().dropped[0] >= 80, "a full queue drops and counts");
    // The purge cannot be written, and says so in time; until it is nothing is read.
    assert_eq!(cache.purge(&[Purge::tag("t")]).owed, ["shared"]);
    assert!(get("before").is_none());
    assert!(began.elapsed() < Duration::from_secs(5), "nobody hangs");
    holder.kill();
    assert!(cache.flush(Duration::from_secs(5)));
    assert!(get("before").is_none(), "the purge was made good");
    cache.put(&made("after"));
    assert!(cache.flush(Duration::from_secs(5)));
    eventually("it is read again", || get("after").is_some());
}

fn processes_killed_at_any_moment() {
    let folder = shared_folder();
    let tier = open(folder.path());
    let mut others: Vec<_> = (0..3).map(|_| Other::start("churn", folder.path())).collect();
    let hits = AtomicUsize::new(0);
    let rounds = 60;
    std::thread::scope(|scope| {
        let killer = scope.spawn(|| {
            for kill in 0..rounds {
                std::thread::sleep(Duration::from_millis(20 + (kill * 37) % 60));
                let number = usize::try_from(kill).unwrap() % others.len();
                assert!(
                    others[number].process.try_wait().unwrap().is_none(),
                    "no process ends but by our hand"
                );
                others[number].kill();
                others[number] = Other::start("churn", folder.path());
            }
        });
        let mut round = 0;
        while !killer.is_finished() {
            round += 1;
            for key in 0..400_u64 {
                if let Some(found) = read(&tier, &key.to_string()) {
                    assert!(is_value(key, found.value()));
                    hits.fetch_add(1, Ordering::Relaxed);
                }
            }
            write(&tier, &[record(&tier, "7", value(7, round), &["t7"])]);
            tier.maintain(wall_clock(), &mut |_| ());
        }
    });
    let stats = tier.stats();
    println!("{rounds} kills, {} hits, {stats:?}", hits.load(Ordering::Relaxed));
    assert!(hits.load(Ordering::Relaxed) > 1000);
    assert_eq!((stats.lost, stats.recreated, stats.bad_records), (0, 0, 0));
    for other in &mut others {
        assert!(other.process.try_wait().unwrap().is_none());
        other.kill();
    }
    drop(tier);
    // All are dead: whoever comes first looks through all pages.
    let tier = open(folder.path());
    assert_eq!(tier.stats().recreated, 0);
}

fn all_go_over_to_the_file_made_anew() {
    let folder = shared_folder();
    let tier = open(folder.path());
    let mut other = Other::start("obey", folder.path());
    assert_eq!(other.tell("put key"), "done");
    std::fs::OpenOptions::new()
        .write(true)
        .open(folder.path().join("data.mdb"))
        .unwrap()
        .set_len(4096)
        .unwrap();
    std::thread::sleep(Duration::from_millis(2));
    assert!(read(&tier, "key").is_none());
    assert_eq!(other.tell("get key"), "miss");
    eventually("both have it open", || {
        tier.maintain(wall_clock(), &mut |_| ());
        assert_eq!(other.tell("maintain"), "done");
        write(&tier, &[record(&tier, "mine", "value", &[])]);
        other.tell("get mine") == "hit"
    });
    assert_eq!(other.tell("put theirs"), "done");
    assert!(read(&tier, "theirs").is_some());
}

fn a_fork_does_not_read_in_the_place_of_its_parent() {
    let folder = shared_folder();
    let tier = open(folder.path());
    write(&tier, &[record(&tier, "key", "value", &[])]);
    assert!(read(&tier, "key").is_some());
    assert!(raw_unsafe::holds_in_a_fork(|| {
        let is_none = read(&tier, "key").is_none() && !tier.is_open();
        // What it opens itself is its own.
        let own = open(folder.path());
        let is_some = read(&own, "key").is_some();
        write(&own, &[record(&own, "theirs", "value", &[])]);
        is_none && is_some
    }));
    assert!(read(&tier, "key").is_some());
    assert!(read(&tier, "theirs").is_some());
    write(&tier, &[record(&tier, "after", "value", &[])]);
    assert!(read(&tier, "after").is_some());
    assert_eq!((tier.faults().total(), tier.stats().recreated), (0, 0));
}
