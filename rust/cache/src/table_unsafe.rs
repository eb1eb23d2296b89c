//! Where the entries are: open addressing, read without locks.
//!
//! A slot is a pointer to a node; its high 16 bits, which no address of a process has, are 16 bits of the key's hash,
//! so that nearly every node looked at is the right one. A table is written under the lock of its partition; when it is
//! full, a new one is put in its place and the old one kept for as long as readers may be in it.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::NonNull;

use crate::node::Node;
use crate::sync::{AtomicPtr, Ordering};

/// An address is no more than these bits.
const ADDRESS: usize = (1 << 48) - 1;
/// A slot that was emptied: readers go on past it.
const GONE: usize = 1;
const LEAST: usize = 12;
/// As many shards begin one slot longer each. As each grows by a third, they would all grow at once otherwise, and a good
/// part of the cache would be memory of tables that were just replaced.
const PHASES: usize = 5;

/// The bits of a hash that tell entries apart which are near each other.
#[expect(
    clippy::cast_possible_truncation,
    reason = "usize has 64 bits, or there is no such tag"
)]
const fn tag(hash: u64) -> usize {
    hash as usize & !ADDRESS
}

#[repr(C)]
struct Head {
    capacity: usize,
    /// Slots that are not empty, those that were emptied again among them; of the writer alone.
    used: Cell<usize>,
    live: Cell<usize>,
}

/// A table: a head and its slots in one piece of memory.
#[derive(Debug, Clone, Copy)]
struct Table(NonNull<Head>);

impl Table {
    fn layout(capacity: usize) -> Layout {
        let slots = Layout::array::<AtomicPtr<Node>>(capacity);
        let whole = slots.and_then(|slots| Layout::new::<Head>().extend(slots));
        // The capacity follows from entries that are in memory, so that their pointers are no more than memory has.
        whole.map_or(Layout::new::<Head>(), |(layout, _)| layout.pad_to_align())
    }

    fn new(capacity: usize) -> Self {
        let layout = Self::layout(capacity);
        #[expect(clippy::cast_ptr_alignment, reason = "the layout is aligned to the head")]
        // SAFETY: the layout has a head at least. Zeros are a head and empty slots.
        let memory = unsafe { alloc_zeroed(layout) }.cast::<Head>();
        let Some(head) = NonNull::new(memory) else {
            handle_alloc_error(layout)
        };
        // SAFETY: the memory is ours alone.
        unsafe { (*head.as_ptr()).capacity = capacity };
        Self(head)
    }

    /// # Safety
    /// The table is not freed during `'g`.
    #[inline]
    unsafe fn slots<'g>(self) -> &'g [AtomicPtr<Node>] {
        // SAFETY: as many slots as the head says follow it, aligned to pointers as the head is; the capacity never
        // changes, and nothing refers to the counts beside it for longer than it takes to change them.
        unsafe {
            let capacity = (&raw const (*self.0.as_ptr()).capacity).read();
            std::slice::from_raw_parts(self.0.add(1).cast::<AtomicPtr<Node>>().as_ptr(), capacity)
        }
    }

    /// # Safety
    /// Nobody can be in the table any more, and it is not used after this.
    unsafe fn free(self) {
        // SAFETY: by the caller's word the memory is ours alone, and it was taken with this layout.
        unsafe {
            let capacity = (*self.0.as_ptr()).capacity;
            dealloc(self.0.as_ptr().cast(), Self::layout(capacity));
        }
    }
}

/// A table that was replaced, and that readers may still be in.
#[derive(Debug)]
pub(crate) struct Retired(Table);

// SAFETY: a table is memory with atomics and numbers, tied to no thread.
unsafe impl Send for Retired {}

impl Retired {
    /// Bytes of its memory.
    pub(crate) fn bytes(&self) -> u64 {
        // SAFETY: it is not freed before it is consumed, and its capacity never changes.
        let capacity = unsafe { (&raw const (*self.0.0.as_ptr()).capacity).read() };
        Table::layout(capacity).size() as u64
    }

