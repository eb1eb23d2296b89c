//! Processes that share a tier under full load, while tags are purged, limits change, and one after the other is killed.
//!
//! Each value says which purge of its tag it was made after. Whoever reads looks first which purges are done: a value from
//! before one of them is a violation, and so is one that is not of its key or not whole.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyperweb_cache::tiers::{
    LmdbConfig, LmdbTier, Purge, Reach, Record, Slot, Tags, Tier, TierRules, TieredCache, TieredConfig, Times,
    wall_clock,
};
use hyperweb_cache::{Cache, Config, Options};
use memmap2::MmapRaw;

use crate::traces::{Random, Zipf};

const PROCESSES: u64 = 3;
const THREADS: u64 = 2;
const KEYS: usize = 30_000;
const TAGS: u64 = 16;
const LIMIT: u64 = 24 << 20;
const TTL: u64 = 2_000;

/// Where each number stands in the shared ledger.
#[derive(Clone, Copy)]
enum Place {
    /// Purges of a tag that were begun.
    Begun(u64),
    /// The last one that was done.
    Done(u64),
    Reads,
    Hits,
    Fills,
    Purges,
    Violations,
    Stop,
}

/// Numbers that all processes see.
struct Ledger(MmapRaw);

impl Ledger {
    fn open(folder: &Path) -> std::io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join("ledger"))?;
        file.set_len(4096)?;
        Ok(Self(MmapRaw::map_raw(&file)?))
    }

    fn at(&self, place: Place) -> &AtomicU64 {
        let number = match place {
            Place::Begun(tag) => tag,
            Place::Done(tag) => TAGS + tag,
            Place::Reads => 2 * TAGS,
            Place::Hits => 2 * TAGS + 1,
            Place::Fills => 2 * TAGS + 2,
            Place::Purges => 2 * TAGS + 3,
            Place::Violations => 2 * TAGS + 4,
            Place::Stop => 2 * TAGS + 5,
        };
        // SAFETY: the map has 512 numbers, is aligned to a page, and stays as long as this; all who see it use atomics.
        unsafe { AtomicU64::from_ptr(self.0.as_mut_ptr().cast::<u64>().add(number as usize)) }
    }

    fn get(&self, place: Place) -> u64 {
        self.at(place).load(Ordering::SeqCst)
    }

    fn add(&self, place: Place, count: u64) -> u64 {
        self.at(place).fetch_add(count, Ordering::SeqCst)
    }
}

/// The caches of one process.
struct Caches {
    memory: Arc<Cache<Bytes>>,
    tiers: TieredCache,
}

fn open(folder: &Path) -> Caches {
    let memory = Arc::new(Cache::new(Config {
        limit_bytes: LIMIT,
        ..Config::default()
    }));
    let above = Arc::clone(&memory);
    let listener = move |purge: &Purge| match purge {
        Purge::Tag(tag) => above.purge_tags(std::str::from_utf8(tag).ok()),
        Purge::Key(key) => drop(above.purge_key(key)),
        Purge::Prefix(prefix) => above.purge_prefix(prefix),
        _ => above.purge_all(),
    };
    let shared: Arc<dyn Tier> = Arc::new(LmdbTier::new(LmdbConfig::shared(folder.join("shared"), 48 << 20)));
    let disk: Arc<dyn Tier> = Arc::new(LmdbTier::new(LmdbConfig::disk(folder.join("disk"), 64 << 20)));
    let tiers = TieredCache::new(
        [
            (shared, TierRules::for_slot(Slot::Shared)),
            (disk, TierRules::for_slot(Slot::Disk)),
        ],
        TieredConfig::default(),
        Arc::new(listener),
    );
    Caches { memory, tiers }
}

fn tag_of(key: u64) -> u64 {
    key % TAGS
}

/// A value: what it is of, the purge it was made after, and bytes that follow from both.
fn made(key: u64, version: u64) -> Bytes {
    let length = 64 + (key * 7919 + version * 31) % 4000;
    let mut bytes = Vec::with_capacity(length as usize + 16);
    bytes.extend(key.to_le_bytes());
    bytes.extend(version.to_le_bytes());
    let mut random = Random(key << 20 ^ version << 1 | 1);
    bytes.resize_with(length as usize + 16, || random.next() as u8);
    bytes.into()
}

fn number(bytes: &[u8], place: usize) -> u64 {
    bytes
        .get(place..place + 8)
        .and_then(|part| part.try_into().ok())
        .map_or(u64::MAX, u64::from_le_bytes)
}

fn name(key: u64) -> String {
    format!("/page/{key:08}")
}

fn read(caches: &Caches, ledger: &Ledger, key: u64) {
    ledger.add(Place::Reads, 1);
    let done = ledger.get(Place::Done(tag_of(key)));
    let name = name(key);
    // Purges of other processes are heard of within some milliseconds, or at once by who asks.
    caches.tiers.poll();
    let now = wall_clock();
    let token = caches.memory.begin_fill();
    let found = caches.memory.get(name.as_bytes(), now).map(|found| found.value);
    let tag = format!("tag{}", tag_of(key));
    let options = |value: &Bytes, ttl| Options {
        weight: value.len() as u64,
        ttl,
        grace: 0,
        tags: vec![tag.as_str().into()],
    };
    let found = found.or_else(|| {
        let record = caches.tiers.get(name.as_bytes(), now, Reach::Machine)?;
        let ttl = record.times.fresh_until.saturating_sub(now);
        let value = record.into_value();
        caches
            .memory
            .insert(name.as_bytes(), value.clone(), &options(&value, ttl), token, now);
        Some(value)
    });
    if let Some(value) = found {
        ledger.add(Place::Hits, 1);
        let version = number(&value, 8);
        if number(&value, 0) != key || version < done || value != made(key, version) {
            eprintln!(
                "violation: {name} is of {} after purge {version}, {done} were done",
                number(&value, 0)
            );
            ledger.add(Place::Violations, 1);
        }
        return;
    }
    ledger.add(Place::Fills, 1);
    let (token, stamp) = (caches.memory.begin_fill(), caches.tiers.stamp());
    let value = made(key, ledger.get(Place::Begun(tag_of(key))));
    let times = Times {
        fresh_until: now + TTL,
        dead_at: now + TTL,
    };
    caches
        .memory
        .insert(name.as_bytes(), value.clone(), &options(&value, TTL), token, now);
    let tags = Tags::new([tag.as_str()]);
    caches.tiers.put(&Record::new(name.into(), value, tags, times, stamp));
}

