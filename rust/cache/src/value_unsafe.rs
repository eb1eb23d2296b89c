//! What a cache holds, and which values can be put in another's place while readers look.

use std::marker::PhantomData;
use std::mem::{ManuallyDrop, align_of, size_of, transmute_copy};
use std::sync::Arc;

/// A value that a cache holds. Values that are one word, as numbers and pointers are, change in place when their key is
/// written again, which takes a quarter of the time; others take a new place each time.
pub trait Value: Send + Sync + Sized {
    /// The proof that a value is one word, where it is.
    const WORD: Option<IsWord<Self>> = None;
}

/// A promise about a type, made where it is known what the type is made of.
#[derive(Debug)]
pub struct IsWord<V>(PhantomData<fn(V) -> V>);

impl<V> Clone for IsWord<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for IsWord<V> {}

impl<V> IsWord<V> {
    /// Promises that a value is one word.
    ///
    /// # Panics
    /// If it is not as large as a pointer, and aligned as one: while it is compiled.
    ///
    /// # Safety
    /// Every bit of a value is always initialised, and nothing in its own bytes changes while it is shared: there is no
    /// padding, no `UnsafeCell` and no atomic in them. What it points to may be anything.
    pub const unsafe fn promise() -> Self {
        assert!(size_of::<V>() == size_of::<Word>() && align_of::<V>() == align_of::<Word>());
        Self(PhantomData)
    }
}

/// The bits of a value. As a pointer, so that a value which is one still points to what it pointed to.
pub(crate) type Word = *mut ();

/// The bits of a value, which is forgotten.
pub(crate) fn into_word<V>(_: IsWord<V>, value: V) -> Word {
    let value = ManuallyDrop::new(value);
    // SAFETY: it is of the size of a word and all of it is initialised, which the proof says.
    unsafe { transmute_copy(&value) }
}

/// The value of these bits.
///
/// # Safety
/// They are of a value that was made to bits, and that is owned by nobody else.
pub(crate) unsafe fn from_word<V>(_: IsWord<V>, word: Word) -> V {
    // SAFETY: by the caller's word these are the bits of a V.
    unsafe { transmute_copy(&word) }
}

/// The value whose bits these are a copy of.
///
/// # Safety
/// They are of a value that was made to bits and that is not dropped while the copy is borrowed.
pub(crate) unsafe fn of_word<V>(_: IsWord<V>, word: &Word) -> &V {
    // SAFETY: by the caller's word these are the bits of a V that is there, and none of them changes while it is shared,
    // so a copy of them serves as well. A word is aligned as a V is.
    unsafe { &*std::ptr::from_ref(word).cast::<V>() }
}

macro_rules! words {
    ($($number:ty),*) => {
        $(impl Value for $number {
            // SAFETY: a number has neither padding nor anything that changes.
            const WORD: Option<IsWord<Self>> = Some(unsafe { IsWord::promise() });
        })*
    };
}

words!(u64, i64, usize, isize);

impl<T: Send + Sync> Value for Arc<T> {
    // SAFETY: it is a pointer; the counts are where it points to.
    const WORD: Option<IsWord<Self>> = Some(unsafe { IsWord::promise() });
}

macro_rules! others {
    ($($other:ty),*) => {
        $(impl Value for $other {})*
    };
}

others!(
    (),
    bool,
    u8,
    u16,
    u32,
    u128,
    i8,
    i16,
    i32,
    i128,
    f32,
    f64,
    char,
    String,
    bytes::Bytes
);

impl<T: Send + Sync> Value for Vec<T> {}
impl<T: Send + Sync> Value for Option<T> {}
impl<T: Send + Sync> Value for Box<T> {}
impl<A: Send + Sync, B: Send + Sync> Value for (A, B) {}