    /// # Safety
    /// Two epochs have passed since the table was replaced.
    pub(crate) unsafe fn free(self) {
        // SAFETY: no reader who could have found it is left, and writers use only the table in place.
        unsafe { self.0.free() };
    }
}

/// The place of a shard's table, read by all and written under the lock of its partition.
#[derive(Debug)]
pub(crate) struct Shard {
    table: AtomicPtr<Head>,
}

impl Shard {
    /// An empty shard, the so-manieth of an index.
    pub(crate) fn new(number: usize) -> Self {
        Self {
            table: AtomicPtr::new(Table::new(LEAST + number % PHASES).0.as_ptr()),
        }
    }

    #[inline]
    fn table(&self) -> Table {
        let head = self.table.load(Ordering::Acquire);
        // SAFETY: a shard is made with a table, and one is only ever replaced by another.
        Table(unsafe { NonNull::new_unchecked(head) })
    }

    /// The node that `is_it` says is the one, among those whose tag is this hash's.
    ///
    /// # Safety
    /// The caller is pinned, or holds the lock of the partition, for as long as this runs.
    #[inline]
    pub(crate) unsafe fn find(&self, hash: u64, mut is_it: impl FnMut(NonNull<Node>) -> bool) -> Option<NonNull<Node>> {
        // SAFETY: a table is freed only when nobody who was pinned while it was in place is left.
        let slots = unsafe { self.table().slots() };
        let mut place = start(hash, slots.len());
        let mut is_round = false;
        loop {
            let Some(slot) = slots.get(place) else {
                // An empty slot ends the search long before; without one, this does.
                if is_round {
                    return None;
                }
                (place, is_round) = (0, true);
                continue;
            };
            let slot = slot.load(Ordering::Acquire);
            if slot.is_null() {
                return None;
            }
            if slot.addr() & !ADDRESS == tag(hash)
                && let Some(node) = untagged(slot)
                && is_it(node)
            {
                return Some(node);
            }
            place += 1;
        }
    }

    /// Puts a node in place of another of the same hash; false where that is not there.
    ///
    /// # Safety
    /// The caller holds the lock of the partition.
    pub(crate) unsafe fn replace(&self, hash: u64, old: NonNull<Node>, new: NonNull<Node>) -> bool {
        // SAFETY: only the holder of the lock replaces tables, and that is the caller.
        let slots = unsafe { self.table().slots() };
        let Some(place) = place_of(slots, hash, old) else {
            return false;
        };
        slots[place].store(tagged(new, hash), Ordering::Release);
        true
    }

    /// Puts a node in whose entry is not there yet, and returns the table that was replaced to make room, if one was.
    ///
    /// # Safety
    /// The caller holds the lock of the partition. `hash_of` gives the hash of any node of the shard.
    pub(crate) unsafe fn insert(
        &self,
        hash: u64,
        node: NonNull<Node>,
        hash_of: impl Fn(NonNull<Node>) -> u64,
    ) -> Option<Retired> {
        let tagged = tagged(node, hash);
        let table = self.table();
        // SAFETY: only the holder of the lock replaces tables, and that is the caller.
        let slots = unsafe { table.slots() };
        let mut place = start(hash, slots.len());
        // There is a free slot: a fifth of them are, or one that was emptied.
        let slot = loop {
            let slot = slots[place].load(Ordering::Relaxed);
            if slot.addr() <= GONE {
                break slot;
            }
            place = next(place, slots.len());
        };
        // SAFETY: the counts are of the holder of the lock alone, and the capacity does not change.
        let head = unsafe { table.0.as_ref() };
        head.live.set(head.live.get() + 1);
        if slot.addr() == GONE {
            slots[place].store(tagged, Ordering::Release);
            return None;
        }
        if (head.used.get() + 1) * 5 <= slots.len() * 4 {
            head.used.set(head.used.get() + 1);
            slots[place].store(tagged, Ordering::Release);
            return None;
        }
        let larger = Table::new((head.live.get() * 5 / 3).max(LEAST));
        // SAFETY: nobody else knows the new table yet.
        let (new, fresh) = unsafe { (larger.0.as_ref(), larger.slots()) };
        new.live.set(head.live.get());
        new.used.set(head.live.get());
        for slot in slots {
            let slot = slot.load(Ordering::Relaxed);
            if let Some(found) = untagged(slot) {
                put(fresh, hash_of(found), slot);
            }
        }
        put(fresh, hash, tagged);
        self.table.store(larger.0.as_ptr(), Ordering::Release);
        Some(Retired(table))
    }

