//! Single flight.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyperweb_cache::{Coalescer, Joined};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_tasks_on_one_cold_key_make_it_once() {
    let coalescer: Coalescer<u64> = Coalescer::new();
    let made = Arc::new(AtomicUsize::new(0));
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let tasks: Vec<_> = (0..10_000)
        .map(|_| {
            let (coalescer, made, gate) = (coalescer.clone(), Arc::clone(&made), Arc::clone(&gate));
            tokio::spawn(async move {
                match coalescer.join(b"key").await {
                    Joined::Leader(guard) => {
                        let _ = gate.acquire().await.unwrap();
                        made.fetch_add(1, Ordering::SeqCst);
                        guard.complete(&7);
                        7
                    }
                    Joined::Value(value) => value,
                    other => panic!("{other:?}"),
                }
            })
        })
        .collect();
    while coalescer.waiters() < 9999 {
        tokio::task::yield_now().await;
    }
    gate.add_permits(1);
    for task in tasks {
        assert_eq!(task.await.unwrap(), 7);
    }
    assert_eq!(made.load(Ordering::SeqCst), 1);
    assert_eq!(coalescer.flights(), 0);
}

fn leader(joined: Joined<u64>) -> hyperweb_cache::LeaderGuard<u64> {
    match joined {
        Joined::Leader(guard) => guard,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_leader_that_dies_hands_over_to_exactly_one() {
    let coalescer: Coalescer<u64> = Coalescer::new();
    let first = leader(coalescer.join(b"k").await);
    let waiting: Vec<_> = (0..5)
        .map(|_| {
            let coalescer = coalescer.clone();
            tokio::spawn(async move { coalescer.join(b"k").await })
        })
        .collect();
    while coalescer.waiters() < 5 {
        tokio::task::yield_now().await;
    }
    waiting[0].abort();
    tokio::task::yield_now().await;
    drop(first);
    let mut leaders = 0;
    for task in waiting {
        match task.await {
            Ok(Joined::Leader(guard)) => {
                leaders += 1;
                guard.complete(&3);
            }
            Ok(Joined::Value(value)) => assert_eq!(value, 3),
            Ok(other) => panic!("{other:?}"),
            Err(error) => assert!(error.is_cancelled()),
        }
    }
    assert_eq!((leaders, coalescer.flights(), coalescer.waiters()), (1, 0, 0));
}

#[tokio::test]
async fn cancelled_waiters_leave_nothing_behind() {
    let coalescer: Coalescer<u64> = Coalescer::new();
    let guard = leader(coalescer.join(b"k").await);
    for _ in 0..1000 {
        let mut waiting = Box::pin(coalescer.join(b"k"));
        assert!(futures_poll_once(&mut waiting).await.is_none());
    }
    assert_eq!(coalescer.waiters(), 0);
    drop(guard);
    assert_eq!(coalescer.flights(), 0);
    leader(coalescer.join(b"k").await).complete(&1);
}

async fn futures_poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    tokio::time::timeout(std::time::Duration::ZERO, future).await.ok()
}

#[tokio::test]
async fn what_cannot_be_shared_lets_all_go_and_is_remembered() {
    let coalescer: Coalescer<u64> = Coalescer::new();
    let guard = leader(coalescer.join(b"k").await);
    let waiting = tokio::spawn({
        let coalescer = coalescer.clone();
        async move { coalescer.join(b"k").await }
    });
    while coalescer.waiters() < 1 {
        tokio::task::yield_now().await;
    }
    guard.uncacheable(10_000, 5000);
    assert!(matches!(waiting.await.unwrap(), Joined::Uncacheable));
    assert!(coalescer.is_hit_for_miss(b"k", 14_000) && !coalescer.is_hit_for_miss(b"k", 17_000));
    assert!(!coalescer.is_hit_for_miss(b"other", 10_000));
    leader(coalescer.join(b"k").await).complete(&1);
    assert!(
        !coalescer.is_hit_for_miss(b"k", 14_000),
        "a value that could be shared ends the mark"
    );
}

#[tokio::test]
async fn a_failure_reaches_all_who_wait() {
    let coalescer: Coalescer<u64> = Coalescer::new();
    let guard = leader(coalescer.join(b"k").await);
    assert!(coalescer.try_lead(b"k").is_none());
    let waiting = tokio::spawn({
        let coalescer = coalescer.clone();
        async move { coalescer.join(b"k").await }
    });
    while coalescer.waiters() < 1 {
        tokio::task::yield_now().await;
    }
    guard.fail("broken");
    assert!(matches!(waiting.await.unwrap(), Joined::Failed(reason) if &*reason == "broken"));
    assert!(coalescer.try_lead(b"k").is_some());
}
