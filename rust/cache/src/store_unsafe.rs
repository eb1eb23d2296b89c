//! A partition's entries, and how readers find them: what is published, and when what was hidden is freed.
//!
//! The invariants that all of this rests on:
//! 1. A shard is written only by the store of its partition, through `&mut`, that is under the partition's lock.
//! 2. A shard's tables name only filled pieces of that store's arena.
//! 3. A piece is emptied only after it was taken out of its table and two epochs have passed, so no reader who was
//!    pinned when it could still be found is left.
//!    A value in whose place another came is dropped by the same rule.
//! 4. The stores and the index of a cache go together, when nobody borrows the cache.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::mem::needs_drop;
use std::ptr::NonNull;

use crate::arena_unsafe::{Arena, Content, Piece};
use crate::epoch::{self, Guard};
use crate::lease::Lease;
use crate::node::{LOOSE, Node};
use crate::table_unsafe::{Retired, Shard, is_taggable};
use crate::value_unsafe::{IsWord, Value};

/// The tables of all partitions.
#[derive(Debug)]
pub(crate) struct Index<V> {
    shards: Box<[Shard]>,
    /// How many of the shards' bits are below those of the partition, and these bits.
    inner_bits: u32,
    inner_mask: usize,
    values: PhantomData<fn() -> V>,
}

impl<V> Index<V> {
    /// Both are powers of two, and there are at least as many shards as partitions.
    pub(crate) fn new(shards: usize, partitions: usize) -> Self {
        let inner_bits = shards.ilog2() - partitions.ilog2();
        Self {
            shards: (0..shards).map(Shard::new).collect(),
            inner_bits,
            inner_mask: (1 << inner_bits) - 1,
            values: PhantomData,
        }
    }

    #[inline]
    fn number(&self, hash: u64) -> usize {
        (hash >> 32) as usize & (self.shards.len() - 1)
    }

    /// The partition of a hash.
    #[inline]
    pub(crate) fn partition(&self, hash: u64) -> usize {
        self.number(hash) >> self.inner_bits
    }

    /// The bits that no hash of the first partition has.
    pub(crate) fn first_partition(&self) -> u64 {
        ((self.shards.len() as u64 - 1) >> self.inner_bits << self.inner_bits) << 32
    }

    /// Finds the entry of a key.
    #[inline]
    pub(crate) fn get<'g>(&'g self, hash: u64, key: &[u8], _guard: &'g Guard) -> Option<Piece<'g, V>> {
        let shard = self.shards.get(self.number(hash))?;
        // SAFETY: the guard keeps this thread pinned for 'g, so what is found is not emptied before (3), and what is
        // in the tables is filled (2).
        unsafe {
            let found = shard.find(hash, |node| Piece::<V>::new(node).has_key(key))?;
            Some(Piece::new(found))
        }
    }
}

/// Entries went cold while they were out of sight: so many ahead of the one that is freed, they are brought near.
const PREFETCH: usize = 8;

/// What went out of sight together: its memory is kept for those who have found it.
#[derive(Debug)]
struct Batch<V> {
    pieces: Vec<u32>,
    /// Values in whose place others came.
    values: Vec<V>,
    /// What the pieces and values weigh, and what the tables have.
    bytes: u64,
    tables: Vec<Retired>,
}

impl<V> Batch<V> {
    const EMPTY: Self = Self {
        pieces: Vec::new(),
        values: Vec::new(),
        bytes: 0,
        tables: Vec::new(),
    };

    const fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.values.is_empty() && self.tables.is_empty()
    }
}

/// The entries of one partition.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Store<V> {
    /// What goes out of sight now: to ask for the epoch costs a fence, so that is done once for many.
    open: Batch<V>,
    arena: Arena<V>,
    number: usize,
    /// What went before, with an epoch by which it had gone.
    limbo: VecDeque<(u64, Batch<V>)>,
    /// Room for the pieces of a batch, kept from the last that was freed.
    emptied: Vec<u32>,
}

impl<V> Store<V> {
    pub(crate) const fn new(number: usize) -> Self {
        Self {
            arena: Arena::new(),
            number,
            open: Batch::EMPTY,
            limbo: VecDeque::new(),
            emptied: Vec::new(),
        }
    }

