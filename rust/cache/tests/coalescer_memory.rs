//! What waiters leave behind. The only test of its process, whose memory it measures.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

use hyperweb_cache::Coalescer;

#[test]
fn a_million_cancelled_waiters_take_no_memory() {
    let resident = || {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    };
    let coalescer = Coalescer::<u64>::new();
    let guard = coalescer.try_lead(b"k").unwrap();
    let join = || coalescer.join_callback(b"k", |_| {});
    let steady: Vec<_> = (0..10).map(|_| join()).collect();
    drop((0..1000).map(|_| join()).collect::<Vec<_>>());
    let before = resident();
    for _ in 0..1_000_000 {
        drop(join());
    }
    assert!(resident() < before + (1 << 20), "{} bytes more", resident() - before);
    assert_eq!((coalescer.flights(), coalescer.waiters()), (1, 10));
    drop(steady);
    guard.complete(&1);
    assert_eq!((coalescer.flights(), coalescer.waiters()), (0, 0));
    assert_eq!(coalescer.outcomes().cancelled, 1_001_010);
}