fn purge(caches: &Caches, ledger: &Ledger, tag: u64) {
    let number = ledger.add(Place::Begun(tag), 1) + 1;
    let name = format!("tag{tag}");
    let purged = caches.tiers.purge(&[Purge::tag(&name)]);
    caches.memory.purge_tags([name.as_str()]);
    ledger.add(Place::Purges, 1);
    // A tier that could not be told yet is not read by this process; others know nothing of the purge.
    if purged.owed.is_empty() {
        ledger.at(Place::Done(tag)).fetch_max(number, Ordering::SeqCst);
    }
}

/// One of the processes, until it is told to stop or killed.
pub fn one(folder: &Path, seed: u64) {
    let Ok(ledger) = Ledger::open(folder) else { return };
    let caches = open(folder);
    let zipf = Zipf::new(KEYS, 0.9);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (caches, ledger, zipf) = (&caches, &ledger, &zipf);
            scope.spawn(move || {
                let mut random = Random(seed << 8 | thread << 1 | 1);
                while ledger.get(Place::Stop) == 0 {
                    match random.next() % 20_000 {
                        0 => purge(caches, ledger, random.next() % TAGS),
                        1 => caches.memory.set_limit(LIMIT / (1 + random.next() % 8)),
                        2 => drop(caches.memory.maintain(wall_clock())),
                        _ => read(caches, ledger, zipf.next(&mut random)),
                    }
                }
            });
        }
    });
}

fn resident(process: &Child) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap_or_default();
    let line = text
        .lines()
        .find(|line| line.starts_with("RssAnon:"))
        .unwrap_or_default();
    let kilobytes = line.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}

/// Runs all of it; the figures, or what went wrong.
pub fn run(time: Duration) -> Result<String, String> {
    let folder = std::env::temp_dir().join(format!("hyperweb-soak-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let found = attended(&folder, time);
    _ = std::fs::remove_dir_all(&folder);
    found
}

fn attended(folder: &Path, time: Duration) -> Result<String, String> {
    let text = |error: std::io::Error| error.to_string();
    let ledger = Ledger::open(folder).map_err(text)?;
    let this = std::env::current_exe().map_err(text)?;
    let mut seed = 1;
    let mut start = || {
        seed += 1;
        let arguments = ["soak-of".into(), folder.as_os_str().to_owned(), seed.to_string().into()];
        Command::new(&this).args(arguments).spawn().map_err(text)
    };
    let mut processes = (0..PROCESSES).map(|_| start()).collect::<Result<Vec<_>, _>>()?;
    let (began, mut random, mut kills, mut most, mut lost) = (Instant::now(), Random(5), 0u64, 0, None);
    let (mut reads, mut looked) = (0, Instant::now());
    while began.elapsed() < time && lost.is_none() {
        std::thread::sleep(Duration::from_millis(200 + random.next() % 1800).min(time));
        most = processes.iter().map(resident).max().unwrap_or(0).max(most);
        for process in &mut processes {
            if let Ok(Some(status)) = process.try_wait() {
                lost = Some(format!("a process ended by itself: {status}"));
            }
        }
        let victim = random.next() as usize % processes.len();
        // It dies wherever it is.
        _ = processes[victim].kill();
        _ = processes[victim].wait();
        processes[victim] = start()?;
        kills += 1;
        if looked.elapsed() > Duration::from_secs(10) {
            let now = ledger.get(Place::Reads);
            if now == reads {
                lost = Some("nothing was read for ten seconds".to_owned());
            }
            (reads, looked) = (now, Instant::now());
        }
    }
    ledger.at(Place::Stop).store(1, Ordering::SeqCst);
    let until = Instant::now() + Duration::from_secs(20);
    for mut process in processes {
        while process.try_wait().map_err(text)?.is_none() {
            if Instant::now() > until {
                _ = process.kill();
                lost = Some("a process did not stop".to_owned());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let figure = |place| ledger.get(place);
    let violations = figure(Place::Violations);
    let mut report = String::from("| figure | value |\n|---|--:|\n");
    for (name, value) in [
        ("seconds", began.elapsed().as_secs()),
        ("processes at a time", PROCESSES),
        ("reads", figure(Place::Reads)),
        ("of them hits", figure(Place::Hits)),
        ("fills", figure(Place::Fills)),
        ("purges of a tag", figure(Place::Purges)),
        ("processes killed with SIGKILL", kills),
        ("most memory of a process, MiB (its limit 3 to 24)", most),
        ("values that should not have been seen", violations),
    ] {
        _ = writeln!(report, "| {name} | {value} |");
    }
    match lost {
        None if violations == 0 => Ok(report),
        lost => Err(format!(
            "{report}\n{}",
            lost.unwrap_or_else(|| "there were violations".to_owned())
        )),
    }
}
