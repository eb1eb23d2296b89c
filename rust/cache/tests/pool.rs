//! Buffers that come back.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::VecDeque;

use hyperweb_cache::{Pool, PoolConfig};
use proptest::prelude::*;

fn small() -> Pool {
    Pool::new(PoolConfig {
        classes: vec![64, 16],
        thread_bytes: 128,
        reserve_bytes: 256,
    })
}

#[test]
fn a_buffer_comes_back_when_the_last_who_shares_it_is_gone() {
    let pool = Pool::default();
    let mut buffer = pool.take(5000);
    assert_eq!(
        (buffer.len(), buffer.capacity(), buffer.write(b"hello world")),
        (0, 8192, 11)
    );
    buffer.advance(6);
    let frozen = buffer.freeze();
    let part = frozen.slice(1..3);
    drop(frozen);
    assert_eq!((&part[..], pool.stats().held), (&b"or"[..], 0));
    std::thread::spawn(move || drop(part)).join().unwrap();
    assert_eq!(
        pool.stats().held,
        8192,
        "what another thread gave back is in the reserve when that ends"
    );
    let again = pool.take(8192);
    assert!(again.is_empty(), "what was there before is not read");
    let stats = pool.stats();
    assert_eq!((stats.hits, stats.misses, stats.held), (1, 1, 0));
}

#[test]
fn threads_and_the_reserve_keep_no_more_than_they_may() {
    let pool = small();
    let many: Vec<_> = (0..100).map(|_| pool.take(10)).collect();
    drop(many);
    let stats = pool.stats();
    assert!(stats.held <= 128 + 256, "{stats:?}");
    assert_eq!(stats.freed, 100 - stats.held / 16);
    drop(pool.take(1000));
    assert_eq!((pool.stats().oversized, pool.stats().held), (1, stats.held));
}

#[test]
fn what_was_allocated_before_is_a_hit() {
    let pool = small();
    assert_eq!((pool.allocate(20, 100), pool.allocate(1000, 1)), (4, 0));
    let taken = [pool.take(64), pool.take(64)];
    assert_eq!((pool.stats().hits, pool.stats().misses, pool.stats().held), (2, 0, 128));
    drop(taken);
    assert_eq!(pool.stats().held, 256);
}

#[test]
fn a_buffer_outlives_its_pool() {
    let pool = small();
    let mut buffer = pool.take(16);
    drop(pool);
    assert_eq!(buffer.write(&[7; 20]), 16);
    assert_eq!(&buffer.freeze()[..], &[7; 16]);
}

#[test]
fn threads_that_pass_buffers_on_lose_none() {
    let pool = Pool::default();
    let (sender, receiver) = std::sync::mpsc::sync_channel::<hyperweb_cache::Buffer>(8);
    std::thread::scope(|scope| {
        for number in 0..4u8 {
            let (sender, pool) = (sender.clone(), pool.clone());
            scope.spawn(move || {
                for _ in 0..1000 {
                    let mut buffer = pool.take(4096);
                    buffer.write(&[number; 4096]);
                    sender.send(buffer).unwrap();
                }
            });
        }
        drop(sender);
        for buffer in receiver {
            assert!(buffer.iter().all(|byte| *byte == buffer[0]));
        }
    });
    let stats = pool.stats();
    assert_eq!(stats.hits + stats.misses, 4000);
    assert_eq!(
        stats.held,
        (stats.misses - stats.freed) * 4096,
        "all that was made is held or freed"
    );
}

#[derive(Debug, Clone)]
enum Step {
    Write(Vec<u8>),
    Spare(u8),
    Advance(usize),
    SplitTo(usize),
    Split,
    Compact,
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::Write),
        any::<u8>().prop_map(Step::Spare),
        (0..80usize).prop_map(Step::Advance),
        (0..80usize).prop_map(Step::SplitTo),
        Just(Step::Split),
        Just(Step::Compact),
        Just(Step::Clear),
    ]
}

proptest! {
    #[test]
    fn a_buffer_is_a_queue_of_bytes(steps in prop::collection::vec(step(), 0..60)) {
        let pool = small();
        let mut buffer = pool.take(64);
        let mut model = VecDeque::new();
        for step in steps {
            match step {
                Step::Write(bytes) => {
                    let count = buffer.write(&bytes);
                    model.extend(&bytes[..count]);
                }
                Step::Spare(byte) => {
                    let space = buffer.spare_mut();
                    if let Some(first) = space.first_mut() {
                        *first = byte;
                        model.push_back(byte);
                    }
                    buffer.advance_mut(1);
                }
                Step::Advance(count) => {
                    buffer.advance(count);
                    model.drain(..count.min(model.len()));
                }
                Step::SplitTo(count) => {
                    let front = buffer.split_to(count);
                    let expected: Vec<u8> = model.drain(..count.min(model.len())).collect();
                    prop_assert_eq!(&front.freeze()[..], &expected[..]);
                }
                Step::Split => {
                    let expected: Vec<u8> = model.drain(..).collect();
                    prop_assert_eq!(&buffer.split()[..], &expected[..]);
                }
                Step::Compact => {
                    buffer.compact();
                    prop_assert_eq!(buffer.capacity(), 64);
                }
                Step::Clear => {
                    buffer.clear();
                    model.clear();
                }
            }
            prop_assert_eq!(&buffer[..], &model.iter().copied().collect::<Vec<_>>()[..]);
        }
    }
}
