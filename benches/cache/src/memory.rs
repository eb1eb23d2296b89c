//! Resident bytes an entry, besides its key and value: each cache in a process of its own.

use std::fmt::Write as _;
use std::process::Command;

use hyperweb_cache::{Cache, Config, Options, Policy};

use crate::traces::Random;

const NAMES: [&str; 9] = [
    "hyperweb s3-fifo, no ttl",
    "hyperweb s3-fifo, ttl",
    "hyperweb w-tinylfu, ttl",
    "hyperweb auto, ttl",
    "hyperweb s3-fifo, ttl, full",
    "moka",
    "quick_cache",
    "TinyUFO",
    "foyer",
];

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("Rss:")).unwrap_or_default();
    let kilobytes = line.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

fn keys(count: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut random = Random(3);
    (0..count).map(move |number| {
        let length = 16 + random.next() as usize % 33;
        let mut key = number.to_le_bytes().to_vec();
        key.resize_with(length, || random.next() as u8);
        key
    })
}

/// Fills one cache and prints what an entry takes.
pub fn one(name: &str, count: usize) {
    let content: usize = keys(count).map(|key| key.len() + 8).sum();
    let before = resident();
    let kept = match name {
        "moka" => {
            let cache = moka::sync::Cache::new(count as u64 * 2);
            keys(count).for_each(|key| cache.insert(key.into_boxed_slice(), 1u64));
            cache.run_pending_tasks();
            let kept = (cache.entry_count() as usize, resident());
            drop(cache);
            kept
        }
        "quick_cache" => {
            let cache = quick_cache::sync::Cache::new(count * 5 / 4);
            keys(count).for_each(|key| cache.insert(key.into_boxed_slice(), 1u64));
            let kept = (cache.len(), resident());
            drop(cache);
            kept
        }
        "TinyUFO" => {
            let cache = tinyufo::TinyUfo::new(count * 5 / 4, count * 5 / 4);
            for key in keys(count) {
                cache.put(key.into_boxed_slice(), 1u64, 1);
            }
            let kept = (count, resident());
            drop(cache);
            kept
        }
        "foyer" => {
            let cache: foyer::Cache<Box<[u8]>, u64> = foyer::CacheBuilder::new(count * 5 / 4).build();
            for key in keys(count) {
                cache.insert(key.into_boxed_slice(), 1u64);
            }
            let kept = (count, resident());
            drop(cache);
            kept
        }
        _ => ours(name, count),
    };
    let content = content as f64 / count as f64;
    println!(
        "{} {:.1}",
        kept.0,
        kept.1.saturating_sub(before) as f64 / kept.0 as f64 - content
    );
}

fn ours(name: &str, count: usize) -> (usize, u64) {
    let policy = match name {
        _ if name.contains("w-tinylfu") => Policy::TinyLfu,
        _ if name.contains("auto") => Policy::Auto,
        _ => Policy::S3Fifo,
    };
    // Full: half of the entries have gone again, and left what is remembered of them.
    let limit = if name.contains("full") {
        count as u64 * 104 / 2
    } else {
        count as u64 * 130
    };
    let cache: Cache<u64> = Cache::new(Config {
        limit_bytes: limit,
        policy,
        ..Config::default()
    });
    let mut options = Options {
        weight: 8,
        ttl: u64::MAX,
        ..Options::default()
    };
    for (number, key) in keys(count).enumerate() {
        if !name.contains("no ttl") {
            options.ttl = 1000 + number as u64 % 3_600_000;
        }
        cache.insert(&key, 1, &options, cache.begin_fill(), 0);
    }
    let kept = (cache.stats().entries as usize, resident());
    drop(cache);
    kept
}

/// The table.
pub fn table(count: usize) -> String {
    let mut text = String::from("| cache | entries | bytes an entry besides key and value |\n|---|--:|--:|\n");
    for name in NAMES {
        let this = std::env::current_exe().unwrap_or_default();
        let arguments = ["memory-of", name, &count.to_string()];
        let output = Command::new(this).args(arguments).output();
        let found = output
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default();
        let mut words = found.split_whitespace();
        let (entries, bytes) = (words.next().unwrap_or("?"), words.next().unwrap_or("?"));
        _ = writeln!(text, "| {name} | {entries} | {bytes} |");
    }
    text
}
