//! Memory of entries: node, value, numbers of tags and key in one piece, many pieces of one size in one chunk.
//!
//! A piece is named by a handle of 32 bits. Its node is there from the chunk's first day to its last, whether it holds
//! an entry or not, so a handle can be followed safely whatever became of the entry; only value and key come and go.
//!
//! Layout of a piece: `Node | padding | V | [long key's length u32, count of tags u32, tags u32 …] | key`.

use std::alloc::{Layout, alloc, dealloc};
use std::marker::PhantomData;
use std::mem::{align_of, size_of};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::lease::Lease;
use crate::node::{FREE, NONE, Node};
use crate::value_unsafe::{IsWord, Value, Word, from_word, into_word, of_word};

/// Pieces of a chunk, at most; a handle's low six bits tell them apart.
const PIECES: usize = 64;
/// And at least, where they share one.
const FEWEST: usize = 4;
const PIECE_BITS: u32 = 6;
const PIECE_MASK: u32 = (1 << PIECE_BITS) - 1;
/// The length that says the real one is in the tail.
const LONG: u16 = u16::MAX;
/// Keys up to this long are compared here and not by a call.
const INLINE_KEY: usize = 32;
/// Of the pieces of a size, one in so many may lie in stock: taken from its chunk, but not in use.
const STOCK_PART: usize = 16;
/// Larger pieces come one a chunk.
const SHARED_UP_TO: usize = 1024;

/// How many pieces of a size a chunk has that is to have so many or fewer. Allocators (mimalloc, jemalloc) have four sizes
/// for each power of two, and round up to the next: a chunk is just below one.
fn fitting(size: usize, most: usize) -> usize {
    let bytes = size * most;
    let quarter = bytes.max(4).ilog2() - 2;
    let fit = bytes >> quarter << quarter;
    (fit / size).max(FEWEST.min(most))
}

const _: () = assert!(size_of::<Node>() == 32);

#[derive(Debug)]
struct Chunk {
    /// The first piece; null where the chunk was given back, which then has no pieces.
    base: *mut u8,
    size: u32,
    pieces: u16,
    used: u16,
    /// The first free piece; each names the next in its `next`.
    free: u32,
    /// Its place among the chunks of its size that have room, or `NONE`.
    listed: u32,
}

/// The pieces of one partition. Handing out and taking back needs `&mut`, that is the partition's lock.
#[derive(Debug)]
pub(crate) struct Arena<V> {
    /// By size in eighths of bytes: pieces that were given back lately. As a rule the next to be taken is one of them, so
    /// that what is kept of chunks is seldom written, and processors that take turns need not hand it on.
    stock: Vec<Vec<u32>>,
    chunks: Vec<Chunk>,
    /// Chunks that were given back.
    vacant: Vec<u32>,
    /// By size: the chunks that have room.
    roomy: Vec<Vec<u32>>,
    /// By size: pieces taken from chunks, from which the next chunk's size follows.
    population: Vec<u32>,
    bytes: usize,
    values: PhantomData<V>,
}

// SAFETY: the arena owns its chunks and the values in them, and reaches them only through itself.
unsafe impl<V: Send> Send for Arena<V> {}

/// What a piece is filled with.
pub(crate) struct Content<'a, V> {
    pub(crate) key: &'a [u8],
    pub(crate) value: V,
    pub(crate) tags: &'a [u32],
}

/// Where the parts of a piece are.
#[derive(Debug)]
struct Parts<V>(PhantomData<V>);

impl<V> Parts<V> {
    const ALIGN: usize = if align_of::<V>() > 8 { align_of::<V>() } else { 8 };
    const VALUE: usize = size_of::<Node>().next_multiple_of(align_of::<V>());
    const AFTER: usize = Self::VALUE + size_of::<V>();
    const TAIL: usize = Self::AFTER.next_multiple_of(4);
}

/// A reference to an occupied piece: its node, value, tags and key can be read for `'g`.
#[derive(Debug)]
pub(crate) struct Piece<'g, V> {
    node: NonNull<Node>,
    life: PhantomData<&'g V>,
}

impl<V> Clone for Piece<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Piece<'_, V> {}