    #[inline]
    fn shard<'a>(&self, index: &'a Index<V>, hash: u64) -> Option<&'a Shard> {
        // Only ever a shard of this partition, whatever the hash.
        let inner = (hash >> 32) as usize & index.inner_mask;
        index.shards.get(self.number << index.inner_bits | inner)
    }

    #[inline]
    pub(crate) fn node(&self, handle: u32) -> Option<&Node> {
        self.arena.node(handle)
    }

    /// Begins to bring a node near that is soon written.
    #[inline]
    pub(crate) fn prefetch(&self, handle: u32) {
        self.arena.prefetch(handle);
    }

    /// The entry of a handle, out of sight or not.
    pub(crate) fn piece(&self, handle: u32) -> Option<Piece<'_, V>> {
        self.arena.piece(handle)
    }

    /// The handles of a chunk; none past the last. Chunks are numbered from nought.
    pub(crate) fn chunk(&self, number: usize) -> Option<impl Iterator<Item = u32> + use<V>> {
        self.arena.chunk(number)
    }

    /// Bytes of memory that entries have.
    pub(crate) const fn arena_bytes(&self) -> usize {
        self.arena.bytes()
    }

    /// Whether something waits to be freed.
    pub(crate) fn has_limbo(&self) -> bool {
        !self.limbo.is_empty() || !self.open.is_empty()
    }

    /// Entries and values that went out of sight since it was last tried to free some, and the bytes of all that did.
    pub(crate) const fn open(&self) -> (usize, u64) {
        (self.open.pieces.len() + self.open.values.len(), self.open.bytes)
    }

    #[inline]
    pub(crate) fn find(&self, index: &Index<V>, hash: u64, key: &[u8]) -> Option<Piece<'_, V>> {
        let shard = self.shard(index, hash)?;
        // SAFETY: whoever has the store holds the lock of its partition (1), and nothing is emptied without `&mut`.
        unsafe {
            let found = shard.find(hash, |node| Piece::<V>::new(node).has_key(key))?;
            Some(Piece::new(found))
        }
    }

    /// The entry of a hash; in one of thousands of cases that of another key with a similar one.
    pub(crate) fn find_similar(&self, index: &Index<V>, hash: u64) -> Option<Piece<'_, V>> {
        let shard = self.shard(index, hash)?;
        // SAFETY: as in `find`.
        unsafe { Some(Piece::new(shard.find(hash, |_| true)?)) }
    }

    /// Publishes a new entry in place of `old`, where there is one, and returns its handle. Gives the value back where
    /// there is no memory. The old one is then out of sight, and is to be retired.
    pub(crate) fn publish(
        &mut self,
        index: &Index<V>,
        hash: u64,
        old: Option<NonNull<Node>>,
        content: Content<'_, V>,
        occupy: impl FnOnce(&Node, u16, bool),
        hash_of: impl Fn(&[u8]) -> u64,
    ) -> Result<u32, V> {
        let Some(shard) = self.shard(index, hash) else {
            return Err(content.value);
        };
        let (handle, pointer) = self.arena.fill(content, occupy)?;
        let is_placed = if !is_taggable(pointer) {
            false
        } else if let Some(old) = old {
            // SAFETY: `&mut self` is the lock of the partition (1), and the piece that goes in is filled (2).
            unsafe { shard.replace(hash, old, pointer) }
        } else {
            // SAFETY: as before; what is in the shard's table is filled (2), so its key can be read.
            let retired = unsafe { shard.insert(hash, pointer, |node| hash_of(Piece::<V>::new(node).key())) };
            if let Some(table) = retired {
                self.open.bytes += table.bytes();
                self.open.tables.push(table);
            }
            true
        };
        if is_placed {
            return Ok(handle);
        }
        // SAFETY: it was filled just now and shown to nobody.
        unsafe { self.arena.empty(handle, |_| ()) }.map_or(Ok(handle), Err)
    }

    /// Takes an entry out of sight; false where it was already.
    pub(crate) fn hide(&mut self, index: &Index<V>, hash: u64, handle: u32) -> bool {
        let (Some(shard), Some(piece)) = (self.shard(index, hash), self.arena.piece(handle)) else {
            return false;
        };
        // SAFETY: `&mut self` is the lock of the partition (1).
        let was_there = unsafe { shard.remove(hash, piece.pointer()) };
        if was_there {
            self.retire(handle);
        }
        was_there
    }

    /// Keeps the memory of an entry that was just taken out of its table, and of its list, for those who have found it.
    pub(crate) fn retire(&mut self, handle: u32) {
        if let Some(node) = self.arena.node(handle) {
            node.set_kind(LOOSE);
            self.open.bytes += u64::from(node.weight());
            self.open.pieces.push(handle);
        }
    }

    /// Frees what no reader can see any more. The values are handed over, so that they are dropped without the lock;
    /// `last` sees each entry before.
    pub(crate) fn free(&mut self, last: impl Fn(Piece<'_, V>)) -> Vec<V> {
        if !self.open.is_empty() {
            let next = Batch {
                pieces: std::mem::take(&mut self.emptied),
                ..Batch::EMPTY
            };
            let batch = std::mem::replace(&mut self.open, next);
            self.limbo.push_back((epoch::retired_in(), batch));
        }
        let mut dropped = Vec::new();
        let Some((oldest, _)) = self.limbo.front() else {
            return dropped;
        };
        // Others move the epoch on too, and to do so costs a system call.
        let mut safe = epoch::current().saturating_sub(2);
        if *oldest > safe {
            safe = epoch::advance().saturating_sub(2);
        }
        while let Some((_, mut batch)) = self.limbo.pop_front_if(|(epoch, _)| *epoch <= safe) {
            for table in batch.tables {
                // SAFETY: it was replaced two epochs ago.
                unsafe { table.free() };
            }
            for (place, handle) in batch.pieces.iter().enumerate() {
                if let Some(ahead) = batch.pieces.get(place + PREFETCH) {
                    self.arena.prefetch(*ahead);
                }
                // SAFETY: it is filled, and was put here, once, after it was taken out of its table, two epochs ago (3).
                let value = unsafe { self.arena.empty(*handle, &last) };
                if needs_drop::<V>() {
                    dropped.extend(value);
                }
            }
            dropped.append(&mut batch.values);
            batch.pieces.clear();
            self.emptied = batch.pieces;
        }
        dropped
    }
}

