//! The entries of a partition as records of an order of eviction.

use std::sync::atomic::Ordering;

use crate::common::Common;
use crate::node::{NONE, Node};
use crate::policy::Records;
use crate::store_unsafe::Store;

/// A store under its lock. A handle that names no entry reads as nothing and is written to in vain.
pub(crate) struct Live<'a, V> {
    pub(crate) store: &'a Store<V>,
    pub(crate) common: &'a Common<V>,
}

impl<V> Live<'_, V> {
    fn with<T>(&self, id: u32, otherwise: T, then: impl FnOnce(&Node) -> T) -> T {
        self.store.node(id).map_or(otherwise, then)
    }
}

impl<V> Records for Live<'_, V> {
    fn prev(&self, id: u32) -> u32 {
        self.with(id, NONE, |node| node.prev.load(Ordering::Relaxed))
    }
    fn next(&self, id: u32) -> u32 {
        self.with(id, NONE, |node| node.next.load(Ordering::Relaxed))
    }
    fn set_prev(&self, id: u32, to: u32) {
        self.with(id, (), |node| node.prev.store(to, Ordering::Relaxed));
    }
    fn set_next(&self, id: u32, to: u32) {
        self.with(id, (), |node| node.next.store(to, Ordering::Relaxed));
    }
    fn kind(&self, id: u32) -> u8 {
        self.with(id, 0, Node::kind)
    }
    fn set_kind(&self, id: u32, kind: u8) {
        self.with(id, (), |node| node.set_kind(kind));
    }
    fn weight(&self, id: u32) -> u64 {
        self.with(id, 0, |node| u64::from(node.weight()))
    }
    fn uses(&self, id: u32) -> u8 {
        self.with(id, 0, Node::uses)
    }
    fn set_uses(&self, id: u32, uses: u8) {
        self.with(id, (), |node| node.set_uses(uses));
    }
    fn hash(&self, id: u32) -> u64 {
        self.store.piece(id).map_or(0, |piece| self.common.hash(piece.key()))
    }
}
