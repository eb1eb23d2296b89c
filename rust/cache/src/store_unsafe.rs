//! A partition's entries, and how readers find them: what is published, and when what was hidden is freed.
//!
//! The invariants that all of this rests on:
//! 1. A shard is written only by the store of its partition, through `&mut`, that is under the partition's lock.
//! 2. A shard's tables name only filled pieces of that store's arena.
//! 3. A piece is emptied only after it was taken out of its table and two epochs have passed, so no reader who was
//!    pinned when it could still be found is left.
//! 4. The stores and the index of a cache go together, when nobody borrows the cache.

use std::collections::VecDeque;
use std::marker::PhantomData;

use crate::arena_unsafe::{Arena, Content, Piece};
use crate::epoch::{self, Guard};
use crate::node::{LOOSE, Node};
use crate::table_unsafe::{Retired, Shard, is_taggable};

/// The tables of all partitions.
#[derive(Debug)]
pub(crate) struct Index<V> {
    shards: Box<[Shard]>,
    /// How many of the shards' bits are below those of the partition.
    inner_bits: u32,
    values: PhantomData<fn() -> V>,
}

impl<V> Index<V> {
    /// Both are powers of two, and there are at least as many shards as partitions.
    pub(crate) fn new(shards: usize, partitions: usize) -> Self {
        Self {
            shards: (0..shards).map(|_| Shard::new()).collect(),
            inner_bits: shards.ilog2() - partitions.ilog2(),
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
            let found = shard.find(hash, |node| Piece::<V>::new(node).key() == key)?;
            Some(Piece::new(found))
        }
    }
}

/// The entries of one partition.
#[derive(Debug)]
pub(crate) struct Store<V> {
    arena: Arena<V>,
    number: usize,
    /// Pieces out of sight, with the epoch they went in.
    limbo: VecDeque<(u64, u32)>,
    tables: Vec<(u64, Retired)>,
    limbo_bytes: u64,
}

impl<V> Store<V> {
    pub(crate) const fn new(number: usize) -> Self {
        Self {
            arena: Arena::new(),
            number,
            limbo: VecDeque::new(),
            tables: Vec::new(),
            limbo_bytes: 0,
        }
    }

    fn shard<'a>(&self, index: &'a Index<V>, hash: u64) -> Option<&'a Shard> {
        // Only ever a shard of this partition, whatever the hash.
        let inner = index.number(hash) & ((1 << index.inner_bits) - 1);
        index.shards.get(self.number << index.inner_bits | inner)
    }

    #[inline]
    pub(crate) fn node(&self, handle: u32) -> Option<&Node> {
        self.arena.node(handle)
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

    /// Entries out of sight whose memory is kept, and what they weigh.
    pub(crate) fn limbo(&self) -> (usize, u64) {
        (self.limbo.len(), self.limbo_bytes)
    }

    /// Tables that were replaced and are kept for readers who may be in them.
    pub(crate) fn replaced_tables(&self) -> usize {
        self.tables.len()
    }

    pub(crate) fn find(&self, index: &Index<V>, hash: u64, key: &[u8]) -> Option<Piece<'_, V>> {
        let shard = self.shard(index, hash)?;
        // SAFETY: whoever has the store holds the lock of its partition (1), and nothing is emptied without `&mut`.
        unsafe {
            let found = shard.find(hash, |node| Piece::<V>::new(node).key() == key)?;
            Some(Piece::new(found))
        }
    }

    /// The entry of a hash; in one of thousands of cases that of another key with a similar one.
    pub(crate) fn find_similar(&self, index: &Index<V>, hash: u64) -> Option<Piece<'_, V>> {
        let shard = self.shard(index, hash)?;
        // SAFETY: as in `find`.
        unsafe { Some(Piece::new(shard.find(hash, |_| true)?)) }
    }

    /// Publishes a new entry, and returns its handle and that of the one it replaces, which is then out of sight. Gives
    /// the value back where there is no memory.
    pub(crate) fn publish(
        &mut self,
        index: &Index<V>,
        hash: u64,
        content: Content<'_, V>,
        occupy: impl FnOnce(&Node, u16, bool),
        hash_of: impl Fn(&[u8]) -> u64,
    ) -> Result<(u32, Option<u32>), V> {
        let key = content.key;
        let Some(shard) = self.shard(index, hash) else {
            return Err(content.value);
        };
        let pointer = self.arena.fill(content, occupy)?;
        // SAFETY: the piece was just filled, and this store is ours alone.
        let handle = unsafe { Piece::<V>::new(pointer) }.node().handle();
        if !is_taggable(pointer) {
            // SAFETY: it was filled just now and shown to nobody.
            return unsafe { self.arena.empty(handle) }.map_or(Ok((handle, None)), Err);
        }
        let mut retired = Vec::new();
        // SAFETY: `&mut self` is the lock of the partition (1); what is in the shard's table is filled (2), so its key
        // can be read, and so is the piece that goes in.
        let replaced = unsafe {
            shard.insert(
                hash,
                pointer,
                |node| Piece::<V>::new(node).key() == key,
                |node| hash_of(Piece::<V>::new(node).key()),
                &mut retired,
            )
        };
        if !retired.is_empty() {
            let epoch = epoch::retired_in();
            self.tables.extend(retired.into_iter().map(|table| (epoch, table)));
        }
        // SAFETY: what was replaced is out of the table and still filled: it is emptied by `free` alone.
        let replaced = replaced.map(|node| unsafe { Piece::<V>::new(node) }.node().handle());
        if let Some(old) = replaced {
            self.retire(old);
        }
        Ok((handle, replaced))
    }

    /// Takes an entry out of sight; false where it was already.
    pub(crate) fn hide(&mut self, index: &Index<V>, hash: u64, handle: u32) -> bool {
        let (Some(shard), Some(piece)) = (self.shard(index, hash), self.arena.piece(handle)) else {
            return false;
        };
        // SAFETY: `&mut self` is the lock of the partition (1).
        let was_there = unsafe { shard.remove(hash, piece.pointer()) };
        if was_there {
            piece.node().set_kind(LOOSE);
            self.retire(handle);
        }
        was_there
    }

    /// Keeps the memory of an entry that was just taken out of its table for those who have found it.
    fn retire(&mut self, handle: u32) {
        if let Some(node) = self.arena.node(handle) {
            self.limbo_bytes += u64::from(node.weight());
        }
        self.limbo.push_back((epoch::retired_in(), handle));
    }

    /// Frees what no reader can see any more. The values are handed over, so that they are dropped without the lock;
    /// `last` sees each entry before.
    pub(crate) fn free(&mut self, last: impl Fn(Piece<'_, V>)) -> Vec<V> {
        let Some(safe) = epoch::advance().checked_sub(2) else {
            return Vec::new();
        };
        while self.tables.first().is_some_and(|(epoch, _)| *epoch <= safe) {
            let (_, table) = self.tables.remove(0);
            // SAFETY: it was replaced two epochs ago.
            unsafe { table.free() };
        }
        let mut dropped = Vec::new();
        while let Some((_, handle)) = self.limbo.front().copied().filter(|(epoch, _)| *epoch <= safe) {
            self.limbo.pop_front();
            if let Some(piece) = self.arena.piece(handle) {
                self.limbo_bytes -= u64::from(piece.node().weight());
                last(piece);
                // SAFETY: it is filled, and was put here, once, after it was taken out of its table, two epochs ago (3).
                dropped.extend(unsafe { self.arena.empty(handle) });
            }
        }
        dropped
    }
}

impl<V> Drop for Store<V> {
    fn drop(&mut self) {
        for (_, table) in self.tables.drain(..) {
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
