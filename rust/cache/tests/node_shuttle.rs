//! A value put in place of another, under every kind of schedule: the node's own file, on a scheduler's atomics.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    clippy::unwrap_used,
    reason = "tests, and files of the library of which only a part is used here"
)]

#[path = "../src/lease.rs"]
mod lease;
#[path = "../src/node.rs"]
mod node;

/// What `src/sync.rs` is to the library.
mod sync {
    pub(crate) use shuttle::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, fence};
}

use std::sync::Arc;

use lease::Lease;
use node::Node;
use shuttle::thread;
use sync::{AtomicU64, Ordering};

const SCHEDULES: usize = 20_000;
const DEPTH: usize = 5;

/// Runs under random schedules and under such as provoke rare orders (PCT, Burckhardt et al., ASPLOS 2010).
fn explore(test: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(test.clone(), SCHEDULES);
    shuttle::check_pct(test, SCHEDULES, DEPTH);
}

/// Until when a value may be used, by its number; values that are two apart have the same.
fn lease(value: u64) -> Lease {
    if value.is_multiple_of(2) {
        Lease::new(u64::MAX, 0)
    } else {
        Lease::new(10, value % 3)
    }
}

#[test]
fn a_value_is_never_used_for_longer_than_it_may_be_nor_past_a_purge() {
    explore(|| write_and_read(|value| value));
}

#[test]
fn nor_where_nothing_tells_two_values_apart_but_that_one_came_in_place_of_the_other() {
    explore(|| write_and_read(|_| 0));
}

/// Writes four values, one in place of another, each made at the number of a purge, and reads meanwhile.
fn write_and_read(made_at: fn(u64) -> u64) {
    let (node, value) = (Arc::new(Node::free(0)), Arc::new(AtomicU64::new(0)));
    node.occupy(lease(0), 1, 0, 1, false);
    let writer = {
        let (node, value) = (Arc::clone(&node), Arc::clone(&value));
        thread::spawn(move || {
            for next in 1..=4 {
                node.change(lease(next), 1, made_at(next), || value.store(next, Ordering::Release));
            }
        })
    };
    let mut last = 0;
    for _ in 0..3 {
        let (seen, sequence, found) = loop {
            let seen = node.glimpse();
            let sequence = node.sequence(9);
            let found = value.load(Ordering::Relaxed);
            if node.is_still(&seen) {
                break (seen, sequence, found);
            }
        };
        assert!(found >= last, "{found} was seen after {last}");
        assert!(sequence <= found, "{found} passes for one from after purge {sequence}");
        assert!(seen.lease.fresh_until() <= lease(found).fresh_until());
        assert!(seen.lease.dead_at() <= lease(found).dead_at());
        last = found;
    }
    writer.join().unwrap();
    assert_eq!((node.sequence(9), value.load(Ordering::Relaxed)), (made_at(4), 4));
}
