//! The entries of a partition as records of an order of eviction.

use std::sync::atomic::Ordering;

use crate::common::Common;
use crate::node::Node;
use crate::policy::{Record, Records};
use crate::store_unsafe::Store;

/// A store under its lock.
pub(crate) struct Live<'a, V> {
    pub(crate) store: &'a Store<V>,
    pub(crate) common: &'a Common<V>,
}

impl Record for Node {
    fn prev(&self) -> u32 {
        self.prev.load(Ordering::Relaxed)
    }
    fn next(&self) -> u32 {
        self.next.load(Ordering::Relaxed)
    }
    fn set_prev(&self, to: u32) {
        self.prev.store(to, Ordering::Relaxed);
    }
    fn set_next(&self, to: u32) {
        self.next.store(to, Ordering::Relaxed);
    }
    fn kind(&self) -> u8 {
        Self::kind(self)
    }
    fn set_kind(&self, kind: u8) {
        Self::set_kind(self, kind);
    }
    fn weight(&self) -> u32 {
        Self::weight(self)
    }
    fn uses(&self) -> u8 {
        Self::uses(self)
    }
    fn set_uses(&self, uses: u8) {
        Self::set_uses(self, uses);
    }
}

impl<V> Records for Live<'_, V> {
    type Record = Node;

    #[inline]
    fn at(&self, id: u32) -> Option<&Node> {
        self.store.node(id)
    }
    fn hash(&self, id: u32) -> u64 {
        self.store.piece(id).map_or(0, |piece| self.common.hash(piece.key()))
    }
}
