//! How long a purge of a tag takes until no reader sees what has it.

use std::time::Instant;

use hyperweb_cache::{Cache, Config, Options};

fn fastest(entries: u64, rounds: usize) -> f64 {
    let mut times = Vec::new();
    let cache = Cache::new(Config {
        limit_bytes: 1 << 30,
        ..Config::default()
    });
    let options = Options {
        weight: 8,
        ttl: u64::MAX,
        tags: vec!["tag".into()],
        ..Options::default()
    };
    // In both cases the cache is as large, so that it is not the processor's caches that are compared.
    let other = Options {
        tags: vec!["other".into()],
        ..options.clone()
    };
    for _ in 0..rounds {
        for key in 0..100_000 {
            let options = if key < entries { &options } else { &other };
            cache.insert(&key.to_le_bytes(), key, options, cache.begin_fill(), 0);
        }
        let began = Instant::now();
        cache.purge_tags(["tag"]);
        let took = began.elapsed().as_secs_f64() * 1e9;
        let reader = cache.pin();
        assert!(
            (0..entries).all(|key| reader.get(&key.to_le_bytes(), 0).is_none()),
            "an entry is seen after its purge"
        );
        times.push(took);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The table.
pub fn table(rounds: usize) -> String {
    let (few, many) = (fastest(10, rounds), fastest(100_000, rounds));
    format!(
        "| entries with the tag | ns until none is seen | ratio |\n|--:|--:|--:|\n| 10 | {few:.0} | |\n| 100,000 | {many:.0} | {:.2} |\n",
        many / few
    )
}
