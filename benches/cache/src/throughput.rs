//! Operations a second, by threads and share of writes.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use crate::peers::{NAMES, Peer, make};
use crate::traces::{Random, Zipf};

const ENTRIES: usize = 100_000;
/// How often everything is measured; the middle counts.
const ROUNDS: usize = 3;

/// Of a hundred operations, so many are writes.
const MIXES: [(&str, u64); 3] = [("read only", 0), ("95/5", 5), ("50/50", 50)];

fn operations(seed: u64, writes: u64, count: usize) -> Vec<(u64, bool)> {
    // Where nothing is written, all that is read is there.
    let keys = if writes == 0 { ENTRIES * 8 / 10 } else { ENTRIES * 3 };
    let (zipf, mut random) = (Zipf::new(keys, 0.9), Random(seed));
    (0..count)
        .map(|_| (zipf.next(&mut random), random.next() % 100 < writes))
        .collect()
}

fn run(cache: &dyn Peer, streams: &[Vec<(u64, bool)>], time: Duration) -> f64 {
    let barrier = Barrier::new(streams.len());
    let rates = std::thread::scope(|scope| {
        let threads: Vec<_> = streams
            .iter()
            .map(|stream| {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    let began = Instant::now();
                    let mut done = 0u64;
                    for part in stream.chunks(1000).cycle() {
                        for (key, is_write) in part {
                            if *is_write {
                                cache.put(*key, *key);
                            } else {
                                black_box(cache.get(*key));
                            }
                        }
                        done += part.len() as u64;
                        if began.elapsed() >= time {
                            break;
                        }
                    }
                    done as f64 / began.elapsed().as_secs_f64()
                })
            })
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect::<Vec<f64>>()
    });
    rates.iter().sum::<f64>() / 1e6
}

/// What of the table is wanted; all where a part is empty.
#[derive(Default)]
pub struct Wanted {
    pub names: Vec<String>,
    pub mixes: Vec<String>,
    pub threads: Vec<usize>,
}

/// The table: millions of operations a second, and ours as a share of the fastest of the others.
pub fn table(time: Duration, wanted: &Wanted) -> String {
    let mut text = String::from("| mix | threads |");
    for name in NAMES {
        _ = write!(text, " {name} |");
    }
    text.push_str(" s3-fifo ÷ fastest peer | auto ÷ fastest peer |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
    let is_wanted = |name: &str| wanted.names.is_empty() || wanted.names.iter().any(|wanted| wanted == name);
    for (mix, writes) in MIXES {
        if !wanted.mixes.is_empty() && !wanted.mixes.iter().any(|wanted| wanted == mix) {
            continue;
        }
        for threads in [1, 2, 4, 8] {
            if !wanted.threads.is_empty() && !wanted.threads.contains(&threads) {
                continue;
            }
            let streams: Vec<_> = (1..=threads).map(|seed| operations(seed as u64, writes, 200_000)).collect();
            let mut rates = vec![Vec::new(); NAMES.len()];
            for _ in 0..ROUNDS {
                for (name, rates) in NAMES.iter().zip(&mut rates) {
                    if !is_wanted(name) {
                        rates.push(0.0);
                        continue;
                    }
                    let cache = make(name, ENTRIES);
                    for key in 0..ENTRIES as u64 * 8 / 10 {
                        cache.put(key, key);
                    }
                    rates.push(run(cache.as_ref(), &streams, time));
                }
            }
            let middle = rates.iter_mut().map(|rates| {
                rates.sort_by(f64::total_cmp);
                rates[rates.len() / 2]
            });
            let middle: Vec<f64> = middle.collect();
            let fastest = middle[2..].iter().copied().fold(0.0, f64::max);
            let mut line = format!("| {mix} | {threads} |");
            for rate in &middle {
                _ = write!(line, " {rate:.1} |");
            }
            _ = writeln!(line, " {:.2} | {:.2} |", middle[0] / fastest, middle[1] / fastest);
            eprint!("{line}");
            text.push_str(&line);
        }
    }
    text
}
