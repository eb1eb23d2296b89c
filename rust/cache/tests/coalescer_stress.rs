//! Threads, tasks and callbacks on a few keys, that do at random what leaders and waiters may do.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyperweb_cache::{Coalescer, FlightLimits, Joined, Subscribed};

const ROUNDS: u64 = 20_000;

/// A generator of numbers (xorshift), each thread's own.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Ends what a join came to, in one of the ways there are.
fn end(joined: Joined<u64>, choice: u64, working: &AtomicUsize) {
    if let Joined::Leader(guard) = joined {
        working.fetch_add(1, Ordering::SeqCst);
        if choice.is_multiple_of(1000) {
            // Longer than any limit.
            std::thread::sleep(Duration::from_millis(5));
        } else if choice.is_multiple_of(3) {
            std::thread::yield_now();
        }
        working.fetch_sub(1, Ordering::SeqCst);
        match choice % 8 {
            0 | 1 => drop(guard),
            2 => guard.fail("no"),
            3 => guard.uncacheable(0, 0),
            _ => guard.complete(&choice),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_join_ends_in_exactly_one_way_and_nothing_is_left() {
    let limits = FlightLimits {
        age: Some(Duration::from_millis(2)),
        wait: Some(Duration::from_millis(3)),
        retries: 1,
    };
    let coalescer: Coalescer<u64> = Coalescer::with_limits(limits);
    let joins = Arc::new(AtomicU64::new(0));
    let working = Arc::new(AtomicUsize::new(0));
    let callbacks = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (1..=4u64)
        .map(|number| {
            let (coalescer, joins, working) = (coalescer.clone(), Arc::clone(&joins), Arc::clone(&working));
            let callbacks = Arc::clone(&callbacks);
            std::thread::spawn(move || {
                let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                let mut held = Vec::new();
                for _ in 0..ROUNDS {
                    let choice = random(&mut state);
                    let key = ((choice >> 32) % 3).to_le_bytes();
                    match (choice >> 40) % 5 {
                        0 => {
                            if let Some(guard) = coalescer.try_lead(&key) {
                                joins.fetch_add(1, Ordering::SeqCst);
                                end(Joined::Leader(guard), choice, &working);
                            }
                        }
                        1 | 2 => {
                            joins.fetch_add(1, Ordering::SeqCst);
                            let (called, working) = (Arc::clone(&callbacks), Arc::clone(&working));
                            let joined = coalescer.join_callback(&key, move |joined| {
                                called.fetch_add(1, Ordering::SeqCst);
                                end(joined, choice, &working);
                            });
                            match joined {
                                Subscribed::Now(joined) => end(joined, choice, &AtomicUsize::new(0)),
                                Subscribed::Later(place) => held.push(place),
                            }
                            if (choice >> 50).is_multiple_of(4) {
                                held.clear();
                            }
                        }
                        _ => {
                            joins.fetch_add(1, Ordering::SeqCst);
                            end(coalescer.join_blocking(&key), choice, &working);
                        }
                    }
                    if choice >> 56 == 0 {
                        coalescer.sweep(Instant::now());
                    }
                }
            })
        })
        .collect();
    let mut state = 77;
    let mut tasks = Vec::new();
    for _ in 0..ROUNDS {
        let choice = random(&mut state);
        let (coalescer, joins, working) = (coalescer.clone(), Arc::clone(&joins), Arc::clone(&working));
        tasks.push(tokio::spawn(async move {
            joins.fetch_add(1, Ordering::SeqCst);
            let joined = coalescer.join(&((choice >> 32) % 3).to_le_bytes()).await;
            end(joined, choice, &working);
        }));
        if choice >> 60 == 0 {
            for task in tasks.drain(..) {
                task.abort();
                // Cancelled, or done already.
                let _ = task.await;
            }
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    for thread in threads {
        tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap();
    }
    assert_eq!((coalescer.flights(), coalescer.waiters()), (0, 0));
    assert_eq!(working.load(Ordering::SeqCst), 0);
    let all = coalescer.outcomes();
    let ended = all.led + all.shared + all.handed_over + all.taken_over + all.failed + all.uncacheable;
    let ended = ended + all.timed_out + all.cancelled;
    assert_eq!(ended, joins.load(Ordering::SeqCst), "{all:?}");
    assert!(
        all.taken_over > 0
            && all.shared > 0
            && all.handed_over > 0
            && all.cancelled > 0
            && callbacks.load(Ordering::SeqCst) > 0,
        "{all:?}"
    );
}
