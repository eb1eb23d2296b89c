//! A buffer of a pool.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use bytes::Bytes;

use super::local::{Home, with_local};
use super::take;

/// A buffer that goes back to its pool when it, or the last of what it was frozen into, is dropped.
///
/// It is shaped as `bytes::BytesMut`: it reads as the bytes that were written, from the front some can be passed by and
/// at the end more can be added, but it never grows.
pub struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    home: Arc<Home>,
}

impl Buffer {
    pub(super) fn new(bytes: Box<[u8]>, home: Arc<Home>) -> Self {
        Self {
            bytes,
            start: 0,
            end: 0,
            home,
        }
    }

    /// Bytes that can be written and read from here on: those written and those there is room for.
    pub fn capacity(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// The room at the end. It holds what an earlier user left there, so show it to nobody.
    pub fn spare_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// Says that so many bytes of [`spare_mut`](Self::spare_mut) were written; more than there are counts as all.
    pub fn advance_mut(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.bytes.len());
    }

    /// Passes by so many bytes at the front; more than there are counts as all.
    pub fn advance(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }

    /// Adds as many of the bytes as there is room for, and returns how many those were.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        let spare = self.spare_mut();
        let count = bytes.len().min(spare.len());
        if let (Some(to), Some(from)) = (spare.get_mut(..count), bytes.get(..count)) {
            to.copy_from_slice(from);
        }
        self.end += count;
        count
    }

    /// Forgets all, and has its whole size again.
    pub fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Moves what is there to the front, so that all the room is at the end.
    pub fn compact(&mut self) {
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
    }

    /// Takes out what is there, without copying it, and goes on with a new buffer of the pool of the same size.
    #[must_use = "what is there is dropped"]
    pub fn split(&mut self) -> Self {
        let next = take(&self.home.shelf, self.bytes.len());
        std::mem::replace(self, next)
    }

    /// Takes out the first bytes, at most those there are. They are copied; to share parts freeze it, and slice that.
    #[must_use = "the bytes are dropped"]
    pub fn split_to(&mut self, count: usize) -> Self {
        let count = count.min(self.len());
        let mut front = take(&self.home.shelf, count);
        front.write(self.get(..count).unwrap_or_default());
        self.advance(count);
        front
    }

    /// Makes it shared and unchangeable, without copying.
    pub fn freeze(self) -> Bytes {
        if self.is_empty() {
            return Bytes::new();
        }
        Bytes::from_owner(self)
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.end).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Buffer")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let shelf = &self.home.shelf;
        if let Some(class) = shelf.class_of(bytes.len()).filter(|_| !shelf.is_closed()) {
            // A thread that is ending frees it.
            let _ = with_local(shelf, |local| local.put(shelf, class, bytes));
        }
    }
}
