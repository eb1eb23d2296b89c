//! The hand-over protocol under every kind of schedule: the coalescer's own files, on a scheduler's locks and threads.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests, and files of the library of which only a part is used here"
)]

#[path = "../src/coalescer/mod.rs"]
mod coalescer;
#[path = "../src/marks.rs"]
mod marks;

/// What `src/sync.rs` is to the library.
mod sync {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    pub(crate) use shuttle::thread::{Thread, current, park};
    pub(crate) use shuttle::thread_local;

    #[derive(Debug)]
    pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> shuttle::sync::MutexGuard<'_, T> {
            self.0.lock().unwrap()
        }
    }

    /// Time stands still, so what has a limit that is not nought waits for its answer.
    pub(crate) fn now() -> Instant {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        *START.get_or_init(Instant::now)
    }

    pub(crate) fn park_timeout(_: Duration) {
        shuttle::thread::yield_now();
    }
}

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use coalescer::{Coalescer, FlightLimits, Joined, Subscribed};
use shuttle::thread;

const SCHEDULES: usize = 3000;
const DEPTH: usize = 4;

/// Runs under random schedules and under such as provoke rare orders (PCT, Burckhardt et al., ASPLOS 2010).
fn explore(test: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(test.clone(), SCHEDULES);
    shuttle::check_pct(test, SCHEDULES, DEPTH);
}

fn is_empty(coalescer: &Coalescer<u32>) {
    assert_eq!((coalescer.flights(), coalescer.waiters()), (0, 0));
}

#[test]
fn one_computes_and_the_others_are_given_its_value() {
    explore(|| {
        let coalescer: Coalescer<u32> = Coalescer::new();
        let working = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (coalescer, working) = (coalescer.clone(), Arc::clone(&working));
                thread::spawn(move || match coalescer.join_blocking(b"k") {
                    Joined::Leader(guard) => {
                        assert_eq!(working.fetch_add(1, Ordering::SeqCst), 0, "two lead at once");
                        thread::yield_now();
                        working.fetch_sub(1, Ordering::SeqCst);
                        guard.complete(&7);
                    }
                    Joined::Value(value) => assert_eq!(value, 7),
                    other => panic!("{other:?}"),
                })
            })
            .collect();
        for one in threads {
            one.join().unwrap();
        }
        is_empty(&coalescer);
        let outcomes = coalescer.outcomes();
        assert_eq!(outcomes.led + outcomes.shared, 3);
    });
}

#[test]
fn a_lead_that_is_dropped_goes_to_exactly_one() {
    explore(|| {
        let coalescer: Coalescer<u32> = Coalescer::new();
        let Joined::Leader(first) = coalescer.join_blocking(b"k") else {
            panic!("nobody else is there")
        };
        let working = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..3)
            .map(|number| {
                let (coalescer, working) = (coalescer.clone(), Arc::clone(&working));
                thread::spawn(move || match coalescer.join_blocking(b"k") {
                    Joined::Leader(guard) => {
                        assert_eq!(working.fetch_add(1, Ordering::SeqCst), 0, "two lead at once");
                        thread::yield_now();
                        working.fetch_sub(1, Ordering::SeqCst);
                        // The second to lead gives up as well.
                        if number == 1 { drop(guard) } else { guard.complete(&1) }
                    }
                    Joined::Value(value) => assert_eq!(value, 1),
                    other => panic!("{other:?}"),
                })
            })
            .collect();
        drop(first);
        for one in threads {
            one.join().unwrap();
        }
        is_empty(&coalescer);
    });
}

