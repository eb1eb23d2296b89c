//! The pool against the allocator, each as it would be used.
//!
//! Without arguments it measures all pairs by CPU time; with a case, a side and a count it does that alone, so that
//! callgrind can count the instructions of one: `valgrind --tool=callgrind <this> connection pool 10000`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use hyperweb_cache::Pool;

type Side = fn(&Pool, usize);

/// An idle connection's buffer: 8 KB, of which one request's head is written.
fn connection_pool(pool: &Pool, count: usize) {
    for _ in 0..count {
        let mut buffer = pool.take(8 << 10);
        buffer.spare_mut()[..500].fill(7);
        buffer.advance_mut(500);
        black_box(&buffer[..]);
    }
}

fn connection_zeroed(_: &Pool, count: usize) {
    for _ in 0..count {
        let mut buffer = vec![0u8; 8 << 10];
        buffer[..500].fill(7);
        black_box(&buffer[..500]);
    }
}

fn connection_bare(_: &Pool, count: usize) {
    for _ in 0..count {
        let mut buffer = Vec::with_capacity(8 << 10);
        buffer.resize(500, 7u8);
        black_box(&buffer[..]);
    }
}

/// A chunk of a file on its way to hyper: read into 64 KB, and given away as `Bytes`.
fn chunk_pool(pool: &Pool, count: usize) {
    for _ in 0..count {
        let mut buffer = pool.take(64 << 10);
        read(buffer.spare_mut());
        buffer.advance_mut(64 << 10);
        black_box(buffer.freeze());
    }
}

/// As the edge does it: one buffer for the body, and a copy for each chunk.
fn chunk_copied(_: &Pool, count: usize) {
    let mut buffer = vec![0u8; 64 << 10].into_boxed_slice();
    for _ in 0..count {
        read(&mut buffer);
        black_box(Bytes::copy_from_slice(&buffer));
    }
}

/// A new buffer for each chunk, given away without copying.
fn chunk_zeroed(_: &Pool, count: usize) {
    for _ in 0..count {
        let mut buffer = vec![0u8; 64 << 10];
        read(&mut buffer);
        black_box(Bytes::from(buffer));
    }
}

/// What the kernel does for `read`, so that both sides touch the same memory: a fill is as quick as a copy can be.
fn read(space: &mut [u8]) {
    black_box(&mut *space).fill(3);
}

/// A buffer that is only taken and given back: what the two themselves cost, at the sizes of the classes.
fn bare_pool(pool: &Pool, count: usize) {
    for round in 0..count {
        let mut buffer = pool.take(SIZES[round % 5]);
        black_box(buffer.spare_mut());
    }
}

fn bare_allocator(_: &Pool, count: usize) {
    for round in 0..count {
        black_box(Vec::<u8>::with_capacity(SIZES[round % 5]));
    }
}

fn bare_zeroed(_: &Pool, count: usize) {
    for round in 0..count {
        black_box(vec![0u8; SIZES[round % 5]]);
    }
}

const SIZES: [usize; 5] = [4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10];

const CASES: [(&str, &str, Side); 9] = [
    ("connection", "pool", connection_pool),
    ("connection", "zeroed", connection_zeroed),
    ("connection", "bare", connection_bare),
    ("chunk", "pool", chunk_pool),
    ("chunk", "copied", chunk_copied),
    ("chunk", "zeroed", chunk_zeroed),
    ("bare", "pool", bare_pool),
    ("bare", "allocator", bare_allocator),
    ("bare", "zeroed", bare_zeroed),
];

/// Nanoseconds for each round where two threads do it at once, at best of some times.
fn on_two(pool: &Pool, run: Side) -> f64 {
    let once = || {
        let started = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| run(pool, 200_000));
            }
        });
        started.elapsed().as_secs_f64() * 1e9 / 200_000.0
    };
    (0..9).map(|_| once()).fold(f64::INFINITY, f64::min)
}

fn main() {
    let pool = Pool::default();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    if let [case, side, count] = &arguments[..] {
        let (_, _, run) = CASES.iter().find(|(a, b, _)| a == case && b == side).unwrap();
        run(&pool, count.parse().unwrap());
        return;
    }
    // The sides take turns, and the best of each counts: what disturbs only ever adds.
    let mut best = [f64::INFINITY; CASES.len()];
    for _ in 0..15 {
        for (slot, (_, _, run)) in best.iter_mut().zip(&CASES) {
            run(&pool, 100);
            let started = Instant::now();
            run(&pool, 20_000);
            *slot = slot.min(started.elapsed().as_secs_f64() * 1e9 / 20_000.0);
        }
    }
    for (time, (case, side, _)) in best.iter().zip(&CASES) {
        println!("{case:12} {side:10} {time:8.1} ns");
    }
    for (case, side, run) in CASES.iter().filter(|(case, _, _)| *case == "bare") {
        println!(
            "{case:12} {side:10} {:8.1} ns, on each of two threads",
            on_two(&pool, *run)
        );
    }
}
