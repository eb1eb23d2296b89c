//! Single flight.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyperweb_cache::{Coalescer, FlightLimits, Joined, Subscribed};

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

#[test]
fn hundreds_of_threads_on_one_cold_key_make_it_once() {
    let coalescer: Coalescer<u64> = Coalescer::new();
    let made = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..300 {
            scope.spawn(|| match coalescer.join_blocking(b"key") {
                Joined::Leader(guard) => {
                    while coalescer.waiters() < 299 {
                        std::thread::yield_now();
                    }
                    made.fetch_add(1, Ordering::SeqCst);
                    guard.complete(&7);
                }
                Joined::Value(value) => assert_eq!(value, 7),
                other => panic!("{other:?}"),
            });
        }
    });
    assert_eq!(made.load(Ordering::SeqCst), 1);
    let outcomes = coalescer.outcomes();
    assert_eq!((outcomes.led, outcomes.shared, coalescer.flights()), (1, 299, 0));
}

#[tokio::test]
async fn threads_tasks_and_callbacks_wait_in_one_queue() {
    let coalescer: Coalescer<u64> = Coalescer::new();
    let guard = leader(coalescer.join(b"k").await);
    let thread = std::thread::spawn({
        let coalescer = coalescer.clone();
        move || coalescer.join_blocking(b"k")
    });
    let task = tokio::spawn({
        let coalescer = coalescer.clone();
        async move { coalescer.join(b"k").await }
    });
    let (sender, receiver) = std::sync::mpsc::channel();
    let Subscribed::Later(place) = coalescer.join_callback(b"k", move |joined| sender.send(joined).unwrap()) else {
        panic!("another leads")
    };
    while coalescer.waiters() < 3 {
        tokio::task::yield_now().await;
    }
    guard.complete(&5);
    assert!(matches!(thread.join().unwrap(), Joined::Value(5)));
    assert!(matches!(task.await.unwrap(), Joined::Value(5)));
    assert!(matches!(receiver.recv().unwrap(), Joined::Value(5)));
    drop(place);
    assert_eq!((coalescer.outcomes().shared, coalescer.outcomes().cancelled), (3, 0));
}

fn limited(age: u64, wait: u64, retries: u32) -> Coalescer<u64> {
    let limit = |milliseconds| Some(Duration::from_millis(milliseconds)).filter(|limit| !limit.is_zero());
    Coalescer::with_limits(FlightLimits {
        age: limit(age),
        wait: limit(wait),
        retries,
    })
}

#[tokio::test]
async fn a_leader_over_its_age_is_followed_by_one_and_its_value_still_counts() {
    let coalescer = limited(20, 0, 0);
    let first = leader(coalescer.join(b"k").await);
    let waiting: Vec<_> = (0..5)
        .map(|_| {
            let coalescer = coalescer.clone();
            tokio::spawn(async move {
                match coalescer.join(b"k").await {
                    Joined::Leader(guard) => {
                        // It takes over, and is itself never done.
                        std::mem::forget(guard);
                        true
                    }
                    Joined::Value(9) => false,
                    other => panic!("{other:?}"),
                }
            })
        })
        .collect();
    while coalescer.outcomes().taken_over < 1 || coalescer.waiters() as u64 + coalescer.outcomes().taken_over < 5 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    first.complete(&9);
    let mut took_over = 0;
    for task in waiting {
        took_over += u64::from(task.await.unwrap());
    }
    let outcomes = coalescer.outcomes();
    assert_eq!((took_over, outcomes.late), (outcomes.taken_over, 1));
    assert_eq!((outcomes.shared + took_over, coalescer.flights()), (5, 0));
}

#[test]
fn a_thread_takes_over_from_a_leader_that_is_over_its_age() {
    let coalescer = limited(10, 0, 0);
    let Joined::Leader(first) = coalescer.join_blocking(b"k") else {
        panic!("nobody else is there")
    };
    let second = std::thread::spawn({
        let coalescer = coalescer.clone();
        move || match coalescer.join_blocking(b"k") {
            Joined::Leader(guard) => guard.complete(&2),
            other => panic!("{other:?}"),
        }
    });
    second.join().unwrap();
    // What comes after the flight is over changes no later one.
    let next = coalescer.try_lead(b"k").unwrap();
    first.complete(&1);
    assert!((coalescer.flights(), coalescer.outcomes().late) == (1, 1));
    next.complete(&3);
    assert_eq!(coalescer.flights(), 0);
}

#[tokio::test]
async fn one_waits_no_longer_than_its_limit() {
    let coalescer = limited(0, 10, 0);
    let guard = leader(coalescer.join(b"k").await);
    assert!(matches!(coalescer.join(b"k").await, Joined::TimedOut));
    assert!(matches!(coalescer.join_blocking(b"k"), Joined::TimedOut));
    let longer = FlightLimits {
        wait: Some(Duration::from_mins(1)),
        ..FlightLimits::default()
    };
    let patient = coalescer.join_within(b"k", longer);
    let (patient, ()) = tokio::join!(patient, async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        guard.complete(&1);
    });
    assert!(matches!(patient, Joined::Value(1)));
    assert_eq!((coalescer.outcomes().timed_out, coalescer.waiters()), (2, 0));
}