#[test]
fn one_that_leaves_while_it_is_made_the_leader_hands_on() {
    explore(|| {
        let coalescer: Coalescer<u32> = Coalescer::new();
        let Joined::Leader(first) = coalescer.join_blocking(b"k") else {
            panic!("nobody else is there")
        };
        let Subscribed::Later(leaving) = coalescer.join_callback(b"k", drop) else {
            panic!("the first leads")
        };
        let waiting = {
            let coalescer = coalescer.clone();
            thread::spawn(move || match coalescer.join_blocking(b"k") {
                Joined::Leader(guard) => guard.complete(&1),
                other => panic!("{other:?}"),
            })
        };
        let leaver = thread::spawn(move || drop(leaving));
        drop(first);
        leaver.join().unwrap();
        waiting.join().unwrap();
        is_empty(&coalescer);
    });
}

#[test]
fn a_sweep_and_the_leader_it_is_too_late_for_end_it_once() {
    explore(|| {
        let limits = FlightLimits {
            age: Some(Duration::from_secs(1)),
            ..FlightLimits::default()
        };
        let coalescer: Coalescer<u32> = Coalescer::with_limits(limits);
        let Joined::Leader(first) = coalescer.join_blocking(b"k") else {
            panic!("nobody else is there")
        };
        let answers = Arc::new(AtomicUsize::new(0));
        let mut places = Vec::new();
        for _ in 0..2 {
            let answers = Arc::clone(&answers);
            let joined = coalescer.join_callback(b"k", move |joined| {
                answers.fetch_add(1, Ordering::SeqCst);
                match joined {
                    Joined::Leader(guard) => guard.complete(&2),
                    Joined::Value(value) => assert!(value == 1 || value == 2),
                    other => panic!("{other:?}"),
                }
            });
            places.push(joined);
        }
        let sweeper = {
            let coalescer = coalescer.clone();
            thread::spawn(move || coalescer.sweep(sync::now() + Duration::from_secs(2)))
        };
        first.complete(&1);
        sweeper.join().unwrap();
        assert_eq!(answers.load(Ordering::SeqCst), 2, "each is answered once");
        is_empty(&coalescer);
    });
}

#[test]
fn failures_are_tried_again_so_often_and_then_told() {
    explore(|| {
        let limits = FlightLimits {
            retries: 1,
            ..FlightLimits::default()
        };
        let coalescer: Coalescer<u32> = Coalescer::with_limits(limits);
        let Joined::Leader(first) = coalescer.join_blocking(b"k") else {
            panic!("nobody else is there")
        };
        let tries = Arc::new(AtomicUsize::new(1));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (coalescer, tries) = (coalescer.clone(), Arc::clone(&tries));
                thread::spawn(move || match coalescer.join_blocking(b"k") {
                    Joined::Leader(guard) => {
                        tries.fetch_add(1, Ordering::SeqCst);
                        guard.fail("again");
                    }
                    Joined::Failed(reason) => assert_eq!(&*reason, "again"),
                    other => panic!("{other:?}"),
                })
            })
            .collect();
        first.fail("first");
        for one in threads {
            one.join().unwrap();
        }
        is_empty(&coalescer);
        let outcomes = coalescer.outcomes();
        // Every one of the four either tried or was told, and none did both.
        assert_eq!(tries.load(Ordering::SeqCst) as u64 + outcomes.failed, 4);
        assert!(outcomes.handed_over <= outcomes.led, "a flight has one retry");
    });
}

#[test]
fn a_task_that_is_dropped_with_the_lead_in_its_place_hands_on() {
    explore(|| {
        let coalescer: Coalescer<u32> = Coalescer::new();
        let Joined::Leader(first) = coalescer.join_blocking(b"k") else {
            panic!("nobody else is there")
        };
        let mut leaving = Box::pin({
            let coalescer = coalescer.clone();
            async move { coalescer.join(b"k").await }
        });
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(leaving.as_mut().poll(&mut context).is_pending());
        let waiting = {
            let coalescer = coalescer.clone();
            thread::spawn(move || match coalescer.join_blocking(b"k") {
                Joined::Leader(guard) => guard.complete(&1),
                other => panic!("{other:?}"),
            })
        };
        let leaver = thread::spawn(move || drop(leaving));
        drop(first);
        leaver.join().unwrap();
        waiting.join().unwrap();
        is_empty(&coalescer);
    });
}
