//! The cap on resident memory, held by a process that allocates as fast as it can. The only test of its process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hyperweb_cache::{Governor, SizeWatch, SizingConfig, SystemReader};

const CAP: u64 = 128 << 20;

/// A cache that believes its entries to be three quarters of what they are: by arithmetic alone it would pass the cap.
#[test]
fn what_is_resident_never_passes_the_cap() {
    let reader = SystemReader::default();
    let config = SizingConfig {
        cap: Some(CAP),
        fixed: Some(CAP),
        ..SizingConfig::default()
    };
    let (held, limit) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (counted, set) = (Arc::clone(&held), Arc::clone(&limit));
    let watch = SizeWatch::start(
        reader.clone(),
        Governor::new(config),
        Duration::from_millis(20),
        move || counted.load(Ordering::SeqCst),
        move |bytes| set.store(bytes, Ordering::SeqCst),
    )
    .unwrap();
    let mut entries: VecDeque<Vec<u8>> = VecDeque::new();
    let (mut most, mut evicted, mut size) = (0, 0u64, 1000);
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(2) {
        for _ in 0..64 {
            size = (size * 31 + 7) % 60_000 + 500;
            entries.push_back(vec![1; size]);
            held.fetch_add(size as u64 * 3 / 4, Ordering::SeqCst);
            while held.load(Ordering::SeqCst) > limit.load(Ordering::SeqCst) {
                let Some(oldest) = entries.pop_front() else { break };
                held.fetch_sub(oldest.len() as u64 * 3 / 4, Ordering::SeqCst);
                evicted += 1;
            }
        }
        most = reader.read().resident.unwrap().max(most);
    }
    drop(watch);
    let used = most * 100 / CAP;
    println!(
        "at most {used} % of the cap, {evicted} evicted, counted {} MB",
        held.load(Ordering::SeqCst) >> 20
    );
    assert!(most <= CAP, "{most} of {CAP}");
    assert!(
        used >= 50 && evicted > 0,
        "the cap is what held it: {used} %, {evicted} evicted"
    );
}
