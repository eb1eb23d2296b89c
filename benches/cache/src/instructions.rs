//! Instructions of a read that hits, of a write over what is there, and of one that something has to go for, counted by
//! callgrind.

use std::fmt::Write as _;
use std::hint::black_box;
use std::process::Command;

use crate::peers::{NAMES, make};

const READS: u64 = 2_000_000;
const WRITES: u64 = 1_000_000;

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

/// Writes over what is there so often.
pub fn overwrite(name: &str, writes: u64) {
    let cache = make(name, 20_000);
    for key in 0..10_000 {
        cache.put(key, key);
    }
    for number in 0..writes {
        cache.put(number * 7919 % 10_000, number);
    }
}

/// Writes what is new to a full cache so often.
pub fn write(name: &str, writes: u64) {
    let cache = make(name, 10_000);
    for key in 0..20_000 + writes {
        cache.put(key, key);
    }
}

fn count(what: &str, name: &str, count: u64) -> Option<u64> {
    let this = std::env::current_exe().ok()?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args([what, name, &count.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().find(|line| line.contains("Collected"))?;
    line.split_whitespace().last()?.parse().ok()
}

/// The table.
pub fn table() -> String {
    let mut text = String::from(
        "| cache | instructions a read that hits | a write over what is there | a write for which one goes |\n|---|--:|--:|--:|\n",
    );
    for name in NAMES.into_iter().chain(["hyperweb w-tinylfu"]) {
        _ = write!(text, "| {name} |");
        for (what, often) in [("read", READS), ("overwrite", WRITES), ("write", WRITES)] {
            let found = count(what, name, often)
                .zip(count(what, name, 0))
                .map(|(all, none)| (all - none) as f64 / often as f64);
            let found = found.map_or("valgrind is missing".to_owned(), |found| format!("{found:.0}"));
            _ = write!(text, " {found} |");
        }
        text.push('\n');
    }
    text
}