#[test]
fn a_sweep_ends_what_waits_by_callback() {
    let coalescer = limited(1000, 500, 0);
    let started = std::time::Instant::now();
    let Joined::Leader(first) = coalescer.join_blocking(b"k") else {
        panic!("nobody else is there")
    };
    let (sender, receiver) = std::sync::mpsc::channel();
    let longer = FlightLimits {
        wait: Some(Duration::from_mins(1)),
        ..FlightLimits::default()
    };
    let mut places = Vec::new();
    for limits in [
        FlightLimits {
            wait: Some(Duration::from_millis(500)),
            ..longer
        },
        longer,
        longer,
    ] {
        let sender = sender.clone();
        places.push(coalescer.join_callback_within(b"k", limits, move |joined| sender.send(joined).unwrap()));
    }
    let next = coalescer.sweep(started).unwrap();
    assert!(receiver.try_recv().is_err() && next >= started + Duration::from_millis(500));
    coalescer.sweep(started + Duration::from_millis(900));
    assert!(matches!(receiver.try_recv(), Ok(Joined::TimedOut)) && receiver.try_recv().is_err());
    coalescer.sweep(started + Duration::from_secs(5));
    let Ok(Joined::Leader(second)) = receiver.try_recv() else {
        panic!("the first is over its age")
    };
    assert!(receiver.try_recv().is_err(), "only one takes over");
    drop(first);
    assert_eq!(coalescer.waiters(), 1, "one that was taken over from hands nothing on");
    second.complete(&4);
    assert!(matches!(receiver.try_recv(), Ok(Joined::Value(4))));
    let lost = coalescer.try_lead(b"lost").unwrap();
    std::mem::forget(lost);
    assert_eq!(coalescer.sweep(started + Duration::from_mins(1)), None);
    assert_eq!(coalescer.flights(), 0, "what never comes back is forgotten");
}

#[test]
fn failures_are_tried_again_by_the_next_as_often_as_is_allowed() {
    let coalescer = limited(0, 0, 2);
    let Joined::Leader(first) = coalescer.join_blocking(b"k") else {
        panic!("nobody else is there")
    };
    let tries = Arc::new(AtomicUsize::new(1));
    let told = Arc::new(AtomicUsize::new(0));
    let places: Vec<_> = (0..6)
        .map(|_| {
            let (tries, told) = (Arc::clone(&tries), Arc::clone(&told));
            coalescer.join_callback(b"k", move |joined| match joined {
                Joined::Leader(guard) => {
                    tries.fetch_add(1, Ordering::SeqCst);
                    guard.fail("no");
                }
                Joined::Failed(_) => drop(told.fetch_add(1, Ordering::SeqCst)),
                other => panic!("{other:?}"),
            })
        })
        .collect();
    first.fail("no");
    assert_eq!((tries.load(Ordering::SeqCst), told.load(Ordering::SeqCst)), (3, 4));
    drop(places);
    assert_eq!((coalescer.flights(), coalescer.outcomes().cancelled), (0, 0));
}

#[test]
fn a_callback_that_panics_or_gives_up_stops_nobody() {
    let coalescer = limited(0, 0, 0);
    let Joined::Leader(first) = coalescer.join_blocking(b"k") else {
        panic!("nobody else is there")
    };
    let called = Arc::new(AtomicUsize::new(0));
    let places: Vec<_> = (0..100_000)
        .map(|number| {
            let called = Arc::clone(&called);
            coalescer.join_callback(b"k", move |joined| {
                called.fetch_add(1, Ordering::SeqCst);
                assert!(number != 7, "this panic is meant");
                drop(joined);
            })
        })
        .collect();
    drop(first);
    assert_eq!((called.load(Ordering::SeqCst), coalescer.flights()), (100_000, 0));
    drop(places);
}

#[test]
fn what_is_stale_is_returned_at_once_and_refreshed_once() {
    let coalescer = limited(0, 0, 0);
    let mut refreshing = Vec::new();
    for _ in 0..3 {
        let old = coalescer.stale_while_revalidate(b"k", "old", |guard| refreshing.push(guard));
        assert_eq!(old, "old");
    }
    assert_eq!((refreshing.len(), coalescer.outcomes().led), (1, 1));
    refreshing.pop().unwrap().complete(&1);
    coalescer.stale_while_revalidate(b"k", "old", |guard| refreshing.push(guard));
    assert_eq!(refreshing.len(), 1);
}

#[test]
fn a_leader_that_panics_hands_over() {
    let coalescer = limited(0, 0, 0);
    let waiting = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            let Joined::Leader(_guard) = coalescer.join_blocking(b"k") else {
                unreachable!("nobody else is there")
            };
            waiting.wait();
            while coalescer.waiters() < 1 {
                std::thread::yield_now();
            }
            panic!("this panic is meant")
        });
        waiting.wait();
        match coalescer.join_blocking(b"k") {
            Joined::Leader(guard) => guard.complete(&1),
            other => panic!("{other:?}"),
        }
        assert!(first.join().is_err());
    });
    assert_eq!((coalescer.flights(), coalescer.outcomes().handed_over), (0, 1));
}
