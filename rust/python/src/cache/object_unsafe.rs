//! A Python object as a value of the memory tier.

use hyperweb_cache::{IsWord, Value};
use pyo3::prelude::*;

/// A Python object. It is a pointer, so it changes in place when its key is written again.
#[repr(transparent)]
pub(super) struct Object(pub(super) Py<PyAny>);

impl Value for Object {
    // SAFETY: `Py` is a pointer that is not null and nothing else; what changes, its object's count of references, is
    // where it points to.
    const WORD: Option<IsWord<Self>> = Some(unsafe { IsWord::promise() });
}