impl<'g, V> Piece<'g, V> {
    /// # Safety
    /// `node` is of a piece of an `Arena<V>` that was filled and is not emptied or given back during `'g`.
    pub(crate) const unsafe fn new(node: NonNull<Node>) -> Self {
        Self {
            node,
            life: PhantomData,
        }
    }

    pub(crate) const fn pointer(self) -> NonNull<Node> {
        self.node
    }

    #[inline]
    pub(crate) fn node(self) -> &'g Node {
        // SAFETY: the piece is there for 'g, and a node is only ever changed through its atomics.
        unsafe { self.node.as_ref() }
    }

    /// The numbers of its tags.
    #[inline]
    pub(crate) fn tags(self) -> &'g [u32] {
        if !self.node().has_tail() {
            return &[];
        }
        // SAFETY: a piece with a tail has there two numbers and as many more as the second says, written before the
        // piece was shown to anyone and unchanged during 'g. TAIL is aligned to four.
        unsafe {
            let tail = self.node.byte_add(Parts::<V>::TAIL).cast::<u32>();
            let count = tail.add(1).read() as usize;
            std::slice::from_raw_parts(tail.add(2).as_ptr(), count)
        }
    }

    /// Whether this is its key.
    #[inline]
    pub(crate) fn has_key(self, key: &[u8]) -> bool {
        let own = self.key();
        if own.len() != key.len() {
            return false;
        }
        if own.len() > INLINE_KEY {
            return own == key;
        }
        let ((own, own_rest), (key, rest)) = (own.as_chunks::<8>(), key.as_chunks::<8>());
        own.iter()
            .zip(key)
            .all(|(own, key)| u64::from_ne_bytes(*own) == u64::from_ne_bytes(*key))
            && own_rest.iter().eq(rest)
    }

    #[inline]
    pub(crate) fn key(self) -> &'g [u8] {
        let short = usize::from(self.node().key_len());
        // SAFETY: the key's bytes follow the value, or the tail where there is one; they were written before the piece
        // was shown to anyone and are unchanged during 'g.
        unsafe {
            if !self.node().has_tail() {
                return std::slice::from_raw_parts(self.node.byte_add(Parts::<V>::AFTER).cast::<u8>().as_ptr(), short);
            }
            let tail = self.node.byte_add(Parts::<V>::TAIL).cast::<u32>();
            let count = tail.add(1).read() as usize;
            let length = if short == usize::from(LONG) {
                tail.read() as usize
            } else {
                short
            };
            std::slice::from_raw_parts(tail.add(2 + count).cast::<u8>().as_ptr(), length)
        }
    }
}

impl<'g, V: Value> Piece<'g, V> {
    /// The place of a value that is one word.
    fn place(self, _: IsWord<V>) -> &'g AtomicPtr<()> {
        // SAFETY: a filled piece has a V at this place, which is a word and aligned like one; while there are readers it is
        // only reached through this.
        unsafe { AtomicPtr::from_ptr(self.node.byte_add(Parts::<V>::VALUE).cast::<Word>().as_ptr()) }
    }

    /// What the value is at this moment, for [`value`](Self::value); nothing, where a piece has the same value always.
    #[inline]
    pub(crate) fn word(self) -> Word {
        V::WORD.map_or(std::ptr::null_mut(), |is_word| {
            self.place(is_word).load(Ordering::Relaxed)
        })
    }

    /// The value; `word` is what [`word`](Self::word) of this piece returned during `'g`.
    #[inline]
    pub(crate) fn value<'w>(self, word: &'w Word) -> &'w V
    where
        'g: 'w,
    {
        match V::WORD {
            // SAFETY: it was the value at a time in 'g, and a value that is exchanged is dropped after 'g, as a piece is
            // emptied after 'g.
            Some(is_word) => unsafe { of_word(is_word, word) },
            // SAFETY: a filled piece has a V at this place, which nobody changes before it is emptied, after 'g.
            None => unsafe { self.node.byte_add(Parts::<V>::VALUE).cast::<V>().as_ref() },
        }
    }

    /// Puts a value in place of the one that is there, of which readers may have copies, and returns that.
    ///
    /// # Safety
    /// The caller holds the lock of the piece's partition.
    pub(crate) unsafe fn exchange(self, is_word: IsWord<V>, value: V, lease: Lease, weight: u32, sequence: u64) -> V {
        let place = self.place(is_word);
        let old = place.load(Ordering::Relaxed);
        self.node().change(lease, weight, sequence, || {
            place.store(into_word(is_word, value), Ordering::Release);
        });
        // SAFETY: it was the piece's own, whose other owner the new one now is.
        unsafe { from_word(is_word, old) }
    }
}