impl<V: Value> Store<V> {
    /// Puts a value in place of that of a key, where there is one and `fits` says so, and returns the handle and what it
    /// weighed and until when it could be used; hands the value back where not. The old value is kept for those who have
    /// found it.
    #[inline]
    pub(crate) fn exchange(
        &mut self,
        index: &Index<V>,
        (hash, key): (u64, &[u8]),
        is_word: IsWord<V>,
        fits: impl FnOnce(Piece<'_, V>) -> bool,
        value: V,
        (lease, weight, sequence): (Lease, u32, u64),
    ) -> Result<(u32, u32, Lease), V> {
        let Some(piece) = self.find(index, hash, key).filter(|piece| fits(*piece)) else {
            return Err(value);
        };
        let node = piece.node();
        let before = (node.handle(), node.weight(), node.lease());
        // SAFETY: `&mut self` is the lock of the partition (1).
        let old = unsafe { piece.exchange(is_word, value, lease, weight, sequence) };
        if needs_drop::<V>() {
            self.open.bytes += u64::from(before.1);
            self.open.values.push(old);
        }
        Ok(before)
    }
}

impl<V> Drop for Store<V> {
    fn drop(&mut self) {
        let open = std::mem::replace(&mut self.open, Batch::EMPTY);
        let batches = self.limbo.drain(..).map(|(_, batch)| batch).chain([open]);
        for table in batches.flat_map(|batch| batch.tables) {
            // SAFETY: a store goes with its cache, when nobody reads it (4).
            unsafe { table.free() };
        }
    }
}

/// Entries that went to make room, kept in sight of whoever evicted them.
#[derive(Debug)]
pub(crate) struct Gone<'g, V> {
    is_wanted: bool,
    entries: Vec<(Piece<'g, V>, u8)>,
}

impl<'g, V> Gone<'g, V> {
    /// For one who does not ask for them.
    pub(crate) const fn unwanted() -> Self {
        Self {
            is_wanted: false,
            entries: Vec::new(),
        }
    }

    /// For one who is pinned, and borrows the cache whose stores and index they are.
    pub(crate) const fn wanted(_guard: &'g Guard, _index: &'g Index<V>) -> Self {
        Self {
            is_wanted: true,
            entries: Vec::new(),
        }
    }

    pub(crate) const fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Takes an entry that is about to be hidden, and how often it was asked for.
    pub(crate) fn push(&mut self, store: &Store<V>, handle: u32, frequency: u8) {
        if let Some(piece) = store.piece(handle).filter(|_| self.is_wanted) {
            // SAFETY: whoever wants it has been pinned since before it is hidden, for all of 'g, so it is not emptied
            // before (3), and the cache is borrowed for as long (4).
            let piece = unsafe { Piece::new(piece.pointer()) };
            self.entries.push((piece, frequency));
        }
    }

    pub(crate) fn into_entries(self) -> Vec<(Piece<'g, V>, u8)> {
        self.entries
    }
}
