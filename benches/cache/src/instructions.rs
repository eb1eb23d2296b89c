//! Instructions of a read that hits, counted by callgrind.

use std::fmt::Write as _;
use std::hint::black_box;
use std::process::Command;

use crate::peers::{NAMES, make};

const READS: u64 = 2_000_000;

/// Reads one cache so often, for callgrind to count.
pub fn read(name: &str, reads: u64) {
    let cache = make(name, 20_000);
    for key in 0..10_000 {
        cache.put(key, key);
        black_box(cache.get(key));
    }
    for number in 0..reads {
        black_box(cache.get(number * 7919 % 10_000));
    }
}

fn count(name: &str, reads: u64) -> Option<u64> {
    let this = std::env::current_exe().ok()?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args(["read", name, &reads.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().find(|line| line.contains("Collected"))?;
    line.split_whitespace().last()?.parse().ok()
}

/// The table.
pub fn table() -> String {
    let mut text = String::from("| cache | instructions a read hit |\n|---|--:|\n");
    for name in NAMES.into_iter().chain(["hyperweb w-tinylfu"]) {
        let found = count(name, READS)
            .zip(count(name, 0))
            .map(|(all, none)| (all - none) as f64 / READS as f64);
        let found = found.map_or("valgrind is missing".to_owned(), |found| format!("{found:.0}"));
        _ = writeln!(text, "| {name} | {found} |");
    }
    text
}