impl<V> Arena<V> {
    pub(crate) const fn new() -> Self {
        Self {
            stock: Vec::new(),
            chunks: Vec::new(),
            vacant: Vec::new(),
            roomy: Vec::new(),
            population: Vec::new(),
            bytes: 0,
            values: PhantomData,
        }
    }

    /// Bytes of all chunks.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The node of a handle, whether it holds an entry or not; none where its chunk is gone.
    #[inline]
    pub(crate) fn node(&self, handle: u32) -> Option<&Node> {
        // SAFETY: `pointer` answers only for pieces of chunks that are there, each with a node; chunks go only with
        // `&mut self`, and nodes change only through their atomics.
        self.pointer(handle).map(|node| unsafe { node.as_ref() })
    }

    /// Begins to bring a node near that is soon written.
    #[inline]
    pub(crate) fn prefetch(&self, handle: u32) {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        if let Some(node) = self.pointer(handle) {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: every x86-64 processor has the instruction, and it neither reads nor faults.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(node.as_ptr().cast()) };
        }
        #[cfg(not(all(target_arch = "x86_64", not(miri))))]
        let _ = handle;
    }

    /// The entry of a handle, or none where it holds none.
    pub(crate) fn piece(&self, handle: u32) -> Option<Piece<'_, V>> {
        let pointer = self.pointer(handle)?;
        // SAFETY: as in `node`.
        let node = unsafe { pointer.as_ref() };
        // SAFETY: a node that is not free is of a filled piece, and emptying it needs `&mut self`.
        (node.kind() != FREE).then(|| unsafe { Piece::new(pointer) })
    }

    #[inline]
    fn pointer(&self, handle: u32) -> Option<NonNull<Node>> {
        let chunk = self.chunks.get((handle >> PIECE_BITS) as usize)?;
        let piece = handle & PIECE_MASK;
        if piece >= u32::from(chunk.pieces) {
            return None;
        }
        // SAFETY: the chunk has `pieces` pieces of `size` bytes, and this is one of them; its base is not null, or it
        // would have no pieces.
        unsafe {
            let place = chunk.base.add(piece as usize * chunk.size as usize);
            Some(NonNull::new_unchecked(place.cast()))
        }
    }

    /// The handles of a chunk; none past the last. Chunks are numbered from nought.
    pub(crate) fn chunk(&self, number: usize) -> Option<impl Iterator<Item = u32> + use<V>> {
        let chunk = self.chunks.get(number)?;
        let first = u32::try_from(number).unwrap_or(0) << PIECE_BITS;
        Some((0..u32::from(chunk.pieces)).map(move |piece| first | piece))
    }

    /// Fills a free piece, in no list yet; gives the value back where memory or handles have run out.
    pub(crate) fn fill(
        &mut self,
        content: Content<'_, V>,
        occupy: impl FnOnce(&Node, u16, bool),
    ) -> Result<(u32, NonNull<Node>), V> {
        let (key, tags) = (content.key, content.tags);
        let is_long = key.len() >= usize::from(LONG);
        let has_tail = is_long || !tags.is_empty();
        let head = if has_tail {
            Parts::<V>::TAIL + 8 + 4 * tags.len()
        } else {
            Parts::<V>::AFTER
        };
        let (Ok(long), Ok(count)) = (u32::try_from(key.len()), u32::try_from(tags.len())) else {
            return Err(content.value);
        };
        let size = (head + key.len()).next_multiple_of(Parts::<V>::ALIGN);
        let Some((handle, pointer)) = self.take(size) else {
            return Err(content.value);
        };
        // SAFETY: the piece is free, so nobody else reads or writes past its node; it has `size` bytes, which were
        // reckoned from what is written here. The value's place is aligned to V and the tail's to four.
        unsafe {
            pointer.byte_add(Parts::<V>::VALUE).cast::<V>().write(content.value);
            if has_tail {
                let tail = pointer.byte_add(Parts::<V>::TAIL).cast::<u32>();
                tail.write(long);
                tail.add(1).write(count);
                tail.add(2).as_ptr().copy_from_nonoverlapping(tags.as_ptr(), tags.len());
            }
            let place = pointer.byte_add(head).cast::<u8>().as_ptr();
            place.copy_from_nonoverlapping(key.as_ptr(), key.len());
        }
        let short = u16::try_from(key.len()).unwrap_or(LONG);
        // SAFETY: the piece has a node, which is only changed through its atomics.
        occupy(unsafe { pointer.as_ref() }, short, has_tail);
        Ok((handle, pointer))
    }

    /// Takes the value out of a piece and gives the piece back; `last` sees it before.
    ///
    /// # Safety
    /// The handle is of a piece that was filled and not emptied since, and no reader can see it any more.
    pub(crate) unsafe fn empty(&mut self, handle: u32, last: impl FnOnce(Piece<'_, V>)) -> Option<V> {
        let pointer = self.pointer(handle)?;
        // SAFETY: the piece is filled, and as nobody else sees it, the value can be moved out once. Its node is only
        // changed through its atomics.
        let (value, node) = unsafe {
            last(Piece::new(pointer));
            (pointer.byte_add(Parts::<V>::VALUE).cast::<V>().read(), pointer.as_ref())
        };
        node.vacate();
        self.put_by(handle);
        Some(value)
    }

    fn class(size: usize) -> usize {
        if size > SHARED_UP_TO { 0 } else { size / 8 }
    }

    fn take(&mut self, size: usize) -> Option<(u32, NonNull<Node>)> {
        let class = Self::class(size);
        if let Some(handle) = self.stock.get_mut(class).and_then(Vec::pop) {
            return Some((handle, self.pointer(handle)?));
        }
        if self.roomy.len() <= class {
            self.stock.resize_with(class + 1, Vec::new);
            self.roomy.resize_with(class + 1, Vec::new);
            self.population.resize(class + 1, 0);
        }
        let number = match self.roomy[class].last() {
            Some(number) if class > 0 => *number,
            _ => self.add_chunk(size, class)?,
        };
        let chunk = &self.chunks[number as usize];
        let handle = number << PIECE_BITS | chunk.free;
        let pointer = self.pointer(handle)?;
        // SAFETY: as in `node`.
        let next = unsafe { pointer.as_ref() }.next.load(Ordering::Relaxed);
        let chunk = &mut self.chunks[number as usize];
        chunk.free = next;
        chunk.used += 1;
        self.population[class] += 1;
        if next == NONE {
            self.unlist(number, class);
        }
        Some((handle, pointer))
    }

    /// Puts a piece in stock, and gives back what is too much there.
    fn put_by(&mut self, handle: u32) {
        let size = self.chunks[(handle >> PIECE_BITS) as usize].size;
        let class = Self::class(size as usize);
        self.stock[class].push(handle);
        // A large piece is never worth keeping.
        while self.stock[class].len()
            > if class == 0 {
                0
            } else {
                self.population[class] as usize / STOCK_PART
            }
            && let Some(handle) = self.stock[class].pop()
        {
            self.give_back(handle);
        }
    }

    fn give_back(&mut self, handle: u32) {
        let number = handle >> PIECE_BITS;
        let free = self.chunks[number as usize].free;
        if let Some(node) = self.node(handle) {
            node.next.store(free, Ordering::Relaxed);
        }
        let chunk = &mut self.chunks[number as usize];
        chunk.free = handle & PIECE_MASK;
        chunk.used -= 1;
        let class = Self::class(chunk.size as usize);
        let roomy = &mut self.roomy[class];
        self.population[class] -= 1;
        if chunk.used == 0 && (class == 0 || roomy.len() > 1) {
            self.drop_chunk(number, class);
        } else if chunk.listed == NONE {
            chunk.listed = u32::try_from(roomy.len()).unwrap_or(NONE);
            roomy.push(number);
        }
    }

    fn unlist(&mut self, number: u32, class: usize) {
        let place = std::mem::replace(&mut self.chunks[number as usize].listed, NONE);
        if place == NONE {
            return;
        }
        self.roomy[class].swap_remove(place as usize);
        if let Some(moved) = self.roomy[class].get(place as usize) {
            self.chunks[*moved as usize].listed = place;
        }
    }

    fn layout(size: u32, pieces: u16) -> Option<Layout> {
        Layout::from_size_align(size as usize * usize::from(pieces), Parts::<V>::ALIGN).ok()
    }

    fn add_chunk(&mut self, size: usize, class: usize) -> Option<u32> {
        let number = match self.vacant.last() {
            Some(vacant) => *vacant,
            None => u32::try_from(self.chunks.len())
                .ok()
                .filter(|number| *number < NONE >> PIECE_BITS)?,
        };
        // A chunk holds an eighth of what there is already, so that few pieces lie idle in a small cache.
        let pieces = if class == 0 {
            1
        } else {
            fitting(size, (self.population[class] as usize / 8).clamp(FEWEST, PIECES))
        };
        let (size, pieces) = (u32::try_from(size).ok()?, u16::try_from(pieces).ok()?);
        let layout = Self::layout(size, pieces)?;
        // SAFETY: the layout is not empty: a piece has a node at least.
        let base = unsafe { alloc(layout) };
        if base.is_null() {
            return None;
        }
        for piece in 0..u32::from(pieces) {
            let node = Node::free(number << PIECE_BITS | piece);
            let next = if piece + 1 < u32::from(pieces) { piece + 1 } else { NONE };
            node.next.store(next, Ordering::Relaxed);
            // SAFETY: the chunk has room for this piece and is seen by nobody yet; pieces are aligned as nodes are.
            #[expect(clippy::cast_ptr_alignment, reason = "the layout is aligned to eight at least")]
            unsafe {
                base.add(piece as usize * size as usize).cast::<Node>().write(node);
            }
        }
        self.bytes += layout.size();
        let listed = if class == 0 {
            NONE
        } else {
            u32::try_from(self.roomy[class].len()).ok()?
        };
        let chunk = Chunk {
            base,
            size,
            pieces,
            used: 0,
            free: 0,
            listed,
        };
        if self.vacant.pop().is_some() {
            self.chunks[number as usize] = chunk;
        } else {
            self.chunks.push(chunk);
        }
        if class > 0 {
            self.roomy[class].push(number);
        }
        Some(number)
    }

    /// Gives a chunk back that has no filled piece.
    fn drop_chunk(&mut self, number: u32, class: usize) {
        self.unlist(number, class);
        let chunk = &mut self.chunks[number as usize];
        let base = std::mem::replace(&mut chunk.base, std::ptr::null_mut());
        let pieces = std::mem::take(&mut chunk.pieces);
        if let Some(layout) = Self::layout(chunk.size, pieces) {
            self.bytes -= layout.size();
            // SAFETY: the chunk was made with this layout, none of its pieces is filled, and its base is forgotten.
            unsafe { dealloc(base, layout) };
        }
        self.vacant.push(number);
    }
}

impl<V> Drop for Arena<V> {
    fn drop(&mut self) {
        for number in 0..self.chunks.len() {
            for handle in self.chunk(number).into_iter().flatten() {
                if self.piece(handle).is_some()
                    && let Some(pointer) = self.pointer(handle)
                {
                    // SAFETY: the piece is filled, and the arena is going: nobody sees it any more.
                    unsafe { pointer.byte_add(Parts::<V>::VALUE).cast::<V>().drop_in_place() };
                }
            }
            let chunk = &self.chunks[number];
            if !chunk.base.is_null()
                && let Some(layout) = Self::layout(chunk.size, chunk.pieces)
            {
                // SAFETY: the chunk was made with this layout and its values are dropped.
                unsafe { dealloc(chunk.base, layout) };
            }
        }
    }
}