    /// Takes a node out, and says whether it was there.
    ///
    /// # Safety
    /// The caller holds the lock of the partition.
    pub(crate) unsafe fn remove(&self, hash: u64, node: NonNull<Node>) -> bool {
        let table = self.table();
        // SAFETY: only the holder of the lock replaces tables, and that is the caller.
        let slots = unsafe { table.slots() };
        let Some(mut place) = place_of(slots, hash, node) else {
            return false;
        };
        // SAFETY: the counts are of the holder of the lock alone, and the capacity does not change.
        let head = unsafe { table.0.as_ref() };
        head.live.set(head.live.get() - 1);
        let after = next(place, slots.len());
        if !slots[after].load(Ordering::Relaxed).is_null() {
            slots[place].store(std::ptr::without_provenance_mut(GONE), Ordering::Release);
            return true;
        }
        // Nothing lies behind, so nobody has to be led on; nor past emptied slots just before.
        loop {
            slots[place].store(std::ptr::null_mut(), Ordering::Release);
            head.used.set(head.used.get() - 1);
            place = place.checked_sub(1).unwrap_or(slots.len() - 1);
            if slots[place].load(Ordering::Relaxed).addr() != GONE {
                return true;
            }
        }
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        let table = self.table();
        // SAFETY: the shard is going, so nobody reads or writes it, and its table is in no list of retired ones.
        unsafe { table.free() };
    }
}

/// The slot a search begins at: a fair share of the capacity for each of the low 32 bits' values.
#[inline]
const fn start(hash: u64, capacity: usize) -> usize {
    (((hash & 0xffff_ffff) * capacity as u64) >> 32) as usize
}

/// The slot after one; the first after the last.
#[inline]
const fn next(place: usize, capacity: usize) -> usize {
    if place + 1 == capacity { 0 } else { place + 1 }
}

/// What a slot with a node of a hash has.
#[inline]
fn tagged(node: NonNull<Node>, hash: u64) -> *mut Node {
    node.as_ptr().map_addr(|address| address | tag(hash))
}

/// The slot of a node of a hash.
fn place_of(slots: &[AtomicPtr<Node>], hash: u64, node: NonNull<Node>) -> Option<usize> {
    let wanted = tagged(node, hash);
    let mut place = start(hash, slots.len());
    for _ in 0..slots.len() {
        let slot = slots[place].load(Ordering::Relaxed);
        if slot == wanted {
            return Some(place);
        }
        if slot.is_null() {
            return None;
        }
        place = next(place, slots.len());
    }
    None
}

/// The node of a slot, or none where the slot is empty or was emptied.
#[inline]
fn untagged(slot: *mut Node) -> Option<NonNull<Node>> {
    let node = slot.map_addr(|address| address & ADDRESS);
    if node.addr() <= GONE { None } else { NonNull::new(node) }
}

/// Whether an address leaves room for a tag.
pub(crate) fn is_taggable(node: NonNull<Node>) -> bool {
    node.as_ptr().addr() <= ADDRESS
}

fn put(slots: &[AtomicPtr<Node>], hash: u64, slot: *mut Node) {
    let mut place = start(hash, slots.len());
    while !slots[place].load(Ordering::Relaxed).is_null() {
        place = next(place, slots.len());
    }
    slots[place].store(slot, Ordering::Relaxed);
}
