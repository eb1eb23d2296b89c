//! Buffers that are taken again and again: by size class, first from the thread's own, then from a reserve for all.
//!
//! A buffer that comes back is not cleared. What is read through a [`Buffer`] is only what was written to it.

mod buffer;
mod local;
mod shelf;

use std::sync::Arc;

pub use buffer::Buffer;
use local::{Home, with_local};
use shelf::Shelf;

/// How a pool is set up. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolConfig {
    /// The size classes; they need not be sorted, and nought is none.
    pub classes: Vec<usize>,
    /// What each thread keeps of each class at most; at least one buffer.
    pub thread_bytes: usize,
    /// What the reserve keeps of all classes together at most.
    pub reserve_bytes: usize,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            classes: [4, 8, 16, 32, 64].map(|kilobytes| kilobytes << 10).to_vec(),
            thread_bytes: 256 << 10,
            reserve_bytes: 8 << 20,
        }
    }
}

/// What a pool did since it was made, and what it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Buffers that were there when they were asked for.
    pub hits: u64,
    /// Buffers that the allocator had to make.
    pub misses: u64,
    /// Requests larger than any class, which the pool passes on to the allocator and does not keep.
    pub oversized: u64,
    /// Buffers that came back and were freed, because there were enough.
    pub freed: u64,
    /// Bytes that are held and not in use, of all threads and the reserve.
    pub held: u64,
}

/// A pool of buffers. A clone is another handle to the same.
#[derive(Debug, Clone)]
pub struct Pool {
    owner: Arc<Owner>,
}

/// What the handles of a pool share: with the last of them the pool is closed, and nothing more is kept for it.
#[derive(Debug)]
struct Owner {
    shelf: Arc<Shelf>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shelf.close();
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new(PoolConfig::default())
    }
}

impl Pool {
    /// Makes a pool that holds nothing yet.
    pub fn new(config: PoolConfig) -> Self {
        Self {
            owner: Arc::new(Owner {
                shelf: Arc::new(Shelf::new(config)),
            }),
        }
    }

    /// Takes an empty buffer that has room for `size` bytes or more.
    pub fn take(&self, size: usize) -> Buffer {
        take(&self.owner.shelf, size)
    }

    /// Puts up to `count` buffers of the class for `size` into the reserve, so that the first to ask do not wait for
    /// the allocator; returns how many there was room for.
    pub fn allocate(&self, size: usize, count: usize) -> usize {
        let Some(class) = self.owner.shelf.class_for(size) else {
            return 0;
        };
        let fresh = || {
            // Written once, so that the pages are there and not only promised.
            let mut bytes = vec![0; self.owner.shelf.size(class)].into_boxed_slice();
            bytes.fill(1);
            bytes
        };
        (0..count)
            .take_while(|_| self.owner.shelf.has_room(class) && self.owner.shelf.put(class, fresh()))
            .count()
    }

    /// What it did, and holds.
    pub fn stats(&self) -> PoolStats {
        self.owner.shelf.stats()
    }
}

fn take(shelf: &Arc<Shelf>, size: usize) -> Buffer {
    let class = shelf.class_for(size);
    if class.is_none() {
        shelf.count_oversized();
    }
    let (kept, home) = with_local(shelf, |local| {
        let kept = class.and_then(|class| local.take(shelf, class));
        (kept, local.home())
    })
    .unwrap_or_else(|| (None, Arc::new(Home::new(shelf))));
    let fresh = || vec![0; class.map_or(size, |class| shelf.size(class))].into_boxed_slice();
    Buffer::new(kept.unwrap_or_else(fresh), home)
}
