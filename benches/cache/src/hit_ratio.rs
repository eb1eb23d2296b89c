//! Hits as a share of accesses, by trace, size and policy.

use std::fmt::Write as _;

use hyperweb_cache::{Cache, Config, Options, Policy};

use crate::reference::{S3Fifo, WTinyLfu};
use crate::traces::Trace;

/// Sizes as shares of the footprint, in thousandths.
const SIZES: [usize; 4] = [1, 10, 50, 100];
const ENTRY: u64 = 73;

const OURS: [(&str, Policy); 5] = [
    ("s3-fifo", Policy::S3Fifo),
    ("w-tinylfu", Policy::TinyLfu),
    ("lru", Policy::Lru),
    ("lfu", Policy::Lfu),
    ("auto", Policy::Auto),
];

fn ratio(keys: &[u64], mut access: impl FnMut(u64) -> bool) -> f64 {
    let hits = keys.iter().filter(|key| access(**key)).count();
    100.0 * hits as f64 / keys.len() as f64
}

fn ours(trace: &Trace, capacity: usize, policy: Policy) -> (f64, Policy) {
    let cache = Cache::new(Config {
        limit_bytes: capacity as u64 * ENTRY,
        largest_part: 1,
        partitions: 1,
        policy,
        ..Config::default()
    });
    let options = Options {
        weight: 1,
        ttl: u64::MAX,
        ..Options::default()
    };
    let found = ratio(&trace.keys, |key| {
        let bytes = key.to_le_bytes();
        if cache.pin().get(&bytes, 0).is_some() {
            return true;
        }
        cache.insert(&bytes, (), &options, cache.begin_fill(), 0);
        false
    });
    (found, cache.policy())
}

fn moka(trace: &Trace, capacity: usize) -> f64 {
    let cache = moka::sync::Cache::new(capacity as u64);
    ratio(&trace.keys, |key| {
        let hit = cache.get(&key).is_some();
        if !hit {
            cache.insert(key, ());
        }
        cache.run_pending_tasks();
        hit
    })
}

fn quick_cache(trace: &Trace, capacity: usize) -> f64 {
    let options = quick_cache::OptionsBuilder::new()
        .shards(1)
        .estimated_items_capacity(capacity)
        .weight_capacity(capacity as u64)
        .build();
    let Ok(options) = options else { return f64::NAN };
    let cache = quick_cache::sync::Cache::<u64, ()>::with_options(
        options,
        quick_cache::UnitWeighter,
        quick_cache::DefaultHashBuilder::default(),
        quick_cache::sync::DefaultLifecycle::default(),
    );
    ratio(&trace.keys, |key| {
        let hit = cache.get(&key).is_some();
        if !hit {
            cache.insert(key, ());
        }
        hit
    })
}

fn tinyufo(trace: &Trace, capacity: usize) -> f64 {
    let cache = tinyufo::TinyUfo::<u64, ()>::new(capacity, capacity);
    ratio(&trace.keys, |key| {
        let hit = cache.get(&key).is_some();
        if !hit {
            cache.put(key, (), 1);
        }
        hit
    })
}

fn foyer(trace: &Trace, capacity: usize) -> f64 {
    let cache: foyer::Cache<u64, ()> = foyer::CacheBuilder::new(capacity).with_shards(1).build();
    ratio(&trace.keys, |key| {
        let hit = cache.get(&key).is_some();
        if !hit {
            cache.insert(key, ());
        }
        hit
    })
}

/// The table. `peers` says whether the crates are run too.
pub fn table(traces: &[Trace], peers: bool) -> String {
    let mut text = String::from(
        "| trace | size | exact s3-fifo | exact w-tinylfu | s3-fifo | w-tinylfu | lru | lfu | auto | auto chose | auto − best exact | auto − best of ours | moka | quick_cache | TinyUFO | foyer |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|---|--:|--:|--:|--:|--:|--:|\n",
    );
    for trace in traces {
        for size in SIZES {
            let capacity = (trace.footprint * size / 1000).max(1);
            if capacity < 10 {
                continue;
            }
            let (mut fifo, mut tiny) = (S3Fifo::new(capacity), WTinyLfu::new(capacity));
            let exact = [
                ratio(&trace.keys, |key| fifo.access(key)),
                ratio(&trace.keys, |key| tiny.access(key)),
            ];
            let mut line = format!(
                "| {} | {} % | {:.2} | {:.2}",
                trace.name,
                size as f64 / 10.0,
                exact[0],
                exact[1]
            );
            let (mut best, mut auto, mut chose) = (0.0_f64, 0.0, Policy::Auto);
            for (_, policy) in OURS {
                let (found, now) = ours(trace, capacity, policy);
                if policy == Policy::Auto {
                    (auto, chose) = (found, now);
                } else {
                    best = best.max(found);
                }
                _ = write!(line, " | {found:.2}");
            }
            let behind = auto - exact[0].max(exact[1]);
            _ = write!(line, " | {} | {behind:+.2} | {:+.2}", chose.name(), auto - best);
            if peers {
                for peer in [moka, quick_cache, tinyufo, foyer] {
                    _ = write!(line, " | {:.2}", peer(trace, capacity));
                }
            } else {
                line.push_str(" | | | |");
            }
            line.push_str(" |\n");
            eprint!("{line}");
            text.push_str(&line);
        }
    }
    text
}
