//! Measures the memory tier of the cache beside its peers, and writes what it found as Markdown.
//!
//! `hit-ratio [--peers] [--smoke] [--only NAME,…] [--traces FOLDER]`, `throughput [--smoke] [--only CACHE,…] [--mixes
//! MIX,…] [--threads COUNT,…]`, `memory [--smoke]`, `instructions`, `purge [--smoke]`, `soak SECONDS`, or `smoke` for a short run of all.

mod hit_ratio;
mod instructions;
mod memory;
mod peers;
mod purge;
mod reference;
mod soak;
mod throughput;
mod traces;

use std::path::PathBuf;
use std::time::Duration;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let is_smoke = has("--smoke");
    let folder = arguments
        .iter()
        .position(|argument| argument == "--traces")
        .and_then(|place| arguments.get(place + 1).cloned())
        .or_else(|| std::env::var("HYPERWEB_CACHE_TRACES").ok());
    let short = is_smoke || has("smoke");
    let time = Duration::from_millis(if short { 5 } else { 250 });
    let listed = |name: &str| -> Vec<String> {
        let place = arguments.iter().position(|argument| argument == name);
        let list = place.and_then(|place| arguments.get(place + 1));
        list.map(|list| list.split(',').map(str::to_owned).collect())
            .unwrap_or_default()
    };
    let number = |place: usize| arguments.get(place).and_then(|word| word.parse().ok()).unwrap_or(0);
    match arguments.first().map(String::as_str) {
        Some("hit-ratio") => {
            let mut all = folder
                .map(|folder| traces::recorded(&PathBuf::from(folder)))
                .unwrap_or_default();
            all.extend(traces::generated(if is_smoke { 0.02 } else { 1.0 }));
            let only = listed("--only");
            all.retain(|trace| only.is_empty() || only.contains(&trace.name));
            println!("{}", hit_ratio::table(&all, has("--peers")));
        }
        Some("throughput") => {
            let threads = listed("--threads");
            let wanted = throughput::Wanted {
                names: listed("--only"),
                mixes: listed("--mixes"),
                threads: threads.iter().filter_map(|count| count.parse().ok()).collect(),
            };
            println!("{}", throughput::table(time, &wanted));
        }
        Some("memory") => println!("{}", memory::table(if short { 50_000 } else { 1_000_000 })),
        Some("memory-of") => memory::one(&arguments[1], number(2) as usize),
        Some("instructions") => println!("{}", instructions::table()),
        Some("read") => instructions::read(&arguments[1], number(2)),
        Some("overwrite") => instructions::overwrite(&arguments[1], number(2)),
        Some("write") => instructions::write(&arguments[1], number(2)),
        Some("soak") => {
            let ended = soak::run(Duration::from_secs(number(1).max(1)));
            match ended {
                Ok(report) => println!("{report}"),
                Err(reason) => {
                    eprintln!("{reason}");
                    std::process::exit(1);
                }
            }
        }
        Some("soak-of") => soak::one(&PathBuf::from(&arguments[1]), number(2)),
        Some("purge") => println!("{}", purge::table(if short { 3 } else { 21 })),
        Some("smoke") => {
            println!("{}", hit_ratio::table(&traces::generated(0.02), true));
            println!("{}", throughput::table(time, &throughput::Wanted::default()));
            println!("{}", memory::table(50_000));
            println!("{}", purge::table(3));
            if let Err(reason) = soak::run(Duration::from_secs(2)) {
                eprintln!("{reason}");
                std::process::exit(1);
            }
        }
        _ => {
            eprintln!(
                "usage: throughput [--only CACHE,…] [--mixes MIX,…] [--threads COUNT,…] | memory | instructions | purge | soak SECONDS | smoke | hit-ratio [--peers] [--smoke] [--only NAME,…] [--traces FOLDER]"
            );
            std::process::exit(2);
        }
    }
}
